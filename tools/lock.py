"""requirements/: the exact versions and SHA-256s of what script/bootstrap installs, for what pyproject.toml asks.

python -m tools.lock            writes the files by `uv`, which script/lock puts on PATH; arguments go to uv
python -m tools.lock --check    says what differs between them and pyproject.toml, and asks no network

requirements/sandbox.txt    the package, its extra `sandbox`, and what builds it
requirements/dev.txt        takes in that, and adds what the tests need
requirements/lock.txt       uv, and what else this module needs
requirements/pip.txt        pip, which installs the others: that of a Python itself may be years old, and slow
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.fits import PYTHONS, SYSTEMS

ROOT = Path(__file__).parents[1]
# Of each file: whether the package's own dependencies are in it, its extras, its dependency groups.
FILES: Mapping[str, tuple[bool, tuple[str, ...], tuple[str, ...]]] = {
    "sandbox": (True, ("sandbox",), ("build",)),
    "dev": (True, ("sandbox",), ("dev",)),
    "lock": (False, (), ("lock",)),
    "pip": (False, (), ("pip",)),
}
_DIRECT = "(pyproject.toml"  # how uv writes, after `via`, that it is pyproject.toml which asks for a package


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a file at one version; a package may have several, for different Pythons.

    is_direct: pyproject.toml asks for it, not another package alone. hashes: how many there are.
    """

    name: str
    version: str
    extras: frozenset[str]
    is_direct: bool
    hashes: int


def pins(text: str) -> list[Pin]:
    """What a file holds. Raises ValueError at a line that is no exact version."""
    found = []
    for block in _blocks(_without_files(text))[1:]:
        wanted = Requirement(block.splitlines()[0].rstrip(" \\"))
        exact = [each.version for each in wanted.specifier if each.operator == "=="]
        if len(exact) != 1 or len(wanted.specifier) != 1:
            raise ValueError(f"{wanted} is not pinned to one version")
        hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}", block))
        name = canonicalize_name(wanted.name)
        found.append(Pin(name, exact[0], frozenset(wanted.extras), _DIRECT in block, hashes))
    return found


def _blocks(text: str) -> list[str]:
    """What stands before the first package, then each package with its hashes and whence it comes."""
    return re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE)


def asked(project: Mapping[str, Any], name: str) -> list[Requirement]:
    """What pyproject.toml asks for in a file of FILES."""
    own, extras, groups = FILES[name]
    texts = list(project["project"]["dependencies"]) if own else []
    for extra in extras:
        texts += project["project"]["optional-dependencies"][extra]
    for group in groups:
        texts += _group(project["dependency-groups"], group)
    return [Requirement(text) for text in texts]


def _group(groups: Mapping[str, Sequence[Any]], name: str) -> Iterator[str]:
    for each in groups[name]:
        if isinstance(each, str):
            yield each
        else:
            yield from _group(groups, each["include-group"])


def differences(project: Mapping[str, Any], texts: Mapping[str, str]) -> list[str]:
    """What is wrong with the files, a sentence each. texts: name of FILES → the file's text."""
    found = {name: pins(text) for name, text in texts.items()}
    all_of = {**found, "dev": [*found["sandbox"], *found["dev"]]}
    wanted = {name: asked(project, name) for name in FILES}
    build = [Requirement(text) for text in project["build-system"]["requires"]]
    told = [line for each in build for line in _missing("sandbox", each, found["sandbox"])]
    for name, requirements in wanted.items():
        own = [each for each in requirements if name == "sandbox" or each not in wanted["sandbox"]]
        told += [line for each in own for line in _missing(name, each, all_of[name])]
        told += _needless(name, requirements, found[name])
        told += [f"requirements/{name}.txt has no SHA-256 of {pin.name}" for pin in found[name] if not pin.hashes]
    return told


