"""The functions' code as a zip in a bucket, for those who want to read what runs; and the template that uses it.

    archive = build()                    the modules that the functions import, unchanged; the same bytes everywhere
    archive.key                          "aurora-tenants/9f86d081….zip"
    template("builds", archive)          cfn/shared.yml with the zip in place of the packed code

Calls no AWS service and needs only the standard library: `script/bundle --hash` runs it in any clone.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from aurora_tenants import data
from aurora_tenants.errors import InvalidUsage, Problem

# The parameter that names the bucket; only in the template that uses one.
CODE_BUCKET = "CodeBucket"
# The names of the functions' handlers in index.py, as in cfn/shared.yml, and the modules that they come from.
ENTRIES = {"provider": "aurora_tenants.lambdas.provider", "rotation": "aurora_tenants.lambdas.rotation"}
# The packed code in cfn/shared.yml, which ends the parameters there.
BLOCK = re.compile(r"^# >>> functions.*?^# <<< functions\n", re.DOTALL | re.MULTILINE)
INDENT = " " * 4  # of its lines
# "Bucket naming rules", Amazon S3 User Guide; reserved names are left to S3.
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

_PACKAGE, _ROOT = __name__.partition(".")[0], Path(__file__).parents[2]
_OLDEST = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier time
_READABLE = 0o100644  # by everybody, as Lambda wants it


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip that is named after its content. checksum: the SHA-256 as S3 and Lambda's CodeSha256 have it."""

    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def checksum(self) -> str:
        return base64.b64encode(hashlib.sha256(self.content).digest()).decode()

    @property
    def key(self) -> str:
        return f"aurora-tenants/{self.sha256}.zip"


def build() -> Archive:
    """What the functions run: every module that they import, directly or not, its packages, and nothing else."""
    files: dict[str, bytes] = {}
    open_ends = [*ENTRIES.values()]
    while open_ends:
        name = open_ends.pop()
        stem = name.replace(".", "/")
        path = f"{stem}/__init__.py" if (_ROOT / stem).is_dir() else f"{stem}.py"
        if path not in files:
            files[path] = (_ROOT / path).read_bytes()
            nodes = ast.walk(ast.parse(files[path]))
            imported = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
            packages = [name.rpartition(".")[0]]
            open_ends += [module for module in (*imported, *packages) if module.partition(".")[0] == _PACKAGE]
    return Archive(zipped(files))


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip with the same bytes on any machine and any day. Uncompressed, because versions of zlib differ."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _OLDEST)
            entry.create_system, entry.external_attr = 3, _READABLE << 16  # 3: Unix, wherever this runs
            archive.writestr(entry, files[path])
    return written.getvalue()


def packed() -> Archive:
    """What CloudFormation makes of the packed code in the template: one file, index.py."""
    block = BLOCK.search(data.text("shared.yml"))
    assert block is not None
    return Archive(zipped({"index.py": program_in(block[0]).encode()}))


def program_in(block: str) -> str:
    """The program in such a block of a template, which is all that is indented so far there."""
    lines = (line for line in block.splitlines() if line.startswith(INDENT))
    return "".join(f"{line.removeprefix(INDENT)}\n" for line in lines)


def template(bucket: str, archive: Archive) -> str:
    """The shared stack's template with the functions' code in this bucket."""
    parameter = (
        " # Holds the functions' code: aurora_tenants' own modules, in a zip that is named after its SHA-256.\n"
        f' {CODE_BUCKET}: {{Type: String, Default: "{bucket}"}}\n'
    )
    place = f"{{S3Bucket: !Ref {CODE_BUCKET}, S3Key: {archive.key}}}"
    text = BLOCK.sub(parameter, data.text("shared.yml"))
    text = text.replace("{ZipFile: !FindInMap [Functions, Python, Code]}", place)
    for name, module in ENTRIES.items():
        text = text.replace(f"Handler: index.{name}\n", f"Handler: {module}.handler\n")
    return text


def check_bucket(name: str) -> None:
    """Raises InvalidUsage for a name that no bucket can have."""
    if not _BUCKET.fullmatch(name):
        what = f"--code-bucket cannot be {name}" if name else "--code-bucket is empty"
        why = (
            "a bucket's name is 3 to 63 lower-case letters, digits, hyphens and dots, without s3:// and without a path"
        )
        fix = "name a bucket, or keep the code in the template: aurora-tenants shared deploy --inline-code"
        raise InvalidUsage(Problem("invalid-bucket", what, why, fix))
