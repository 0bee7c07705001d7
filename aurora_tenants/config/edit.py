"""Writes `cluster.pause_schedule` into the text of a tenants.yaml or removes it; every other byte stays as it is.

The text itself is changed, at offsets: a YAML library that writes the whole file would reformat the rest of it. The
result is read again, and refused unless it says exactly what the file said before, with the wanted schedule.

    where the file has the section     only the values that differ are replaced; comments in it are kept
    where it has none                  it is added after the last key of `cluster`, in the style of the file
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml.error import YAMLError

from aurora_tenants.config import pause, yaml_file
from aurora_tenants.config.reading import mapping
from aurora_tenants.config.yaml_text import (
    Node,
    Style,
    block,
    comments,
    flow,
    line_end,
    line_start,
    nodes,
    scalar,
    style_of,
)
from aurora_tenants.errors import InvalidFile, Location, Problem
from aurora_tenants.model import Capacity, PauseSchedule

_KEY, _SECONDS = "pause_schedule", "pause_after_seconds"
_USUAL_SECONDS = Capacity(0, 1).pause_after_seconds
_COMMENT_LINE = re.compile(r"( *)#[^\r\n]*(\r\n|\r|\n|$)")


class _Edit(NamedTuple):
    """A text that replaces a part of the file."""

    start: int
    end: int
    text: str


class _Unsafe(Exception):
    """The text is written in a way that this module cannot change. The message says why."""


def with_schedule(text: str, schedule: PauseSchedule | None, file: str) -> str:
    """The text with this schedule, or without one for None. The same text if it says so already.

    file: its name in problems. Raises InvalidFile where the text is not YAML, has no cluster, or cannot be edited
    safely, with a sentence that says why.
    """
    document = yaml_file.parse(text, file)
    if document.problems:
        raise InvalidFile(*document.problems)
    cluster = mapping(mapping(document.data).get("cluster"))
    if not cluster:
        why, fix = "the schedule is a part of cluster", "add cluster: {stack: shared-global}"
        raise InvalidFile(Problem("missing-key", "cluster is missing", why, fix, Location(file, 1, 1)))
    live = cluster.get(_KEY)
    if (schedule is None and _KEY not in cluster) or (schedule and pause.declared(live) == schedule):
        return text
    wanted = None if schedule is None else _in_the_shape_of(live, pause.as_data(schedule))
    try:
        return _edited(text, document.data, wanted)
    except (_Unsafe, YAMLError) as error:
        why = str(error) if isinstance(error, _Unsafe) else "its YAML is written in an unusual way"
        raise InvalidFile(_refusal(why, wanted, document.key(("cluster",)))) from error


def replace(path: Path, before: str, after: str) -> None:
    """Writes a text over a file's; its mode stays, and where path is a link, what it leads to is written.

    before: the text that was read (`yaml_file.read`). Raises InvalidFile when the file has changed since, or
    cannot be written.
    """
    if yaml_file.read(path) != before:
        what = f"{path} has changed since it was read"
        raise InvalidFile(Problem("file-changed", what, fix="run the command again"))
    try:
        _write(path.resolve(), after.encode())
    except OSError as error:
        fix = "make it and its directory writable, or name another file with --file"
        problem = Problem("file-not-writable", f"{path} cannot be written", error.strerror or str(error), fix)
        raise InvalidFile(problem) from error


def _write(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o7777
    path.open("r+b").close()  # its directory alone would allow a read-only file to be replaced
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _refusal(why: str, wanted: dict[str, Any] | None, where: Location) -> Problem:
    what = "cluster cannot be edited automatically without damage to the file"
    fix = f"write it by hand: {_KEY}: {flow(wanted, Style())}" if wanted else f"remove {_KEY} by hand"
    return Problem("cannot-edit", what, why, fix, where, "cluster")


def _in_the_shape_of(live: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """The same schedule: one window in a list where the file has a list, and no default where it has none."""
    shaped = dict(wanted)
    if isinstance(live, dict) and isinstance(live.get("awake"), list) and isinstance(wanted["awake"], dict):
        shaped["awake"] = [wanted["awake"]]
    asleep = live.get("asleep") if isinstance(live, dict) else None
    if isinstance(asleep, dict) and _SECONDS not in asleep and wanted["asleep"][_SECONDS] == _USUAL_SECONDS:
        shaped["asleep"] = {key: value for key, value in wanted["asleep"].items() if key != _SECONDS}
    return shaped


def _edited(text: str, data: dict[str, Any], wanted: dict[str, Any] | None) -> str:
    body = text.removeprefix(yaml_file.BYTE_ORDER_MARK)
    mark = text[: len(text) - len(body)]
    top = nodes(body)
    member = top.member("cluster")
    if member is None or member[1].kind != "mapping":
        raise _Unsafe("cluster is an alias or merged in, and what it repeats may be used elsewhere too")
    key, cluster = member
    section = cluster.member(_KEY)
    style = style_of(body, top, key, cluster)
    if wanted is None:
        edits = [_removal(body, cluster, section)]
    elif section is None:
        edits = [_insertion(body, cluster, wanted, style)]
    else:
        edits = list(_update(body, cluster, section, data["cluster"][_KEY], wanted, style))
    for edit in sorted(edits, reverse=True):
        body = body[: edit.start] + edit.text + body[edit.end :]
    others = {name: value for name, value in data["cluster"].items() if name != _KEY}
    expected = {**data, "cluster": others if wanted is None else {**others, _KEY: wanted}}
    try:
        after = yaml_file.parse(mark + body, "")
    except InvalidFile as error:
        raise _Unsafe(f"the result would not be YAML: {error}") from error
    if after.problems or after.data != expected:
        raise _Unsafe("the result would not mean what it should, because of an anchor, an alias or an unusual form")
    return mark + body


def _insertion(text: str, cluster: Node, wanted: dict[str, Any], style: Style) -> _Edit:
    """The section, after the last key of cluster and the comments that follow that key."""
    end = cluster.members[-1][1].end
    if cluster.is_flow:
        return _Edit(end, end, f", {flow({_KEY: wanted}, style, is_open=True)}")
    column = cluster.members[0][0].column
    line, after = _end_with_comments(text, end, column)
    lines = style.newline.join(block({_KEY: wanted}, column, style))
    return _Edit(after, after, lines + style.newline) if after > line else _Edit(line, line, style.newline + lines)


def _removal(text: str, cluster: Node, member: tuple[Node, Node] | None) -> _Edit:
    if member is None:
        raise _Unsafe("the schedule is merged in from elsewhere with <<")
    key, value = member
    if cluster.is_flow:
        return _flow_removal(text, cluster, key, value)
    start = line_start(text, key.start)
    line, after = _end_with_comments(text, max(key.end, value.end), key.column + 1)
    if after == line and start:  # the file's last line has no line break, and the new last line gets none either
        start -= 2 if text[:start].endswith("\r\n") else 1
    return _Edit(start, after, "")


def _end_with_comments(text: str, end: int, column: int) -> tuple[int, int]:
    """`line_end`, behind the comments on lines of their own that follow from this column on."""
    line, after = line_end(text, end)
    while (comment := _COMMENT_LINE.match(text, after)) and len(comment[1]) >= column and after < len(text):
        line, after = line_end(text, after)
    return line, after


def _flow_removal(text: str, cluster: Node, key: Node, value: Node) -> _Edit:
    """From the end of the member before it, or up to the member after it where it is the first."""
    at = [name for name, _ in cluster.members].index(key)
    if at:
        first, second = cluster.members[at - 1][1].end, value.end
    else:
        first, second = key.start, cluster.members[1][0].start if len(cluster.members) > 1 else value.end
    outside = [*comments(text, first, key.start, cluster), *comments(text, value.end, second, cluster)]
    if outside:
        raise _Unsafe(f"there is a comment between its keys: {outside[0]}")
    return _Edit(first, second, "")


def _update(
    text: str, parent: Node, member: tuple[Node, Node], live: Any, wanted: Any, style: Style
) -> Iterator[_Edit]:
    """What makes a member of a mapping say what is wanted, and keeps as much of it as it can."""
    key, value = member
    if live == wanted:
        return
    if _is_on_one_line(value) and not isinstance(wanted, dict | list):
        is_flow = parent.is_flow or style.is_json
        yield _Edit(value.start, value.end, scalar(wanted, style.quoted(value.style), is_flow=is_flow))
    elif (parts := _parts(value, live, wanted)) is not None:
        for part, before, after in parts:
            yield from _update(text, value, part, before, after, style)
    else:
        yield _replacement(text, parent, key, value, wanted, style)


def _is_on_one_line(node: Node) -> bool:
    """Whether a scalar is written here that is neither empty nor a block of text."""
    return node.kind == "scalar" and node.style not in ("|", ">") and node.start < node.end


def _parts(node: Node, live: Any, wanted: Any) -> list[tuple[tuple[Node, Node], Any, Any]] | None:
    """The members of a mapping or a list, each with what it says and what it should say.

    None unless each can be changed in its place: a mapping has the wanted keys, none of them merged in, and a list as
    many entries as wanted, all of them such mappings.
    """
    if node.kind == "mapping" and isinstance(wanted, dict) and live.keys() == wanted.keys():
        parts = [(member, live[name], wanted[name]) for name in wanted if (member := node.member(name))]
        return parts if len(parts) == len(wanted) else None
    if node.kind == "sequence" and isinstance(wanted, list) and len(live) == len(wanted):
        entries = list(zip(node.members, live, wanted, strict=True))
        if all(item.kind == "mapping" and _parts(item, *values) is not None for (item, _), *values in entries):
            return entries
    return None


def _replacement(text: str, parent: Node, key: Node, value: Node, wanted: Any, style: Style) -> _Edit:
    """The whole value, written again. Comments in the old one go above its key, each on a line of its own."""
    kept = comments(text, key.end, max(key.end, value.end), parent)
    start = line_start(text, key.start)
    indentation = text[start : key.start]
    if parent.is_flow:
        if kept or value.start == value.end:
            raise _Unsafe(f"the section contains a comment: {kept[0]}" if kept else "a value is missing")
        return _Edit(value.start, value.end, flow(wanted, style))
    if indentation.strip(" "):
        raise _Unsafe("its key is not at the start of a line")
    above = [indentation + comment for comment in kept]
    lines = block({key.value: wanted}, key.column, style)
    written = text[key.start : key.end]
    lines[0] = indentation + written + lines[0].removeprefix(indentation + key.value)
    return _Edit(start, max(key.end, value.end), style.newline.join([*above, *lines]))
