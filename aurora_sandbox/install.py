"""Fetches a MySQL server for machines that have none, without root and without touching what is installed.

No package of PyPI carries one, and Debian's stable suites have MariaDB alone. So this asks apt, in a private state
directory, for `mysql-server-core` and everything it needs, down to the C library, and unpacks that into the cache:
from Ubuntu's own archive on Ubuntu, from sid on Debian. Names and versions are resolved at install time, because
library packages are renamed with every release. Signatures are apt's own, checked against the machine's keyrings.
Of sid the server itself is pinned: another file of the pinned version is refused. sid moves on, and has one version at
a time: where it is another one, that is taken, and told.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from aurora_sandbox import mysqld, private
from aurora_sandbox.binary import VARIABLE, Binary, publish, require_ours, unpacked
from aurora_sandbox.errors import Problem, SandboxError
from aurora_sandbox.pinned import SERVER, Pin

Tell = Callable[[str], None]

DEBIAN_MIRROR = "http://deb.debian.org/debian"
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_SERVER = re.compile(r"mysql-server-core(-\d[\d.]*)?")
# Needed by maintainer scripts and helper commands, never by mysqld itself; perl alone is 50 MB.
_SKIPPED = re.compile(r"perl.*|libperl.*|debconf.*|cdebconf|mysql-client.*")
_ELSEWHERE = """macOS: brew install mysql@8.4; Fedora: sudo dnf install community-mysql-server; \
conda: conda install -c conda-forge mysql-server"""


class Apt:
    """apt with its own state under `directory`; of the machine's it takes the way out (proxies), keys and sources."""

    def __init__(self, directory: Path, *, sources: str | None) -> None:
        """sources: lines of a sources.list; None for the machine's own sources."""
        for made in ("lists/partial", "cache/archives/partial", "parts", "debs"):
            (directory / made).mkdir(parents=True, exist_ok=True)
        (directory / "status").touch()
        settings = [
            f'Dir::State "{directory}";',
            f'Dir::State::lists "{directory}/lists";',
            f'Dir::State::status "{directory}/status";',
            f'Dir::Cache "{directory}/cache";',
            # The machine's own hooks (say, to tell its desktop of an update) have no business here.
            f'Dir::Etc::parts "{directory}/parts";',
            'Dir::Etc::main "/dev/null";',
            'Dir::Etc::preferences "/dev/null";',
            f'Dir::Etc::preferencesparts "{directory}/parts";',
            'APT::Sandbox::User "";',
            *_way_out(),
            'Acquire::Languages "none";',
        ]
        if sources is not None:
            (directory / "sources.list").write_text(sources)
            settings += [
                f'Dir::Etc::sourcelist "{directory}/sources.list";',
                f'Dir::Etc::sourceparts "{directory}/parts";',
                'APT::Update::Error-Mode "any";',  # of the machine's own sources, an unreachable one may be another's
            ]
        (directory / "apt.conf").write_text("\n".join(settings) + "\n")
        self._directory = directory
        self._environment = {**os.environ, "APT_CONFIG": str(directory / "apt.conf"), "LC_ALL": "C"}

    def run(self, *command: str) -> str:
        """What the command prints. Raises SandboxError with what it complained about."""
        return _run(*command, environment=self._environment, directory=self._directory / "debs")

    def download(self, pin: Pin | None, tell: Tell) -> list[Path]:
        """Package files of mysql-server-core and all it depends on; empty if these sources have none.

        pin: the version to take, if these sources have it, else the newest, which is told; None for the newest.
        Raises SandboxError if the file of that version is not the pinned one, or apt does not trust what it got.
        """
        self.run("apt-get", "-qq", "update")
        names = [name for name in self.run("apt-cache", "pkgnames", "mysql-server-core").split() if _is_server(name)]
        if not names:
            return []
        server = max(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])
        wanted = self._pinned(server, pin, tell) if pin else server
        tree = self.run(
            "apt-cache",
            "depends",
            "--recurse",
            *(f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")),
            server,
        )
        needed = closure(server, tree)
        self.run("apt-get", "-qq", "download", *(wanted if name == server else name for name in needed))
        if pin and wanted != server:
            self._require_pinned(pin)
        return sorted((self._directory / "debs").glob("*.deb"))

    def _pinned(self, server: str, pin: Pin, tell: Tell) -> str:
        """What to tell apt to download for the server: the pinned version, if there is one here."""
        versions = re.findall(r"^Version: (\S+)$", self.run("apt-cache", "show", server), re.MULTILINE)
        if server == pin.package and pin.version in versions:
            return f"{server}={pin.version}"
        tell(
            f"taking {server} {versions[0]}, which is signed by Debian: sid does not have "
            f"{pin.package} {pin.version}, which this sandbox was tested with"
        )
        return server

    def _require_pinned(self, pin: Pin) -> None:
        architecture = self.run("dpkg", "--print-architecture").strip()
        name = f"{pin.package}_{pin.version.replace(':', '%3a')}_{architecture}.deb"
        found = hashlib.sha256((self._directory / "debs" / name).read_bytes()).hexdigest()
        if found != pin.sha256.get(architecture, found):
            raise SandboxError(
                Problem(
                    code="mysql-not-pinned",
                    what=f"{name} is not the file that this sandbox was tested with, so it is not used",
                    why=f"its SHA-256 is {found}, and that one's is {pin.sha256[architecture]}",
                    fix=f"use another mirror of Debian, or install MySQL and set {VARIABLE} to its mysqld",
                )
            )


def install(cache: Path, tell: Tell) -> Binary:
    """A mysqld unpacked into cache/<version>, proven by starting it once: some 10 s and 50 MB of download.

    Raises SandboxError where there is neither apt nor a known archive, and when anything on the way fails.
    """
    system = _system()
    if not system & {"debian", "ubuntu"} or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise _no_recipe()
    with tempfile.TemporaryDirectory(dir=private.cache(cache), prefix=".installing-") as scratch:
        tell("asking apt for a MySQL server (nothing is installed on this machine)")
        packages = _packages(Path(scratch), system, tell)
        megabytes = sum(package.stat().st_size for package in packages) // 1_000_000
        tell(f"unpacking {len(packages)} packages, {megabytes} MB")
        tree = Path(scratch) / "tree"
        for package in packages:
            _run("dpkg-deb", "-x", str(package), str(tree))
        _make_links_relative(tree)
        binary = unpacked(tree)
        with mysqld.start(binary, cache=cache) as server:
            server.connect().close()
        publish(tree, cache / binary.version)
    require_ours(cache / binary.version, cache)
    tell(f"MySQL {binary.version} is ready in {cache / binary.version}")
    return unpacked(cache / binary.version)


def _packages(scratch: Path, system: frozenset[str], tell: Tell) -> list[Path]:
    pin = None if "ubuntu" in system else SERVER
    if "ubuntu" in system:
        attempts: list[str | None] = [None]
    else:
        attempts = [f"deb [signed-by={DEBIAN_KEYRING}] {mirror} sid main\n" for mirror in _mirrors()]
    failures: list[Problem] = []
    for number, sources in enumerate(attempts):
        try:
            if packages := Apt(scratch / f"apt-{number}", sources=sources).download(pin, tell):
                return packages
        except SandboxError as error:
            failures += error.problems
    raise SandboxError(*failures) if failures else _no_recipe()


def _mirrors() -> list[str]:
    """This machine's Debian mirror, then Debian's own; security and third-party archives end in another path."""
    uris = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    own = [uri.rstrip("/") for uri in uris if re.search(r"/debian/?$", uri)]
    return list(dict.fromkeys([*own[:1], DEBIAN_MIRROR]))


def _way_out() -> Iterator[str]:
    """The machine's Acquire settings (proxies, time limits, certificates) but what weakens signature checks."""
    for line in _run("apt-config", "dump").splitlines():
        if re.match(r"Acquire::(?!IndexTargets|Languages|Changelogs|Allow)", line):
            yield line


def closure(server: str, depends: str) -> list[str]:
    """`server` and the packages it needs, from the output of `apt-cache depends --recurse`.

    libcurl4t64
      Depends: libc6
     |Depends: default-mta      the first of several alternatives is taken
      Depends: <perl:any>       a virtual package: the first that provides it is taken
        perl
    """
    needs: dict[str, list[str]] = {}
    package, alternative, virtual = "", False, False
    for line in depends.splitlines():
        if not line.startswith(" "):
            package, alternative, virtual = line.strip(), False, False
            needs.setdefault(package, [])
        elif found := re.fullmatch(r" ([ |])(?:Pre)?Depends: (\S+)", line):
            virtual = found[2].startswith("<") and not alternative
            if not alternative and not virtual:
                needs[package].append(found[2])
            alternative = found[1] == "|"
        elif virtual:
            needs[package].append(line.strip())
            virtual = False
    wanted, queue = {server}, [server]
    while queue:
        new = {name for name in needs.get(queue.pop(), []) if not _SKIPPED.fullmatch(name)} - wanted
        wanted |= new
        queue += sorted(new)
    return sorted(wanted)


def _is_server(name: str) -> bool:
    return _SERVER.fullmatch(name) is not None


def _make_links_relative(tree: Path) -> None:
    """Lets absolute links (/etc/alternatives, /lib/...) point into the tree rather than at this machine."""
    for link in (path for path in tree.rglob("*") if path.is_symlink()):
        target = link.readlink()
        if target.is_absolute():
            link.unlink()
            link.symlink_to(os.path.relpath(tree / target.relative_to("/"), link.parent))


def _system() -> frozenset[str]:
    """ID and ID_LIKE of /etc/os-release, e.g. {"ubuntu", "debian"}; empty where there is no such file."""
    try:
        text = Path("/etc/os-release").read_text()
    except FileNotFoundError:
        return frozenset()
    return frozenset(word for value in re.findall(r'^ID(?:_LIKE)?="?([^"\n]*)', text, re.M) for word in value.split())


def _run(*command: str, environment: dict[str, str] | None = None, directory: Path | None = None) -> str:
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(
            Problem(
                code="mysql-not-fetched",
                what=f"{' '.join(command[:3])} failed, so no MySQL server could be fetched",
                why=(done.stderr or done.stdout).strip()[-600:],
                fix=f"check the network and apt's sources, or install MySQL and set {VARIABLE} to its mysqld",
            )
        )
    return done.stdout


def _no_recipe() -> SandboxError:
    return SandboxError(
        Problem(
            code="mysql-not-found",
            what="there is no MySQL server on this machine, and none can be fetched for this system",
            why="the sandbox runs a real MySQL server of 8.0.21 or later; MariaDB's accounts and grants differ",
            fix=_ELSEWHERE,
        )
    )
