"""A result of MySQL in the Data API's form: records, column metadata, or one JSON string.

Which member of a Field a value gets is decided by the column as MySQL describes it on the wire, as AWS's driver does,
never by the value. Cells arrive as bytes.

    TINYINT(1), BIT(1)   booleanValue        JSON, DECIMAL, ENUM, SET, dates, text   stringValue
    integers, YEAR       longValue           BINARY, BLOB, BIT(n)                    blobValue
    FLOAT, DOUBLE        doubleValue         NULL                                    isNull
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pymysql.constants import FIELD_TYPE, FLAG

from aurora_sandbox.wire import ServiceError

MAX_RESULT_BYTES = 1024 * 1024
MAX_ROW_BYTES = 64 * 1024
MAX_JSON_BYTES = 10 * 1024 * 1024

Row = tuple[bytes | None, ...]


class Column(Protocol):
    """A column as MySQL's field packet describes it (PyMySQL's FieldDescriptorPacket)."""

    name: str
    org_name: str
    org_table: str
    type_code: int
    charsetnr: int
    length: int
    scale: int
    flags: int


Columns = Sequence[Column]

_BINARY = 63  # the character set number of bytes that are no text
_NO_DECIMALS = 31  # what MySQL sends as scale of a FLOAT or DOUBLE
_MAX_LONG = 2**63 - 1

# Field type -> (name, number in java.sql.Types), from MySQL Connector/J's MysqlType.
_NUMBERS = {
    FIELD_TYPE.TINY: ("TINYINT", -6),
    FIELD_TYPE.SHORT: ("SMALLINT", 5),
    FIELD_TYPE.INT24: ("MEDIUMINT", 4),
    FIELD_TYPE.LONG: ("INT", 4),
    FIELD_TYPE.LONGLONG: ("BIGINT", -5),
    FIELD_TYPE.FLOAT: ("FLOAT", 7),
    FIELD_TYPE.DOUBLE: ("DOUBLE", 8),
    FIELD_TYPE.DECIMAL: ("DECIMAL", 3),
    FIELD_TYPE.NEWDECIMAL: ("DECIMAL", 3),
}
_OTHERS = {
    FIELD_TYPE.NULL: ("NULL", 0),
    FIELD_TYPE.YEAR: ("YEAR", 91),
    FIELD_TYPE.DATE: ("DATE", 91),
    FIELD_TYPE.NEWDATE: ("DATE", 91),
    FIELD_TYPE.TIME: ("TIME", 92),
    FIELD_TYPE.DATETIME: ("DATETIME", 93),
    FIELD_TYPE.TIMESTAMP: ("TIMESTAMP", 93),
    FIELD_TYPE.JSON: ("JSON", -1),
    FIELD_TYPE.GEOMETRY: ("GEOMETRY", -2),
    FIELD_TYPE.BIT: ("BIT", -7),
}
_BYTES = {FIELD_TYPE.STRING: ("BINARY", -2), FIELD_TYPE.VAR_STRING: ("VARBINARY", -3), FIELD_TYPE.BLOB: ("BLOB", -4)}
_TEXTS = {FIELD_TYPE.STRING: ("CHAR", 1), FIELD_TYPE.VAR_STRING: ("VARCHAR", 12), FIELD_TYPE.BLOB: ("TEXT", -1)}
_INTEGERS = {
    FIELD_TYPE.TINY,
    FIELD_TYPE.SHORT,
    FIELD_TYPE.INT24,
    FIELD_TYPE.LONG,
    FIELD_TYPE.LONGLONG,
    FIELD_TYPE.YEAR,
}
_DECIMALS = {FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}
_DOUBLES = {FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE}
_TEMPORAL = {91, 92, 93}


def check_size(rows: Sequence[Row], *, max_result_bytes: int = MAX_RESULT_BYTES) -> None:
    """Raises ServiceError if a row, or all of them together, is more than the Data API returns."""
    sizes = [sum(map(len, filter(None, row))) for row in rows]
    if sizes and max(sizes) > MAX_ROW_BYTES:
        raise ServiceError("BadRequestException", "Packet for query is too large")
    if sum(sizes) > max_result_bytes:
        raise ServiceError("BadRequestException", "Database response exceeded size limit")


def records(columns: Columns, rows: Sequence[Row], options: dict[str, str]) -> list[list[dict[str, Any]]]:
    """`records` of an answer. options: the call's resultSetOptions. Raises ServiceError if it gets too long."""
    check_size(rows)
    return _fields(columns, rows, options)


def _fields(columns: Columns, rows: Sequence[Row], options: dict[str, str]) -> list[list[dict[str, Any]]]:
    readers = [_reader(column, options) for column in columns]
    return [
        [{"isNull": True} if cell is None else dict([read(cell)]) for read, cell in zip(readers, row, strict=True)]
        for row in rows
    ]


def as_bytes(columns: Columns) -> Columns:
    """The columns as some clients read them: text with the BINARY flag, that of `_bin` collations, is taken for bytes.

    sqlx did so from its version 0.8 on (transact-rs/sqlx #3387); the Data API may be built on it.
    """
    return [
        _AsBytes(column) if column.flags & FLAG.BINARY and column.type_code in _TEXTS else column for column in columns
    ]