def _needless(name: str, wanted: Sequence[Requirement], found: Sequence[Pin]) -> Iterator[str]:
    names = {canonicalize_name(each.name) for each in wanted}
    for pin in found:
        if pin.is_direct and pin.name not in names:
            yield f"requirements/{name}.txt has {pin.name} for pyproject.toml, which does not ask for it any more"


def _missing(name: str, wanted: Requirement, found: Sequence[Pin]) -> Iterator[str]:
    same = [pin for pin in found if pin.name == canonicalize_name(wanted.name)]
    if not same:
        yield f"pyproject.toml asks for {wanted}, and requirements/{name}.txt does not name it"
    for pin in same:
        if not wanted.specifier.contains(pin.version, prereleases=True):
            yield f"pyproject.toml asks for {wanted}, and requirements/{name}.txt has {pin.version}"
        if extras := sorted(wanted.extras - pin.extras):
            yield f"pyproject.toml asks for {wanted}, and requirements/{name}.txt has it without {', '.join(extras)}"


def beyond(dev: str, sandbox: str) -> str:
    """The file dev.txt: of all that is in `dev`, what is not in `sandbox`, which it takes in."""
    head, *blocks = _blocks(dev)
    there = {pin.name for pin in pins(sandbox)}
    return "".join([head, "-r sandbox.txt\n", *(each for each in blocks if pins(each)[0].name not in there)])


def _write(arguments: Sequence[str]) -> None:
    """Compiles the files: dev as a whole, sandbox by the versions in that, then what dev has beyond it."""
    files = {name: ROOT / "requirements" / f"{name}.txt" for name in FILES}
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "dev.txt"
        whole.write_text("".join(_without_files(files[name].read_text()) for name in ("sandbox", "dev")))
        _compile("dev", whole, arguments)
        part = Path(scratch) / "sandbox.txt"
        part.write_text(whole.read_text())
        _compile("sandbox", part, (*arguments, f"--constraint={whole}"))
        sandbox = part.read_text().replace(f"    #   -c {whole}\n", "")
        files["sandbox"].write_text(sandbox)
        files["dev"].write_text(beyond(whole.read_text(), sandbox))
    for name in ("lock", "pip"):
        _compile(name, files[name], arguments)


def _without_files(text: str) -> str:
    return re.sub(r"^-r .*\n", "", text, flags=re.MULTILINE)


def _compile(name: str, output: Path, arguments: Sequence[str]) -> None:
    """By uv, which keeps the versions that `output` has already where they will do."""
    own, extras, groups = FILES[name]
    command = ["uv", "pip", "compile", "--quiet", "--universal", f"--python-version={PYTHONS[0]}"]
    command += ["--generate-hashes", "--no-strip-extras", "--custom-compile-command=script/lock"]
    command += [f"--extra={extra}" for extra in extras] + [f"--group={group}" for group in groups]
    command += ["pyproject.toml"] if own else []
    subprocess.run([*command, *arguments, f"--output-file={output}"], cwd=ROOT, check=True)


def _prove() -> None:
    """Asks for a wheel of everything, for each Python and system that the files are for."""
    platforms = [each for system in SYSTEMS.values() for each in system]
    with tempfile.TemporaryDirectory() as nothing:
        for python, system in product(PYTHONS, platforms):
            command = ["uv", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--require-hashes"]
            command += ["--only-binary=:all:", f"--python-version={python}", f"--python-platform={system}"]
            command += [f"--target={nothing}", "--requirements=requirements/dev.txt"]
            subprocess.run(command, cwd=ROOT, check=True)


def main(arguments: Sequence[str]) -> int:
    if list(arguments) != ["--check"]:
        try:
            _write(arguments)
            _prove()
        except subprocess.CalledProcessError as error:
            return error.returncode  # uv has said why
        return 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    told = differences(project, {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in FILES})
    for line in told:
        sys.stderr.write(f"error: {line}\n")
    if told:
        sys.stderr.write("    fix: run script/lock\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
