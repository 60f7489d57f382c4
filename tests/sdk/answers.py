"""Every recorded answer through every client's format: what the client reads, and what comes of sending it back."""

import json

import recordings
import said
import sent
import strict
from matrix import Results
from wire import Replay, Server, member, strings

# Status and code that each recorded refusal becomes.
REFUSALS = {
    "015-openai-chat-err-400": (400, "invalid_request", "Web search options not supported"),
    "016-openai-chat-err-404": (404, "model_not_found", "does not exist"),
    "017-openai-responses-err-401": (400, "invalid_request", "decimal below minimum value"),
    "043-anthropic-messages-err": (400, "invalid_request", "does not support effort level"),
    "044-anthropic-messages-err-401": (502, "upstream_credential", ""),
    "058-gemini-gen-err": (404, "model_not_found", "is not found for API version"),
    "064-vertex-gen-err": (400, "invalid_request", "Cannot fetch content"),
    "085-azure-chat-err": (404, "model_not_found", "deployment"),
    "099-deepseek-responses-err": (400, "invalid_request", "No tool output found"),
    "105-groq-chat-err-tool-failed": (400, "invalid_request", "did not call a tool"),
    "109-openrouter-chat-err": (429, "rate_limit_exceeded", "temporarily rate-limited"),
}
ANTHROPIC_TYPES = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 502: "api_error"}
# Signed by the stranger's own family on another's machines.
KIN = {("110-openrouter-chat-reasoning", "anthropic"): "OpenRouter passed Claude's signature on"}
OURS = ("sk-waypost-secret-of-ours", "127.0.0.1", "localhost")


def run(gateway: Server, replay: Replay, fixtures: str, results: Results, only: str | None) -> None:
    for recording in recordings.load(fixtures):
        if only and only not in recording.name:
            continue
        for client in recordings.CLIENTS:
            row = recording.provider + (", Responses" if recording.endpoint == "responses" else "")
            with results.of(recording, client, row):
                one(gateway, replay, recording, client)


def one(gateway: Server, replay: Replay, recording, client: str) -> None:
    body = recordings.request(recording, client)
    answer = gateway.post(client, body)
    if recording.failed:
        refused(answer, recording, client)
        return
    if recording.fails_in_stream:
        failed_inside(answer, client)
        return
    assert answer.status == 200, f"status {answer.status}: {answer.text[:400]}"
    wanted = said.recorded(recording)
    if not recording.stream:
        assert answer.headers["content-type"].startswith("application/json"), answer.headers["content-type"]
        whole = answer.json()
        strict.whole(client, whole)
    else:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.headers["content-type"]
        whole = stream(answer, client, recording, wanted[0])
    got = said.of(client, whole)
    if client != "chat":
        wanted = wanted[:1]
    assert len(got) == len(wanted), f"{len(got)} choices, not {len(wanted)}"
    same_format = recording.format == client
    for one_got, one_wanted in zip(got, wanted):
        compare(one_got, one_wanted, recording, client, answer.text, same_format)
    if client == "chat" and recording.stream:
        shown_only_if_asked(gateway, body)
    echo(gateway, replay, recording, client, body, got[0], wanted[0])


def stream(answer, client: str, recording, wanted) -> dict:
    """Judges a stream, and gives the whole answer that its client makes of it."""
    named = answer.events()
    if client == "chat":
        assert named[-1][1] == "[DONE]", f"the stream ends with {named[-1]}"
        assert all(name is None for name, _ in named), "chat events have no names"
        pieces = [event for _, event in named[:-1]]
        counted = [piece for piece in pieces if piece.get("usage")]
        # A provider of the same format may not have counted.
        if counted or wanted.usage or recording.format != "chat":
            assert len(counted) == 1 and counted[0] is pieces[-1], f"usage stands in {len(counted)} chunks"
            assert counted[0]["choices"] == [], "usage stands beside a choice"
        # Azure's first chunk, about the prompt, has none.
        assert len({piece["id"] for piece in pieces} - {""}) == 1, "one answer has one id"
    else:
        assert all(name == event["type"] for name, event in named), "each event is named as its type"
        pieces = [event for _, event in named if event["type"] != "ping"]
        ends = {"messages": ("message_stop",), "responses": ("response.completed", "response.incomplete")}[client]
        assert pieces[-1]["type"] in ends, f"the stream ends with {pieces[-1]['type']}"
    whole = said.whole_of(client, pieces)
    by_sdk = said.of(client, strict.stream(client, pieces))
    for ours, theirs in zip(said.of(client, whole), by_sdk):
        for part in ("text", "refusal", "finish"):
            mine, its = getattr(ours, part), getattr(theirs, part)
            assert mine == its, f"the SDK puts {part} together as {its!r}, not {mine!r}"
        assert names(ours) == names(theirs), f"the SDK sees the calls {names(theirs)}"
    if client == "responses":
        deltas, final = said.responses_pieces(pieces), said.of_responses(whole)
        for part in ("text", "refusal", "calls"):
            mine, its = getattr(deltas, part), getattr(final, part)
            assert mine == its, f"the deltas say {part} {mine!r}, the end says {its!r}"
        assert "".join(deltas.reasoning) == "".join(final.reasoning), "the deltas reason otherwise than the end"
    return whole


