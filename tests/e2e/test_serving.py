"""`manus serve` as a user has it: a process of its own, signals, a browser."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import APIConnectionError, APIError, OpenAI
from websockets.sync.client import connect

from tests.pico import untrained
from tests.unit.models.omni import small

pytestmark = pytest.mark.e2e
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
SAID = "The answer is \\boxed{5}."


@contextmanager
def process(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `manus serve`; yield the process and its address."""
    command = [sys.executable, "-m", "manus", "serve", str(folder), "--port", "0", "--name", "pico", *more]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None and server.stderr is not None
        found = re.search(r"http://\S+(?=/v1)", server.stdout.readline())
        assert found is not None, server.stderr.read()
        for _ in range(600):
            try:
                httpx2.get(f"{found[0]}/health")
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield server, found[0]
    finally:
        if server.poll() is None:
            server.kill()
        server.communicate()


def test_a_signal_lets_running_answers_end_and_refuses_new_ones(pico_base: Path) -> None:
    with process(pico_base) as (server, url):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        asked: Any = [{"role": "user", "content": "last of 3 8 5"}]
        how: Any = {"logit_bias": {str(end): -100 for end in range(3)}, "temperature": 1.0, "seed": 1}
        stream = client.chat.completions.create(model="pico", messages=asked, stream=True, **how)
        chunks = [next(stream), next(stream)]
        server.send_signal(signal.SIGTERM)
        chunks += list(stream)
        assert chunks[-1].choices[0].finish_reason == "length" and len(chunks) > 50
        assert server.wait(60) == 0


def test_two_ports_alike_and_an_open_address_are_refused(pico_base: Path) -> None:
    with process(pico_base) as (_, url):
        port = url.rpartition(":")[2]
        for more, said in [
            (["--port", port], "choose another with --port"),
            (["--host", "0.0.0.0"], "MANUS_SERVE_KEY"),
        ]:
            command = [sys.executable, "-m", "manus", "serve", str(pico_base), *more]
            refused = subprocess.run(command, capture_output=True, text=True, check=False)
            assert refused.returncode == 2 and said in refused.stderr and "Traceback" not in refused.stderr


ENDLESS: dict[str, Any] = {
    "model": "pico",
    "messages": [{"role": "user", "content": "last of 3 8 5"}],
    "stream": True,
    "temperature": 1.0,
    "max_tokens": 100_000,
    "logit_bias": {str(end): -100 for end in range(3)},
}
LEAVING = """
import sys
from openai import APIConnectionError, APIError, OpenAI
client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
for chunk in client.chat.completions.create(**eval(sys.argv[2])):
    print("said", flush=True)
"""


def running_answers(url: str) -> float:
    lines = httpx2.get(f"{url}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("manus_running "))


def test_a_client_that_is_killed_frees_its_place(tmp_path: Path) -> None:
    with process(untrained(tmp_path / "model")) as (_, url):
        client = subprocess.Popen(
            [sys.executable, "-c", LEAVING, url, repr(ENDLESS)], stdout=subprocess.PIPE, text=True
        )
        assert client.stdout is not None and client.stdout.readline() == "said\n"
        assert running_answers(url) == 1
        client.kill()
        client.communicate()
        for _ in range(200):
            if not running_answers(url):
                return
            time.sleep(0.05)
        pytest.fail("its place stays taken")


def test_a_server_that_is_killed_ends_its_streams_and_its_port_is_free(tmp_path: Path) -> None:
    folder = untrained(tmp_path / "model")
    with process(folder) as (server, url):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        stream = client.chat.completions.create(**ENDLESS)
        next(stream)
        server.kill()
        with pytest.raises((APIConnectionError, httpx2.TransportError)):
            list(stream)
        with pytest.raises(APIConnectionError):
            client.models.list()
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "manus", "serve", str(folder), "--name", "pico", "--port", port]
    again = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert again.stdout is not None and url in again.stdout.readline()
    finally:
        again.kill()
        again.communicate()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_wait_for_answers(tmp_path: Path, second: signal.Signals) -> None:
    with process(untrained(tmp_path / "model"), "--answer-seconds", "600") as (server, url):
        client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        stream = client.chat.completions.create(**ENDLESS)
        next(stream)
        server.send_signal(signal.SIGTERM)
        refused = 0
        while refused != 503:
            refused = httpx2.get(f"{url}/health").status_code
        server.send_signal(second)
        with pytest.raises(APIError, match="stopping"):
            list(stream)
        assert server.wait(20) == 0


