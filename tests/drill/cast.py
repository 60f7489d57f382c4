"""The processes of the drill and the gateway's configurations."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from client import HOST, admin
from world import DATA, FLAKY, ODD, SCRIPTED, Broken, Process, World, listens, run

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "drill-admin-token"
# Holds the decision file; small, so that it can be filled.
ROOM = "96m"
# The policy that extends the tenant's.
CHILD = "eu-only-in-france.yaml"


class Cast:
    def __init__(self, folder, binary, gate, marks, without=None):
        self.folder, self.gate, self.without = folder, gate, without
        # A copy: a build that replaces a library under a running process ends that process.
        program = folder / "program"
        program.mkdir()
        library = binary.parent / "libonnxruntime.so"
        self.binary = binary = pathlib.Path(shutil.copy(binary, program))
        if not os.environ.get("ORT_DYLIB_PATH") and library.exists():
            shutil.copy(library, program)
        # A folder of its own: the drill's user may not be the one who owns the repository.
        self.config = folder / "gateway"
        self.records = self.config / "records"
        self.records.mkdir(parents=True)
        run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "drill", str(self.records)])
        self.make_keys()
        self.extending = True
        self.write()
        told = subprocess.run([str(binary), "check", "--config", str(self.config / "gateway.yaml")], capture_output=True, text=True)
        if "unknown key `extends`" in told.stdout + told.stderr:
            self.extending = False
            (self.config / "policies" / CHILD).unlink()
        self.world = World(folder, binary, marks)
        places = self.world.places

        def scripted(place, name, port, script):
            command = [str(binary), "upstream", "--port", str(port), "--script", str(HERE / script)]
            return Process(places[place], name, command, folder, lambda: places[place].within(listens("127.0.0.1", port)))

        self.fr = scripted("fr", "fr", SCRIPTED, "provider.yaml")
        self.de = scripted("de", "de", SCRIPTED, "steady.yaml")
        self.flaky = scripted("de", "de-flaky", FLAKY, "provider.yaml")
        self.us = scripted("us", "us", SCRIPTED, "abroad.yaml")
        self.odd = Process(places["fr"], "fr-odd", [sys.executable, str(HERE / "odd.py"), str(ODD), f"http://us.drill:{SCRIPTED}"], folder,
                           lambda: places["fr"].within(listens("127.0.0.1", ODD)))
        store = folder / "store"
        store.mkdir()
        # What was written must still be there after a kill; every write to the disk itself would outlast the gateway's patience.
        self.redis = Process(places["store"], "store", ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--dir", str(store),
                                                        "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"], folder,
                             lambda: places["store"].within(listens("127.0.0.1", 6379)))
        self.gateway = Process(self.world.hub, "gateway", [str(binary), "serve", "--config", str(self.config / "gateway.yaml")],
                               folder, listens(HOST, DATA))
        for process in self.others():
            process.start()

    def others(self):
        return [self.fr, self.de, self.flaky, self.us, self.odd, self.redis]

    # ── configuration ────────────────────────────────────────────────────────────────────────────────────────────────

    def make_keys(self):
        self.keys, self.hashes = {}, {}
        for name, tenant in (("eu", "eu"), ("narrow", "eu"), ("world", "world")):
            made = json.loads(run([str(self.binary), "keys", "create", "--id", name, "--tenant", tenant, "--json"]))
            self.keys[name], self.hashes[name] = made["key"], made["config"]["hash"]

    def write(self, abroad="US", policies="policies", change=lambda text: text, more=lambda text: text):
        """The configuration. `abroad`: where the providers over there are said to be; `change` is done to the file, `more` to
        the policy."""
        text = (HERE / "gateway.yaml").read_text()
        for word, value in {"ADMIN": hashlib.sha256(TOKEN.encode()).hexdigest(), "ABROAD": abroad, "EU": self.hashes["eu"],
                            "NARROW": self.hashes["narrow"], "WORLD": self.hashes["world"]}.items():
            text = text.replace(f"@{word}@", value)
        folder = self.config / "policies"
        folder.mkdir(exist_ok=True)
        files = {file.name: file.read_text() for source in ("policies", policies) for file in (HERE / source).glob("*.yaml")}
        if not self.extending:
            files.pop(CHILD)
        for name, policy in files.items():
            self.place(folder / name, self.thinned(more(policy)) if name == "eu-only.yaml" else policy)
        self.place(self.config / "gateway.yaml", change(text))

    def thinned(self, policy):
        """The policy without the rule that is to be left out."""
        if self.without is None or "  - name:" not in policy:
            return policy
        thinner = re.sub(rf"  - name: {re.escape(self.without)}\n(    .*\n)+", "", policy)
        if thinner == policy:
            raise Broken(f"the policy has no rule {self.without}")
        return thinner

    @staticmethod
    def place(path, text):
        """Whole or not at all: the gateway may be looking."""
        new = path.with_name(f".{path.name}.new")
        new.write_text(text)
        os.replace(new, path)

    # ── the gateway's life ───────────────────────────────────────────────────────────────────────────────────────────

    def restart(self):
        """As an operator does it: stop, wait for the end, start."""
        span = self.gate.open("stopped")
        took = self.gateway.end()
        self.gateway.start()
        self.gate.shut(span)
        return took

    def kill(self):
        span = self.gate.open("killed")
        self.gateway.kill()
        self.gateway.start()
        self.gate.shut(span)

    # ── reload ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def metrics(self):
        """Hash of the configuration that runs, and whether the last reload failed; None where the gateway knows no reload."""
        _, text = admin("/metrics", TOKEN)
        failed = re.search(r"^waypost_reload_failed (\d)", text, re.M)
        running = re.search(r'^waypost_config_info\{hash="([^"]+)"\} 1', text, re.M)
        return (running.group(1), failed.group(1) == "1") if failed and running else None

    def reload(self, name, **settings):
        """Writes another configuration, says SIGHUP, and waits until it runs, or is refused where it must be."""
        weights = lambda text: text.replace("weight: 60", "weight: 6").replace("weight: 40", "weight: 4")
        rule = "  - name: neighbours-are-out\n    forbid: { operator.name: { in: [nachbar] } }\nobjective:"
        changes = {
            "other weights": {"change": weights},
            "one more rule": {"change": weights, "more": lambda text: text.replace("objective:", rule)},
            "a broken policy": {"more": lambda text: text.replace("location.countries: { in: EEA }", "location.countrys: { in: EEA }")},
        }
        before, had_failed = self.metrics()
        self.write(**changes.get(name, {}), **settings)
        self.gateway.signal(signal.SIGHUP)
        for _ in range(500):
            running, failed = self.metrics()
            if name == "a broken policy":
                if failed and running == before:
                    return
            elif not failed and (running != before or had_failed):
                return
            time.sleep(0.02)
        raise Broken(f"the reload `{name}` does not come about\n{self.gateway.tail()}")

    def stop(self):
        for process in [self.gateway, *self.others()]:
            if process.alive():
                process.signal(signal.SIGCONT)
                process.kill()
        for namespace in [self.world.hub, *self.world.places.values()]:
            namespace.holder.kill()
        subprocess.run(["umount", "-l", str(self.records)], capture_output=True)