def names(answer) -> list:
    return [(call["id"], call["name"], json.loads(call["arguments"] or "{}")) for call in answer.calls]


def compare(got, wanted, recording, client: str, text: str, same_format: bool) -> None:
    if client == "messages":
        # Messages has no part for a refusal: it is text.
        assert got.text == wanted.text + wanted.refusal, f"text {got.text[:200]!r}, not {wanted.text[:200]!r}"
    else:
        assert got.text == wanted.text, f"text {got.text[:200]!r}, not {wanted.text[:200]!r}"
        assert got.refusal == wanted.refusal, f"refusal {got.refusal!r}, not {wanted.refusal!r}"
    thoughts = {"".join(wanted.reasoning), "\n\n".join(wanted.reasoning)}
    mine = {"".join(got.reasoning), "\n\n".join(got.reasoning)}
    assert thoughts & mine, f"reasoning {got.reasoning!r:.300}, not {wanted.reasoning!r:.300}"
    assert len(got.calls) == len(wanted.calls), f"{len(got.calls)} calls, not {len(wanted.calls)}"
    for call, was in zip(got.calls, wanted.calls):
        assert call["name"] == was["name"], f"call {call['name']!r}, not {was['name']!r}"
        assert call["id"] and (was["id"] is None or call["id"] == was["id"]), f"id {call['id']!r}, not {was['id']!r}"
        same_arguments(call["arguments"], was["arguments"], recording, client, text)
    assert len({call["id"] for call in got.calls}) == len(got.calls), "two calls have one id"
    finish(got, wanted, client, same_format)
    usage(got.usage, wanted.usage, client, same_format)


def same_arguments(got: str, wanted: str, recording, client: str, text: str) -> None:
    if recording.format in ("chat", "responses"):
        # An object cannot say that there was no text.
        if client == "messages" and not wanted.strip():
            wanted = "{}"
        if client == "messages" and not recording.stream:
            assert json.loads(got) == json.loads(wanted), f"arguments {got!r}, not {wanted!r}"
            if wanted.startswith("{"):
                assert wanted in text, f"{wanted!r} is written otherwise"
            return
        assert got == wanted, f"arguments {got!r}, not {wanted!r}"
        return
    assert json.loads(got or "{}") == json.loads(wanted or "{}"), f"arguments {got!r}, not {wanted!r}"
    if recording.format == "messages" and recording.stream:
        assert got == (wanted or "{}"), f"arguments {got!r}, not {wanted!r}"
    elif client != "messages" and got != "{}":
        assert got in recording.raw, f"arguments {got!r} are written otherwise than the provider wrote them"


def finish(got, wanted, client: str, same_format: bool) -> None:
    expected = wanted.finish
    if client != "messages" and expected == "stop_sequence":
        expected = "stop"
    if client == "responses" and expected == "stop" and got.calls:
        expected = "tool_calls"
    if not same_format and wanted.refusal and expected == "stop":
        assert got.finish in ("stop", "content_filter"), got.finish
        return
    assert got.finish == expected, f"finish {got.finish!r}, not {expected!r}"


def usage(got: dict | None, wanted: dict | None, client: str, same_format: bool) -> None:
    if wanted is None:
        # Not counted by the provider: estimated, or left out where the body passes through.
        assert same_format if got is None else got["input"] > 0, got
        return
    if not same_format:
        # Azure once counted more cached tokens than tokens (083): no format's reader expects that.
        wanted = {**wanted, "cached": min(wanted["cached"], wanted["input"])}
    assert got is not None, "the usage is missing"
    for kind in ("input", "output", "cached", "reasoning"):
        if client == "messages" and kind == "reasoning" and not got[kind]:
            continue
        assert got[kind] == wanted[kind], f"{kind} tokens {got[kind]}, not {wanted[kind]}: {got} {wanted}"


def shown_only_if_asked(gateway: Server, body: dict) -> None:
    answer = gateway.post("chat", {k: v for k, v in body.items() if k != "stream_options"})
    pieces = [event for _, event in answer.events() if event != "[DONE]"]
    assert not any(piece.get("usage") for piece in pieces), "usage is shown to a client that did not ask"
    # Azure tells of the prompt's filter in a chunk without choices.
    idle = [piece for piece in pieces if not piece["choices"] and "prompt_filter_results" not in piece]
    assert not idle, "a chunk without choices, though nobody asked for usage"


