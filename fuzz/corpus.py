#!/usr/bin/env python3
"""Writes what the fuzzer begins with: every recording, as each reader takes it. `corpus.py FIXTURES CORPUS`"""

import json
import pathlib
import sys

READERS = {
    "chat": ("chat_request", "chat_answer", "chat_stream"),
    "responses": ("responses_request", "responses_answer", "responses_stream"),
    "messages": ("messages_request", "messages_answer", "messages_stream"),
    "gen": ("json", "gemini_answer", "gemini_stream"),
    "gen-stream": ("json", "gemini_answer", "gemini_stream"),
    "raw": ("json", "messages_answer", "messages_stream"),
    "completions": ("completions_request", "chat_answer", "chat_stream"),
    "embeddings": ("embeddings_request", "json", "json"),
}


def main():
    fixtures, corpus = map(pathlib.Path, sys.argv[1:])

    def put(reader, name, data):
        (corpus / reader).mkdir(parents=True, exist_ok=True)
        (corpus / reader / name).write_bytes(data)

    for path in sorted(fixtures.glob("exchanges/*.json")):
        meta = json.loads(path.read_text())
        if meta["endpoint"] not in READERS:
            continue
        request, answer, stream = READERS[meta["endpoint"]]
        response = meta["response"]
        put(request, path.stem, json.dumps(meta["request"]["body"], ensure_ascii=False, separators=(",", ":")).encode())
        if "body" in response:
            body = json.dumps(response["body"], ensure_ascii=False, separators=(",", ":")).encode()
            put(answer, path.stem, body)
            put("provider_error", path.stem, b"\x01" + body)
            put("json", path.stem, body)
        if response.get("body_file", "").endswith(".sse"):
            raw = (path.parent / response["body_file"]).read_bytes()
            for settings in range(3):
                put(stream, f"{path.stem}-{settings}", bytes([settings, 11]) + raw)
            put("sse", path.stem, b"\x03" + raw)
    for number, text in enumerate(["<think>a</think>b", "\n <think>\na\n</think>\n\nb", "a </think> b", "`</think>`"]):
        put("think", str(number), bytes([number % 2, 1]) + text.encode())
    for number, signature in enumerate(["wp1:open:1-1::", "wp1:openai.text:1:rs_1:data", "wp1:gemini.call:::a:b"]):
        put("seal", str(number), b"\x01\x01a\n\nb\0" + signature.encode())


main()
