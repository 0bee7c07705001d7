"""A password as MySQL stores it, so that none ever stands in a statement.

hashed("secret", "abcdefghij0123456789")["mysql_native_password"]
"0x2a31344535…", the bytes of *14E65567ABDB5135D0CFD9A70B3032C179A49EE7

plugin                   stores
caching_sha2_password    $A$, thousands of rounds as three hexadecimal digits, $, the salt, the digest
sha256_password          $5$, the salt, $, the digest
mysql_native_password    *, twice SHA-1 in hexadecimal digits; without a salt

The digest is that of SHA-crypt with SHA-256, but for its salt, which has 20 characters instead of 16.
Source: "Unix crypt using SHA-256 and SHA-512", Ulrich Drepper. tests/mysql/test_hashing.py compares with the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1, sha256

from aurora_tenants.mysql.options import PASSWORD_PLUGINS

# What a statement holds of a password: for each plugin, the literal of what it stores.
Hashes = Mapping[str, str]
# In a plan, which knows no password.
HIDDEN: Hashes = dict.fromkeys(PASSWORD_PLUGINS, "'***'")

# The number of every version: those before 8.0.24 know no other, and later ones read it from what is stored.
_ROUNDS = 5000
# A longer one can be stored, but not log in (test_a_password_of_256_bytes_logs_in_and_a_longer_one_is_refused).
_MOST_BYTES = 256
_SIZE = sha256().digest_size
_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def hashed(password: str, salt: str) -> Hashes:
    """The password's hashes, by plugin. salt: 20 ASCII characters, no NUL and no `$` among them.

    Raises ValueError, which does not show the password, for one that no client can log in with; its text says what the
    password is or does, and goes behind a name for it.
    """
    data = password.encode(errors="replace")
    if data.decode() != password or "\0" in password:
        raise ValueError("contains a NUL or half a character; change it to one without")
    if not 0 < len(data) <= _MOST_BYTES:
        raise ValueError(f"has {len(data)} bytes; change it to one of 1 to {_MOST_BYTES}")
    digest = _sha_crypt(data, salt.encode())
    # What the plugin stores and no choice of ours.
    twice = sha1(sha1(data, usedforsecurity=False).digest(), usedforsecurity=False)
    stored = {
        "caching_sha2_password": f"$A${_ROUNDS // 1000:03X}${salt}{digest}",
        "sha256_password": f"$5${salt}${digest}",
        "mysql_native_password": f"*{twice.hexdigest().upper()}",
    }
    return {plugin: f"0x{text.encode().hex()}" for plugin, text in stored.items()}


def _sha_crypt(password: bytes, salt: bytes) -> str:
    """The digest of SHA-crypt, in its own digits. The single letters are the names that its description gives."""
    b = sha256(password + salt + password).digest()
    bits = reversed(f"{len(password):b}")
    text = password + salt + _repeated(b, len(password)) + b"".join(b if bit == "1" else password for bit in bits)
    digest = sha256(text).digest()
    p = _repeated(sha256(password * len(password)).digest(), len(password))
    s = _repeated(sha256(salt * (16 + digest[0])).digest(), len(salt))
    for number in range(_ROUNDS):
        begin, end = (p, digest) if number % 2 else (digest, p)
        digest = sha256(begin + (s if number % 3 else b"") + (p if number % 7 else b"") + end).digest()
    return _in_digits(digest)


def _repeated(digest: bytes, length: int) -> bytes:
    return (digest * (length // _SIZE + 1))[:length]


def _in_digits(digest: bytes) -> str:
    """32 bytes as 43 digits of six bits: three bytes at a time make four, the lowest first; the last two make three."""
    a, b, c = 0, 10, 20
    text = ""
    for _ in range(10):
        text += _digits_of(digest[a] << 16 | digest[b] << 8 | digest[c], 4)
        a, b, c = c + 1, a + 1, b + 1
    return text + _digits_of(digest[31] << 8 | digest[30], 3)


def _digits_of(number: int, count: int) -> str:
    return "".join(_DIGITS[number >> 6 * place & 63] for place in range(count))
