"""How the pinned MySQL server is renewed: read from apt's index, written into the module."""

from __future__ import annotations

import pytest

from aurora_sandbox.pinned import SERVER, Pin
from tools.pin_server import FILE, offered, written


def shown(version: str, architecture: str, sha256: str) -> str:
    fields = f"Package: mysql-server-core\nVersion: {version}\nArchitecture: {architecture}\n"
    return f"{fields}Depends: libc6 (>= 2.38), perl:any\nSHA256: {sha256}\n\n"


def test_a_pin_is_read_from_what_apt_shows():
    text = shown("9.8.0-1", "amd64", "a" * 64) + shown("9.8.0-1", "arm64", "b" * 64)
    assert offered(text) == Pin("mysql-server-core", "9.8.0-1", {"amd64": "a" * 64, "arm64": "b" * 64})


def test_processors_with_different_versions_are_no_pin():
    with pytest.raises(ValueError, match=r"not one version for all processors now, but 9\.7\.4-2, 9\.8\.0-1"):
        offered(shown("9.8.0-1", "amd64", "a" * 64) + shown("9.7.4-2", "arm64", "b" * 64))
    with pytest.raises(ValueError, match="but none"):
        offered("")


def test_a_new_pin_takes_the_place_of_the_old_one_alone():
    source = FILE.read_text()
    other = Pin("mysql-server-core", "9.8.0-1", {"amd64": "a" * 64, "arm64": "b" * 64})
    module: dict[str, object] = {"__name__": "pinned"}
    exec(written(source, other), module)
    assert module["SERVER"] == other
    assert written(written(source, other), SERVER) == source
