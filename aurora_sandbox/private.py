"""Directories that nobody else can look into, has made, or can put another in the place of: what lies in them is
executed, or is a key.

A group with the number of the user is the user's own, as Debian makes them, and with them directories that the group
may write to. The same on macOS; its access lists are not looked at.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from aurora_sandbox.errors import Problem, SandboxError

_ELSEWHERE = "set XDG_CACHE_HOME to a directory of your own"


def require_safe(above: Path) -> None:
    """Makes a directory above one of ours if it is not there. Raises OSError where others could replace what is in it.

    Asked from the root on, so that none above this one can be.
    """
    if not above.exists():
        above.mkdir(mode=0o755, exist_ok=True)  # whatever the umask
    facts = above.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        raise OSError(f"{above} is not a directory")
    if facts.st_uid not in (0, os.geteuid()):
        raise OSError(f"{above} belongs to somebody else")
    if _others_may_write(facts) and not facts.st_mode & stat.S_ISVTX:
        raise OSError(f"others may write to {above}")


def opened(directory: Path) -> int:
    """A descriptor of the directory, which is made with mode 0700 if it is not there.

    Raises OSError or RuntimeError where it is somebody else's, or somebody else's could be put in its place.
    """
    whole = _in_safe_place(directory)
    with suppress(FileExistsError):
        whole.mkdir(mode=0o700)
    place = os.open(whole, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(place).st_uid != os.geteuid():
            raise OSError("it belongs to somebody else")
    except OSError:
        os.close(place)
        raise
    return place


def cache(directory: Path) -> Path:
    """The directory, made if it is not there, for its owner alone from now on: what lies in it will be executed.

    Raises SandboxError where others have put something there, or could have.
    """
    try:
        _in_safe_place(directory)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise _not_used(directory, str(error), _ELSEWHERE) from error
    try:
        place = opened(directory)
        try:
            if _others_may_write(os.fstat(place)):
                raise OSError("others may write to it")
            os.fchmod(place, 0o700)
        finally:
            os.close(place)
    except OSError as error:
        raise _not_used(directory, str(error), f"{_removed(directory)}, or {_ELSEWHERE}") from error
    return directory


def require_ours(path: Path, *, cache: Path) -> None:
    """Raises SandboxError if one of path, and of the directories between it and the cache, is not ours or root's."""
    for each in (path, *path.parents):
        if each == cache:
            return
        facts = each.stat()
        if facts.st_uid not in (0, os.geteuid()):
            raise _not_used(each, "it belongs to somebody else", _removed(cache))
        if _others_may_write(facts):
            raise _not_used(each, "others may write to it", _removed(cache))


def scratch(prefix: str) -> Path:
    """A new directory for its owner alone, which nobody can put another in the place of."""
    place = Path(tempfile.gettempdir()).resolve()
    try:
        for each in (*reversed(place.parents), place):
            require_safe(each)
    except OSError as error:
        what = f"{place} is no place for the sandbox's files: somebody else could put others in their place"
        raise SandboxError(Problem("not-yours", what, str(error), "set TMPDIR to a directory of your own")) from error
    return Path(tempfile.mkdtemp(prefix=prefix))


def _in_safe_place(directory: Path) -> Path:
    """Its whole path, without links but the last part. Raises OSError as require_safe does, RuntimeError as resolve."""
    whole = directory.parent.resolve() / directory.name
    for above in reversed(whole.parents):
        require_safe(above)
    return whole


def _others_may_write(facts: os.stat_result) -> bool:
    writers = stat.S_IWOTH if facts.st_gid == os.geteuid() else stat.S_IWOTH | stat.S_IWGRP
    return bool(facts.st_mode & writers)


def _not_used(path: Path, why: str, fix: str) -> SandboxError:
    what = f"{path} is not used: the sandbox runs what lies there"
    return SandboxError(Problem("cache-not-yours", what, why, fix))


def _removed(cache: Path) -> str:
    return f"rm -r {cache}, which is fetched and made again"
