"""The official SDKs as judges: every answer must be exactly of their types, and their own accumulators must agree."""

from anthropic._models import validate_type as anthropic_strictly
from anthropic.lib.streaming._beta_messages import accumulate_event as accumulate_beta_event
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from openai._models import validate_type as openai_strictly
from openai._types import omit
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

WHOLE = {
    "chat": (openai_strictly, ChatCompletion),
    "responses": (openai_strictly, Response),
    "messages": (anthropic_strictly, Message),
}
EVENT = {
    "chat": (openai_strictly, ChatCompletionChunk),
    "responses": (openai_strictly, ResponseStreamEvent),
    "messages": (anthropic_strictly, RawMessageStreamEvent),
}
# Blocks that only Anthropic's beta types know.
BETA_BLOCKS = {"advisor_tool_result", "compaction", "mcp_tool_use", "mcp_tool_result", "fallback"}


def is_beta(events_or_body) -> bool:
    text = str(events_or_body)
    return any(f"'type': '{name}'" in text for name in BETA_BLOCKS) or "'name': 'advisor'" in text


def whole(form: str, body: dict):
    validate, kind = WHOLE[form]
    if form == "messages" and is_beta(body):
        kind = BetaMessage
    return validate(type_=kind, value=body)


def stream(form: str, events: list) -> dict:
    """Judges each event, and gives the whole answer as the SDK puts it together."""
    validate, kind = EVENT[form]
    beta = form == "messages" and is_beta(events)
    if beta:
        kind = BetaRawMessageStreamEvent
    parsed = []
    for event in events:
        try:
            parsed.append(validate(type_=kind, value=event))
        except Exception as error:
            raise AssertionError(f"{str(event)[:300]}: {short(error)}") from None
    if form == "chat":
        state = ChatCompletionStreamState()
        for chunk in parsed:
            for _ in state.handle_chunk(chunk):
                pass
        # Its last step refuses an answer that was cut off.
        return state.current_completion_snapshot.model_dump(exclude_unset=True)
    if form == "responses":
        state = ResponseStreamState(input_tools=omit, text_format=omit)
        numbers = [event.sequence_number for event in parsed]
        assert numbers == sorted(set(numbers)), f"events are out of order: {numbers}"
        for event in parsed:
            state.handle_event(event)
        if parsed[-1].type == "response.incomplete":
            return parsed[-1].response.model_dump(exclude_unset=True)
        assert state._completed_response is not None, "the SDK sees no end"
        return state._completed_response.model_dump(exclude_unset=True)
    message, buffers = None, {}
    for event in parsed:
        if beta:
            message = accumulate_beta_event(event=event, current_snapshot=message, json_bufs=buffers, request_headers={})
        else:
            message = accumulate_event(event=event, current_snapshot=message, json_bufs=buffers)
    return message.model_dump(exclude_unset=True)


def short(error: Exception) -> str:
    return str(error).replace("\n", " ")[:400]


def stream_events_only(form: str, events: list) -> None:
    """Judges events of a stream that does not come to its end."""
    validate, kind = EVENT[form]
    for event in events:
        validate(type_=kind, value=event)
