"""The unmodified `anthropic` SDK, told only ANTHROPIC_BASE_URL, speaks to a self-hosted model as it would to Claude.

The model `r1` is of DeepSeek R1's kind: it writes `<think>` into its text, and the gateway makes thinking blocks of it.
"""

import os

import anthropic
import pytest
from anthropic import Anthropic
from anthropic._models import validate_type
from anthropic.types import Message, RawMessageStreamEvent
from conftest import setting

TEXT = "Hello! I am a tiny model. 你好, naïve café 👋🏽 done."
THOUGHT = "First I plan, then I answer."
ANSWER = "The answer is 42."


def tool(name: str, argument: str) -> dict:
    schema = {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}
    return {"name": name, "description": "For tests", "input_schema": schema}


WEATHER = tool("get_weather", "location")
THINKING = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture
def claude(url, monkeypatch) -> Anthropic:
    """A client that finds the gateway as Anthropic's tools do: by the environment alone."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", os.environ.get("WAYPOST_KEY") or "unused")
    return Anthropic(max_retries=0, timeout=30)


def ask(text: str, **more) -> dict:
    return {"max_tokens": 2048, "messages": [{"role": "user", "content": text}]} | more


def strict(message: Message) -> Message:
    """Fails where the SDK's own types do not hold; parsing alone would let anything pass."""
    validate_type(type_=Message, value=message.to_dict(mode="json"))
    return message


def kinds(message: Message) -> list[str]:
    return [block.type for block in message.content]


def accumulated(client: Anthropic, **request) -> Message:
    """What the SDK's accumulator makes of the stream."""
    with client.messages.stream(**request) as stream:
        for _ in stream:
            pass
        return strict(stream.get_final_message())


def whole(client: Anthropic, **request) -> Message:
    return strict(client.messages.create(**request))


both = pytest.mark.parametrize("get", [whole, accumulated])


@both
def test_text(claude, real, get):
    message = get(claude, model=real, **ask("SCRIPT=text please"))
    assert kinds(message) == ["text"]
    assert message.content[0].text == TEXT
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 0


@both
def test_thoughts_written_into_the_text_become_a_thinking_block(claude, r1, get):
    message = get(claude, model=r1, **ask("SCRIPT=think please"))
    assert kinds(message) == ["thinking", "text"]
    assert message.content[0].thinking == THOUGHT
    assert message.content[0].signature.startswith("wp1:")
    assert message.content[1].text == ANSWER


@both
def test_thoughts_of_a_field_become_a_thinking_block(claude, real, get):
    message = get(claude, model=real, **ask("SCRIPT=think please"))
    assert kinds(message) == ["thinking", "text"]
    assert message.content[0].thinking.strip() == THOUGHT
    assert message.content[1].text == ANSWER


def test_each_event_of_a_stream_is_of_the_sdks_types(claude, r1):
    request = ask("SCRIPT=think_tool please", tools=[WEATHER], model=r1)
    events = list(claude.messages.create(stream=True, **request))
    for event in events:
        validate_type(type_=RawMessageStreamEvent, value=event.to_dict(mode="json"))
    assert [event.type for event in events[:2]] == ["message_start", "content_block_start"]
    assert [event.type for event in events[-2:]] == ["message_delta", "message_stop"]
    assert events[-2].usage.output_tokens > 0


@both
def test_three_turns_with_thoughts_and_a_tool(claude, r1, get):
    request = ask("SCRIPT=think_tool please", model=r1, tools=[WEATHER], thinking=THINKING)
    first = get(claude, **request)
    assert kinds(first) == ["thinking", "tool_use"]
    assert first.stop_reason == "tool_use"
    thought, call = first.content
    assert thought.thinking == "The weather is asked for."
    assert (call.name, call.input) == ("get_weather", {"location": "Oslo"})

    # As an agent does: all blocks go back as they came, signature included.
    request["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}]},
    ]
    second = get(claude, **request)
    assert kinds(second) == ["thinking", "text"]
    assert second.content[0].thinking == "The tool has said it."
    assert second.content[1].text == "Oslo has 21 degrees."
    assert second.stop_reason == "end_turn"

    request["messages"] += [
        {"role": "assistant", "content": second.content},
        {"role": "user", "content": "SCRIPT=think now"},
    ]
    third = get(claude, **request)
    assert [block.thinking for block in third.content if block.type == "thinking"] == [THOUGHT]
    assert third.content[-1].text == ANSWER


@both
def test_two_tools_at_once_and_both_results(claude, real, get):
    tools = [tool("get_weather", "city"), tool("get_time", "tz")]
    request = ask("SCRIPT=tools2 please", model=real, tools=tools)
    first = get(claude, **request)
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [("get_weather", {"city": "Rome"}), ("get_time", {"tz": "UTC"})]
    assert len({call.id for call in calls}) == 2
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "fine"} for call in calls]
    request["messages"] += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    assert get(claude, **request).content[-1].text == "It is 21 degrees there, with light wind."


def test_a_failed_tool_and_a_result_of_blocks(claude, real):
    request = ask("What is the weather?", model=real, tools=[WEATHER], tool_choice={"type": "auto"})
    first = claude.messages.create(**request)
    result = {
        "type": "tool_result",
        "tool_use_id": first.content[-1].id,
        "is_error": True,
        "content": [{"type": "text", "text": "no such place"}],
    }
    request["messages"] += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    assert claude.messages.create(**request).content[-1].text == "It is 21 degrees there, with light wind."


