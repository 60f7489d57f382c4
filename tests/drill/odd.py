"""A provider that breaks in ways a script cannot say: it answers by the name that the prompt carries, [[odd: NAME]].

    python3 odd.py PORT ABROAD     ABROAD: where every hint it gives points to, http://us.drill:8001
"""

import json
import re
import socket
import struct
import sys
import threading
import time

PORT, ABROAD = int(sys.argv[1]), sys.argv[2]


def chat(text="I am scripted, and odd."):
    return json.dumps({"id": "odd", "object": "chat.completion", "created": 1, "model": "odd", "system_fingerprint": "scripted",
                       "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                       "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}}).encode()


def answer(status, body, *lines):
    head = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", "connection: close", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def event(text):
    return b"data: " + json.dumps({"id": "odd", "object": "chat.completion.chunk", "created": 1, "model": "odd", "choices": [
        {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]}).encode() + b"\n\n"


def stream(events, *lines):
    """Chunked, without its end."""
    head = ["HTTP/1.1 200 OK", "content-type: text/event-stream", "transfer-encoding: chunked", *lines]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in events)
    return "\r\n".join(head).encode() + b"\r\n\r\n" + chunks


ELSEWHERE = f"location: {ABROAD}/v1/chat/completions"
HINTS = [ELSEWHERE, f"content-location: {ABROAD}/", f"refresh: 0; url={ABROAD}/", f"link: <{ABROAD}/>; rel=preload",
         'alt-svc: h2="us.drill:8001"; ma=60']
MALICE = b'{"error":{"message":"moved, ask %s","type":"moved","code":"moved"}}' % ABROAD.encode()

ANSWERS = {
    "hangs-up": b"",
    "half-a-head": b"HTTP/1.1 200 OK\r\ncontent-type: appl",
    "no-http": b"\x15\x03\x01\x00\x02\x02\x28 this is no HTTP at all\r\n\r\n",
    "short-body": answer("200 OK", chat())[:-20],
    "broken-chunk": stream([event("one ")]) + b"zz\r\nnothing\r\n",
    "cut-stream": stream([event("one "), event("two ")]),
    "use-proxy": answer("305 Use Proxy", MALICE, ELSEWHERE),
    "misdirected": answer("421 Misdirected Request", MALICE, *HINTS),
    "moved": answer("308 Permanent Redirect", MALICE, *HINTS),
    "see-other": answer("303 See Other", MALICE, *HINTS),
    "created-elsewhere": answer("201 Created", chat(), *HINTS),
    "unavailable-elsewhere": answer("503 Service Unavailable", MALICE, "retry-after: 1", *HINTS),
    "early-hints": b"HTTP/1.1 103 Early Hints\r\nlink: <%s/>; rel=preconnect\r\n\r\n" % ABROAD.encode() + answer("503 Service Unavailable", MALICE, *HINTS),
    "switches": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
    "hints": answer("200 OK", chat(), *HINTS),
}


def read_request(connection):
    """The path and the body; None if it is not whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    wanted = int(length.group(1)) if length else 0
    while len(body) < wanted:
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return head.split(b" ", 2)[1], body


def serve(connection):
    with connection:
        connection.settimeout(10)
        try:
            request = read_request(connection)
            if request is None:
                return
            path, body = request
            # The last one is the one that is meant: those before it are the conversation so far.
            named = re.findall(rb"\[\[odd: ([a-z-]+)\]\]", body)
            name = named[-1].decode() if named else "hints"
            if name in ("hints", "created-elsewhere") and not path.endswith(b"/chat/completions"):
                # An answer is a chat's, and no other format's.
                name = "misdirected"
            if name == "resets":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if name == "silent":
                connection.recv(1)
                return
            if name == "dribbles":
                for byte in answer("503 Service Unavailable", MALICE, *HINTS)[:60]:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.02)
                return
            if name == "hints" and b'"stream":true' in body.replace(b" ", b""):
                connection.sendall(stream([event("I am scripted, "), event("and odd."), b"data: [DONE]\n\n"], *HINTS) + b"0\r\n\r\n")
                return
            connection.sendall(ANSWERS[name])
        except OSError:
            pass


def main():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", PORT))
    server.listen(256)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
