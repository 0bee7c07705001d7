"""What typer need not convert: of typer since 0.28, each parameter of a command has pydantic loaded, which takes longer
than a small plan. What is not given, a default and text are what they should be already.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def as_given(parameter: Any) -> Any:
    """The same parameter of typer, whose values are only converted where there is something to convert.

    The two names that this takes from typer are its own affair: where they are others, typer converts everything.
    """
    convert, type_descriptor = (getattr(parameter, name, None) for name in ("get_runtime_param", "type_descriptor"))
    if convert and type_descriptor and "get_runtime_param" not in vars(parameter):
        conversion = _Conversion(convert, type_descriptor.annotation)
        parameter.get_runtime_param = lambda: conversion
    return parameter


class _Conversion:
    """What typer asks for a parameter's value. convert: makes what it would ask otherwise."""

    def __init__(self, convert: Callable[[], Any], annotation: object) -> None:
        self._convert, self._annotation = convert, annotation

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """As typer's own, with the same answers (test_conversion compares)."""
        is_many = param.multiple or param.nargs == -1
        if value is None:
            return () if is_many else None
        if value is param.default and type(value) is self._annotation:
            return value
        if is_many:
            if (
                self._annotation == list[str]
                and type(value) in (list, tuple)
                and all(type(each) is str for each in value)
            ):
                return list(value)
        elif type(value) is str and self._annotation in (str, Path):
            return Path(value) if self._annotation is Path else value
        return self._convert().coerce(value, param=param, ctx=ctx)
