"""Sends what is asked, as an application would, and fetches the decision afterwards."""

import http.client
import json
import queue
import threading
import time

import asks
from judge import Result, judge, judge_decision, judge_origin
from world import ADDRESS, DATA, GATEWAY_SIDE

HOST = GATEWAY_SIDE["client"]
# Nothing in the gateway's configuration may take as long as this.
HUNG = 25
PLAIN = (ConnectionError, http.client.BadStatusLine, http.client.IncompleteRead, http.client.CannotSendRequest)


class Gate:
    """When the gateway was being stopped or killed, so that a lost connection is not taken for a broken promise."""

    def __init__(self):
        self.lock, self.spans = threading.Lock(), []

    def open(self, kind):
        span = [time.monotonic(), float("inf"), kind]
        with self.lock:
            self.spans.append(span)
        return span

    def shut(self, span):
        span[1] = time.monotonic()

    def during(self, began, ended, kind=None):
        with self.lock:
            return any(start <= ended and end >= began and kind in (None, which) for start, end, which in self.spans)


class Client:
    def __init__(self, keys, gate, judged=True):
        self.keys, self.gate, self.judged = keys, gate, judged

    def headers(self, ask):
        headers = {"content-type": "application/json", "connection": "close", **ask.headers}
        if ask.format in ("messages", "count_tokens"):
            return headers | {"x-api-key": self.keys[ask.key], "anthropic-version": "2023-06-01"}
        return headers | {"authorization": f"Bearer {self.keys[ask.key]}"}

    def send(self, ask, begun=lambda: None):
        """`begun` is called at the first byte of the answer's body."""
        result = Result(ask)
        began = time.monotonic()
        data = json.dumps(ask.body).encode() if ask.body else None
        while True:
            first = None
            tried = time.monotonic()
            connection = http.client.HTTPConnection(HOST, DATA, timeout=HUNG)
            try:
                connection.request("POST" if data else "GET", ask.path, data, self.headers(ask))
                first = connection.getresponse()
                self.take(result, first, begun)
            except TimeoutError:
                result.breach(f"hung: no byte for {HUNG} s")
            except PLAIN as error:
                now = time.monotonic()
                if first is not None and self.gate.during(tried, now, "killed"):
                    result.outcome = "cut by the kill"
                elif first is None and self.gate.during(tried - 1, now) and now - began < HUNG:
                    # Nobody was there, or not any more: an application asks again.
                    result.resent += 1
                    time.sleep(0.05)
                    continue
                else:
                    result.breach(f"the connection was lost {'before' if first is None else 'within'} the answer: {error!r}")
            finally:
                connection.close()
            break
        result.ms = (time.monotonic() - began) * 1e3
        if result.ms > HUNG * 1e3:
            result.breach(f"took {result.ms / 1e3:.0f} s")
        if result.decision:
            self.look_up(result, began)
        elif result.status and ask.kind != "lists" and ask.format != "route":
            result.breach(f"status {result.status} {result.code} without x-waypost-decision")
        return result

    def take(self, result, response, begun):
        ask = result.ask
        result.status = response.status
        result.decision = response.getheader("x-waypost-decision", "")
        result.provider = response.getheader("x-waypost-provider", "")
        result.cache = response.getheader("x-waypost-cache", "")
        if ask.kind == "leaves" and response.status == 200:
            response.read(1)
            result.outcome = "left"
            return
        first = response.read(1)
        begun()
        result.body = first + response.read()
        judge(result, result.body)
        if self.judged:
            judge_origin(result, result.body)
            if ask.format == "route" and result.status == 200:
                result.record = json.loads(result.body)
                judge_decision(result)

    def look_up(self, result, began):
        """The record is written when the exchange ends, a moment after the answer."""
        if not self.judged:
            return
        for _ in range(60):
            record = self.decision(result)
            if record is not None:
                result.record = record
                judge_decision(result)
                return
            # In memory only: gone with the process that made it.
            if self.gate.during(began, time.monotonic()):
                return
            time.sleep(0.05)
        result.breach(f"{result.decision} is not to be had ({result.status} {result.code})")

    def decision(self, result):
        connection = http.client.HTTPConnection(HOST, DATA, timeout=HUNG)
        try:
            connection.request("GET", f"/v1/decisions/{result.decision}", headers={"authorization": f"Bearer {self.keys[result.ask.key]}"})
            response = connection.getresponse()
            told = response.read()
            return json.loads(told) if response.status == 200 else None
        except PLAIN:
            return None
        finally:
            connection.close()

    def follow(self, ask):
        """All requests of a tool loop, or the one."""
        results = [self.send(ask)]
        while ask.kind == "tools" and len(results) < 3 and results[-1].outcome == "answered":
            ask = asks.result_of_tool(ask, results[-1].body)
            if ask is None:
                break
            results.append(self.send(ask))
        return results


class Load:
    """Many clients at once. `taken` says how far they are."""

    def __init__(self, client, workers, window=lambda: "", pace=None):
        """`pace`: no more asks in a second than this."""
        self.client, self.workers, self.window, self.pace = client, workers, window, pace
        self.taken, self.results, self.lock = 0, [], threading.Lock()
        self.due = time.monotonic()

    def wait_for_turn(self):
        if self.pace is None:
            return
        with self.lock:
            self.due = max(self.due + 1 / self.pace, time.monotonic() - 0.1)
            wait = self.due - time.monotonic()
        if wait > 0:
            time.sleep(wait)

    def give_up(self):
        self.taken = float("inf")

    def run(self, source, total):
        """`source()` gives the next ask; ends when `total` requests were sent, the later ones of tool loops among them."""
        errors = queue.SimpleQueue()

        def work():
            try:
                while True:
                    self.wait_for_turn()
                    with self.lock:
                        if self.taken >= total:
                            return
                        self.taken += 1
                        ask = source()
                    window = self.window()
                    results = self.client.follow(ask)
                    for result in results:
                        result.window = window
                    with self.lock:
                        self.taken += len(results) - 1
                        self.results += results
            except BaseException as error:
                errors.put(error)
                self.give_up()

        threads = [threading.Thread(target=work) for _ in range(self.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not errors.empty():
            raise errors.get()
        return self.results


def admin(path, token, method="GET"):
    connection = http.client.HTTPConnection(HOST, 4001, timeout=5)
    try:
        connection.request(method, path, headers={"authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def redis(*words):
    """One command to the store, which is only asked from the gateway's namespace."""
    import socket
    with socket.create_connection((ADDRESS["store"], 6379), timeout=5) as connection:
        connection.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words))
        return connection.recv(65536).decode(errors="replace").strip()
