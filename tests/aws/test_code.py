"""The functions' code as a zip: what it holds and nothing else, the same everywhere, and the template that takes it."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from aurora_tenants.aws.code import ENTRIES, build, check_bucket, template, zipped
from aurora_tenants.errors import InvalidUsage

ROOT = Path(__file__).parents[2]


def test_the_zip_holds_exactly_what_the_handlers_import(tmp_path: Path):
    """Told by an import from the zip alone, in a process of its own, as Lambda does it."""
    file = tmp_path / "functions.zip"
    file.write_bytes(build().content)
    program = (
        "import importlib, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "for name in sys.argv[2:]:\n"
        "    assert callable(importlib.import_module(name).handler)\n"
        "ours = [module for name, module in sys.modules.items() if name.partition('.')[0] == 'aurora_tenants']\n"
        "print(*sorted(module.__file__.removeprefix(sys.argv[1] + '/') for module in ours), sep='\\n')\n"
    )
    command = [sys.executable, "-I", "-c", program, str(file), *ENTRIES.values()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == zipfile.ZipFile(file).namelist()


def test_the_zip_holds_modules_as_they_are_in_the_repository():
    archive = zipfile.ZipFile(BytesIO(build().content))
    assert {name: archive.read(name) for name in archive.namelist()} == {
        name: (ROOT / name).read_bytes() for name in archive.namelist()
    }
    deployed = {str(path.relative_to(ROOT)) for path in (ROOT / "aurora_tenants" / "lambdas").glob("*.py")}
    assert {name for name in archive.namelist() if "/lambdas/" in name} == deployed


def test_the_same_files_give_the_same_bytes_on_every_machine_and_day():
    """The hash was written down once: another version of Python, or of zlib, must not change it."""
    files = {"b/__init__.py": b"", "b/a.py": b"print(1)\n" * 100, "a.py": "ä".encode()}
    content = zipped(files)
    assert content == zipped(dict(reversed(files.items())))
    assert hashlib.sha256(content).hexdigest() == "1856c2263d74a196ac6e37ad2512ce211240ae19459d91f65fdd6fab66a7d945"
    facts = {
        (entry.date_time, entry.external_attr >> 16, entry.create_system, entry.compress_type)
        for entry in zipfile.ZipFile(BytesIO(content)).infolist()
    }
    assert facts == {((1980, 1, 1, 0, 0, 0), 0o100644, 3, zipfile.ZIP_STORED)}


def test_an_archive_is_named_after_its_content():
    archive = build()
    digest = hashlib.sha256(archive.content).digest()
    assert archive.sha256 == digest.hex()
    assert archive.key == f"aurora-tenants/{digest.hex()}.zip"
    assert base64.b64decode(archive.checksum) == digest


def test_the_template_for_a_bucket_differs_in_the_code_alone():
    archive = build()
    inline, ours = (ROOT / "cfn" / "shared.yml").read_text().splitlines(), template("builds", archive).splitlines()
    code = f"   Code: {{S3Bucket: !Ref CodeBucket, S3Key: {archive.key}}}"
    assert [line for line in ours if line not in inline] == [
        " # Holds the functions' code: aurora_tenants' own modules, in a zip that is named after its SHA-256.",
        ' CodeBucket: {Type: String, Default: "builds"}',
        "   Handler: aurora_tenants.lambdas.provider.handler",
        code,
        "   Handler: aurora_tenants.lambdas.rotation.handler",
        code,
    ]
    begin, end = (next(at for at, line in enumerate(inline) if mark in line) for mark in ("# >>> fun", "# <<< fun"))
    packed = {*inline[begin : end + 1]}
    assert [line for line in inline if line not in ours and line not in packed] == [
        "   Handler: index.provider",
        "   Code: {ZipFile: !FindInMap [Functions, Python, Code]}",
        "   Handler: index.rotation",
        "   Code: {ZipFile: !FindInMap [Functions, Python, Code]}",
    ]


@pytest.mark.parametrize("name", ["abc", "my-builds", "my.builds.eu", "1builds", "a" * 63])
def test_what_a_bucket_can_be_called_is_taken(name: str):
    check_bucket(name)


@pytest.mark.parametrize(
    "name",
    ["", "ab", "a" * 64, "Builds", "my_builds", "-builds", "builds-", ".builds", "a..b", "192.168.5.4", "s3://builds",
     "builds/path", "arn:aws:s3:::builds", 'b"x', "builds\n", "bücher"],
)  # fmt: skip
def test_what_no_bucket_can_be_called_is_refused(name: str):
    with pytest.raises(InvalidUsage, match=r"^--code-bucket "):
        check_bucket(name)
