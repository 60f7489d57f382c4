"""What the tenants ask: every client format, streams and whole answers, every way to name a model, with and without a fault."""

import dataclasses
import json

# Stands in every prompt, so that a raw socket can tell whose it is.
EU, SECRET, WORLD = "EU-PROMPT", "EU-SECRET", "WORLD-PROMPT"

# name → marker for the scripted providers; {n} makes it one of its own, which `fail_first` counts by.
ELSEWHERE = 'headers={"location":"http://us.drill:8001/v1/chat/completions","link":"<http://us.drill:8001/>; rel=next"}'
SCRIPTED_FAULTS = {
    "dies before headers": "[[scripted: before_headers=20ms rst_after=0]]",
    "dies after headers": "[[scripted: rst_after=head]]",
    "closes after headers": "[[scripted: fin_after=head]]",
    "dies in mid-stream": "[[scripted: events=20 per_event=2ms rst_after=900]]",
    "closes in mid-stream": "[[scripted: events=20 per_event=2ms fin_after=900]]",
    "error in mid-stream": "[[scripted: events=20 error_after=4]]",
    "error before content": "[[scripted: error_after=0]]",
    "broken event": "[[scripted: events=20 malformed_after=4]]",
    "429 retry-after 1": "[[scripted: status=429 retry_after=1]]",
    "429 retry-after 60": "[[scripted: status=429 retry_after=60]]",
    "429 once": '[[scripted: status=429 retry_after=0 fail_first=1 error_message="once {n}"]]',
    "quota gone": "[[scripted: error_code=insufficient_quota]]",
    "500": "[[scripted: status=500]]",
    "503 once": '[[scripted: status=503 fail_first=1 error_message="once {n}"]]',
    "503 three times": '[[scripted: status=503 fail_first=3 error_message="thrice {n}"]]',
    "529": "[[scripted: status=529]]",
    "400": "[[scripted: status=400]]",
    "401": "[[scripted: status=401]]",
    "404": "[[scripted: status=404]]",
    "context too long": "[[scripted: error_code=context_length_exceeded]]",
    "no JSON": '[[scripted: body="{"]]',
    "slow headers": "[[scripted: before_headers=3s]]",
    "slow first token": "[[scripted: before_first_token=3s]]",
    "stalls after headers": "[[scripted: stall_after=head]]",
    "stalls in mid-stream": "[[scripted: events=10 stall_after=4]]",
    "slow but alive": "[[scripted: events=8 per_event=60ms]]",
    "one byte a write": "[[scripted: chunk=7]]",
    "cut by length": "[[scripted: finish_reason=length]]",
    "301 to us": "[[scripted: status=301 %s]]" % ELSEWHERE,
    "302 to us": "[[scripted: status=302 %s]]" % ELSEWHERE,
    "303 to us": "[[scripted: status=303 %s]]" % ELSEWHERE,
    "307 to us": "[[scripted: status=307 %s]]" % ELSEWHERE,
    "308 to us": "[[scripted: status=308 %s]]" % ELSEWHERE,
    "503 with hints to us": "[[scripted: status=503 %s]]" % ELSEWHERE,
}
ODD_FAULTS = ["hangs-up", "half-a-head", "no-http", "short-body", "broken-chunk", "cut-stream", "use-proxy", "misdirected", "moved",
              "see-other", "created-elsewhere", "unavailable-elsewhere", "early-hints", "switches", "hints", "resets", "silent", "dribbles"]

# What may be asked for, by what may become of it under `eu-only`.
HOME = ["small", "large", "fr-mid", "fr-claude", "fr-responses", "flaky", "de-mid", "fr/small", "de/small", "fr/large", "de/large", "claude"]
ABROAD = ["us-best", "us/us-best", "us/small", "us/large", "us-claude", "us-messages/claude", "us-gemini", "us-silent", "us-lawless",
          "us-partly", "us-operated", "us-keeps", "us-trains", "abroad"]
ALIASES = ["chat", "flaky-pair", "odd-pair"]

TOOL = "look"
PATHS = {"chat": "/v1/chat/completions", "completions": "/v1/completions", "responses": "/v1/responses", "messages": "/v1/messages",
         "embeddings": "/v1/embeddings", "count_tokens": "/v1/messages/count_tokens", "route": "/v1/route"}


