"""The unmodified `openai` SDK gets its answers, and its own exceptions, from the gateway."""

import json

import openai
import pytest
from conftest import setting
from pydantic import BaseModel

TEXT = "Hello! I am a tiny model. 你好, naïve café 👋🏽 done."
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
    },
}
# One grey pixel.
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


class Shape(BaseModel):
    a: int
    b: list[str]


def user(text) -> list[dict]:
    return [{"role": "user", "content": text}]


def test_whole_answer_of_a_real_model(client, real):
    answer = client.chat.completions.create(model=real, messages=user("SCRIPT=text please"))
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_streamed_answer_is_the_same_text(client, real):
    stream = client.chat.completions.create(model=real, messages=user("SCRIPT=text please"), stream=True)
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == TEXT
    assert {c.object for c in chunks} == {"chat.completion.chunk"}
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert len({c.id for c in chunks}) == 1, "one answer has one id"


def test_a_stream_shows_no_usage_unless_asked(client, real):
    chunks = list(client.chat.completions.create(model=real, messages=user("SCRIPT=text please"), stream=True))
    assert all(c.usage is None for c in chunks)
    assert all(c.choices for c in chunks), "the chunk without choices is the one with the usage"


def test_a_stream_shows_usage_once_in_its_last_chunk_if_asked(client, real):
    chunks = list(
        client.chat.completions.create(
            model=real, messages=user("SCRIPT=text please"), stream=True, stream_options={"include_usage": True}
        )
    )
    shown = [c for c in chunks if c.usage is not None]
    assert len(shown) == 1
    assert shown[0] is chunks[-1]
    assert shown[0].choices == []
    assert shown[0].usage.completion_tokens > 0


def test_auto_is_answered(client):
    answer = client.chat.completions.with_raw_response.create(model="auto", messages=user("hi"), max_tokens=8)
    assert answer.parse().choices[0].message.content
    assert answer.headers["x-waypost-decision"].startswith("dec_")
    assert answer.headers["x-waypost-model"]
    assert answer.headers["x-request-id"]


def test_reasoning_reaches_a_chat_client(client, real):
    message = client.chat.completions.create(model=real, messages=user("SCRIPT=think please")).choices[0].message
    assert message.content == "The answer is 42."
    assert "First I plan" in message.model_extra["reasoning_content"]


def test_reasoning_written_into_the_text_reaches_a_chat_client_as_reasoning(client, r1):
    message = client.chat.completions.create(model=r1, messages=user("SCRIPT=think please")).choices[0].message
    assert message.content == "The answer is 42."
    assert message.model_extra["reasoning_content"] == "First I plan, then I answer."


def test_reasoning_written_into_the_text_is_told_apart_in_a_stream(client, r1):
    stream = client.chat.completions.create(model=r1, messages=user("SCRIPT=think please"), stream=True)
    deltas = [c.choices[0].delta for c in stream if c.choices]
    assert "".join(d.content or "" for d in deltas) == "The answer is 42."
    thoughts = [(d.model_extra or {}).get("reasoning_content") or "" for d in deltas]
    assert "".join(thoughts) == "First I plan, then I answer."


def test_a_tool_loop_with_reasoning_between(client, r1):
    messages = user("SCRIPT=think_tool please")
    first = client.chat.completions.create(model=r1, messages=messages, tools=[WEATHER]).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.model_extra["reasoning_content"] == "The weather is asked for."
    call = first.message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"location": "Oslo"}
    messages += [first.message, {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
    second = client.chat.completions.create(model=r1, messages=messages, tools=[WEATHER]).choices[0].message
    assert second.content == "Oslo has 21 degrees."
    assert second.model_extra["reasoning_content"] == "The tool has said it."
    messages += [second, *user("SCRIPT=think again")]
    third = client.chat.completions.create(model=r1, messages=messages, tools=[WEATHER]).choices[0].message
    assert third.content == "The answer is 42."


def test_structured_output_is_parsed_by_the_sdk(client, real):
    answer = client.chat.completions.parse(model=real, messages=user("SCRIPT=json please"), response_format=Shape)
    assert answer.choices[0].message.parsed == Shape(a=7, b=["x", "y"])


def test_logprobs_of_a_real_model(client, real):
    answer = client.chat.completions.create(
        model=real, messages=user("SCRIPT=text please"), logprobs=True, top_logprobs=2
    )
    tokens = answer.choices[0].logprobs.content
    assert b"".join(bytes(token.bytes) for token in tokens).decode() == TEXT
    assert all(len(token.top_logprobs) == 2 for token in tokens)


def test_legacy_completions(client, real):
    answer = client.completions.create(model=real, prompt="one two three", max_tokens=4)
    assert answer.object == "text_completion"
    assert answer.usage.total_tokens > 0
    stream = client.completions.create(model=real, prompt="one two three", max_tokens=4, stream=True)
    chunks = list(stream)
    assert {c.object for c in chunks} == {"text_completion"}
    assert all(c.usage is None for c in chunks)


def test_a_tool_call_and_its_result(client, real):
    messages = user("What is the weather in San Francisco?")
    answer = client.chat.completions.create(model=real, messages=messages, tools=[WEATHER])
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    call = choice.message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"location": "San Francisco, CA"}

    messages += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "21 degrees, light wind"}]
    answer = client.chat.completions.create(model=real, messages=messages, tools=[WEATHER])
    assert answer.choices[0].message.content == "It is 21 degrees there, with light wind."


