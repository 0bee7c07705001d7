"""Whether requirements/ is for this Python on this machine; `python -m tools.fits` exits 1 if not, and says why.

It is where every pinned package has a wheel: one without would be built here, by tools that nobody has pinned.
`tools.lock` asks for all of these wheels each time it writes the files. Needs nothing but Python.
"""

from __future__ import annotations

import platform
import sys
import sysconfig

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# sys.platform, platform.machine() → what uv calls them. Of macOS on Intel, cryptography has no wheel any more.
SYSTEMS = {
    ("linux", "x86_64"): ("x86_64-manylinux_2_28", "x86_64-unknown-linux-musl"),
    ("linux", "aarch64"): ("aarch64-manylinux_2_28", "aarch64-unknown-linux-musl"),
    ("darwin", "arm64"): ("aarch64-apple-darwin",),
}


def why_not(implementation: str, version: str, system: str, machine: str, *, free_threaded: bool = False) -> str:
    """Why requirements/ is not for such a Python, as a sentence; empty if it is. version: "3.11"."""
    if implementation == "cpython" and not free_threaded and version in PYTHONS and (system, machine) in SYSTEMS:
        return ""
    this = f"{implementation} {version}{' without GIL' if free_threaded else ''} on {system} {machine}"
    systems = ", ".join(" ".join(key) for key in SYSTEMS)
    return f"requirements/ is for CPython {PYTHONS[0]} to {PYTHONS[-1]} on {systems}, and not for {this}"


def main() -> int:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    told = why_not(sys.implementation.name, version, sys.platform, platform.machine(), free_threaded=free_threaded)
    if told:
        sys.stdout.write(f"{told}\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
