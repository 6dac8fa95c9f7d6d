// Asks the server at the first argument through OpenAI's agents, by both interfaces, at once and streamed.
import { Agent, run, OpenAIChatCompletionsModel, OpenAIResponsesModel, setTracingDisabled } from "@openai/agents";
import OpenAI from "openai";

setTracingDisabled(true);
const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none" });
for (const Model of [OpenAIChatCompletionsModel, OpenAIResponsesModel]) {
  const agent = new Agent({ name: "A", model: new Model(client, "pico") });
  console.log(JSON.stringify((await run(agent, "last of 3 8 5")).finalOutput));
  const stream = await run(agent, "last of 3 8 5", { stream: true });
  let text = "";
  for await (const piece of stream.toTextStream()) text += piece;
  await stream.completed;
  console.log(JSON.stringify(text));
}