def test_a_streamed_tool_call_is_put_together_by_the_sdk(client, real):
    with client.chat.completions.stream(model=real, messages=user("Weather there?"), tools=[WEATHER]) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls[0].function.name == "get_weather"
    assert json.loads(message.tool_calls[0].function.arguments) == {"location": "San Francisco, CA"}


def test_n_answers(client, real):
    answer = client.chat.completions.create(model=real, messages=user("SCRIPT=text please"), n=2)
    assert [c.index for c in answer.choices] == [0, 1]
    assert [c.message.content for c in answer.choices] == [TEXT, TEXT]


def test_a_stop_word_reaches_the_model(client, real):
    answer = client.chat.completions.create(model=real, messages=user("SCRIPT=stopword please"), stop=["STOP"])
    assert "four" not in answer.choices[0].message.content


def test_an_image_reaches_the_provider_as_it_was_sent(client, scripted):
    content = [
        {"type": "text", "text": "What is this? [[scripted: echo]]"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    ]
    answer = client.chat.completions.create(model=scripted, messages=user(content))
    assert PIXEL in answer.choices[0].message.content


def test_a_scripted_answer_says_so(client, scripted):
    answer = client.chat.completions.create(model=scripted, messages=user("Hello"))
    assert "scripted" in (answer.system_fingerprint or "")


@pytest.mark.parametrize("provider", ["chat", "gemini"])
def test_embeddings(client, provider):
    model = f"{setting('WAYPOST_EMBEDDING_PREFIX')}{provider}"
    # The SDK asks for base64 unless told, and unpacks it.
    answers = [
        client.embeddings.create(model=model, input=["one", "two", "one"], dimensions=8),
        client.embeddings.create(model=model, input=["one", "two", "one"], dimensions=8, encoding_format="float"),
    ]
    for answer in answers:
        assert answer.object == "list"
        assert [item.index for item in answer.data] == [0, 1, 2]
        assert all(len(item.embedding) == 8 for item in answer.data)
        assert answer.data[0].embedding == answer.data[2].embedding != answer.data[1].embedding
        assert answer.usage.prompt_tokens > 0
    for packed, plain in zip(*(answer.data for answer in answers)):
        assert packed.embedding == pytest.approx(plain.embedding, abs=1e-6)


def test_models_are_listed_and_each_can_be_asked_for(client, real):
    listed = {model.id for model in client.models.list()}
    assert real in listed
    assert client.models.retrieve(real).id == real


def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="no-such-model", messages=user("hi"))
    assert raised.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_bad_key(url):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="wp-" + "0" * 38, max_retries=0)
    with pytest.raises(openai.AuthenticationError) as raised:
        client.chat.completions.create(model="auto", messages=user("hi"))
    assert raised.value.code == "invalid_api_key"


def test_policy_denies(client):
    headers = {"x-waypost-labels": setting("WAYPOST_DENIED_LABELS")}
    with pytest.raises(openai.PermissionDeniedError) as raised:
        client.chat.completions.create(
            model=setting("WAYPOST_DENIED_MODEL"), messages=user("hi"), extra_headers=headers
        )
    assert raised.value.code == "policy_denied"
    assert raised.value.response.headers["x-should-retry"] == "false"


def test_undeclared_label(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(
            model="auto", messages=user("hi"), extra_headers={"x-waypost-labels": "no-such-label=1"}
        )
    assert raised.value.code == "label_invalid"


def test_wrong_messages(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="auto", messages="not a list")
    assert raised.value.code == "invalid_request"


def test_rate_limit(url):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=setting("WAYPOST_LIMITED_KEY"), max_retries=0)
    with pytest.raises(openai.RateLimitError) as raised:
        for _ in range(8):
            client.chat.completions.create(model="auto", messages=user("hi"), max_tokens=1)
    assert raised.value.code == "rate_limit_exceeded"
    assert float(raised.value.response.headers["retry-after"]) > 0
    assert raised.value.response.headers["x-ratelimit-remaining-requests"] == "0"


def test_a_provider_that_fails(client, scripted):
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model=scripted, messages=user("[[scripted: status=500]]"))
    assert raised.value.status_code == 502
    assert raised.value.code == "upstream_error"


def test_our_key_refused_by_the_provider_is_not_the_clients_fault(client, scripted):
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model=scripted, messages=user("[[scripted: status=401]]"))
    assert raised.value.status_code == 502
    assert raised.value.code == "upstream_credential"
