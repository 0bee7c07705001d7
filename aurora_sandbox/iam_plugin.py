"""A stand-in for AWSAuthenticationPlugin: accounts can be made and altered with it, and nobody can log in with it.

The plugin is AWS's own; any other server answers 1524 to its name. MySQL's mysql_no_login.so refuses every login, and
would do under that name. So this makes a copy of it that differs in the name alone. A plugin says its name by a
pointer to a string of the library, which the loader sets from a relocation:

    before   relocation ─► "mysql_no_login\\0"    "No login authentication plugin\\0"   the description
    after                  "mysql_no_login\\0"  ┌► "AWSAuthenticationPlugin\\0…"
             relocation ────────────────────────┘

Where that library is not laid out like this (macOS, another compiler), there is no stand-in, and `missing` says so.
A server is started with `directory`; aurora.switch_iam loads the plugin into it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PLUGIN = "AWSAuthenticationPlugin"
LIBRARY = "aws_authentication_plugin.so"
DIRECTORY = "plugins"  # in the server's own

_ORIGINAL = "mysql_no_login.so"
_OLD_NAME, _NEW_NAME = b"mysql_no_login\0", PLUGIN.encode() + b"\0"
_DESCRIPTION = b"No login authentication plugin\0"
# e_machine → the relocation "this address plus an addend": R_X86_64_RELATIVE, R_AARCH64_RELATIVE. Source: the psABIs.
_RELATIVE = {62: 8, 183: 1027}
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_RELA, _DT_RELASZ = 7, 8


class NoStandIn(Exception):
    """There can be no stand-in for the plugin; the message is half a sentence that says why."""


class _Segment(NamedTuple):
    """A program header: where a part of the file lies, in bytes, and at which address it is loaded."""

    kind: int
    offset: int
    address: int
    size: int


def stand_in(library: bytes) -> bytes:
    """The library mysql_no_login.so with the plugin's name changed. Raises NoStandIn unless it is as it is expected."""
    try:
        segments, relative = _segments(library), _relative(library)
        old, new = (_address(segments, _only(library, text)) for text in (_OLD_NAME, _DESCRIPTION))
        pointers = [place for place in _relocations(library, segments, relative) if _addend(library, place) == old]
    except struct.error:
        raise NoStandIn(f"{_ORIGINAL} ends too early") from None
    if len(pointers) != 1:
        raise NoStandIn(f"{_ORIGINAL} points to its name {len(pointers)} times, not once")
    changed = bytearray(library)
    struct.pack_into("<q", changed, pointers[0] + 16, new)
    start = _only(library, _DESCRIPTION)
    changed[start : start + len(_NEW_NAME)] = _NEW_NAME
    return bytes(changed)


def _relative(library: bytes) -> int:
    """The number of the relocation that sets a pointer into the library itself."""
    if library[:6] != b"\x7fELF\x02\x01":
        raise NoStandIn(f"{_ORIGINAL} is no library of a 64-bit Linux")
    (machine,) = struct.unpack_from("<H", library, 18)
    if machine not in _RELATIVE:
        raise NoStandIn(f"{_ORIGINAL} is of a processor that is not known here (ELF machine {machine})")
    return _RELATIVE[machine]


def _segments(library: bytes) -> list[_Segment]:
    (start,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    entries = (struct.unpack_from("<IIQQQQ", library, start + number * size) for number in range(count))
    return [_Segment(kind, offset, address, in_file) for kind, _, offset, address, _, in_file in entries]


def _only(library: bytes, text: bytes) -> int:
    """Where this text stands in the file."""
    if library.count(text) != 1:
        shown = text.rstrip(b"\0").decode()
        raise NoStandIn(f"{_ORIGINAL} holds the text {shown!r} {library.count(text)} times, not once")
    return library.index(text)


def _address(segments: list[_Segment], offset: int) -> int:
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.offset <= offset < segment.offset + segment.size:
            return offset - segment.offset + segment.address
    raise NoStandIn(f"{_ORIGINAL} does not load the part that holds its name")


def _offset(segments: list[_Segment], address: int) -> int:
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise NoStandIn(f"{_ORIGINAL} does not load its relocations")


def _relocations(library: bytes, segments: list[_Segment], kind: int) -> Iterator[int]:
    """Where in the file the relocations of this kind stand: 24 bytes each, the last 8 their addend."""
    for segment in segments:
        if segment.kind == _PT_DYNAMIC:
            dynamic = dict(struct.iter_unpack("<qQ", library[segment.offset : segment.offset + segment.size]))
            first = _offset(segments, dynamic.get(_DT_RELA, 0))
            for place in range(first, first + dynamic.get(_DT_RELASZ, 0), 24):
                if struct.unpack_from("<I", library, place + 8)[0] == kind:
                    yield place


def _addend(library: bytes, place: int) -> int:
    return int(struct.unpack_from("<q", library, place + 16)[0])


def missing(plugins: Path | None) -> str:
    """Why a server with these plugins cannot have the stand-in, as half a sentence; "" if it can."""
    try:
        _made(plugins)
    except NoStandIn as reason:
        return str(reason)
    return ""


def _made(plugins: Path | None) -> bytes:
    if plugins is None or not (plugins / _ORIGINAL).is_file():
        raise NoStandIn(f"this MySQL server comes without {_ORIGINAL}")
    return stand_in((plugins / _ORIGINAL).read_bytes())


def directory(plugins: Path | None, place: Path) -> Path | None:
    """`place`, made, with links to all these plugins and the stand-in beside them; None if there can be none."""
    try:
        library = _made(plugins)
    except NoStandIn:
        return None
    assert plugins is not None
    place.mkdir()
    for plugin in plugins.iterdir():
        (place / plugin.name).symlink_to(plugin)
    (place / LIBRARY).write_bytes(library)
    return place
