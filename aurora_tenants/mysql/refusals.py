"""MySQL's error number in the text of a refusal, in whichever form the text has it, or by its words if it has none.

    number_of("Table 'a.t' doesn't exist; Error code: 1146; SQLState: 42S02")     1146
    number_of("Can't create database 'a'; database exists")                       1007
    said("ERROR 1524 (HY000): Plugin 'x' is not loaded")                          Plugin 'x' is not loaded

AWS documents no form for MySQL. Those here are what clients have seen: of the Data API's first version, of its second
one with PostgreSQL, and of the drivers that such a service may be built with.
"""

from __future__ import annotations

import re

# Only at the beginning and the end: in between a message quotes names and statements, which may look like anything.
_FORMS = (
    re.compile(r"^Database error code: (?P<number>\d+)\. Message: (?P<text>.*)", re.DOTALL),
    re.compile(r"(?P<text>.*?);? *[Ee]rror code: (?P<number>\d+)(?:; SQLState: \w*)?\.?$", re.DOTALL),
    re.compile(
        r"^(?:error returned from database: )?(?:ERROR )?(?P<number>\d{4,5}) \(\w{5}\)(?: at line \d+)?: (?P<text>.*)",
        re.DOTALL,
    ),
    re.compile(r"^(?:ERROR|Error) (?P<number>\d{4,5}):? (?P<text>.*)", re.DOTALL),
    re.compile(r"^(?P<number>\d{4,5}): (?P<text>.*)", re.DOTALL),
    re.compile(r"(?P<text>.*?) *\((?P<number>\d{4,5})\)\.?$", re.DOTALL),
)
# What may stand around a sentence without a number: `ERROR: …; SQLState: 42000`, as PostgreSQL's have it.
_AROUND = re.compile(r"^(?:ERROR: |error returned from database: )|; SQLState: \w+$")
# MySQL's own words for the numbers that anything here depends on. A sentence comes after those that begin like it.
# Source: errmsg.sys of MySQL 9.7.4. A server that speaks another language (lc_messages) says others.
_WORDS = (
    (1007, r"Can't create database '.*'; database exists"),
    (1040, r"Too many connections"),
    (1054, r"Unknown column '.*' in '"),
    (1062, r"Duplicate entry '.*' for key '"),
    (1064, r"You have an error in your SQL syntax"),
    (3118, r"Access denied for user '.*'\. Account is locked"),
    (1044, r"Access denied for user '.*' to database '"),
    (1045, r"Access denied for user '.*' \(using password: "),
    (1146, r"Table '.*' doesn't exist"),
    (1147, r"There is no such grant defined for user '.*' on host '.*' on table '"),
    (1403, r"There is no such grant defined for user '.*' on host '.*' on routine '"),
    (1141, r"There is no such grant defined for user '"),
    (1203, r"User .* already has more than 'max_user_connections' active connections"),
    (1226, r"User '.*' has exceeded the '.*' resource"),
    (1305, r"(?:PROCEDURE|FUNCTION) .* does not exist"),
    (1295, r"This command is not supported in the prepared statement protocol yet"),
    (1396, r"Operation .* failed for "),
    (1410, r"You are not allowed to create a user with GRANT"),
    (1524, r"Plugin '.*' is not loaded"),
    (1820, r"You must reset your password using ALTER USER statement"),
    (1862, r"Your password has expired"),
    (3523, r"Unknown authorization ID "),
    (3530, r"`.*` is not granted to `"),
    (3878, r"Empty password can not be retained as second password"),
    (3638, r"Cannot use these credentials for '.*' because they contradict the password history policy"),
)
_SENTENCES = tuple((number, re.compile(words, re.DOTALL)) for number, words in _WORDS)


def number_of(message: str) -> int:
    """MySQL's error number; 0 for a message that has none and whose words are not known here."""
    if form := _form(message):
        return int(form["number"])
    sentence = said(message)
    return next((number for number, words in _SENTENCES if words.match(sentence)), 0)


def said(message: str) -> str:
    """MySQL's own sentence, without a number, a state, or a word before it."""
    form = _form(message)
    return form["text"] if form else _AROUND.sub("", message)


def _form(message: str) -> re.Match[str] | None:
    return next((found for form in _FORMS if (found := form.match(message))), None)
