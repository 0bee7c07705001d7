"""Which packages are downloaded for a MySQL server: what it needs itself, and of the server the pinned version."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from aurora_sandbox.errors import SandboxError
from aurora_sandbox.install import Apt, closure
from aurora_sandbox.pinned import SERVER, Pin

DEPENDS = """\
mysql-server-core
  Depends: libc6
 |Depends: libssl-new
  Depends: libssl-old
  Depends: <perl:any>
    perl
  Depends: <libtcmalloc>
    libtcmalloc4
    libtcmalloc-minimal4
libc6
  PreDepends: libgcc-s1
libgcc-s1
  Depends: libc6
libssl-new
libssl-old
libtcmalloc4
libtcmalloc-minimal4
perl
  Depends: perl-base
perl-base
<perl:any>
"""


def test_closure_holds_what_the_server_needs_and_no_perl() -> None:
    assert closure("mysql-server-core", DEPENDS) == [
        "libc6",
        "libgcc-s1",
        "libssl-new",
        "libtcmalloc4",
        "mysql-server-core",
    ]


class Archive:
    """An archive of packages in a directory, which real apt reads; without a signature, for it has no key."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "archive"
        self.directory.mkdir()
        self.architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
        self._index: list[str] = []

    def add(self, version: str, package: str = "mysql-server-core") -> Path:
        tree = self.directory / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        fields = f"Package: {package}\nVersion: {version}\nArchitecture: {self.architecture}\n"
        fields += "Maintainer: nobody <nobody@example.com>\nDescription: a server\n"
        (tree / "DEBIAN" / "control").write_text(fields)
        file = self.directory / f"{package}_{version}_{self.architecture}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(file)], check=True, capture_output=True)
        shutil.rmtree(tree)
        size, sha256 = file.stat().st_size, self.sha256(file)
        self._index.append(f"{fields}Filename: ./{file.name}\nSize: {size}\nSHA256: {sha256}\n")
        (self.directory / "Packages").write_text("\n".join(self._index))
        return file

    def download(self, pin: Pin | None) -> tuple[list[str], list[str]]:
        """The names of the files that were downloaded, and what was told."""
        told: list[str] = []
        apt = Apt(self.directory / "apt", sources=f"deb [trusted=yes] file:{self.directory} ./\n")
        return [file.name for file in apt.download(pin, told.append)], told

    @staticmethod
    def sha256(file: Path) -> str:
        return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        pytest.skip("there is no apt on this machine")
    return Archive(tmp_path)


def pin(archive: Archive, sha256: str, version: str = "9.7.4-2") -> Pin:
    return Pin("mysql-server-core", version, {archive.architecture: sha256})


def test_the_pinned_version_is_taken_though_there_is_a_newer_one_and_nothing_is_told(archive: Archive):
    pinned = archive.add("9.7.4-2")
    archive.add("9.8.0-1")
    assert archive.download(pin(archive, archive.sha256(pinned))) == ([pinned.name], [])


def test_another_file_of_the_pinned_version_is_refused(archive: Archive):
    found = archive.sha256(archive.add("9.7.4-2"))
    with pytest.raises(SandboxError, match="is not the file that this sandbox was tested with") as error:
        archive.download(pin(archive, "0" * 64))
    assert error.value.problems[0].why == f"its SHA-256 is {found}, and that one's is {'0' * 64}"


def test_a_processor_without_a_pinned_file_has_the_pinned_version(archive: Archive):
    pinned = archive.add("9.7.4-2")
    assert archive.download(Pin("mysql-server-core", "9.7.4-2", {"vax": "0" * 64})) == ([pinned.name], [])


@pytest.mark.parametrize("package", ["mysql-server-core", "mysql-server-core-9.8"])
def test_where_the_pinned_version_is_gone_the_newest_is_taken_and_told(archive: Archive, package: str):
    other = archive.add("9.8.0-1", package)
    told = f"taking {package} 9.8.0-1, which is signed by Debian: sid does not have mysql-server-core 9.7.4-2, "
    assert archive.download(pin(archive, "0" * 64)) == ([other.name], [f"{told}which this sandbox was tested with"])


def test_without_a_pin_the_newest_is_taken_and_nothing_told(archive: Archive):
    archive.add("8.0.46-1")
    other = archive.add("8.0.48-1")
    assert archive.download(None) == ([other.name], [])


def test_a_file_that_is_not_what_the_index_says_is_refused_by_apt(archive: Archive):
    changed = archive.add("9.8.0-1")
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    with pytest.raises(SandboxError, match="apt-get -qq download failed") as error:
        archive.download(pin(archive, "0" * 64))
    assert "Hash Sum mismatch" in error.value.problems[0].why


def test_an_archive_without_a_signature_is_refused_by_apt(archive: Archive, tmp_path: Path):
    archive.add("9.7.4-2")
    apt = Apt(tmp_path / "apt", sources=f"deb file:{archive.directory} ./\n")
    with pytest.raises(SandboxError, match="apt-get -qq update failed"):
        apt.download(None, print)


def test_the_pin_has_the_hash_of_each_processor_that_debians_mysql_is_tried_on():
    assert set(SERVER.sha256) == {"amd64", "arm64"}
    assert all(len(value) == 64 and int(value, 16) for value in SERVER.sha256.values())
