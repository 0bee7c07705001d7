"""A mysqld program that the sandbox can run: the one asked for, a cached one, or one installed on this machine.

Owns `Binary` and where to look for one. Installs nothing and starts nothing but `mysqld --version`; never takes
MariaDB, or a MySQL too old, for one that will do.

The cache holds unpacked servers and one initialised data directory per version, both put there by one rename. It is for
its owner alone, and nothing in it is run that anybody but the owner, or root, could have changed:
    ~/.cache/aurora-tenants/mysqld/9.7.4/        data-9.7.4/        $XDG_CACHE_HOME instead of ~/.cache, if that is set
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aurora_sandbox import private
from aurora_sandbox.errors import Problem, SandboxError

VARIABLE = "AURORA_TENANTS_MYSQLD"
OLDEST = (8, 0, 21)  # the first with CREATE USER ... ATTRIBUTE

_PLACES = (
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/mysql/bin",
    "/opt/homebrew/opt/mysql*/bin",
    "/usr/local/opt/mysql*/bin",
)
# Unpacked from packages, nothing is where it was compiled to be: each directory must be said.
_TREE_OPTIONS = {
    "--lc-messages-dir": "usr/share/mysql*/english/..",
    "--character-sets-dir": "usr/share/mysql*/charsets",
    "--plugin-dir": "usr/lib/mysql/plugin",
}
# Where plugins lie under the base directory: of packages, of an archive.
_PLUGINS = ("lib/mysql/plugin", "lib64/mysql/plugin", "lib/plugin")
_TREE_LIBRARIES = ("lib/*-linux-gnu*", "usr/lib/*-linux-gnu*", "usr/lib/mysql/private")


@dataclass(frozen=True, slots=True)
class Binary:
    """A mysqld that was asked for its version: how to run it and where its files lie."""

    path: Path
    argv_prefix: tuple[str, ...]
    basedir: Path
    version: str

    def argv(self, *options: str) -> list[str]:
        """The command line; --no-defaults comes first, or mysqld refuses it."""
        as_root = ("--user=root",) if os.geteuid() == 0 else ()
        always = ("--no-defaults", f"--basedir={self.basedir}", *self._directories(), *as_root)
        return [*self.argv_prefix, str(self.path), *always, *options]

    @property
    def plugins(self) -> Path | None:
        """The directory of its plugins; None where it has none or keeps them in an unusual place."""
        places = (self.basedir / place for place in _PLUGINS)
        return next((place for place in places if any(place.glob("*.so"))), None)

    def _directories(self) -> list[str]:
        if not self.argv_prefix:
            return []
        tree = self.basedir.parent
        return [f"{option}={place}" for option, pattern in _TREE_OPTIONS.items() for place in tree.glob(pattern)]


def default_cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "aurora-tenants" / "mysqld"


def find(
    explicit: str | None = None, *, cache: Path | None = None, tell: Callable[[str], None] = lambda _: None
) -> Binary | None:
    """The first usable mysqld: the one asked for, the cache's, this machine's; None if there is none.

    explicit: a mysqld, or a directory that packages were unpacked into. What is passed over, and why, goes to `tell`.
    Raises SandboxError if the one asked for cannot be used, or the cache is not its owner's alone.
    """
    cache = cache or default_cache()
    if explicit:
        return unpacked(Path(explicit)) if Path(explicit).is_dir() else installed(Path(explicit), cache)
    for look, place in _candidates(cache):
        try:
            return look(place)
        except SandboxError as refusal:
            tell(str(refusal))
    return None


def _candidates(cache: Path) -> Iterator[tuple[Callable[[Path], Binary], Path]]:
    trees = [tree for tree in private.cache(cache).glob("[0-9]*") if tree.is_dir()]
    for tree in sorted(trees, key=lambda tree: _number(tree.name), reverse=True):
        require_ours(tree, cache)
        yield unpacked, tree
    on_path = [Path(found)] if (found := shutil.which("mysqld")) else []
    conda = [os.environ["CONDA_PREFIX"] + "/bin"] if "CONDA_PREFIX" in os.environ else []
    patterns = [pattern.lstrip("/") for pattern in (*conda, *_PLACES)]
    usual = [place / "mysqld" for pattern in patterns for place in sorted(Path("/").glob(pattern))]
    for path in dict.fromkeys([*on_path, *usual]):
        if path.is_file():
            yield lambda path: installed(path, cache), path


def installed(path: Path, cache: Path) -> Binary:
    """The mysqld at `path`, run where it stands. Raises SandboxError if it is no MySQL of 8.0.21 or later."""
    if not path.is_file():
        raise _unusable(path, "there is no such file")
    real = path.resolve()
    version = _version(path, ())
    return Binary(_unconfined(real, version, cache), (), real.parent.parent, version)


def require_ours(tree: Path, cache: Path) -> None:
    """Raises SandboxError where somebody else could have changed what is run of packages unpacked in the cache."""
    for path in (tree, tree / "usr/sbin/mysqld", *_loaders(tree), *_libraries(tree)):
        if path.exists():
            private.require_ours(path, cache=cache)


def unpacked(tree: Path) -> Binary:
    """The mysqld of packages unpacked under `tree`, run with the libraries beside it and none of this machine's.

    Raises SandboxError if the tree holds none that can be used.
    """
    path, loaders = tree / "usr/sbin/mysqld", _loaders(tree)
    if not path.is_file() or not loaders:
        raise _unusable(tree, "the unpacked packages hold no server")
    prefix = (str(loaders[0]), "--library-path", ":".join(map(str, _libraries(tree))))
    return Binary(path, prefix, tree / "usr", _version(path, prefix))


def _loaders(tree: Path) -> list[Path]:
    return sorted(file for file in tree.rglob("ld-linux*.so.*") if not file.is_symlink())


def _libraries(tree: Path) -> list[Path]:
    return [place for pattern in _TREE_LIBRARIES for place in sorted(tree.glob(pattern))]


def _version(path: Path, prefix: tuple[str, ...]) -> str:
    """What `mysqld --version` says, e.g. "9.7.4"; MariaDB answers to the same name."""
    try:
        asked = subprocess.run(
            [*prefix, str(path), "--no-defaults", "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        complaint = getattr(error, "stderr", None) or error
        raise _unusable(path, f"it does not run: {str(complaint).strip()}") from error
    if "mariadb" in asked.stdout.lower():
        raise _unusable(path, "it is MariaDB, whose accounts and grants differ from MySQL's")
    found = re.search(r"Ver (\d+\.\d+\.\d+)", asked.stdout)
    if not found:
        raise _unusable(path, f"it does not say its version: {asked.stdout.strip()!r}")
    if _number(found[1]) < OLDEST:
        raise _unusable(path, f"it is MySQL {found[1]}, and 8.0.21 is the oldest that will do")
    return found[1]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _unusable(path: Path, why: str) -> SandboxError:
    return SandboxError(
        Problem(
            code="mysqld-unusable",
            what=f"{path} cannot be the sandbox's MySQL server: {why}",
            fix=f"point --mysqld or {VARIABLE} at a MySQL server",
        )
    )


def _unconfined(path: Path, version: str, cache: Path) -> Path:
    """A path under which AppArmor lets the server open our data directory.

    Ubuntu confines /usr/sbin/mysqld to /var/lib/mysql, by path: a copy elsewhere is free. Oracle's packages look for
    libraries in ../lib beside the binary, hence the link.
    """
    profile = Path("/etc/apparmor.d/usr.sbin.mysqld")
    if path != Path("/usr/sbin/mysqld") or not profile.exists() or not Path("/sys/module/apparmor").exists():
        return path
    copy = private.cache(cache) / f"copy-{version}" / "sbin" / "mysqld"
    if not copy.is_file():
        with tempfile.TemporaryDirectory(dir=cache, prefix=".copying-") as scratch:
            new = Path(scratch) / "copy"
            for directory in (new, new / "sbin"):
                directory.mkdir(mode=0o755)  # whatever the umask
            (new / "lib").symlink_to("/usr/lib")
            shutil.copy2(path, new / "sbin" / "mysqld")
            publish(new, cache / f"copy-{version}")
    private.require_ours(copy, cache=cache)
    return copy


def publish(new: Path, place: Path) -> None:
    """Renames a finished directory into the cache; when another process was first, its result stays."""
    try:
        new.rename(place)
    except OSError:
        if not place.is_dir():
            raise
