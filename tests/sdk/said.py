"""What an answer says, read from each format by rules of its own: nothing here knows how Waypost does it."""

import json
from dataclasses import dataclass, field


@dataclass
class Said:
    """An answer in words that every format has. `message` is what a client sends back; each of `seals` is a set of forms, any of
    which will do."""

    text: str = ""
    refusal: str = ""
    reasoning: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    finish: str | None = None
    usage: dict | None = None
    seals: list = field(default_factory=list)
    message: object = None
    others: list = field(default_factory=list)


def of_chat(body: dict) -> list[Said]:
    """Every choice of a whole answer."""
    found = []
    for choice in sorted(body["choices"], key=lambda choice: choice.get("index", 0)):
        said, message = Said(), choice["message"]
        content = message.get("content")
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
            if part["type"] == "text":
                said.text += part["text"]
            elif part["type"] == "thinking":
                said.reasoning += [piece["text"] for piece in part["thinking"]]
        said.refusal = message.get("refusal") or ""
        plain = message.get("reasoning_content") or message.get("reasoning")
        details = message.get("reasoning_details") or []
        if plain:
            said.reasoning.append(plain)
        elif details:
            said.reasoning += [d.get("text") or d.get("summary") for d in details if d.get("text") or d.get("summary")]
        said.seals = [{d.get("signature") or d.get("data")} for d in details if d.get("signature") or d.get("data")]
        for call in message.get("tool_calls") or []:
            function = call["function"]
            said.calls.append({"id": call["id"], "name": function["name"], "arguments": function["arguments"]})
            sealed = call.get("extra_content", {}).get("google", {}).get("thought_signature")
            said.seals += [{sealed}] if sealed else []
        said.finish = {
            "stop": "stop",
            "length": "length",
            "model_length": "length",
            "tool_calls": "tool_calls",
            "content_filter": "content_filter",
        }.get(choice.get("finish_reason"), choice.get("finish_reason"))
        said.usage = chat_usage(body.get("usage"))
        said.message = message
        found.append(said)
    return found


def chat_usage(usage: dict | None) -> dict | None:
    if not usage:
        return None
    prompt, completion = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    cached = prompt.get("cached_tokens")
    if cached is None:
        cached = usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens") or 0
    return {
        "input": usage["prompt_tokens"],
        "output": usage["completion_tokens"],
        "cached": cached or 0,
        "reasoning": completion.get("reasoning_tokens") or 0,
    }


def chat_whole(chunks: list) -> dict:
    """A stream put together as a whole answer."""
    choices, usage = {}, None
    for chunk in chunks:
        usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or usage
        for choice in chunk.get("choices") or []:
            whole = choices.setdefault(choice.get("index", 0), {"index": choice.get("index", 0), "message": {}})
            if choice.get("finish_reason"):
                whole["finish_reason"] = choice["finish_reason"]
            merge_delta(whole["message"], choice.get("delta") or {})
    for choice in choices.values():
        calls = choice["message"].pop("calls", {})
        if calls:
            choice["message"]["tool_calls"] = [calls[index] for index in sorted(calls)]
    return {"choices": [choices[index] for index in sorted(choices)], "usage": usage}


