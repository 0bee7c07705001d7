"""Which package of MySQL's server the sandbox takes from Debian's sid, where that still has it.

`script/lock --mysqld` writes the version and the SHA-256s anew, by the signed index of sid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Pin(NamedTuple):
    """One version of a package. sha256: of its file, by Debian's name of the processor."""

    package: str
    version: str
    sha256: Mapping[str, str]


SERVER = Pin(
    "mysql-server-core",
    "9.7.4-2",
    {
        "amd64": "628d2d7d2dc827507bcae80677a9950766b002bec2c658cb96343d9f324f8660",
        "arm64": "2a61c843c8a62671890b611e90b2ef0c158c24ec9ae4ec2c99a32c0fbdb8a668",
    },
)
