"""What is done to the world while the requests run, one thing after the other."""

import os
import signal
import time

from world import Broken


class Faults:
    """Each fault has a name, a way to begin it and a way to end it."""

    def __init__(self, cast):
        self.cast, self.world = cast, cast.world
        self.window = "calm"
        self.done = []

    def all(self):
        cast, world = self.cast, self.world
        fr, odd, redis = cast.fr, cast.odd, cast.redis
        stop = lambda process: lambda: process.signal(signal.SIGSTOP)
        go = lambda process: lambda: process.signal(signal.SIGCONT)
        return {
            "fr: cable out at the gateway": (lambda: self.cable("fr", "here", False), lambda: self.cable("fr", "here", True)),
            "fr: cable out over there": (lambda: self.cable("fr", "there", False), lambda: self.cable("fr", "there", True)),
            "fr: killed": (lambda: (fr.kill(), odd.kill()), lambda: (fr.start(), odd.start())),
            "fr: stopped": (stop(fr), go(fr)),
            "fr: packets vanish": (lambda: self.filter("fr", "drop"), self.unfilter),
            "fr: connections refused": (lambda: self.filter("fr", "reject with tcp reset"), self.unfilter),
            "fr and de: cables out": (lambda: (self.cable("fr", "here", False), self.cable("de", "here", False)),
                                      lambda: (self.cable("fr", "here", True), self.cable("de", "here", True))),
            "de: killed": (lambda: (cast.de.kill(), cast.flaky.kill()), lambda: (cast.de.start(), cast.flaky.start())),
            "names: fr and de unknown, gateway restarted": (lambda: (world.names(without=("fr", "de")), cast.restart()), world.names),
            "store: killed": (redis.kill, redis.start),
            "store: stopped": (stop(redis), go(redis)),
            "store: cable out": (lambda: self.cable("store", "here", False), lambda: self.cable("store", "here", True)),
            "records: disk full": (self.fill, self.empty),
            "gateway: restarted": (cast.restart, lambda: None),
            "gateway: killed": (cast.kill, lambda: None),
        } | (self.reloads() if cast.reloading else {})

    def reloads(self):
        cast = self.cast
        return {
            "reload: other weights": (lambda: cast.reload("other weights"), lambda: cast.reload("as it was")),
            "reload: one more rule": (lambda: cast.reload("one more rule"), lambda: cast.reload("as it was")),
            "reload: a broken policy": (lambda: cast.reload("a broken policy"), lambda: cast.reload("as it was")),
        }

    def cable(self, place, end, plugged):
        """`here` takes the route away at once; `there` leaves it, and packets go nowhere."""
        state = "up" if plugged else "down"
        if end == "here":
            self.world.hub.run("ip", "link", "set", f"to-{place}", state)
        else:
            self.world.places[place].run("ip", "link", "set", "to-gateway", state)

    def filter(self, place, verdict):
        self.world.hub.run("nft", "add", "rule", "inet", "drill", "faults", "oifname", f"to-{place}", "meta", "l4proto", "tcp", *verdict.split())

    def unfilter(self):
        self.world.hub.run("nft", "flush", "chain", "inet", "drill", "faults")

    def fill(self):
        """Every free byte of the file system that holds the decision file."""
        self.filler = self.cast.records / "filler"
        room = os.statvfs(self.cast.records)
        with open(self.filler, "wb", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, max(room.f_bavail - 256, 1) * room.f_frsize)
            file.seek(0, os.SEEK_END)
            try:
                while True:
                    file.write(bytes(room.f_frsize))
            except OSError:
                # Full: the gateway may have had the last page.
                pass

    def empty(self):
        os.remove(self.filler)

    def play(self, load, total, random):
        """Fault by fault in a seeded order, with calm in between, in step with the requests."""
        faults = self.all()
        order = list(faults)
        random.shuffle(order)
        # A target that has failed is left alone for up to a minute. A gateway that begins anew knows nothing of that.
        for place in range(len(order) - 1, 0, -3):
            order.insert(place, "gateway: restarted")
        step = total / (2 * len(order) + 1)
        for place, name in enumerate(order):
            self.wait(load, step * (2 * place + 1), total)
            self.window = name
            begin, end = faults[name]
            try:
                begin()
                self.wait(load, step * (2 * place + 2), total)
            finally:
                end()
            self.window = "calm"
            self.done.append(name)

    def wait(self, load, until, total):
        while load.taken < min(until, total):
            if not self.cast.gateway.alive():
                load.give_up()
                raise Broken(f"the gateway has ended of itself ({self.cast.gateway.process.returncode}) during: {self.window}\n{self.cast.gateway.tail()}")
            time.sleep(0.005)
