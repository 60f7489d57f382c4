"""Every recorded request as a client's request to every provider."""

import copy
import json

import recordings
import sent
from matrix import Results, tags_of
from wire import Replay, Server, member, strings

# What is tried, and the format it is called in.
TARGETS = {
    "openai": "chat",
    "deepseek": "chat",
    "mistral": "chat",
    "groq": "chat",
    "openrouter": "chat",
    "vllm": "chat",
    "responses": "responses",
    "anthropic": "messages",
    "gemini": "gemini",
}
# Requests whose values no provider takes; it is for the provider to say so.
ODD = {"017-openai-responses-err-401": "temperature: -1"}


def run(gateway: Server, replay: Replay, fixtures: str, results: Results, only: str | None) -> None:
    loaded = recordings.load(fixtures, recordings.CLIENTS)
    first_turns = {recording.name: recording for recording in loaded}
    for recording in loaded:
        if only and only not in recording.name:
            continue
        for target, form in TARGETS.items():
            tags = tags_of(recording) if not recording.failed else set(recording.tags) | {"text"}
            with results.of(recording, recording.format, target, tags) as outcome:
                outcome[0] = one(gateway, replay, recording, target, form, results)
                before = first_turns.get(recording.name.removesuffix("-turn2"))
                if before and before is not recording:
                    turns(gateway, replay, before, recording, target, form)


def ask(gateway: Server, recording, model: str):
    body = {**recording.request, "model": model}
    kept = ("anthropic-beta", "anthropic-version", "openai-beta")
    headers = {name: value for name, value in recording.request_headers.items() if name.lower() in kept}
    return gateway.post(recording.format, body, headers)


def one(gateway: Server, replay: Replay, recording, target: str, form: str, results: Results) -> str:
    answer = ask(gateway, recording, "drop." + target)
    beta = bool(recording.request_headers.get("anthropic-beta")) and recording.format == form
    own = recording.name in ODD
    if recording.format == form:
        own = own or sent.complaints(form, {**recording.request, "model": "x"}, beta)
    assert answer.status == 200, f"status {answer.status}: {answer.text[:300]}"
    text = replay.sent("to." + target)["body"]
    reached = json.loads(text)
    dropped = answer.headers.get("x-waypost-dropped")
    for name in (dropped or "").split(","):
        known = name.strip().split("[")[0].split(".")[0]
        assert not known or known in recording.request, f"{name} is dropped, which the client never wrote"
        if known:
            results.field(recording.format, name, "dropped", target)
    # What the client itself wrote wrongly passes through to a provider of its own format.
    wrong = [] if own else sent.complaints(form, plain(reached, target), beta)
    assert not wrong, f"{wrong} in {text[:600]}"
    kept(recording, reached, form)
    ids(reached, form)
    strict = ask(gateway, recording, "to." + target)
    if strict.status == 200:
        again = replay.sent("to." + target)["body"]
        assert again == text, "the bodies with and without dropping differ, though nothing was refused"
        return "dropped" if dropped else "ok"
    error = strict.json()["error"]
    assert strict.status == 400 and error["code"] == "unsupported_in_format", f"{strict.status}: {strict.text[:300]}"
    assert error.get("param") and error["param"].split("[")[0].split(".")[0] in recording.request, error
    assert dropped, "something was refused, and dropped without its name"
    results.field(recording.format, error["param"], "refused", target)
    return "refused"


def plain(body: dict, target: str) -> dict:
    """A body in Mistral's dialect as OpenAI's schema would say it: `any` is its word for "a tool must be called", and reasoning is a
    part of the content (https://docs.mistral.ai/api/endpoint/chat)."""
    if target != "mistral":
        return body
    body = copy.deepcopy(body)
    if body.get("tool_choice") == "any":
        body["tool_choice"] = "required"
    for message in body["messages"]:
        if isinstance(message.get("content"), list):
            message["content"] = [part for part in message["content"] if part["type"] != "thinking"]
            if not message["content"]:
                message["content"] = None if message["role"] == "assistant" else ""
    return body


