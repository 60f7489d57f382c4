"""The small world of the drill: network namespaces joined by veth pairs, the processes in them, and who counts what passes.

    client ── gateway ── store   (Redis)
                 ├────── fr, de  (scripted providers, and one in Python for faults that a script cannot say)
                 └────── us      (scripted provider: whatever the policy forbids)

The gateway's namespace does not forward, so the only way to `us` is the gateway process itself.
"""

import ctypes
import http.client
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
HUB = "gateway"
PLACES = ["client", "store", "fr", "de", "us"]
GATEWAY_SIDE = {place: f"10.66.{index}.1" for index, place in enumerate(PLACES)}
ADDRESS = {place: f"10.66.{index}.2" for index, place in enumerate(PLACES)}
# Ports of the providers. The scripted ones listen on loopback alone and are reached by a rewrite of the address.
SCRIPTED, FLAKY, ODD = 8001, 8002, 8003
DATA, ADMIN = 4000, 4001


class Broken(Exception):
    """The drill itself cannot go on; says nothing about the gateway's promise."""


def run(command, stdin=None, check=True):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if check and done.returncode:
        raise Broken(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Namespace:
    """A network namespace, alive as long as the process that holds it."""

    def __init__(self, name):
        self.name = name
        before = os.stat("/proc/self/ns/net").st_ino
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        for _ in range(500):
            if os.stat(f"/proc/{self.holder.pid}/ns/net").st_ino != before:
                return
            time.sleep(0.01)
        raise Broken(f"the namespace {name} does not come about")

    def command(self, *command):
        return ["nsenter", "--target", str(self.holder.pid), "--net", "--", *command]

    def run(self, *command, stdin=None, check=True):
        return run(self.command(*command), stdin, check)

    def frames(self, interface):
        """What the interface has carried both ways, by the kernel's own count."""
        for line in pathlib.Path(f"/proc/{self.holder.pid}/net/dev").read_text().splitlines():
            name, _, numbers = line.partition(":")
            if name.strip() == interface:
                fields = numbers.split()
                return int(fields[1]) + int(fields[9])
        raise Broken(f"{self.name} has no interface {interface}")

    def within(self, work):
        """Runs `work` on a thread that has moved into this namespace; sockets made there stay there."""
        result = {}

        def body():
            with open(f"/proc/{self.holder.pid}/ns/net") as namespace:
                if LIBC.setns(namespace.fileno(), CLONE_NEWNET):
                    result["error"] = Broken(f"setns into {self.name}: {os.strerror(ctypes.get_errno())}")
                    return
            try:
                result["value"] = work()
            except BaseException as error:
                result["error"] = error

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if "error" in result:
            raise result["error"]
        return result["value"]


class Watch:
    """Every frame that reaches or leaves a namespace, read from a raw socket: TCP connections begun, payload, and marks
    that a prompt carries."""

    def __init__(self, namespace, interface, marks):
        self.marks = {mark: 0 for mark in marks}
        self.opened = self.payload = 0

        def listen():
            socket_ = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            socket_.bind((interface, 0))
            socket_.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
            return socket_

        self.socket = namespace.within(listen)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                frame, address = self.socket.recvfrom(65600)
            except OSError:
                # The interface has gone: the drill is over.
                return
            if address[2] == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00" or frame[23] != 6:
                continue
            tcp = 14 + (frame[14] & 15) * 4
            flags = frame[tcp + 13]
            self.opened += flags & 0x12 == 0x02
            payload = frame[tcp + (frame[tcp + 12] >> 4) * 4:14 + struct.unpack("!H", frame[16:18])[0]]
            self.payload += len(payload)
            for mark in self.marks:
                if mark in payload:
                    self.marks[mark] += 1

    def lost(self):
        """Frames that the kernel had no room for."""
        SOL_PACKET, PACKET_STATISTICS = 263, 6
        return struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]


class Process:
    """One process of the world, in its namespace; can be killed, stopped and started again."""

    def __init__(self, namespace, name, command, folder, ready, environment=None):
        self.namespace, self.name, self.command, self.folder, self.ready = namespace, name, command, folder, ready
        self.environment = environment
        self.log = open(folder / f"{name}.log", "ab")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.namespace.command(*self.command), cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=self.environment)
        for _ in range(1000):
            if self.process.poll() is not None:
                break
            if self.ready():
                return
            time.sleep(0.02)
        raise Broken(f"{self.name} does not come up: {' '.join(self.command)}\n{self.tail()}")

    def tail(self):
        return (self.folder / f"{self.name}.log").read_bytes()[-2000:].decode(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self, seconds=40):
        """SIGTERM, and how long the process took; None if it had to be killed."""
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        return time.monotonic() - began

    def alive(self):
        return self.process is not None and self.process.poll() is None


def listens(host, port):
    def ready():
        try:
            socket.create_connection((host, port), timeout=0.5).close()
            return True
        except OSError:
            return False
    return ready