class Page:
    """A page in a headless browser, by Chromium's debugging protocol."""

    def __init__(self, address: str) -> None:
        self.socket = connect(address, max_size=None)
        self.number = 0

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the protocol."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(30))
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]

    def run(self, script: str) -> Any:
        """Return the value of a script."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until a script's value is true."""
        for _ in range(300):
            if self.run(f"Boolean({script})"):
                return
            time.sleep(0.1)
        raise AssertionError(f"never true: {script}; the page says {self.run('document.body.innerText')}")

    def photograph(self, name: str) -> None:
        """Keep a picture of the page, where the environment names a folder for it."""
        if folder := os.environ.get("MANUS_SCREENSHOTS"):
            shot = self.call("Page.captureScreenshot", format="png")["data"]
            Path(folder, f"{name}.png").write_bytes(base64.b64decode(shot))

    def press(self, key: str, code: int) -> None:
        """Press and let go a key."""
        text = {"Enter": {"text": "\r"}, " ": {"text": " "}}.get(key, {})
        self.call(
            "Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)


@contextmanager
def opened(url: str, profile: Path) -> Iterator[Page]:
    """Open a page, as wide as a phone."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser is installed; one of {', '.join(BROWSERS)} is needed")
    command = [
        browser,
        "--headless",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
        "--no-sandbox",
        "--disable-gpu",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "--window-size=390,800",
        url,
    ]
    running = subprocess.Popen(  # the command may be a script that starts the browser: its group is ended
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert running.stderr is not None
        line = next(line for line in running.stderr if "DevTools listening" in line)
        threading.Thread(target=running.stderr.read, daemon=True).start()
        port = re.search(r":(\d+)/", line)
        assert port is not None
        for _ in range(100):
            pages = [
                one for one in httpx2.get(f"http://127.0.0.1:{port[1]}/json").json() if one["type"] == "page"
            ]
            if pages:
                break
            time.sleep(0.1)
        yield Page(pages[0]["webSocketDebuggerUrl"])
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(20)


def test_the_page_streams_an_answer_by_keyboard_on_a_small_screen(pico_base: Path, tmp_path: Path) -> None:
    with process(pico_base) as (_, url), opened(url, tmp_path / "profile") as page:
        page.call(
            "Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True
        )
        page.until("document.title === 'pico'")
        assert page.run("document.activeElement.id") == "text"
        page.call("Input.insertText", text="last of 3 8 5")
        page.press("Enter", 13)
        page.until("document.querySelector('article.assistant footer')")
        assert page.run("document.querySelector('article.assistant .words').textContent") == SAID
        assert re.search(
            r"first token after \d+\.\d+ s, \d+\.\d tokens/s",
            page.run("document.querySelector('footer').textContent"),
        )
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth"), "wider than the phone"
        assert page.run("getComputedStyle(document.getElementById('attach')).display") == "none", (
            "the model takes text only"
        )
        page.run("document.getElementById('tools').value = '[{\"name\": \"look\"}]'")
        page.call("Input.insertText", text="a <b>bold</b> question")
        page.press("Enter", 13)
        page.until("document.querySelectorAll('article.user').length === 2")
        assert page.run("document.querySelector('article b')") is None, "what is said is text, not HTML"
        page.until("document.getElementById('send').textContent === 'Send'")
        page.run("document.getElementById('again').click()")
        assert page.run("document.querySelectorAll('article').length") == 0
        page.photograph("serving")


DROP = """
(async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
  canvas.getContext("2d").fillRect(8, 8, 40, 40);
  const picture = new File([await new Promise((done) => canvas.toBlob(done))], "square.png", { type: "image/png" });
  const held = new DataTransfer();
  held.items.add(picture);
  held.items.add(new File(["text"], "notes.txt", { type: "text/plain" }));
  const tell = (kind) => document.dispatchEvent(new DragEvent(kind, { dataTransfer: held, bubbles: true, cancelable: true }));
  tell("dragover");
  const told = getComputedStyle(document.getElementById("drop")).display !== "none";
  tell("drop");
  return told;
})()
"""


@pytest.fixture(scope="module")
def seeing_and_hearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("senses")
    eyes, ears = small.vision_encoder("siglip_vision_model", root / "eyes"), small.whisper(root / "ears")
    return small.omni(small.text_model("llama", root / "text"), root / "omni", eyes, ears)


@pytest.mark.parametrize(("width", "height"), [(390, 800), (1280, 800)])
def test_the_page_takes_a_dropped_picture_and_the_microphone(
    seeing_and_hearing: Path, tmp_path: Path, width: int, height: int
) -> None:
    with process(seeing_and_hearing) as (_, url), opened(url, tmp_path / "profile") as page:
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        page.until("document.title === 'pico'")
        page.run("document.getElementById('tokens').value = 8")
        assert page.run(DROP), "it says where to drop"
        page.until("document.querySelector('#waiting img')")
        assert "notes.txt: this model takes files of audio, image, video" in page.run(
            "document.querySelector('.error').textContent"
        )
        for _ in range(20):  # by keyboard, from the message to the microphone
            page.press("Tab", 9)
            if page.run("document.activeElement.id") == "record":
                break
        page.press(" ", 32)
        page.until("document.getElementById('record').ariaPressed === 'true'")
        page.photograph(f"recording-{width}")
        time.sleep(1)
        page.press(" ", 32)
        page.until("document.querySelectorAll('#waiting li').length === 2")
        assert page.run("document.getElementById('record').ariaPressed") == "false"
        page.run("document.getElementById('text').focus()")
        page.call("Input.insertText", text="What is this?")
        page.press("Enter", 13)
        page.until("document.querySelector('article.assistant footer, article.assistant .error')")
        page.photograph(f"answered-{width}")
        assert page.run("document.querySelector('article.assistant .error')?.textContent") is None
        assert page.run("document.querySelectorAll('article.user img, article.user audio').length") == 2
        assert page.run("document.querySelector('article.user audio').duration") > 0.5
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth"), "wider than the screen"


AGENTS = "MANUS_AGENTS_FOLDER"  # where `npm install @openai/agents zod` was run


def agents_say(script: str, url: str, folder: Path) -> list[Any]:
    """Return what a script prints that uses OpenAI's agents for Node."""
    installed = os.environ.get(AGENTS)
    if installed is None or shutil.which("node") is None:
        pytest.skip(
            f"Node and a folder named in {AGENTS}, in which npm install @openai/agents zod was run, "
            "are needed"
        )
    shutil.copy(Path(__file__).parent / "agents" / script, folder)
    (folder / "node_modules").symlink_to(Path(installed).resolve() / "node_modules")
    done = subprocess.run(
        ["node", script, url], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_openais_agents_are_answered(pico_base: Path, tmp_path: Path) -> None:
    with process(pico_base) as (_, url):
        assert agents_say("text.mjs", url, tmp_path) == [SAID] * 4


def test_openais_agents_hold_a_realtime_session(tmp_path: Path) -> None:
    with process(untrained(tmp_path / "model")) as (_, url):
        (found,) = agents_say("realtime.mjs", url, tmp_path)
    assert found["status"] == "completed" and isinstance(found["called"]["deep"], bool)
