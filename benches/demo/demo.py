"""Sends the prompts beside this file through a running gateway and shows what became of each.

Needs nothing but Python. Starts config/quickstart/run.sh if no gateway answers, and stops what it started.
Real answers and scripted ones are told apart by what the gateway and the answer themselves say.
"""

import argparse
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.parse

from report import Report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Gateway:
    """The two listeners of a gateway, each on one kept connection."""

    def __init__(self, data: str, admin: str, key: str | None):
        self.data = self._connect(data)
        self.admin = self._connect(admin)
        self.key = key

    @staticmethod
    def _connect(url: str) -> http.client.HTTPConnection:
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=180)

    def _ask(self, on, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        try:
            on.request(method, path, body=body, headers=headers)
            response = on.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException):
            on.close()  # a stale connection must not fail the next request
            raise
        try:
            parsed = json.loads(raw)
        except ValueError:
            parsed = None
        return response.status, {k.lower(): v for k, v in response.getheaders()}, parsed

    def ready(self) -> bool:
        try:
            return self._ask(self.admin, "GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def chat(self, prompt: dict, max_tokens: int):
        body = {
            "model": prompt.get("model", "auto"),
            "messages": [{"role": "user", "content": prompt["prompt"]}],
            "max_tokens": max_tokens,
            "temperature": 0,  # only a repeatable answer may come from the cache
        }
        headers = {"content-type": "application/json", "x-waypost-labels": f"data-class={prompt['data_class']}"}
        return self._ask(self.data, "POST", "/v1/chat/completions", json.dumps(body), headers)

    def decision(self, id: str | None) -> dict:
        """The record of one decision, or an empty one. It is written when the exchange settles: a moment later."""
        if not id:
            return {}
        for _ in range(40):
            status, _, record = self._ask(self.data, "GET", f"/v1/decisions/{urllib.parse.quote(id)}")
            if status == 200 and isinstance(record, dict) and record.get("outcome"):
                return record
            time.sleep(0.05)
        return {}


def overhead_ms(headers: dict) -> float | None:
    """The time spent in the gateway, upstream excluded, from `server-timing: gateway;dur=0.42`."""
    for entry in headers.get("server-timing", "").split(","):
        name, *parameters = [part.strip() for part in entry.split(";")]
        for parameter in parameters:
            if name == "gateway" and parameter.startswith("dur="):
                try:
                    return float(parameter[4:])
                except ValueError:
                    return None
    return None


def row_of(prompt: dict, again: bool, status: int, headers: dict, answer, record: dict) -> dict:
    answer = answer if isinstance(answer, dict) else {}
    choices = answer.get("choices") or [{}]
    text = (choices[0].get("message") or {}).get("content") or ""
    error = answer.get("error") or {}
    provider = headers.get("x-waypost-provider", "")
    scripted = "scripted" in provider or "scripted" in str(answer.get("system_fingerprint", ""))
    usage = record.get("usage") or {}
    candidates = record.get("candidates") or []
    chosen = record.get("chosen")
    target = candidates[chosen]["target"] if isinstance(chosen, int) and chosen < len(candidates) else ""
    if not target and status == 200:
        target = f"{headers.get('x-waypost-model', '?')}@{provider or '?'}"
    difficulty = headers.get("x-waypost-difficulty") or (record.get("score") or {}).get("difficulty")
    return {
        "id": prompt["id"],
        "prompt": prompt["prompt"],
        "lang": prompt["lang"],
        "data_class": prompt["data_class"],
        "asked": prompt.get("model", "auto"),
        "again": again,
        "status": status,
        "outcome": "ok" if status == 200 else "denied" if status == 403 else "error",
        "decision": headers.get("x-waypost-decision"),
        "difficulty": None if difficulty is None else float(difficulty),
        "target": target,
        "provider": provider,
        "answered_by": None if status != 200 else "scripted" if scripted else "real",
        "reason": headers.get("x-waypost-reason", ""),
        "removed": {c["target"]: c["removed_by"] for c in candidates if c.get("removed_by")},
        "input_tokens": usage.get("input"),
        "output_tokens": usage.get("output"),
        "cost_nusd": record.get("cost_nusd") or 0,
        "saving_nusd": record.get("saving_nusd") or 0,
        "cache": headers.get("x-waypost-cache", ""),
        "gateway_ms": overhead_ms(headers),
        "error_code": error.get("code"),
        "error": error.get("message"),
        "answer": text,
    }


def start_gateway(gateway: Gateway, seconds: float) -> subprocess.Popen:
    log = ROOT / ".waypost" / "demo-gateway.log"
    log.parent.mkdir(exist_ok=True)
    print(f"no gateway answers: starting one (its output: {log.relative_to(ROOT)})", flush=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(ROOT / "config/quickstart/run.sh")], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )
    deadline = time.monotonic() + seconds
    while not gateway.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            stop_gateway(process)
            sys.exit(f"the gateway did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.2)
    return process


def stop_gateway(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)  # longer than the gateway's own `drain`
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def send_all(gateway: Gateway, prompts: list[dict], max_tokens: int, report: Report) -> None:
    plan = [(p, False) for p in prompts] + [(p, True) for p in prompts if p.get("twice")]
    report.begin(len(plan))
    for prompt, again in plan:
        try:
            status, headers, answer = gateway.chat(prompt, max_tokens)
            record = gateway.decision(headers.get("x-waypost-decision"))
        except (OSError, http.client.HTTPException) as e:
            status, headers, answer, record = 0, {}, {"error": {"message": f"no answer: {e}"}}, {}
        report.add(row_of(prompt, again, status, headers, answer, record))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=os.environ.get("WAYPOST_URL", "http://127.0.0.1:4000"))
    parser.add_argument("--admin", default=os.environ.get("WAYPOST_ADMIN_URL", "http://127.0.0.1:4001"))
    parser.add_argument("--prompts", type=pathlib.Path, default=HERE / "prompts.jsonl")
    parser.add_argument("--own", default="own-machine", help="name of the provider that is one's own")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--limit", type=int, help="only the first N prompts")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write the rows there")
    parser.add_argument("--start-seconds", type=float, default=180.0)
    args = parser.parse_args()

    with args.prompts.open(encoding="utf-8") as lines:
        prompts = [json.loads(line) for line in lines if line.strip()][: args.limit]
    gateway = Gateway(args.url, args.admin, os.environ.get("WAYPOST_KEY"))
    report = Report(args.own)
    started = None if gateway.ready() else start_gateway(gateway, args.start_seconds)
    try:
        send_all(gateway, prompts, args.max_tokens, report)
    except KeyboardInterrupt:
        print("\nstopped early; this is what was sent:")
    finally:
        if started:
            stop_gateway(started)
    report.summary()
    if args.json:
        args.json.write_text(json.dumps(report.rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"rows written to {args.json}")
    return 1 if any(r["outcome"] == "error" for r in report.rows) or not report.rows else 0


if __name__ == "__main__":
    sys.exit(main())
