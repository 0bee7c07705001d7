"""Writes `cluster.pause_schedule` into the text of a tenants.yaml or takes it out; every other byte stays as it is."""

from __future__ import annotations

from pathlib import Path

from aurora_tenants.model import PauseSchedule


def with_schedule(text: str, schedule: PauseSchedule | None, file: str) -> str:
    """The text with this schedule, or without one for None. The same text if it says so already.

    Raises InvalidFile where the text cannot be edited safely, with a sentence that says why.
    """
    raise NotImplementedError


def replace(path: Path, before: str, after: str) -> None:
    """Puts a new text in the place of a file's, all or nothing; its mode stays, a link is followed.

    before: the text that was read (`yaml_file.read`). Raises InvalidFile when the file holds another one by now, or
    cannot be written.
    """
    raise NotImplementedError