def test_the_sdks_own_tool_runner_ends_by_itself(claude, r1):
    seen = []

    @anthropic.beta_tool
    def get_weather(location: str) -> str:
        """The weather at a place."""
        seen.append(location)
        return "21 degrees"

    runner = claude.beta.messages.tool_runner(model=r1, tools=[get_weather], **ask("SCRIPT=think_tool please"))
    assert runner.until_done().content[-1].text == "Oslo has 21 degrees."
    assert seen == ["Oslo"]


def test_system_stop_sequences_and_sampling_reach_the_model(claude, real):
    message = claude.messages.create(
        model=real,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        stop_sequences=["STOP"],
        extra_body={"temperature": 0.5, "top_k": 40},
        **ask([{"type": "text", "text": "SCRIPT=stopword please"}]),
    )
    assert "four" not in message.content[0].text
    assert message.stop_reason in ("stop_sequence", "end_turn")


def test_what_a_model_cannot_be_told_is_named_as_the_client_wrote_it(claude, r1):
    raw = claude.messages.with_raw_response.create(model=r1, thinking=THINKING, **ask("SCRIPT=text please"))
    assert raw.headers["x-waypost-dropped"] == "thinking"


def test_max_tokens_is_the_end_it_names(claude, real):
    message = claude.messages.create(model=real, max_tokens=5, messages=ask("SCRIPT=long please")["messages"])
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 5


def test_tokens_are_counted_before_a_request(claude, r1):
    short = claude.messages.count_tokens(model=r1, messages=ask("hi")["messages"])
    long = claude.messages.count_tokens(model=r1, messages=ask("hi " * 100)["messages"], tools=[WEATHER])
    assert 0 < short.input_tokens < long.input_tokens


def test_tokens_counted_for_auto_are_marked_as_an_estimate(claude):
    raw = claude.messages.with_raw_response.count_tokens(model="auto", messages=ask("hi")["messages"])
    assert raw.headers["x-waypost-estimated"] == "true"
    assert raw.parse().input_tokens > 0


def test_models_are_listed(claude, r1):
    assert r1 in {model.id for model in claude.models.list()}
    assert claude.models.retrieve(r1).id == r1


def told(raised) -> tuple[str, str]:
    """Type and code of an error, and that it has Anthropic's outer shape."""
    assert raised.value.body["type"] == "error"
    assert raised.value.body["request_id"] == raised.value.response.headers["x-request-id"]
    error = raised.value.body["error"]
    assert error["message"]
    return error["type"], error["code"]


def test_unknown_model(claude):
    with pytest.raises(anthropic.NotFoundError) as raised:
        claude.messages.create(model="no-such-model", **ask("hi"))
    assert told(raised) == ("not_found_error", "model_not_found")
    with pytest.raises(anthropic.NotFoundError) as raised:
        claude.messages.create(model="no-such-model", stream=True, **ask("hi"))
    assert told(raised) == ("not_found_error", "model_not_found")


def test_bad_key(url):
    for credential in ({"api_key": "wp-" + "0" * 38}, {"auth_token": "wp-" + "0" * 38}):
        client = Anthropic(base_url=url, max_retries=0, **credential)
        with pytest.raises(anthropic.AuthenticationError) as raised:
            client.messages.create(model="auto", **ask("hi"))
        assert told(raised) == ("authentication_error", "invalid_api_key")


def test_a_bearer_token_is_as_good_as_an_api_key(url, real):
    client = Anthropic(base_url=url, auth_token=os.environ.get("WAYPOST_KEY") or "unused", max_retries=0)
    assert client.messages.create(model=real, **ask("SCRIPT=text please")).content[0].text == TEXT


def test_policy_denies(claude):
    headers = {"x-waypost-labels": setting("WAYPOST_DENIED_LABELS")}
    with pytest.raises(anthropic.PermissionDeniedError) as raised:
        claude.messages.create(model=setting("WAYPOST_DENIED_MODEL"), extra_headers=headers, **ask("hi"))
    assert told(raised) == ("permission_error", "policy_denied")
    assert raised.value.response.headers["x-should-retry"] == "false"


def test_wrong_requests(claude, real):
    for request in (ask("hi", messages="not a list"), ask("hi", messages=[])):
        with pytest.raises(anthropic.BadRequestError) as raised:
            claude.messages.create(model=real, **request)
        assert told(raised) == ("invalid_request_error", "invalid_request")


def test_a_server_tool_that_no_target_runs(claude, real):
    search = {"type": "web_search_20250305", "name": "web_search"}
    with pytest.raises(anthropic.BadRequestError) as raised:
        claude.messages.create(model=real, tools=[search], **ask("hi"))
    assert told(raised) == ("invalid_request_error", "server_tool_denied")


def test_a_prompt_that_is_too_long(claude, real):
    with pytest.raises(anthropic.BadRequestError) as raised:
        claude.messages.create(model=real, **ask("word " * 20000))
    assert told(raised) == ("invalid_request_error", "context_length_exceeded")


def test_rate_limit(url):
    client = Anthropic(base_url=url, api_key=setting("WAYPOST_LIMITED_KEY"), max_retries=0)
    with pytest.raises(anthropic.RateLimitError) as raised:
        for _ in range(8):
            client.messages.create(model="auto", **ask("hi", max_tokens=1))
    assert told(raised) == ("rate_limit_error", "rate_limit_exceeded")
    assert float(raised.value.response.headers["retry-after"]) > 0


def test_a_provider_that_fails(claude, scripted):
    with pytest.raises(anthropic.InternalServerError) as raised:
        claude.messages.create(model=scripted, **ask("[[scripted: status=500]]"))
    assert raised.value.status_code == 502
    assert told(raised) == ("api_error", "upstream_error")