def merge_delta(message: dict, delta: dict) -> None:
    message.setdefault("role", "assistant")
    for key in ("content", "refusal", "reasoning_content", "reasoning"):
        piece = delta.get(key)
        if isinstance(piece, str):
            message[key] = (message.get(key) or "") + piece
        elif isinstance(piece, list):
            # Mistral's parts.
            for part in piece:
                if part["type"] == "text":
                    message["content"] = (message.get("content") or "") + part["text"]
                else:
                    text = "".join(inner["text"] for inner in part["thinking"])
                    message["reasoning_content"] = (message.get("reasoning_content") or "") + text
    for detail in delta.get("reasoning_details") or []:
        details = message.setdefault("reasoning_details", [])
        same = [d for d in details if d["type"] == detail["type"] and d.get("index") == detail.get("index")]
        if same and detail["type"] != "reasoning.encrypted":
            for key in ("text", "summary"):
                if detail.get(key):
                    same[-1][key] = (same[-1].get(key) or "") + detail[key]
            same[-1].update({k: v for k, v in detail.items() if k not in ("text", "summary") and v is not None})
        else:
            details.append(dict(detail))
    for call in delta.get("tool_calls") or []:
        calls = message.setdefault("calls", {})
        index = call.get("index", len(calls))
        whole = calls.setdefault(index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
        whole["id"] = whole["id"] or call.get("id") or ""
        function = call.get("function") or {}
        whole["function"]["name"] = whole["function"]["name"] or function.get("name") or ""
        whole["function"]["arguments"] += function.get("arguments") or ""
        if call.get("extra_content"):
            whole["extra_content"] = call["extra_content"]


def of_responses(body: dict) -> Said:
    said, also = Said(), body.get("encryptions", {})
    for item in body["output"]:
        if item["type"] == "message":
            for part in item["content"]:
                if part["type"] == "output_text":
                    said.text += part["text"]
                elif part["type"] == "refusal":
                    said.refusal += part["refusal"]
        elif item["type"] == "reasoning":
            texts = [part["text"] for part in item.get("summary") or []]
            said.reasoning += texts or [part["text"] for part in item.get("content") or []]
            # OpenAI encrypts anew in each event of a stream: any of an item's is good.
            sealed = also.get(item["id"]) or {item.get("encrypted_content")} - {None}
            said.seals += [sealed] if sealed else []
        elif item["type"] == "function_call":
            said.calls.append({"id": item["call_id"], "name": item["name"], "arguments": item["arguments"]})
        else:
            said.others.append(item["type"])
    reason = (body.get("incomplete_details") or {}).get("reason")
    said.finish = {"max_output_tokens": "length", "content_filter": "content_filter"}.get(reason)
    # "complete" is what a server of the early days said (018).
    if body["status"] in ("completed", "complete"):
        said.finish = "tool_calls" if said.calls else "stop"
    usage = body.get("usage")
    if usage:
        said.usage = {
            "input": usage["input_tokens"],
            "output": usage["output_tokens"],
            "cached": (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0,
            "reasoning": (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0,
        }
    said.message = body["output"]
    return said


def responses_whole(events: list) -> dict:
    ends = [e for e in events if e["type"] in ("response.completed", "response.incomplete", "response.failed")]
    assert ends, "the stream has no end"
    encryptions = {}
    for event in events:
        item = event.get("item") or {}
        if event["type"] == "response.output_item.done" and item.get("encrypted_content"):
            encryptions.setdefault(item["id"], set()).add(item["encrypted_content"])
    for item in ends[-1]["response"]["output"]:
        if item.get("encrypted_content"):
            encryptions.setdefault(item["id"], set()).add(item["encrypted_content"])
    return {**ends[-1]["response"], "encryptions": encryptions}


def responses_pieces(events: list) -> Said:
    """The same from the deltas alone."""
    said, calls = Said(), {}
    for event in events:
        kind = event["type"]
        if kind == "response.output_text.delta":
            said.text += event["delta"]
        elif kind == "response.refusal.delta":
            said.refusal += event["delta"]
        elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            said.reasoning.append(event["delta"])
        elif kind == "response.output_item.added" and event["item"]["type"] == "function_call":
            item = event["item"]
            calls[event["output_index"]] = {"id": item["call_id"], "name": item["name"], "arguments": ""}
        elif kind == "response.function_call_arguments.delta":
            calls[event["output_index"]]["arguments"] += event["delta"]
    said.calls = [calls[index] for index in sorted(calls)]
    return said


def of_messages(body: dict) -> Said:
    said = Said()
    for block in body["content"]:
        if block["type"] == "text":
            said.text += block["text"]
        elif block["type"] == "thinking":
            said.reasoning += [block["thinking"]] if block["thinking"] else []
            said.seals += [{block["signature"]}] if block.get("signature") else []
        elif block["type"] == "redacted_thinking":
            said.seals.append({block["data"]})
        elif block["type"] == "tool_use":
            text = block.get("text_of_input")
            if text is None:
                text = json.dumps(block["input"], ensure_ascii=False, separators=(",", ":"))
            said.calls.append({"id": block["id"], "name": block["name"], "arguments": text})
        else:
            said.others.append(block["type"])
    said.finish = {
        "end_turn": "stop",
        "stop_sequence": "stop_sequence",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "tool_calls",
        "refusal": "content_filter",
        "pause_turn": "pause",
    }.get(body["stop_reason"], body["stop_reason"])
    usage = body.get("usage")
    if usage:
        cached = usage.get("cache_read_input_tokens") or 0
        written = usage.get("cache_creation_input_tokens") or 0
        said.usage = {
            "input": usage["input_tokens"] + cached + written,
            "output": usage["output_tokens"],
            "cached": cached,
            "written": written,
            "reasoning": (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
        }
    said.message = [{k: v for k, v in block.items() if k != "text_of_input"} for block in body["content"]]
    return said


def messages_whole(events: list) -> dict:
    """A stream put together as a whole message."""
    message = None
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            assert message is None, "a message begins twice"
            message = {**event["message"], "content": [], "usage": dict(event["message"]["usage"])}
        elif kind == "content_block_start":
            assert event["index"] == len(message["content"]), "blocks come in order"
            message["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            block, delta = message["content"][event["index"]], event["delta"]
            if delta["type"] == "text_delta":
                block["text"] += delta["text"]
            elif delta["type"] == "thinking_delta":
                block["thinking"] += delta["thinking"]
            elif delta["type"] == "signature_delta":
                block["signature"] = delta["signature"]
            elif delta["type"] == "input_json_delta":
                block["text_of_input"] = block.get("text_of_input", "") + delta["partial_json"]
        elif kind == "message_delta":
            message.update({k: v for k, v in event["delta"].items() if v is not None})
            message["usage"].update({k: v for k, v in (event.get("usage") or {}).items() if v is not None})
    for block in message["content"]:
        if block["type"] in ("tool_use", "server_tool_use"):
            text = block.get("text_of_input") or json.dumps(block["input"])
            block["text_of_input"], block["input"] = text, json.loads(text)
    return message


def of_gen(chunks: list) -> Said:
    """Gemini: a whole answer is a stream of one."""
    said = Said()
    last = ""
    for chunk in chunks:
        for candidate in (chunk.get("candidates") or [])[:1]:
            for part in (candidate.get("content") or {}).get("parts") or []:
                if part.get("thoughtSignature"):
                    said.seals.append({part["thoughtSignature"]})
                if "functionCall" in part:
                    call = part["functionCall"]
                    arguments = json.dumps(call.get("args") or {}, ensure_ascii=False, separators=(",", ":"))
                    said.calls.append({"id": call.get("id"), "name": call["name"], "arguments": arguments})
                elif part.get("text"):
                    if not part.get("thought"):
                        said.text += part["text"]
                    elif last == "thought":
                        said.reasoning[-1] += part["text"]
                    else:
                        said.reasoning.append(part["text"])
                    last = "thought" if part.get("thought") else "text"
                elif set(part) - {"text", "thought", "thoughtSignature"}:
                    said.others += sorted(part)
            said.finish = candidate.get("finishReason") or said.finish
        if (chunk.get("promptFeedback") or {}).get("blockReason"):
            said.finish = "SAFETY"
        usage = chunk.get("usageMetadata")
        if usage:
            thoughts = usage.get("thoughtsTokenCount") or 0
            said.usage = {
                "input": (usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0),
                "output": (usage.get("candidatesTokenCount") or 0) + thoughts,
                "cached": usage.get("cachedContentTokenCount") or 0,
                "reasoning": thoughts,
            }
    said.finish = {
        "STOP": "tool_calls" if said.calls else "stop",
        "MAX_TOKENS": "length",
        "SAFETY": "content_filter",
        "RECITATION": "content_filter",
        "BLOCKLIST": "content_filter",
        "PROHIBITED_CONTENT": "content_filter",
        "SPII": "content_filter",
    }.get(said.finish, said.finish)
    return said


def whole_of(form: str, events: list) -> dict:
    """The whole answer that these events of a stream make."""
    return {"chat": chat_whole, "responses": responses_whole, "messages": messages_whole}[form](events)


def of(form: str, body: dict) -> list[Said]:
    """What a whole answer says, choice by choice."""
    if form == "chat":
        return of_chat(body)
    return [{"responses": of_responses, "messages": of_messages}[form](body)]


def recorded(recording) -> list[Said]:
    """What the provider said."""
    if recording.format == "gen":
        return [of_gen(recording.events() if recording.stream else [recording.body])]
    body = recording.body
    if recording.stream:
        body = whole_of(recording.format, [e for e in recording.events() if e.get("type") != "ping"])
    return of(recording.format, body)