@dataclasses.dataclass
class Ask:
    number: int
    format: str
    body: dict
    key: str = "eu"
    fault: str = "none"
    headers: dict = dataclasses.field(default_factory=dict)
    # plain, cached, tools, leaves, lists
    kind: str = "plain"
    # Must stay in fr, by its label or by the policy that it asks for.
    secret: bool = False

    @property
    def path(self):
        return PATHS[self.format] if self.format in PATHS else self.format

    @property
    def stream(self):
        return bool(self.body.get("stream"))

    @property
    def model(self):
        return self.body.get("model", "")


def body(format, model, text, stream=False, **more):
    """A request in this format."""
    said = [{"role": "user", "content": text}]
    if format == "completions":
        told = {"model": model, "prompt": text, "max_tokens": 64}
    elif format == "responses":
        told = {"model": model, "input": text, "max_output_tokens": 64, "store": False}
    elif format == "embeddings":
        return {"model": model, "input": [text, "and another"]}
    elif format == "count_tokens":
        return {"model": model, "messages": said}
    elif format == "messages":
        told = {"model": model, "max_tokens": 64, "messages": said}
    else:
        told = {"model": model, "messages": said}
    if stream:
        told["stream"] = True
    return told | more


def keepable(count):
    """Requests whose answers the cache keeps; the same ones each time."""
    asks = []
    names = ["chat", "small", "large", "us-best", "abroad", "claude", "auto", "us-claude", "us-gemini", "us/small"]
    for number in range(count):
        format = ["chat", "messages", "chat", "responses", "embeddings"][number % 5]
        model = ["embed", "us-embed"][number // 5 % 2] if format == "embeddings" else names[number % len(names)]
        text = f"{EU} kept {number}: what was said about the harbour in the year {1900 + number}?"
        more = {} if format == "embeddings" else {"temperature": 0}
        asks.append(Ask(number, format, body(format, model, text, **more), kind="cached"))
    return asks


class Asks:
    """A seeded stream of asks by the EU-only tenant."""

    def __init__(self, random, kept, extending):
        """`extending`: whether the gateway knows the policy that extends the tenant's."""
        self.random, self.kept, self.number = random, kept, 0
        self.children = ["eu-only-in-france"] if extending else []

    def model(self):
        kind = self.random.choices(["auto", "alias", "home", "abroad", "own", "other", "none"], [24, 30, 24, 14, 4, 3, 2])[0]
        return {"auto": "auto", "own": "auto/" + self.random.choice(["eu-only", *self.children]), "other": "auto/anywhere", "none": "nobody/knows-this",
                "alias": self.random.choice(ALIASES), "home": self.random.choice(HOME), "abroad": self.random.choice(ABROAD)}[kind]

    def next(self):
        random = self.random
        self.number += 1
        n = self.number
        if random.random() < 0.12:
            return dataclasses.replace(random.choice(self.kept), number=n, kind="cached")
        format = random.choices(["chat", "messages", "responses", "completions", "embeddings", "count_tokens", "route", "lists"],
                                [40, 18, 16, 7, 8, 6, 3, 2])[0]
        if format == "lists":
            return Ask(n, random.choice(["/v1/models", "/v1/models/us-best", "/v1/models/fr-mid"]), {}, kind="lists")
        if random.random() < 0.07 and format in ("chat", "messages"):
            return self.tools(n, format)
        mark, fault, secret, headers = EU, "none", False, {}
        model = self.model()
        if format == "embeddings":
            model = random.choice(["embed", "embed", "fr-embed", "fr/embed", "us-embed", "us/embed", "auto"])
        elif format == "count_tokens":
            model = random.choice(["claude", "claude", "fr-claude", "us-claude", "us-messages/claude", "auto", "chat"])
        words = " ".join(random.choice(WORDS) for _ in range(random.randint(3, 60)))
        told = ""
        if model == "odd-pair" or (model == "auto" and random.random() < 0.1):
            fault = random.choice(ODD_FAULTS)
            told, fault = f"[[odd: {fault}]]", f"odd: {fault}"
        elif random.random() < 0.3:
            fault = random.choice(list(SCRIPTED_FAULTS))
            told = SCRIPTED_FAULTS[fault].replace("{n}", str(n))
        labels = random.choices(["", "data-class=public", "data-class=personal", "data-class=secret", "purpose=dev", "purpose=nonsense"],
                                [74, 6, 8, 8, 3, 1])[0]
        if labels:
            headers["x-waypost-labels"] = labels
            secret = labels == "data-class=secret"
        policy = random.choices(["", "anywhere", "eu-only", "unrestricted", *self.children], [92, 3, 2, 1, *[3 for _ in self.children]])[0]
        if policy:
            headers["x-waypost-policy"] = policy
        # Such a request stays in France as one with the label does.
        secret = secret or policy in self.children or model.removeprefix("auto/") in self.children
        key = "narrow" if random.random() < 0.1 else "eu"
        if format == "route":
            key = "eu"
        stream = format in ("chat", "messages", "responses", "completions") and random.random() < 0.55
        text = f"{mark}{' ' + SECRET if secret else ''} {n}: {words} {told}"
        told_body = body("chat" if format == "route" else format, model, text, stream)
        if stream and format == "chat" and random.random() < 0.5:
            told_body["stream_options"] = {"include_usage": True}
        kind = "leaves" if stream and random.random() < 0.04 else "plain"
        return Ask(n, format, told_body, key, fault, headers, kind, secret)

    def tools(self, n, format):
        """The beginning of a tool loop: the provider calls a tool, whoever it is."""
        model = self.random.choice(["auto", "chat", "small", "large", "claude"])
        text = f"{EU} {n}: look it up, please [[scripted: tool_calls=[\"{TOOL}\"]]]"
        schema = {"type": "object", "properties": {}}
        if format == "chat":
            tools = [{"type": "function", "function": {"name": TOOL, "parameters": schema}}]
        else:
            tools = [{"name": TOOL, "input_schema": schema}]
        return Ask(n, format, body(format, model, text, tools=tools), kind="tools")


def each_fault(number):
    """Every fault twice, streamed and whole, in lists to be asked one after the other: a good request between two faults
    keeps their target from being left alone. Gives the lists; `number` counts."""
    lists = []
    names = list(SCRIPTED_FAULTS)
    for model, faults in (("fr-mid", names[0::3]), ("flaky", names[1::3]), ("fr/small", names[2::3]), ("odd", ODD_FAULTS)):
        lists.append([])
        for fault in faults:
            for stream in (False, True):
                n = next(number)
                told = f"[[odd: {fault}]]" if model == "odd" else SCRIPTED_FAULTS[fault].replace("{n}", str(n))
                name = f"odd: {fault}" if model == "odd" else fault
                lists[-1].append(Ask(n, "chat", body("chat", model, f"{EU} {n}: once more {told}", stream), fault=name))
                n = next(number)
                lists[-1].append(Ask(n, "chat", body("chat", model, f"{EU} {n}: and now without", stream)))
    return lists


def slow(n):
    """A stream of about three seconds; the provider has four in all."""
    return Ask(n, "chat", body("chat", "us-best", f"{EU} {n}: at leisure [[scripted: events=32 per_event=100ms]]", True))


def world(n, random):
    """One ask of the tenant that may use everything, by preference abroad."""
    format = random.choice(["chat", "messages", "responses", "embeddings"])
    model = random.choice(["embed", "us-embed"]) if format == "embeddings" else random.choice(["us-best", "auto", "chat", "us-claude", "us-partly", "abroad"])
    return Ask(n, format, body(format, model, f"{WORLD} {n}: tell me about the sea", format != "embeddings" and random.random() < 0.5), key="world")


def result_of_tool(ask, answer):
    """The next request of a tool loop, or None if no tool was called."""
    told = json.loads(answer)
    more = dict(ask.body)
    if ask.format == "chat":
        message = told["choices"][0]["message"]
        calls = message.get("tool_calls") or []
        if not calls:
            return None
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "found"} for call in calls]
        more["messages"] = [*ask.body["messages"], message, *results]
    else:
        calls = [block for block in told["content"] if block["type"] == "tool_use"]
        if not calls:
            return None
        results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "found"} for call in calls]
        more["messages"] = [*ask.body["messages"], {"role": "assistant", "content": told["content"]}, {"role": "user", "content": results}]
    return dataclasses.replace(ask, body=more)


WORDS = ("harbour river winter market council letter garden bridge number garden proof theorem sum integral compile python function "
         "translate summary contract clause invoice patient record doctor account balance train station coast island").split()
