"""The drill's phases, and what each must show."""

import random
import threading
import time

import asks
from cast import Cast
from client import HUNG, Client, Gate, Load, redis
from faults import Faults
from report import summary
from world import Broken

KEPT = 40
CONTROL = 80
# Asks in a second: a target that has failed is left alone for seconds, and only with the time for it to come back do faults
# go on meeting somebody.
PACE = 90


class Drill:
    def __init__(self, folder, binary, seed, requests, workers, without, older, quiet):
        self.seed, self.requests, self.workers, self.quiet = seed, requests, workers, quiet
        self.random = random.Random(seed)
        self.gate = Gate()
        self.breaches, self.phases, self.results = [], [], []
        self.cast = Cast(folder, binary, self.gate, [asks.EU.encode(), asks.SECRET.encode(), asks.WORLD.encode()], without)
        self.world = self.cast.world
        self.kept = asks.keepable(KEPT)
        self.older, self.left_out = older, []

    def stop(self):
        self.cast.stop()

    def say(self, text):
        if not self.quiet:
            print(f"  {text}", flush=True)

    def must(self, holds, what):
        if not holds:
            self.breaches.append(what)

    def settle(self):
        """Until nothing moves on the way to `us` any more."""
        before = None
        for _ in range(100):
            now = self.world.counts()
            now = {name: now[name] for name in ("packets.us", "frames.us", "accepted.us")}
            if now == before:
                return
            before = now
            time.sleep(0.3)
        raise Broken("the way to us does not come to rest")

    def phase(self, name, work):
        """Counts what passes while `work` runs. Gives its results and the counts."""
        self.settle()
        before, began = self.world.counts(), time.monotonic()
        results = work()
        if not self.cast.gateway.alive():
            raise Broken(f"the gateway has ended of itself ({self.cast.gateway.process.returncode}) during: {name}\n{self.cast.gateway.tail()}")
        self.settle()
        after = self.world.counts()
        counts = {key: after[key] - before[key] for key in after}
        self.phases.append({"phase": name, "requests": len(results), "seconds": round(time.monotonic() - began, 1)} | counts)
        for result in results:
            self.breaches += [f"{name}: request {result.ask.number} ({result.ask.format}, {result.ask.model}, {result.ask.fault}, {result.window}): {what}"
                              for what in result.breaches]
        self.say(f"{name}: {len(results)} requests in {self.phases[-1]['seconds']} s, {counts['packets.us']} packets to us")
        return results, counts

    def fresh_gateway(self, **settings):
        if self.cast.gateway.alive():
            self.cast.gateway.end()
        self.cast.write(**settings)
        self.cast.gateway.start()

    def load(self, judged, source, total, window=lambda: "calm"):
        return Load(Client(self.cast.keys, self.gate, judged), self.workers, window).run(source, total)

    def run(self):
        self.seed_the_cache()
        self.reloading = self.cast.reloading = self.cast.metrics() is not None
        for known, what in ((self.reloading, "reloads"), (self.cast.extending, "policies that extend others")):
            if not known:
                self.left_out.append(what)
                self.must(self.older, f"this gateway knows no {what} (--older leaves them out)")
        if self.reloading:
            self.tighten()
        self.control()
        self.drill()
        self.control_again()
        self.must(b"panicked" not in (self.cast.folder / "gateway.log").read_bytes(), "the gateway's log tells of a panic")
        self.must(self.cast.gateway.alive(), "the gateway is not alive at the end")
        return summary(self)

    # ── what an earlier day left behind ──────────────────────────────────────────────────────────────────────────────

    def seed_the_cache(self):
        """Answers from abroad come into the cache twice: under rules that allowed them, and under today's rules with facts that
        have been put right since. The latter are found by today's keys, so only the check at the hit can keep them back."""
        for name, settings in (("earlier policy", {"policies": "policies.earlier"}), ("earlier facts", {"abroad": "FR"})):
            self.fresh_gateway(**settings)
            each = lambda: self.load(False, iter(self.kept).__next__, KEPT)
            _, counts = self.phase(f"{name}: fill the cache", each)
            self.must(counts["packets.us"] > 0 and counts["requests.us"] > 0, f"{name}: nothing went to us, so the cache holds nothing from there")
            self.must(counts[f"mark.{asks.EU}.us"] > 0, f"{name}: no prompt was seen at us, though they went there")
            # What comes while the store is being connected, or late, is not kept: the cache promises nothing.
            for _ in range(6):
                again, _ = self.phase(f"{name}: ask again", each)
                hits = sum(result.cache == "hit" and result.provider.startswith("us") for result in again)
                if hits > KEPT * 2 // 3:
                    break
            self.must(hits > KEPT * 2 // 3, f"{name}: only {hits} of {KEPT} answers from us are in the cache")
        told = self.world.hub.within(lambda: redis("DBSIZE"))
        self.entries = int(told.lstrip(":"))
        self.must(self.entries >= KEPT, f"the store holds {self.entries} entries")

    # ── rules that become tighter in a running process ───────────────────────────────────────────────────────────────

    def tighten(self):
        """Prompts go abroad, for the facts say so; the facts are put right by a reload in mid-stream. What has begun may end;
        from then on no connection is opened there and no byte sent, though tool loops were begun there, the cache holds
        answers from there, and connections to there lie ready."""
        self.fresh_gateway(abroad="FR")
        numbers, client = iter(range(1, 1000)), Client(self.cast.keys, self.gate, judged=False)
        source = asks.Asks(self.random, self.kept, self.cast.extending)
        loops = [source.tools(next(numbers), format) for format in ("chat", "messages") for _ in range(10)]
        begun = []

        def before():
            streaming = threading.Semaphore(0)
            slow = [threading.Thread(target=lambda: begun.append(client.send(asks.slow(next(numbers)), streaming.release))) for _ in range(8)]
            begun.extend(client.send(ask) for ask in loops)
            for thread in slow:
                thread.start()
            self.must(all(streaming.acquire(timeout=HUNG) for _ in slow), f"reload: not every stream had a byte within {HUNG} s")
            self.cast.reload("as it was")
            self.must(any(thread.is_alive() for thread in slow), "reload: no stream was under way")
            for thread in slow:
                thread.join()
            return begun

        results, counts = self.phase("reload: facts put right in mid-stream", before)
        self.must(counts["payload.us"] > 0, "reload: nothing went to us before it")
        ends = [result.outcome for result in results if result.ask.stream]
        self.must(ends == ["answered"] * 8, f"reload: streams that were under way ended as {ends}")
        pinned = [asks.result_of_tool(result.ask, result.body) for result in results if result.ask.kind == "tools" and result.provider.startswith("us")]
        self.must(len(pinned) > 5, f"reload: only {len(pinned)} tool loops were begun at us")

        def after():
            queue = iter([*filter(None, pinned), *self.kept])
            total = len(pinned) + KEPT + 200
            return self.load(True, lambda: next(queue, None) or source.next(), total)

        _, counts = self.phase("reload: afterwards", after)
        # Idle connections may still be taken down: that is a packet, and no byte.
        for count in ("opened.us", "payload.us", "accepted.us", "requests.us", f"mark.{asks.EU}.us"):
            self.must(counts[count] == 0, f"reload: afterwards: {count}: {counts[count]}")

    # ── proof that the counters count ────────────────────────────────────────────────────────────────────────────────

    def control(self):
        """The tenant that may leave does, by today's configuration."""
        self.fresh_gateway()
        numbers = iter(range(1, CONTROL + 1))
        _, counts = self.phase("control", lambda: self.load(False, lambda: asks.world(next(numbers), self.random), CONTROL))
        self.must_have_counted("control", counts)

    def control_again(self):
        """Both tenants at once, at the end and through the process that has just kept everything here: the one's prompts arrive
        over there, the other's do not."""
        numbers, eu = iter(range(1, 10 * CONTROL)), asks.Asks(self.random, self.kept, self.cast.extending)

        def work():
            others = []
            thread = threading.Thread(target=lambda: others.extend(
                self.load(False, lambda: asks.world(next(numbers), self.random), CONTROL)))
            thread.start()
            own = self.load(True, eu.next, 3 * CONTROL)
            thread.join()
            return own + others

        _, counts = self.phase("both tenants at once", work)
        self.must_have_counted("both tenants at once", counts)
        for mark in (asks.EU, asks.SECRET):
            self.must(counts[f"mark.{mark}.us"] == 0, f"both tenants at once: {mark} was seen at us")

    def must_have_counted(self, phase, counts):
        for count in ("packets.us", "frames.us", "frames_there.us", "opened.us", "payload.us", "accepted.us", "requests.us", f"mark.{asks.WORLD}.us"):
            self.must(counts[count] > 0, f"{phase}: {count} counted nothing, so it proves nothing either")

    # ── the drill itself ─────────────────────────────────────────────────────────────────────────────────────────────

    def drill(self):
        # A new process: an idle connection of the phase before would say goodbye in this one.
        self.fresh_gateway()
        self.faults = Faults(self.cast)
        source = asks.Asks(self.random, self.kept, self.cast.extending)
        load = Load(Client(self.cast.keys, self.gate), self.workers, lambda: self.faults.window, PACE)
        failed = []

        def chaos(total):
            try:
                self.faults.play(load, total, random.Random(self.seed + 1))
            except BaseException as error:
                failed.append(error)

        def work():
            results = self.each_fault()
            total = self.requests - len(results)
            thread = threading.Thread(target=chaos, args=(total,))
            thread.start()
            results += load.run(source.next, total)
            thread.join()
            return results

        self.results, counts = self.phase("drill", work)
        if failed:
            raise failed[0]
        for count in counts:
            if count.endswith(".us"):
                self.must(counts[count] == 0, f"drill: {count}: {counts[count]}")
        self.must(counts[f"mark.{asks.SECRET}.de"] == 0, f"drill: {counts[f'mark.{asks.SECRET}.de']} prompts that must stay in fr were seen at de")
        self.must(counts[f"mark.{asks.EU}.de"] > 0, "drill: no prompt was seen at de, so its raw socket proves nothing")
        self.must(all(watch.lost() == 0 for watch in self.world.watches.values()), "drill: a raw socket lost frames")
        self.must_have_met()

    def each_fault(self):
        """Every fault of the providers, with the world as it should be."""
        number = iter(range(1_000_001, 2_000_000))
        results, failed = [], []
        client = Client(self.cast.keys, self.gate)

        def work(asked):
            try:
                for ask in asked:
                    result = client.send(ask)
                    result.window = "every fault, the world in order"
                    results.append(result)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(asked,)) for asked in asks.each_fault(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        return results

    def must_have_met(self):
        """A drill in which nothing was allowed, refused or broken would show nothing."""
        kinds = {
            "answers": lambda result: result.outcome == "answered" and result.ask.kind == "plain",
            "answers after a fallback": lambda result: result.outcome == "answered" and result.record and result.record["reason"] == "fallback",
            "errors": lambda result: result.outcome == "error",
            "errors within a stream": lambda result: result.outcome == "error in stream",
            "denials by rules": lambda result: result.code == "policy_denied",
            "policies refused": lambda result: result.code == "permission_denied",
            "models kept from a key": lambda result: result.outcome == "not found",
            "cache hits": lambda result: result.cache == "hit",
            "answers in a tool loop": lambda result: result.ask.kind == "tools" and result.outcome == "answered",
            "clients that left": lambda result: result.outcome == "left",
        }
        for kind, is_one in kinds.items():
            self.must(any(is_one(result) for result in self.results), f"drill: there were no {kind}")
        for result in self.results:
            self.must(result.outcome != "none" or result.breaches, f"drill: request {result.ask.number} has no outcome")
            self.must(not (result.cache == "hit" and result.provider.startswith("us")), f"drill: request {result.ask.number} got a kept answer of {result.provider}")
        if self.requests >= 3000:
            for name in set(self.faults.done) - {result.window for result in self.results}:
                self.must(False, f"drill: no request was sent during: {name}")
        met = {result.ask.fault for result in self.results if fault_met(result)}
        wanted = {*asks.SCRIPTED_FAULTS, *(f"odd: {fault}" for fault in asks.ODD_FAULTS)} - HARMLESS
        for fault in sorted(wanted - met):
            self.must(False, f"drill: the fault {fault} was never met")


# Faults that a gateway answers without a failed attempt.
HARMLESS = {"slow but alive", "one byte a write", "cut by length", "odd: hints", "odd: created-elsewhere"}


def fault_met(result):
    failed = bool(result.record) and any(attempt["result"] != "ok" for attempt in result.record["attempts"])
    return failed or result.outcome == "error in stream"