def said_texts(recording) -> list[str]:
    """What a client's request says: texts, results, names and schemas' descriptions."""
    found = []
    request = recording.request
    if recording.format == "chat":
        for message in request["messages"]:
            found += texts(message.get("content"))
            found += [call["function"]["name"] for call in message.get("tool_calls") or []]
        found += [tool["function"].get("description") or "" for tool in request.get("tools") or [] if "function" in tool]
    elif recording.format == "messages":
        found += texts(request.get("system"))
        for message in request["messages"]:
            found += texts(message["content"])
        found += [tool.get("description") or "" for tool in request.get("tools") or [] if "input_schema" in tool]
    else:
        found += texts(request.get("instructions"))
        items = request["input"]
        for item in [{"content": items}] if isinstance(items, str) else items:
            if item.get("type", "message") == "message":
                found += texts(item["content"])
            elif item["type"] == "function_call_output":
                found += texts(item["output"])
            elif item["type"] == "function_call":
                found.append(item["name"])
        found += [tool.get("description") or "" for tool in request.get("tools") or [] if tool["type"] == "function"]
    return [text for text in found if text.strip()]


def texts(content) -> list[str]:
    if isinstance(content, str):
        return [content]
    found = []
    for part in content or []:
        if isinstance(part, str):
            found.append(part)
        elif part["type"] in ("text", "input_text", "output_text"):
            found.append(part["text"])
        elif part["type"] == "tool_result":
            found += texts(part.get("content"))
        elif part["type"] == "tool_use":
            found.append(part["name"])
        elif part["type"] == "image_url":
            found += media(part["image_url"]["url"])
        elif part["type"] == "input_image" and part.get("image_url"):
            found += media(part["image_url"])
        elif part["type"] == "image" and part["source"]["type"] == "base64":
            found.append(part["source"]["data"])
    return found


def media(url: str) -> list[str]:
    """The data of a picture; a link may be what a format cannot say."""
    return [url.split(",", 1)[1]] if url.startswith("data:") else []


def kept(recording, reached: dict, form: str) -> None:
    """Everything that was said is there."""
    there = strings(reached)
    joined = "\x00".join(there)
    for text in said_texts(recording):
        assert text in joined or (form == "gemini" and is_inside(text, reached)), f"{text[:100]!r} is lost"


def is_inside(text: str, value) -> bool:
    """Gemini wants a tool's result as an object: one that is JSON stands there as such."""
    if isinstance(value, (dict, list)):
        if text[:1] == "{" and isinstance(value, dict) and json.loads(text) == value:
            return True
        return any(is_inside(text, inner) for inner in (value.values() if isinstance(value, dict) else value))
    return False


def ids(reached: dict, form: str) -> None:
    """Each tool's result belongs to a call."""
    calls, results = set(), []
    if form == "chat":
        for message in reached["messages"]:
            calls |= {call["id"] for call in message.get("tool_calls") or []}
            results += [message["tool_call_id"]] if message["role"] == "tool" else []
    elif form == "messages":
        for message in reached["messages"]:
            for part in message["content"] if isinstance(message["content"], list) else []:
                calls |= {part["id"]} if part["type"] == "tool_use" else set()
                results += [part["tool_use_id"]] if part["type"] == "tool_result" else []
    elif form == "responses" and isinstance(reached["input"], list):
        for item in reached["input"]:
            calls |= {item["call_id"]} if item.get("type") == "function_call" else set()
            results += [item["call_id"]] if item.get("type") == "function_call_output" else []
    for result in results:
        assert result in calls, f"the result of {result} has no call"


def turns(gateway: Server, replay: Replay, before, after, target: str, form: str) -> None:
    """The body of the second turn begins with the first's messages, and what was signed goes back to its own family."""
    key = "input" if after.format == "responses" else "messages"
    first, second = before.request[key], after.request[key]
    if isinstance(first, str) or second[: len(first)] != first:
        return
    assert ask(gateway, before, "drop." + target).status == 200
    one_body = replay.sent("to." + target)["body"]
    assert ask(gateway, after, "drop." + target).status == 200
    two_body = replay.sent("to." + target)["body"]
    name = {"gemini": "contents", "responses": "input"}.get(form, "messages")
    start, whole = member(one_body, name), member(two_body, name)
    if start.startswith("["):
        assert whole.startswith(start.rstrip("] \n")), f"turn two begins otherwise: {start[-200:]} … {whole[:300]}"
    if form == after.format:
        for seal in seals(second):
            assert seal in strings(json.loads(two_body)), f"the seal {seal[:40]}… does not come back"


def seals(value) -> list[str]:
    if isinstance(value, dict):
        own = [value[k] for k in ("signature", "encrypted_content") if isinstance(value.get(k), str) and value[k]]
        own += [value["data"]] if value.get("type") == "redacted_thinking" else []
        return own + [found for inner in value.values() for found in seals(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in seals(inner)]
    return []
