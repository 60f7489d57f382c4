"""Each official client goes through one tool loop with reasoning at a provider of each format.

The provider is the scripted one, which judges what it gets as the real ones do: a signature that was changed, a thinking
block left out before the call being answered, a result without its call are refused with 400.
"""

import json
import os

import anthropic
import openai
import pytest
from anthropic import Anthropic
from conftest import setting
from openai import OpenAI

PROVIDERS = ["chat", "responses", "messages", "gemini"]
LOOK = '[[scripted: reasoning="I look." tool_calls=[{"name":"get_weather","arguments":{"location":"Oslo"}}]]]'
SAY = '[[scripted: reasoning="I know." text="It is 21 degrees."]]'
ARGUMENTS = {"location": "Oslo"}
SCHEMA = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


class Failed(Exception):
    """What a Responses stream ended with, for the SDK raises nothing there."""


class Chat:
    """Chat Completions by the `openai` SDK."""

    tools = [{"type": "function", "function": {"name": "get_weather", "description": "-", "parameters": SCHEMA}}]

    def __init__(self, url: str, key: str, model: str, stream: bool) -> None:
        self.client = OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30)
        self.model, self.stream, self.messages = model, stream, []

    def user(self, text: str) -> None:
        self.messages.append({"role": "user", "content": text})

    def image(self, text: str) -> None:
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}, image]})

    def result(self, call_id: str, text: str) -> None:
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})

    def ask(self) -> dict:
        request = {"model": self.model, "messages": self.messages, "tools": self.tools}
        if self.stream:
            with self.client.chat.completions.stream(**request, stream_options={"include_usage": True}) as stream:
                for _ in stream:
                    pass
                # The SDK's own final answer would raise where the answer was cut short.
                answer = stream.current_completion_snapshot
        else:
            answer = self.client.chat.completions.create(**request)
        message = answer.choices[0].message
        self.messages.append(message)
        calls = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or []]
        thought = (message.model_extra or {}).get("reasoning_content") or ""
        ends = {"tool_calls": "calls", "stop": "end", "length": "cut", "content_filter": "filtered"}
        end = ends[answer.choices[0].finish_reason]
        return {
            "thought": thought, "calls": calls, "text": message.content or "", "end": end,
            "tokens": answer.usage.completion_tokens,
        }  # fmt: skip


class Responses(Chat):
    """The Responses API by the same SDK."""

    tools = [{"type": "function", "name": "get_weather", "description": "-", "parameters": SCHEMA, "strict": False}]

    def image(self, text: str) -> None:
        image = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
        self.messages.append({"role": "user", "content": [{"type": "input_text", "text": text}, image]})

    def result(self, call_id: str, text: str) -> None:
        self.messages.append({"type": "function_call_output", "call_id": call_id, "output": text})

    def ask(self) -> dict:
        request = {
            "model": self.model, "input": self.messages, "tools": self.tools, "store": False,
            "include": ["reasoning.encrypted_content"],
        }  # fmt: skip
        if self.stream:
            last = list(self.client.responses.create(**request, stream=True))[-1]
            if last.type not in ("response.completed", "response.incomplete"):
                raise Failed(last.type)
            answer = last.response
        else:
            answer = self.client.responses.create(**request)
        self.messages += answer.output
        calls = [(i.call_id, i.name, json.loads(i.arguments)) for i in answer.output if i.type == "function_call"]
        thought = "".join(p.text for i in answer.output if i.type == "reasoning" for p in i.summary)
        why = answer.incomplete_details.reason if answer.incomplete_details else None
        end = {"max_output_tokens": "cut", "content_filter": "filtered", None: "calls" if calls else "end"}[why]
        assert answer.status == ("incomplete" if why else "completed")
        return {
            "thought": thought, "calls": calls, "text": answer.output_text, "end": end,
            "tokens": answer.usage.output_tokens,
        }  # fmt: skip


class Messages(Chat):
    """The Messages API by the `anthropic` SDK."""

    tools = [{"name": "get_weather", "description": "-", "input_schema": SCHEMA}]

    def __init__(self, url: str, key: str, model: str, stream: bool) -> None:
        super().__init__(url, key, model, stream)
        self.claude = Anthropic(base_url=url, api_key=key, max_retries=0, timeout=30)

    def user(self, text: str) -> None:
        if self.messages and self.messages[-1]["role"] == "user":
            self.messages[-1]["content"].append({"type": "text", "text": text})
        else:
            super().user(text)

    def image(self, text: str) -> None:
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}, image]})

    def result(self, call_id: str, text: str) -> None:
        content = [{"type": "tool_result", "tool_use_id": call_id, "content": text}]
        self.messages.append({"role": "user", "content": content})

    def ask(self) -> dict:
        request = {
            "model": self.model, "messages": self.messages, "tools": self.tools, "max_tokens": 4096,
            "thinking": {"type": "enabled", "budget_tokens": 2048},
        }  # fmt: skip
        if self.stream:
            with self.claude.messages.stream(**request) as stream:
                answer = stream.get_final_message()
        else:
            answer = self.claude.messages.create(**request)
        self.messages.append({"role": "assistant", "content": answer.content})
        of = {kind: [b for b in answer.content if b.type == kind] for kind in ("thinking", "text", "tool_use")}
        return {
            "thought": "".join(b.thinking for b in of["thinking"]),
            "calls": [(b.id, b.name, b.input) for b in of["tool_use"]],
            "text": "".join(b.text for b in of["text"]),
            "end": {"tool_use": "calls", "end_turn": "end", "max_tokens": "cut", "refusal": "filtered"}[
                answer.stop_reason
            ],
            "tokens": answer.usage.output_tokens,
        }


