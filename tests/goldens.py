"""Long texts that must stay as they are, each in a file of its own under tests/golden.

After a change that is meant, `AURORA_TENANTS_WRITE_GOLDENS=1 script/test` writes them anew; the diff shows what users
will see.
"""

from __future__ import annotations

import os
from pathlib import Path

_PLACE = Path(__file__).parent / "golden"


def golden(name: str, text: str) -> str:
    """The text that `text` has to equal."""
    file = _PLACE / name
    if os.environ.get("AURORA_TENANTS_WRITE_GOLDENS"):
        file.write_text(text)
    return file.read_text()
