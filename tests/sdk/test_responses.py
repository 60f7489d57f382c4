"""The unmodified `openai` SDK's Responses API, answered by models that speak Chat Completions."""

import json

import openai
import pytest
from conftest import setting
from openai._models import validate_type
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

TEXT = "Hello! I am a tiny model. 你好, naïve café 👋🏽 done."
THOUGHT = "First I plan, then I answer."
ANSWER = "The answer is 42."
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather at a place",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Shape(BaseModel):
    a: int
    b: list[str]


def strict(response: Response) -> Response:
    """Fails where the SDK's own types do not hold; parsing alone would let anything pass."""
    validate_type(type_=Response, value=response.to_dict(mode="json"))
    return response


def whole(client, **request) -> Response:
    return strict(client.responses.create(**request))


def streamed(client, **request) -> Response:
    """The response that the SDK puts together from a stream; each event is held to the type it says it has."""
    for event in client.responses.create(stream=True, **request):
        validate_type(type_=ResponseStreamEvent, value=event.to_dict(mode="json"))
    with client.responses.stream(**request) as stream:
        for _ in stream:
            pass
        return strict(stream.get_final_response())


both = pytest.mark.parametrize("get", [whole, streamed])


def kinds(response: Response) -> list[str]:
    return [item.type for item in response.output]


def thoughts(response: Response) -> list[str]:
    return ["".join(part.text for part in item.summary) for item in response.output if item.type == "reasoning"]


@both
def test_text(client, real, get):
    response = get(client, model=real, input="SCRIPT=text please", instructions="Be brief.")
    assert response.object == "response"
    assert response.status == "completed"
    assert kinds(response) == ["message"]
    assert response.output_text == TEXT
    assert response.usage.output_tokens > 0
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.store is False, "nothing is kept"


def test_the_deltas_are_the_text(client, real):
    events = list(client.responses.create(model=real, input="SCRIPT=text please", stream=True))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 3
    assert "".join(deltas) == TEXT == events[-1].response.output_text


@both
@pytest.mark.parametrize("model", ["WAYPOST_REAL_MODEL", "WAYPOST_R1_MODEL"])
def test_reasoning_is_an_item_of_its_own(client, model, get):
    response = get(client, model=setting(model), input="SCRIPT=think please", reasoning={"summary": "auto"})
    assert kinds(response) == ["reasoning", "message"]
    assert [thought.strip() for thought in thoughts(response)] == [THOUGHT]
    assert response.output_text == ANSWER


@both
def test_three_turns_with_reasoning_and_a_function(client, r1, get):
    said = [{"role": "user", "content": "SCRIPT=think_tool please"}]
    request = {"model": r1, "tools": [WEATHER], "include": ["reasoning.encrypted_content"], "store": False}
    first = get(client, input=said, **request)
    assert kinds(first) == ["reasoning", "function_call"]
    assert thoughts(first) == ["The weather is asked for."]
    assert first.output[0].encrypted_content.startswith("wp1:")
    call = first.output[1]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"location": "Oslo"})

    said += [*first.output, {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}]
    second = get(client, input=said, **request)
    assert kinds(second) == ["reasoning", "message"]
    assert thoughts(second) == ["The tool has said it."]
    assert second.output_text == "Oslo has 21 degrees."

    said += [*second.output, {"role": "user", "content": [{"type": "input_text", "text": "SCRIPT=think now"}]}]
    third = get(client, input=said, **request)
    assert thoughts(third) == [THOUGHT]
    assert third.output_text == ANSWER


@both
def test_two_functions_at_once(client, real, get):
    def function(name, argument):
        return {
            "type": "function",
            "name": name,
            "parameters": {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]},
            "strict": False,
        }

    tools = [function("get_weather", "city"), function("get_time", "tz")]
    said = [{"role": "user", "content": "SCRIPT=tools2 please"}]
    first = get(client, model=real, input=said, tools=tools)
    calls = [item for item in first.output if item.type == "function_call"]
    made = [(call.name, json.loads(call.arguments)) for call in calls]
    assert made == [("get_weather", {"city": "Rome"}), ("get_time", {"tz": "UTC"})]
    said += first.output
    said += [{"type": "function_call_output", "call_id": call.call_id, "output": "fine"} for call in calls]
    second = get(client, model=real, input=said, tools=tools)
    assert second.output_text == "It is 21 degrees there, with light wind."


def test_structured_output_is_parsed_by_the_sdk(client, real):
    response = client.responses.parse(model=real, input="SCRIPT=json please", text_format=Shape)
    assert response.output_parsed == Shape(a=7, b=["x", "y"])


def test_an_answer_cut_short_says_so(client, real):
    request = {"model": real, "input": "SCRIPT=long please", "max_output_tokens": 16}
    # The SDK's own helper knows no other end than `response.completed`.
    last = list(client.responses.create(stream=True, **request))[-1]
    assert last.type == "response.incomplete"
    for response in (whole(client, **request), strict(last.response)):
        assert response.status == "incomplete"
        assert response.incomplete_details.reason == "max_output_tokens"
        assert response.usage.output_tokens == 16


def test_nothing_is_kept_so_nothing_can_be_gone_on_from(client, real):
    for leaning in ({"previous_response_id": "resp_1"}, {"background": True}, {"conversation": "conv_1"}):
        with pytest.raises(openai.BadRequestError) as raised:
            client.responses.create(model=real, input="hi", **leaning)
        assert raised.value.code == "server_tool_denied"
        assert raised.value.param == next(iter(leaning))


def test_a_hosted_tool_that_no_target_runs(client, real):
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=real, input="hi", tools=[{"type": "web_search"}])
    assert raised.value.code == "server_tool_denied"


def test_unknown_model(client):
    for stream in (False, True):
        with pytest.raises(openai.NotFoundError) as raised:
            client.responses.create(model="no-such-model", input="hi", stream=stream)
        assert raised.value.code == "model_not_found"


def test_a_prompt_that_is_too_long(client, real):
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=real, input="word " * 20000)
    assert raised.value.code == "context_length_exceeded"


def test_a_provider_that_fails(client, scripted):
    with pytest.raises(openai.InternalServerError) as raised:
        client.responses.create(model=scripted, input="[[scripted: status=500]]")
    assert raised.value.status_code == 502
    assert raised.value.code == "upstream_error"
