"""Time from sending a request to the first byte of its first token, on a connection that is already open."""

import json
import socket
import sys
import time

TOKEN = "quokka"
WARM_UP = 20


class Connection:
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, port, marker):
        text = f"[[scripted: text={TOKEN} {marker}]]"
        body = json.dumps({"model": "weak", "messages": [{"role": "user", "content": text}], "stream": True}).encode()
        self.request = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def stream(self):
        """One whole stream; seconds until its first token."""
        first, answer, token = None, b"", TOKEN[:3].encode()
        start = time.perf_counter()
        self.socket.sendall(self.request)
        while not answer.endswith(b"\r\n0\r\n\r\n"):
            piece = self.socket.recv(65536)
            now = time.perf_counter()
            if not piece:
                sys.exit(f"a stream was cut off: {answer[:600]}")
            answer += piece
            if first is None and token in answer:
                first = now - start
        if first is None:
            sys.exit(f"a stream had no token: {answer[:600]}")
        return first


def first_tokens(ports, marker, count):
    """Microseconds of `count` streams to each port, taking turns, so that all see the same machine."""
    connections = {name: Connection(port, marker) for name, port in ports.items()}
    times = {name: [] for name in ports}
    for turn in range(WARM_UP + count):
        for name, connection in connections.items():
            first = connection.stream()
            if turn >= WARM_UP:
                times[name].append(first * 1e6)
    return times
