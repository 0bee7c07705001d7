"""AWS's published single-user rotation function for MySQL, as its build packs it."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pymysql

PUBLISHED = Path(__file__).parent / "sandbox" / "published" / "lambda_function.py"


def zipped() -> bytes:
    """The published file, and PyMySQL beside it, as the function's build would put it there."""
    written, package = BytesIO(), Path(pymysql.__file__).parent
    with zipfile.ZipFile(written, "w") as archive:
        archive.write(PUBLISHED, PUBLISHED.name)
        for file in package.rglob("*.py"):
            archive.write(file, file.relative_to(package.parent))
    return written.getvalue()
