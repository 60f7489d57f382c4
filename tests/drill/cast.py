"""The processes of the drill and the gateway's configurations."""

import hashlib
import json
import pathlib
import shutil
import signal
import subprocess
import sys

from client import HOST
from world import ADDRESS, ADMIN, DATA, FLAKY, ODD, SCRIPTED, Process, World, listens, run

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "drill-admin-token"
# Holds the decision file; small, so that it can be filled.
ROOM = "96m"


class Cast:
    def __init__(self, folder, binary, gate, marks):
        self.folder, self.binary, self.gate = folder, binary, gate
        # A folder of its own: the drill's user may not be the one who owns the repository.
        self.config = folder / "gateway"
        self.records = self.config / "records"
        self.records.mkdir(parents=True)
        run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "drill", str(self.records)])
        self.make_keys()
        self.write()
        self.world = World(folder, binary, marks)
        self.reloading = False
        places = self.world.places

        def scripted(place, name, port, script):
            command = [str(binary), "upstream", "--port", str(port), "--script", str(HERE / script)]
            return Process(places[place], name, command, folder, lambda: places[place].within(listens("127.0.0.1", port)))

        self.fr = scripted("fr", "fr", SCRIPTED, "provider.yaml")
        self.de = scripted("de", "de", SCRIPTED, "steady.yaml")
        self.flaky = scripted("de", "de-flaky", FLAKY, "provider.yaml")
        self.us = scripted("us", "us", SCRIPTED, "provider.yaml")
        self.odd = Process(places["fr"], "fr-odd", [sys.executable, str(HERE / "odd.py"), str(ODD), f"http://us.drill:{SCRIPTED}"], folder,
                           lambda: places["fr"].within(listens("127.0.0.1", ODD)))
        store = folder / "store"
        store.mkdir()
        # What was written must still be there after a kill.
        self.redis = Process(places["store"], "store", ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--dir", str(store),
                                                        "--save", "", "--appendonly", "yes", "--appendfsync", "always"], folder,
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

    def write(self, abroad="US", policies="policies", change=lambda text: text):
        """The configuration. `abroad`: where the providers over there are said to be."""
        text = (HERE / "gateway.yaml").read_text()
        for word, value in {"ADMIN": hashlib.sha256(TOKEN.encode()).hexdigest(), "ABROAD": abroad, "EU": self.hashes["eu"],
                            "NARROW": self.hashes["narrow"], "WORLD": self.hashes["world"]}.items():
            text = text.replace(f"@{word}@", value)
        folder = self.config / "policies"
        folder.mkdir(exist_ok=True)
        for source in ("policies", policies):
            for file in (HERE / source).glob("*.yaml"):
                shutil.copyfile(file, folder / file.name)
        (self.config / "gateway.yaml").write_text(change(text))

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

    def stop(self):
        for process in [self.gateway, *self.others()]:
            if process.alive():
                process.signal(signal.SIGCONT)
                process.kill()
        for namespace in [self.world.hub, *self.world.places.values()]:
            namespace.holder.kill()
        subprocess.run(["umount", "-l", str(self.records)], capture_output=True)
