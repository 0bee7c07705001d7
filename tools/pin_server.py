"""Writes aurora_sandbox/pinned.py anew: the version of MySQL's server that sid has now, and its SHA-256s.

The index they are read from is signed, and apt checks it against Debian's keyring. Runs on Debian alone.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from aurora_sandbox.errors import SandboxError
from aurora_sandbox.install import DEBIAN_KEYRING, DEBIAN_MIRROR, Apt
from aurora_sandbox.pinned import SERVER, Pin

FILE = Path(__file__).parents[1] / "aurora_sandbox" / "pinned.py"


def offered(shown: str) -> Pin:
    """The pin of what `apt-cache show PACKAGE:amd64 PACKAGE:arm64` prints. Raises ValueError if versions differ."""
    packages = [dict(re.findall(r"^(\w+): (\S+)$", text, re.MULTILINE)) for text in shown.split("\n\n") if text.strip()]
    versions = {package["Version"] for package in packages}
    if len(versions) != 1:
        raise ValueError(f"sid has not one version for all processors now, but {', '.join(sorted(versions)) or 'none'}")
    return Pin(packages[0]["Package"], versions.pop(), {each["Architecture"]: each["SHA256"] for each in packages})


def written(source: str, pin: Pin) -> str:
    """The module's source with another pin."""
    hashes = "".join(f'        "{name}": "{value}",\n' for name, value in sorted(pin.sha256.items()))
    new = f'SERVER = Pin(\n    "{pin.package}",\n    "{pin.version}",\n    {{\n{hashes}    }},\n)\n'
    return re.sub(r"^SERVER = Pin\(\n.*?^\)\n", lambda _: new, source, flags=re.DOTALL | re.MULTILINE)


def main() -> int:
    names = tuple(SERVER.sha256)
    sources = f"deb [signed-by={DEBIAN_KEYRING} arch={','.join(names)}] {DEBIAN_MIRROR} sid main\n"
    try:
        with tempfile.TemporaryDirectory() as scratch:
            apt = Apt(Path(scratch), sources=sources)
            apt.run("apt-get", "-qq", "update")
            pin = offered(apt.run("apt-cache", "show", *(f"{SERVER.package}:{name}" for name in names)))
    except (SandboxError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    FILE.write_text(written(FILE.read_text(), pin))
    sys.stderr.write(f"{pin.package} {pin.version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
