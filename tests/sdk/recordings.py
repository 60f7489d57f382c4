"""The recorded exchanges, and small requests of a client that could have led to their answers."""

import json
import pathlib

CLIENTS = ("chat", "responses", "messages")
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
ENDPOINTS = ("chat", "responses", "messages", "gen", "gen-stream")


class Recording:
    """One exchange with a provider."""

    def __init__(self, path: pathlib.Path):
        self.text = path.read_text()
        meta = json.loads(self.text)
        self.name = path.stem
        self.provider = meta["provider"]
        self.endpoint = meta["endpoint"]
        self.format = {"gen-stream": "gen"}.get(self.endpoint, self.endpoint)
        self.tags = set(meta["tags"])
        self.finish = meta["finish"]
        self.request = meta["request"]["body"]
        self.request_headers = meta["request"]["headers"]
        self.status = meta["response"]["status"]
        self.headers = meta["response"]["headers"]
        self.body = meta["response"].get("body")
        file = meta["response"].get("body_file", "")
        self.stream = file.endswith(".sse")
        if self.stream:
            # CRLF is part of what was recorded.
            self.raw = (path.parent / file).read_bytes().decode()
        else:
            self.raw = json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))

    @property
    def failed(self) -> bool:
        return self.status >= 400

    @property
    def fails_in_stream(self) -> bool:
        return "streamerr" in self.tags

    def events(self) -> list:
        """The JSON of each event of the stream."""
        return [event for _, event in events(self.raw) if event != "[DONE]"]


def load(fixtures: str, endpoints=ENDPOINTS) -> list[Recording]:
    folder = pathlib.Path(fixtures) / "exchanges"
    found = [Recording(path) for path in sorted(folder.glob("*.json"))]
    return [recording for recording in found if recording.endpoint in endpoints]


def events(text: str) -> list[tuple]:
    """Name and data of each event of a stream; data is JSON or `[DONE]`."""
    found = []
    name, data = None, []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") + [""]:
        if line == "":
            if data:
                joined = "\n".join(data)
                found.append((name, joined if joined.strip() == "[DONE]" else json.loads(joined)))
            name, data = None, []
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return found


def tool_names(recording: Recording) -> list[str]:
    """The functions that the recorded request offers."""
    names = []
    tools = (recording.request or {}).get("tools") or []
    # Gemini takes a single one without a list.
    for tool in [tools] if isinstance(tools, dict) else tools:
        if "function" in tool:
            names.append(tool["function"]["name"])
        elif tool.get("type") == "function" or "input_schema" in tool:
            names.append(tool["name"])
        for declared in tool.get("functionDeclarations") or tool.get("function_declarations") or []:
            names.append(declared["name"])
    return names


def request(recording: Recording, client: str, model: str | None = None) -> dict:
    """A client's request for the recorded answer."""
    body = {"model": model or recording.name}
    names = tool_names(recording)
    schema = {"type": "object", "properties": {}}
    if client == "chat":
        body["messages"] = [{"role": "user", "content": "Go on."}]
        tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name in names]
        if recording.stream:
            body["stream_options"] = {"include_usage": True}
    elif client == "responses":
        body["input"] = [{"role": "user", "content": "Go on."}]
        body["include"] = ["reasoning.encrypted_content"]
        body["store"] = False
        tools = [{"type": "function", "name": name, "parameters": schema, "strict": False} for name in names]
    else:
        body["max_tokens"] = 4096
        body["messages"] = [{"role": "user", "content": "Go on."}]
        tools = [{"name": name, "input_schema": schema} for name in names]
    if tools:
        body["tools"] = tools
    if recording.stream:
        body["stream"] = True
    return body


def answered(body: dict, client: str, message, calls: list) -> dict:
    """The next request: the client sends the answer back, and tools' results or another question."""
    following = {**body}
    if client == "chat":
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "result of " + call["name"]} for call in calls]
        following["messages"] = [*body["messages"], message, *(results or [{"role": "user", "content": "And then?"}])]
    elif client == "responses":
        results = [
            {"type": "function_call_output", "call_id": call["id"], "output": "result of " + call["name"]}
            for call in calls
        ]
        following["input"] = [*body["input"], *message, *(results or [{"role": "user", "content": "And then?"}])]
    else:
        results = [
            {"type": "tool_result", "tool_use_id": call["id"], "content": "result of " + call["name"]} for call in calls
        ]
        content = results or [{"type": "text", "text": "And then?"}]
        following["messages"] = [
            *body["messages"],
            {"role": "assistant", "content": message},
            {"role": "user", "content": content},
        ]
    return following
