// The Vercel AI SDK against a running gateway, in each of the three formats it speaks. ../README.md lists what is set.
//
// The SDK parses every event by a schema of its own and reports what does not fit as an `error` part or an exception:
// none may come.

import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, isStepCount, Output, streamText, tool } from "ai";
import { z } from "zod";

const url = process.env.WAYPOST_URL;
const real = process.env.WAYPOST_REAL_MODEL;
const r1 = process.env.WAYPOST_R1_MODEL;
assert.ok(url && real && r1, "WAYPOST_URL, WAYPOST_REAL_MODEL and WAYPOST_R1_MODEL are to be set");
const common = { baseURL: `${url}/v1`, apiKey: process.env.WAYPOST_KEY || "unused" };

const TEXT = "Hello! I am a tiny model. 你好, naïve café 👋🏽 done.";
const THOUGHT = "First I plan, then I answer.";
const ANSWER = "The answer is 42.";

const formats = {
  chat: {
    model: createOpenAICompatible({ ...common, name: "waypost", includeUsage: true, supportsStructuredOutputs: true }),
  },
  responses: {
    model: createOpenAI(common).responses,
    // Nothing is kept at the gateway: the SDK must send what was said and not its ids.
    providerOptions: { openai: { store: false, reasoningSummary: "auto" } },
  },
  messages: {
    model: createAnthropic(common),
    // For models whose names it does not know, the SDK would make a tool of the schema.
    providerOptions: { anthropic: { structuredOutputMode: "outputFormat" } },
  },
};

const weather = (asked) =>
  tool({
    description: "The weather at a place",
    inputSchema: z.object({ location: z.string() }),
    execute: async ({ location }) => {
      asked.push(location);
      return `${location}: 21 degrees`;
    },
  });

/** All that a stream told, and the result it came from. An error in it is thrown. */
async function streamed(format, model, request) {
  const { model: choose, ...options } = formats[format];
  const result = streamText({
    model: choose(model),
    maxRetries: 0,
    // Errors are parts of the stream, and looked at there.
    onError: () => {},
    ...options,
    ...request,
  });
  const parts = [];
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
    parts.push(part);
  }
  const joined = (type) => parts.filter((part) => part.type === type).map((part) => part.text);
  return { result, parts, text: joined("text-delta"), thoughts: joined("reasoning-delta") };
}

async function whole(format, model, request) {
  const { model: choose, ...options } = formats[format];
  return generateText({ model: choose(model), maxRetries: 0, ...options, ...request });
}

const checks = {
  async "text comes in pieces"(format) {
    const { result, text } = await streamed(format, real, { prompt: "SCRIPT=text please" });
    assert.equal(text.join(""), TEXT);
    assert.ok(text.length > 3);
    assert.equal(await result.finishReason, "stop");
    const usage = await result.usage;
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0, JSON.stringify(usage));
  },

  async "text comes whole"(format) {
    const answer = await whole(format, real, { prompt: "SCRIPT=text please" });
    assert.equal(answer.text, TEXT);
    assert.ok(answer.usage.outputTokens > 0);
  },

  async "reasoning comes apart from the text"(format) {
    for (const model of [real, r1]) {
      const { thoughts, text, parts } = await streamed(format, model, { prompt: "SCRIPT=think please" });
      assert.equal(thoughts.join("").trim(), THOUGHT, model);
      assert.equal(text.join(""), ANSWER, model);
      const kinds = parts.map((part) => part.type);
      assert.ok(kinds.indexOf("reasoning-end") < kinds.indexOf("text-start"), "one after the other");
      const answer = await whole(format, model, { prompt: "SCRIPT=think please" });
      assert.equal(answer.reasoningText.trim(), THOUGHT, model);
      assert.equal(answer.text, ANSWER, model);
    }
  },

  async "a tool loop with reasoning between its steps, and a turn after it"(format) {
    const asked = [];
    const tools = { get_weather: weather(asked) };
    const messages = [{ role: "user", content: "SCRIPT=think_tool please" }];
    const { result, text, thoughts } = await streamed(format, r1, { messages, tools, stopWhen: isStepCount(5) });
    assert.deepEqual(asked, ["Oslo"]);
    assert.equal((await result.steps).length, 2);
    assert.equal(thoughts.join(""), "The weather is asked for.The tool has said it.");
    assert.equal(text.join(""), "Oslo has 21 degrees.");

    messages.push(...(await result.response).messages, { role: "user", content: "SCRIPT=think now" });
    const third = await streamed(format, r1, { messages, tools, stopWhen: isStepCount(5) });
    assert.equal(third.thoughts.join(""), THOUGHT);
    assert.equal(third.text.join(""), ANSWER);
  },

  async "two tools at once"(format) {
    const seen = [];
    const noted = (name, inputSchema) =>
      tool({ inputSchema, execute: async (input) => seen.push([name, input]) && "fine" });
    const tools = {
      get_weather: noted("get_weather", z.object({ city: z.string() })),
      get_time: noted("get_time", z.object({ tz: z.string() })),
    };
    const { text } = await streamed(format, real, { prompt: "SCRIPT=tools2 please", tools, stopWhen: isStepCount(3) });
    assert.deepEqual(seen, [["get_weather", { city: "Rome" }], ["get_time", { tz: "UTC" }]]);
    assert.equal(text.join(""), "It is 21 degrees there, with light wind.");
  },

  async "structured output fits its schema"(format) {
    const output = Output.object({ schema: z.object({ a: z.number().int(), b: z.array(z.string()) }) });
    const { result } = await streamed(format, real, { prompt: "SCRIPT=json please", output });
    assert.deepEqual(await result.output, { a: 7, b: ["x", "y"] });
  },

  async "an error is one of the SDK's own"(format) {
    for (const ask of [streamed, whole]) {
      await assert.rejects(ask(format, "no-such-model", { prompt: "hi" }), (error) => {
        assert.ok(APICallError.isInstance(error), String(error));
        assert.equal(error.statusCode, 404);
        assert.match(error.message, /no-such-model/);
        return true;
      });
    }
  },
};

globalThis.AI_SDK_LOG_WARNINGS = false;
const only = process.argv[2];
let failed = 0;
for (const format of Object.keys(formats)) {
  for (const [name, check] of Object.entries(checks)) {
    if (only && !`${format}: ${name}`.includes(only)) continue;
    try {
      await check(format);
      console.log(`ok      ${format}: ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${format}: ${name}`);
      console.error(error);
    }
  }
}
console.log(failed ? `${failed} failed` : "all passed");
process.exitCode = failed ? 1 : 0;
