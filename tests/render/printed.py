"""What is printed for tests: as stdout gets it when it is no terminal."""

from __future__ import annotations

import io

from aurora_tenants.render.output import Output
from aurora_tenants.render.styled import Text


def text_of(result: Text | str) -> str:
    out = io.StringIO()
    Output(out=out).result(result)
    return out.getvalue()
