"""Requests over plain HTTP, so that nothing an SDK mends is mended before it is looked at."""

import http.client
import json
import urllib.parse
from dataclasses import dataclass

from recordings import PATHS, events


@dataclass
class Answer:
    status: int
    headers: dict
    text: str

    def json(self):
        return json.loads(self.text)

    def events(self) -> list[tuple]:
        return events(self.text)


class Server:
    def __init__(self, url: str):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict) -> Answer:
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        text = answer.read().decode()
        return Answer(answer.status, found, text)

    def post(self, client: str, body: dict, headers: dict | None = None) -> Answer:
        """Sends a request in a client's format."""
        sent = {"content-type": "application/json", **(headers or {})}
        if client == "messages":
            sent.setdefault("anthropic-version", "2023-06-01")
        return self._ask("POST", PATHS[client], json.dumps(body, ensure_ascii=False).encode(), sent)

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})


class Replay(Server):
    """The server with the recordings."""

    def sent(self, name: str) -> dict:
        """What was sent last to this exchange: path, headers, body."""
        return self.get("/_sent/" + urllib.parse.quote(name)).json()

    def answer(self, name: str) -> str:
        """The body that the exchange is answered with."""
        return self.get("/_answer/" + urllib.parse.quote(name)).text


def member(text: str, wanted: str) -> str:
    """A member of the JSON object `text`, as it is written."""
    decoder = json.JSONDecoder()
    at = text.index("{") + 1
    while True:
        while text[at] in " \t\r\n,":
            at += 1
        if text[at] == "}":
            raise KeyError(wanted)
        name, at = decoder.raw_decode(text, at)
        while text[at] in " \t\r\n:":
            at += 1
        _, end = decoder.raw_decode(text, at)
        if name == wanted:
            return text[at:end]
        at = end


def strings(value) -> list[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [found for inner in value.values() for found in strings(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in strings(inner)]
    return []
