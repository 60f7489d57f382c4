"""What came back, judged: an answer or an error in its format, and a decision that keeps the rules."""

import dataclasses
import json

RULES = {"processed-in-the-eea", "operated-under-eea-law", "nothing-is-kept", "nothing-is-learnt", "secrets-stay-in-france",
         # Comes with a reload.
         "neighbours-are-out",
         # Of the policy that extends eu-only.
         "france-alone"}


@dataclasses.dataclass
class Result:
    ask: object
    status: int = 0
    # answered, error, error in stream, denied, not found, left, cut by the kill, none
    outcome: str = "none"
    code: str = ""
    message: str = ""
    decision: str = ""
    provider: str = ""
    cache: str = ""
    ms: float = 0.0
    resent: int = 0
    window: str = ""
    body: bytes = b""
    record: dict = None
    breaches: list = dataclasses.field(default_factory=list)

    def breach(self, what):
        self.breaches.append(what)


def events(data):
    """(event, data) of each SSE event."""
    for block in data.replace(b"\r\n", b"\n").split(b"\n\n"):
        name, lines = "", []
        for line in block.split(b"\n"):
            if line.startswith(b"event:"):
                name = line[6:].strip().decode()
            elif line.startswith(b"data:"):
                lines.append(line[5:].strip())
        if name or lines:
            yield name, b"\n".join(lines)


def error_of(format, told):
    """(code, message) if this is an error in the format's shape, else None."""
    error = told.get("error") if isinstance(told, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or not isinstance(error.get("type"), str):
        return None
    if format in ("messages", "count_tokens") and told.get("type") != "error":
        return None
    return error.get("code") or error["type"], error["message"]


WHOLE = {
    "chat": lambda told: told.get("object") == "chat.completion" and told["choices"],
    "completions": lambda told: told.get("object") == "text_completion" and told["choices"],
    "responses": lambda told: told.get("object") == "response" and told.get("status") in ("completed", "incomplete"),
    "messages": lambda told: told.get("type") == "message" and isinstance(told.get("content"), list),
    "embeddings": lambda told: told.get("object") == "list" and told["data"],
    "count_tokens": lambda told: isinstance(told.get("input_tokens"), int),
    "route": lambda told: told.get("schema") == 1 and told.get("candidates") is not None,
}


def judge_stream(result, data):
    format = result.ask.format
    ended = error = None
    for name, told in events(data):
        if told == b"[DONE]":
            ended = True
            continue
        try:
            told = json.loads(told) if told else {}
        except ValueError:
            return result.breach(f"an event that is no JSON: {told[:200]!r}")
        kind = told.get("type", name)
        if format == "responses" and kind in ("response.failed", "error"):
            of = told.get("response", told).get("error") or told
            error = error or (of.get("code") or "error", of.get("message") or "")
        elif kind == "error" or "error" in told:
            error = error_of(format, told)
            if error is None:
                return result.breach(f"an error event in another shape: {told}")
        elif kind in ("message_stop", "response.completed", "response.incomplete"):
            ended = True
    if error:
        result.outcome, (result.code, result.message) = "error in stream", error
        if ended and format in ("chat", "completions"):
            result.breach("a stream with an error that ends as if it were whole")
    elif ended:
        result.outcome = "answered"
    else:
        result.breach(f"a stream without an end: …{data[-200:]!r}")


def judge(result, data):
    """Fills in the outcome. Whatever is neither an answer nor an error in its format is a breach."""
    ask = result.ask
    if result.status == 200 and ask.stream and b"data:" in data:
        return judge_stream(result, data)
    try:
        told = json.loads(data)
    except ValueError:
        return result.breach(f"status {result.status} with a body that is no JSON: {data[:200]!r}")
    if result.status == 200:
        check = WHOLE.get(ask.format, lambda told: told.get("object") in ("list", "model"))
        try:
            good = check(told)
        except (KeyError, TypeError, AttributeError):
            good = False
        result.outcome = "answered"
        if not good:
            result.breach(f"an answer in another shape: {data[:200]!r}")
        return None
    error = error_of(ask.format, told)
    if error is None:
        return result.breach(f"status {result.status} in another shape: {data[:200]!r}")
    result.code, result.message = error
    result.outcome = {403: "denied", 404: "not found"}.get(result.status, "error")
    if result.status not in (400, 403, 404, 429, 502, 503, 504):
        result.breach(f"an unexpected status: {result.status} {error}")
    return None


def forbidden(target, secret):
    """Whether the policy keeps this tenant's request from this target. Told by the names of the providers alone, which say
    where they are: nothing here knows how the gateway judges."""
    provider = target.split("@")[-1]
    return provider.startswith("us") or (secret and not provider.startswith("fr"))


def judge_origin(result, data):
    """Nothing that was made over there may come back, whatever header and record say."""
    if result.provider.startswith("us"):
        result.breach(f"answered by {result.provider}")
    if b"made abroad" in data:
        result.breach(f"an answer that was made at us: {data[:200]!r}")


def judge_decision(result):
    """The decision record against the rules: nothing forbidden was tried, each forbidden candidate was removed by a rule, and
    a denial names what removed them."""
    record, ask = result.record, result.ask
    for attempt in record["attempts"]:
        if forbidden(attempt["target"], ask.secret):
            result.breach(f"{record['id']}: tried {attempt['target']}")
    removed = {candidate["removed_by"] for candidate in record["candidates"]} & RULES
    for candidate in record["candidates"]:
        if forbidden(candidate["target"], ask.secret) and candidate["removed_by"] not in RULES:
            result.breach(f"{record['id']}: {candidate['target']} was removed by {candidate['removed_by']}, which is no rule")
    if result.outcome != "denied":
        return
    if record["outcome"] != "denied" or record["error"] != result.code:
        result.breach(f"{record['id']}: answered as {result.status} {result.code}, recorded as {record['outcome']} {record['error']}")
    if result.code == "policy_denied":
        named = {rule for rule in RULES if rule in result.message}
        if not named:
            result.breach(f"{record['id']}: a denial without a rule: {result.message}")
        if not named <= removed:
            result.breach(f"{record['id']}: names {sorted(named - removed)}, which removed nothing in its record")
        kept = [candidate["target"] for candidate in record["candidates"] if candidate["removed_by"] is None]
        if kept or not record["candidates"]:
            result.breach(f"{record['id']}: denied, while its record has removed {'nothing' if not removed else 'not all: ' + str(kept)}")
    elif result.code == "permission_denied":
        wish = " ".join([ask.headers.get("x-waypost-policy", ""), ask.model.replace("/", " "), ask.headers.get("x-waypost-labels", "").split("=")[0]])
        if not any(f"`{name}`" in result.message for name in wish.split()):
            result.breach(f"{record['id']}: does not name what may not be chosen: {result.message}")
    else:
        result.breach(f"{record['id']}: 403 with the code {result.code}")