class World:
    def __init__(self, folder, binary, marks):
        self.folder, self.binary = folder, binary
        run(["ip", "link", "set", "lo", "up"])
        self.quiet()
        self.hub = Namespace(HUB)
        self.places = {place: Namespace(place) for place in PLACES if place != "client"}
        self.hub.run("ip", "link", "set", "lo", "up")
        self.hub.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
        for place in PLACES:
            self.join(place)
        self.name_hosts()
        self.count_packets()
        self.watches = {place: Watch(self.places[place], "to-gateway", marks) for place in ("de", "us")}

    @staticmethod
    def quiet():
        """Without IPv6 no interface speaks on its own account."""
        for which in ("all", "default"):
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")

    def join(self, place):
        """A veth pair between the gateway and a place, with the neighbours written down, so that no ARP is ever counted."""
        near, far = f"to-{place}", "to-gateway"
        holder = str(self.hub.holder.pid)
        if place == "client":
            run(["ip", "link", "add", far, "type", "veth", "peer", "name", near, "netns", holder])
            there = run
        else:
            namespace = self.places[place]
            there = lambda command: namespace.run(*command)
            there(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6;"
                               "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet"])
            there(["ip", "link", "set", "lo", "up"])
            there(["ip", "link", "add", far, "type", "veth", "peer", "name", near, "netns", holder])
            namespace.run("nft", "-f", "-", stdin=REWRITE)
        there(["ip", "address", "add", f"{ADDRESS[place]}/30", "dev", far])
        there(["ip", "link", "set", far, "up"])
        self.hub.run("ip", "address", "add", f"{GATEWAY_SIDE[place]}/30", "dev", near)
        self.hub.run("ip", "link", "set", near, "up")
        card = lambda text: text.split("link/ether ")[1].split()[0]
        near_card = card(self.hub.run("ip", "link", "show", near))
        far_card = card(there(["ip", "link", "show", far]))
        self.hub.run("ip", "neighbour", "replace", ADDRESS[place], "lladdr", far_card, "dev", near, "nud", "permanent")
        there(["ip", "neighbour", "replace", GATEWAY_SIDE[place], "lladdr", near_card, "dev", far, "nud", "permanent"])

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def name_hosts(self):
        """Our own /etc/hosts, and a resolver that nobody answers at."""
        self.hosts = self.folder / "hosts"
        self.names()
        resolver = self.folder / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        run(["mount", "--bind", str(self.hosts), "/etc/hosts"])
        if os.path.exists("/etc/resolv.conf"):
            run(["mount", "--bind", str(resolver), os.path.realpath("/etc/resolv.conf")])

    def names(self, without=()):
        lines = ["127.0.0.1 localhost"] + [f"{ADDRESS[place]} {place}.drill" for place in ("fr", "de", "us") if place not in without]
        # In place: what is mounted is this file, not this path.
        with open(self.hosts, "w") as file:
            file.write("\n".join(lines) + "\n")

    # ── counting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def count_packets(self):
        """Counters of the kernel's packet filter in the gateway's namespace, by neighbour."""
        out = "\n".join(f'  oifname "to-{place}" counter name "{place}-out"' for place in PLACES)
        into = "\n".join(f'  iifname "to-{place}" counter name "{place}-in"' for place in PLACES)
        counters = "\n".join(f' counter {place}-{way} {{ }}' for place in PLACES for way in ("out", "in"))
        self.hub.run("nft", "-f", "-", stdin=f"""table inet drill {{
{counters}
 chain out {{
  type filter hook output priority -300; policy accept;
{out}
 }}
 chain in {{
  type filter hook prerouting priority -300; policy accept;
{into}
 }}
 chain faults {{
  type filter hook output priority 0; policy accept;
 }}
}}
""")

    def counts(self):
        """Totals so far: packets by the packet filter, frames by the interface on either side, and at `us` what its raw
        socket saw and what the provider there says it took."""
        told = json.loads(self.hub.run("nft", "--json", "list", "counters", "table", "inet", "drill"))
        packets = {entry["counter"]["name"]: entry["counter"]["packets"] for entry in told["nftables"] if "counter" in entry}
        counts = {}
        for place in PLACES:
            counts[f"packets.{place}"] = packets[f"{place}-out"] + packets[f"{place}-in"]
            counts[f"frames.{place}"] = self.hub.frames(f"to-{place}")
        counts["frames_there.us"] = self.places["us"].frames("to-gateway")
        watch = self.watches["us"]
        counts["opened.us"], counts["payload.us"] = watch.opened, watch.payload
        for place, watch in self.watches.items():
            for mark, seen in watch.marks.items():
                counts[f"mark.{mark.decode()}.{place}"] = seen
        stats = self.stats("us", SCRIPTED)
        # The question itself came over a connection of its own, on the provider's loopback.
        self.asked_us = getattr(self, "asked_us", 0) + 1
        counts["accepted.us"] = stats["connections"] - self.asked_us
        counts["requests.us"] = stats["requests"]
        return counts

    def stats(self, place, port):
        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/scripted/stats")
            told = json.loads(connection.getresponse().read())
            connection.close()
            return told
        return self.places[place].within(ask)


REWRITE = f"""table ip drill {{
 chain rewrite {{
  type nat hook prerouting priority -100; policy accept;
  iifname "to-gateway" tcp dport {{ {SCRIPTED}, {FLAKY} }} dnat to 127.0.0.1
 }}
}}
"""