class _AsBytes:
    """A column of text in the character set of bytes."""

    def __init__(self, column: Column) -> None:
        self._column, self.charsetnr = column, _BINARY

    def __getattr__(self, name: str) -> Any:
        return getattr(self._column, name)


def formatted(columns: Columns, rows: Sequence[Row], options: dict[str, str], *, reversed_keys: bool = False) -> str:
    """`formattedRecords` of an answer: a JSON array of objects, bytes as base64.

    reversed_keys: nobody promises that keys come in the order of the columns.

    Raises ServiceError if two columns have one label, or a row or the whole gets too long.
    """
    check_size(rows, max_result_bytes=MAX_JSON_BYTES)
    labels = [column.name for column in columns]
    if len(set(labels)) < len(labels):
        raise ServiceError("UnsupportedResultException", "The result contains duplicate column names")
    # Column by column: what makes a value of a cell is asked for once for all rows.
    by_column = zip(*rows, strict=True) if rows else ((),) * len(columns)
    cells = [list(map(_plain(column, options), each)) for column, each in zip(columns, by_column, strict=True)]
    if reversed_keys:
        labels.reverse()
        cells.reverse()
    records = [dict(zip(labels, values, strict=True)) for values in zip(*cells, strict=True)]
    text = json.dumps(records, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > MAX_JSON_BYTES:
        raise ServiceError("BadRequestException", "Database response exceeded size limit")
    return text


def _reader(column: Column, options: dict[str, str]) -> Callable[[bytes], tuple[str, Any]]:
    """What makes a cell of this column a member of a Field, and its value."""
    kind = column.type_code
    if _is_boolean(column):
        return lambda cell: ("booleanValue", cell not in (b"0", b"\0"))
    if kind in _INTEGERS and options.get("longReturnType") == "STRING":
        return _text
    if kind in _INTEGERS:
        return lambda cell: _text(cell) if int(cell) > _MAX_LONG else ("longValue", int(cell))
    if kind in _DOUBLES:
        return lambda cell: ("doubleValue", float(cell))
    if kind in _DECIMALS and options.get("decimalReturnType") == "DOUBLE_OR_LONG":
        return lambda cell: ("doubleValue", float(cell)) if column.scale else ("longValue", int(cell))
    # JSON and dates are sent in the binary character set too, and are text all the same.
    if kind == FIELD_TYPE.BIT or (column.charsetnr == _BINARY and kind in {*_BYTES, FIELD_TYPE.GEOMETRY}):
        return lambda cell: ("blobValue", cell)
    return _text


def _text(cell: bytes) -> tuple[str, str]:
    return "stringValue", cell.decode(errors="replace")


def _plain(column: Column, options: dict[str, str]) -> Callable[[bytes | None], Any]:
    """What makes a value in JSON of a cell of this column."""
    read = _reader(column, options)
    if read is _text:
        return lambda cell: None if cell is None else cell.decode(errors="replace")

    def plain(cell: bytes | None) -> Any:
        value = None if cell is None else read(cell)[1]
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value

    return plain


def _is_boolean(column: Column) -> bool:
    return column.type_code in (FIELD_TYPE.TINY, FIELD_TYPE.BIT) and column.length == 1


def metadata(columns: Columns) -> list[dict[str, Any]]:
    """`columnMetadata` of an answer."""
    return [_column(column) for column in columns]


def _column(column: Column) -> dict[str, Any]:
    name, number = _type(column)
    is_number = column.type_code in _NUMBERS
    is_text = not is_number and number not in _TEMPORAL and column.charsetnr != _BINARY
    return {
        "name": column.org_name or column.name,
        "label": column.name,
        "tableName": column.org_table,
        "schemaName": "",
        "type": number,
        "typeName": name,
        "precision": column.length // 4 if is_text else column.length,  # utf8mb4: four bytes a character
        "scale": 0 if column.scale == _NO_DECIMALS else column.scale,
        "nullable": 0 if column.flags & FLAG.NOT_NULL else 1,
        "isSigned": is_number and not column.flags & FLAG.UNSIGNED,
        "isAutoIncrement": bool(column.flags & FLAG.AUTO_INCREMENT),
        "isCaseSensitive": bool(column.flags & FLAG.BINARY) and is_text,
        "isCurrency": False,
        "arrayBaseColumnType": 0,
    }


def _type(column: Column) -> tuple[str, int]:
    kind = column.type_code
    if _is_boolean(column):
        return "BIT", -7
    if kind in _NUMBERS:
        name, number = _NUMBERS[kind]
        return (f"{name} UNSIGNED" if column.flags & FLAG.UNSIGNED else name), number
    if column.flags & (FLAG.ENUM | FLAG.SET):
        return ("ENUM" if column.flags & FLAG.ENUM else "SET"), 1
    by_kind = {**_OTHERS, **(_BYTES if column.charsetnr == _BINARY else _TEXTS)}
    return by_kind.get(kind, ("VARCHAR", 12))
