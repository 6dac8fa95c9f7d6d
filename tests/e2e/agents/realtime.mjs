// Holds a realtime session with the server at the first argument through OpenAI's agents; a function must be called.
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from "@openai/agents/realtime";
import { z } from "zod";

const called = [];
const execute = async (given) => { called.push(given); return "seen"; };
const look = tool({ name: "look", description: "Looks.", parameters: z.object({ deep: z.boolean() }), execute });
const agent = new RealtimeAgent({ name: "A", instructions: "Be brief.", tools: [look] });
const url = `${process.argv[2].replace("http", "ws")}/v1/realtime?model=pico`;
const config = { outputModalities: ["text"], toolChoice: "required" };
const session = new RealtimeSession(agent, { transport: new OpenAIRealtimeWebSocket({ url }), model: "pico", config });
session.on("error", (error) => console.error(JSON.stringify(error)));
const over = new Promise((done) => session.transport.on("*", (event) => {
  if (event.type === "response.done" && called.length) done(event.response.status);
}));
await session.connect({ apiKey: "none" });
session.sendMessage("Look.");
const status = await Promise.race([over, new Promise((done) => setTimeout(() => done("late"), 30000))]);
console.log(JSON.stringify({ status, called: called[0] }));
session.close();
process.exit(0);