@pytest.fixture(params=PROVIDERS)
def provider(request) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request) -> bool:
    return request.param


@pytest.fixture(params=[Chat, Responses, Messages], ids=lambda client: client.__name__.lower())
def asking(request, url, provider, stream):
    """A client of one format, speaking to a model of another or the same."""
    model = f"{setting('WAYPOST_MATRIX_PREFIX')}{provider}"
    return request.param(url, os.environ.get("WAYPOST_KEY") or "unused", model, stream)


def test_a_tool_loop_with_reasoning(asking):
    asking.user(LOOK)
    for _ in range(2):
        answer = asking.ask()
        assert answer["thought"] == "I look."
        assert [call[1:] for call in answer["calls"]] == [("get_weather", ARGUMENTS)]
        assert answer["end"] == "calls"
        asking.result(answer["calls"][0][0], '{"degrees": 21}')
    asking.user(SAY)
    answer = asking.ask()
    assert answer["text"] == "It is 21 degrees."
    assert answer["thought"] == "I know."
    assert answer["end"] == "end"
    assert answer["tokens"] > 0
    asking.user(SAY)
    assert asking.ask()["text"] == "It is 21 degrees."


def test_an_image_arrives(asking):
    asking.image("What is this? [[scripted: echo]]")
    assert PIXEL in asking.ask()["text"]


def test_two_calls_at_once_keep_their_order_and_ids(asking):
    places = [{"location": "Oslo"}, {"location": 'Rom "é"'}]
    calls = json.dumps([{"name": "get_weather", "arguments": place} for place in places], ensure_ascii=False)
    # Where it is asked to think, a provider takes back no turn without.
    asking.user(f'[[scripted: reasoning="I look." tool_calls={calls}]]')
    answer = asking.ask()
    assert [call[2] for call in answer["calls"]] == places
    ids = [call[0] for call in answer["calls"]]
    assert len(set(ids)) == 2
    if isinstance(asking, Messages):
        results = [{"type": "tool_result", "tool_use_id": id, "content": "mild"} for id in ids]
        asking.messages.append({"role": "user", "content": results})
    else:
        for id in ids:
            asking.result(id, "mild")
    asking.user('[[scripted: text="Both mild."]]')
    assert asking.ask()["text"] == "Both mild."


@pytest.mark.parametrize("provider", ["messages"])
def test_reasoning_that_nobody_may_read_goes_back_all_the_same(asking):
    asking.user(LOOK.replace("[[scripted:", "[[scripted: redacted=true"))
    answer = asking.ask()
    assert answer["thought"] == ""
    asking.result(answer["calls"][0][0], "21")
    # The provider refuses a call's result where the block before the call is missing.
    assert asking.ask()["calls"]


@pytest.mark.parametrize("provider", ["gemini"])
def test_a_thought_signature_goes_back_with_its_call(asking):
    asking.user(LOOK.replace("[[scripted:", "[[scripted: require_signatures=true"))
    answer = asking.ask()
    asking.result(answer["calls"][0][0], "21")
    assert asking.ask()["calls"]


@pytest.mark.parametrize(("reason", "end"), [("length", "cut"), ("content_filter", "filtered")])
def test_the_end_of_an_answer_is_named_in_the_clients_words(asking, reason, end):
    asking.user(f'[[scripted: text="Half" finish_reason={reason}]]')
    assert asking.ask()["end"] == end


# Only faults that are the request's own: others would soon keep the gateway from asking the target at all.
@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [
        ("status=400", 400, "invalid_request"),
        ('status=400 error_message="prompt is too long: 9 tokens > 8 maximum"', 400, "context_length_exceeded"),
    ],
)
def test_a_providers_refusal_is_an_exception_with_our_code(asking, faults, status, code):
    asking.user(f"[[scripted: {faults}]]")
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as raised:
        asking.ask()
    assert raised.value.status_code == status
    body = raised.value.body
    assert (body.get("error") or body)["code"] == code


@pytest.mark.parametrize("stream", [True], ids=["streamed"])
@pytest.mark.parametrize("fault", ["error_after=3", "fin_after=5000", "rst_after=5000", "malformed_after=3"])
def test_a_stream_that_breaks_is_an_exception_and_never_an_answer(asking, fault):
    asking.user(f'[[scripted: events=400 {fault} text="word word word "]]')
    with pytest.raises((openai.APIError, anthropic.APIError, Failed)) as raised:
        asking.ask()
    # It had begun: 200 was said.
    assert getattr(raised.value, "status_code", 200) == 200
    # One answer between the failures keeps the target in use.
    asking.messages.clear()
    asking.user("hi")
    assert asking.ask()["text"]
