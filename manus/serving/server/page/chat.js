// The page's only script: holds the conversation, asks the server it came from, shows answers as they come.
const find = (id) => document.getElementById(id);
const KINDS = { image: "image", video: "video", audio: "audio" };
const turns = [];
let waiting = [];
let running = null;
let senses = ["text"];

function make(tag, props = {}, ...children) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
}

function headers() {
  const key = find("key").value.trim();
  return { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
}

async function explain(answer) {
  const body = await answer.json().catch(() => null);
  return body?.error?.message ?? `the server answered ${answer.status}`;
}

async function meet() {
  const answer = await fetch("v1/models", { headers: headers() });
  if (answer.status === 401) {
    find("settings").open = true;
    find("key").focus();
    return;
  }
  if (!answer.ok) return show("error").words.append(await explain(answer));
  const model = (await answer.json()).data[0];
  senses = model.senses;
  document.title = find("model").textContent = model.id;
  find("attach").hidden = senses.length < 2;
  find("record").hidden = !senses.includes("audio") || !navigator.mediaDevices;
  find("file").accept = senses.filter((sense) => sense in KINDS).map((sense) => `${sense}/*`).join(",");
}

function show(role) {
  const words = make("div", { className: "words" });
  const article = make("article", { className: role }, words);
  find("talk").append(article);
  article.scrollIntoView({ block: "end" });
  return { article, words };
}

function element(medium) {
  const tag = { image: "img", video: "video", audio: "audio" }[medium.kind];
  return make(tag, { src: medium.url, controls: true, alt: medium.name });
}

function part(medium) {
  if (medium.kind === "audio") {
    return { type: "input_audio", input_audio: { data: medium.url.split(",")[1], format: "wav" } };
  }
  const type = `${medium.kind}_url`;
  return { type, [type]: { url: medium.url } };
}

function read(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
}

async function attach(files) {
  for (const file of files) {
    const kind = file.type.split("/")[0];
    if (!(kind in KINDS) || !senses.includes(kind)) {
      show("error").words.append(`${file.name}: this model takes files of ${senses.filter((sense) => sense in KINDS).join(", ") || "no kind"}`);
      continue;
    }
    const medium = { kind, name: file.name, url: await read(file) };
    const remove = make("button", { type: "button", textContent: "×", ariaLabel: `Remove ${file.name}` });
    const item = make("li", {}, kind === "image" ? element(medium) : file.name, remove);
    remove.onclick = () => { waiting = waiting.filter((one) => one !== medium); item.remove(); };
    waiting.push(medium);
    find("waiting").append(item);
  }
}

function functions() {
  const text = find("tools").value.trim();
  if (!text) return {};
  return { tools: JSON.parse(text).map((one) => ({ type: "function", function: one })) };
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const blocks = held.split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const data = block.replace(/^data: /, "");
      if (data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

function fold(article, before, title) {
  const text = make("span");
  article.insertBefore(make("details", {}, make("summary", { textContent: title }), text), before);
  return text;
}

async function say() {
  const text = find("text").value;
  if (running || (!text.trim() && !waiting.length)) return;
  const mine = show("user");
  mine.words.append(text);
  mine.article.prepend(...waiting.map(element));
  const content = waiting.length ? [...waiting.map(part), { type: "text", text }] : text;
  turns.push({ role: "user", content });
  waiting = [];
  find("waiting").replaceChildren();
  find("text").value = "";
  grow();
  await hear();
}

async function hear() {
  const system = find("system").value.trim();
  const { article, words } = show("assistant");
  const turn = { role: "assistant", content: "" };
  running = new AbortController();
  find("send").textContent = "Stop";
  const began = performance.now();
  let first = null, usage = null, thought = null;
  try {
    const body = {
      messages: [...(system ? [{ role: "system", content: system }] : []), ...turns], stream: true,
      stream_options: { include_usage: true }, temperature: Number(find("temperature").value),
      max_tokens: Number(find("tokens").value), ...functions(),
    };
    const answer = await fetch("v1/chat/completions", {
      method: "POST", headers: headers(), body: JSON.stringify(body), signal: running.signal,
    });
    if (!answer.ok) throw new Error(await explain(answer));
    for await (const event of events(answer.body)) {
      if (event.error) throw new Error(event.error.message);
      usage = event.usage ?? usage;
      const delta = event.choices[0]?.delta ?? {};
      if (delta.content || delta.reasoning_content || delta.tool_calls) first ??= performance.now();
      if (delta.reasoning_content) (thought ??= fold(article, words, "Thought")).append(delta.reasoning_content);
      if (delta.content) { turn.content += delta.content; words.append(delta.content); }
      for (const call of delta.tool_calls ?? []) {
        fold(article, null, `Calls ${call.function.name}`).append(call.function.arguments);
        (turn.tool_calls ??= []).push({ id: call.id, type: "function", function: call.function });
      }
      const talk = find("talk");
      if (talk.scrollHeight - talk.scrollTop - talk.clientHeight < 120) talk.scrollTop = talk.scrollHeight;
    }
  } catch (error) {
    if (error.name !== "AbortError") {
      article.append(make("p", { className: "error", role: "alert", textContent: error.message }));
    }
  } finally {
    running = null;
    find("send").textContent = "Send";
  }
  if (first === null) { turns.pop(); return; }
  turns.push(turn);
  const seconds = (performance.now() - first) / 1000;
  const speed = usage && seconds > 0 ? `${((usage.completion_tokens - 1) / seconds).toFixed(1)} tokens/s` : "stopped";
  article.append(make("footer", { textContent: `first token after ${((first - began) / 1000).toFixed(2)} s, ${speed}` }));
  for (const call of turn.tool_calls ?? []) article.append(result(call));
}

// What a function gave back is written by the person, and goes to the model once all of them are there.
function result(call) {
  const given = make("input", { placeholder: `what ${call.function.name} gives back`, ariaLabel: `Result of ${call.function.name}` });
  given.onkeydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    turns.push({ role: "tool", tool_call_id: call.id, content: given.value });
    given.disabled = true;
    const last = turns.findLast((turn) => turn.role === "assistant");
    if (last.tool_calls.length === turns.length - turns.lastIndexOf(last) - 1) hear();
  };
  return given;
}

// 16 kHz mono WAV: what models hear, and a file that is whole.
async function wav(blob) {
  const context = new OfflineAudioContext(1, 1, 16000);
  const sound = await context.decodeAudioData(await blob.arrayBuffer());
  const samples = sound.getChannelData(0);
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const word = (at, text) => [...text].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  word(0, "RIFF"); view.setUint32(4, 36 + 2 * samples.length, true); word(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, 16000, true); view.setUint32(28, 32000, true); view.setUint16(32, 2, true);
  view.setUint16(34, 16, true); word(36, "data"); view.setUint32(40, 2 * samples.length, true);
  samples.forEach((one, n) => view.setInt16(44 + 2 * n, Math.max(-1, Math.min(1, one)) * 32767, true));
  return new File([view], "recording.wav", { type: "audio/wav" });
}

let recorder = null;
async function record() {
  if (recorder) return recorder.stop();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const pieces = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.onstop = async () => {
    stream.getTracks().forEach((track) => track.stop());
    recorder = null;
    find("record").ariaPressed = "false";
    await attach([await wav(new Blob(pieces))]);
  };
  recorder.start();
  find("record").ariaPressed = "true";
}

function grow() {
  const text = find("text");
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

find("ask").onsubmit = (event) => { event.preventDefault(); running ? running.abort() : say(); };
find("text").oninput = grow;
find("text").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); say(); }
};
document.onkeydown = (event) => { if (event.key === "Escape") running?.abort(); };
find("again").onclick = () => { running?.abort(); turns.length = 0; find("talk").replaceChildren(); find("text").focus(); };
find("attach").onclick = () => find("file").click();
find("file").onchange = (event) => { attach([...event.target.files]); event.target.value = ""; };
find("record").onclick = () => record().catch((error) => show("error").words.append(error.message));
find("key").onchange = meet;
document.ondragover = (event) => { event.preventDefault(); find("drop").hidden = senses.length < 2; };
document.ondragleave = (event) => { if (!event.relatedTarget) find("drop").hidden = true; };
document.ondrop = (event) => { event.preventDefault(); find("drop").hidden = true; attach([...event.dataTransfer.files]); };
document.onpaste = (event) => { if (event.clipboardData.files.length) attach([...event.clipboardData.files]); };
meet();