def echo(gateway: Server, replay: Replay, recording, client: str, body: dict, got, wanted) -> None:
    """The client sends the answer back: what the provider signed reaches it unchanged, and no one else."""
    first = replay.sent(recording.name)["body"]
    following = recordings.answered(body, client, got.message, got.calls)
    answer = gateway.post(client, following)
    assert answer.status == 200, f"the next turn: status {answer.status}: {answer.text[:300]}"
    second = replay.sent(recording.name)["body"]
    key = {"gen": "contents", "responses": "input"}.get(recording.format, "messages")
    if got.text or got.calls:
        begins(first, second, key)
    said_back = strings(json.loads(second))
    for seal in wanted.seals:
        assert seal & set(said_back), f"the seal {min(seal)[:40]}… does not come back"
    if recording.format == "messages":
        unchanged_blocks(recording, json.loads(second))
    for call in wanted.calls:
        assert any(call["name"] == text for text in said_back), f"the call of {call['name']} does not come back"
        assert call["id"] is None or call["id"] in said_back, f"the id {call['id']} does not come back"
    for stranger in ("openai", "responses", "anthropic", "gemini"):
        form = {"openai": "chat", "anthropic": "messages"}.get(stranger, stranger)
        form_of_recording = {"gen": "gemini"}.get(recording.format, recording.format)
        other = gateway.post(client, {**following, "model": "drop." + stranger})
        assert other.status == 200, f"the next turn at {stranger}: {other.status}: {other.text[:300]}"
        reached = json.loads(replay.sent("to." + stranger)["body"])
        if form != client:
            wrong = sent.complaints(form, reached)
            assert not wrong, f"the next turn at {stranger}: {wrong}"
        if form == form_of_recording or (recording.name, stranger) in KIN:
            continue
        for seal in wanted.seals:
            leaks = [text for text in strings(reached) for one in seal if one in text]
            assert not leaks, f"the seal {min(seal)[:40]}… of {recording.format} reaches {stranger}"
        if wanted.seals:
            assert other.headers.get("x-waypost-dropped"), f"a seal left out for {stranger} is not named"
        # Several parts of a text are as good as one.
        assert wanted.text in "".join(strings(reached)) or wanted.text in "".join(texts_of(reached)), (
            f"the answer's text does not reach {stranger}: {strings(reached)}"
        )


def texts_of(value) -> list[str]:
    """Every text, but for names and the like."""
    if isinstance(value, dict):
        own = [value[key] for key in ("content", "text") if isinstance(value.get(key), str) and not value.get("thought")]
        return own + [found for inner in value.values() for found in texts_of(inner)]
    return [found for inner in value for found in texts_of(inner)] if isinstance(value, list) else []


def begins(first: str, second: str, key: str) -> None:
    """The second body's messages begin with the first's, byte for byte."""
    before, after = member(first, key), member(second, key)
    assert after.startswith(before.rstrip("] \n")), f"turn two begins otherwise: {before[:200]} … {after[:200]}"


def unchanged_blocks(recording, body: dict) -> None:
    events = [event for event in recording.events() if event["type"] != "ping"] if recording.stream else None
    message = said.messages_whole(events) if events else recording.body
    wanted = [block for block in message["content"] if block["type"] in ("thinking", "redacted_thinking")]
    back = [block for turn in body["messages"] if turn["role"] == "assistant" for block in turn["content"]]
    got = [block for block in back if isinstance(block, dict) and block["type"] in ("thinking", "redacted_thinking")]
    assert got == wanted, f"the thinking comes back as {got!r:.300}"


def refused(answer, recording, client: str) -> None:
    status, code, words = REFUSALS[recording.name]
    assert answer.status == status, f"status {answer.status}, not {status}: {answer.text[:300]}"
    body = answer.json()
    error = body["error"]
    message(error["message"], words)
    assert error["code"] == code, f"code {error['code']}, not {code}"
    if client == "messages":
        assert body["type"] == "error" and body["request_id"], body
        assert error["type"] == ANTHROPIC_TYPES[status], error
    else:
        assert isinstance(error["type"], str) and "param" in error, error
        assert not sent.is_error(body), sent.is_error(body)
    if "retry-after" in recording.headers:
        assert float(answer.headers["retry-after"]) > 0


def message(text: str, words: str) -> None:
    assert words in text, f"{words!r} is not told: {text}"
    for ours in OURS:
        assert ours not in text, f"{ours} is told: {text}"


def failed_inside(answer, client: str) -> None:
    """A failure after content is told in the stream; one that comes together with the first content may still be a refusal."""
    if answer.status != 200:
        assert answer.status == 400 and answer.json()["error"]["code"] == "invalid_request", answer.text
        return
    events = answer.events()
    name, last = events[-1]
    assert last != "[DONE]" and "[DONE]" not in answer.text, "a failed stream has no clean end"
    if client == "chat":
        assert last["error"]["message"] and last["error"]["code"], last
        message(last["error"]["message"], "")
    elif client == "messages":
        assert name == "error" and last["type"] == "error" and last["error"]["message"], last
        assert not any(name == "message_stop" for name, _ in events), "a failed message has no end"
    else:
        assert name == "response.failed" and last["response"]["status"] == "failed", last
        assert last["response"]["error"]["message"], last
    if client == "responses":
        strict.stream_events_only(client, [event for _, event in events])
    else:
        strict.stream_events_only(client, [event for _, event in events[:-1] if event.get("type") != "ping"])
