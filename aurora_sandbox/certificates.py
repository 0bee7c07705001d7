"""A certificate for the private server on 127.0.0.1, and the authority that signed it, made anew for each server.

mysqld's own has no name that a client could compare, so a client that verifies, as AWS's published functions do, would
refuse it.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY, CERTIFICATE, KEY = "authority.pem", "certificate.pem", "key.pem"
LIFE = timedelta(days=365)


def options(directory: Path) -> tuple[str, ...]:
    """mysqld's options for a new certificate, whose files are written to the directory."""
    signing, serving = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _signed("sandbox authority", signing, signing, issuer=None)
    certificate = _signed("sandbox server", serving, signing, issuer=authority)
    for name, each in ((AUTHORITY, authority), (CERTIFICATE, certificate)):
        (directory / name).write_bytes(each.public_bytes(serialization.Encoding.PEM))
    key = serving.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / KEY).touch(mode=0o600)
    (directory / KEY).write_bytes(key)
    files = {"ca": AUTHORITY, "cert": CERTIFICATE, "key": KEY}
    return tuple(f"--ssl-{option}={directory / name}" for option, name in files.items())


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Certificate | None,
) -> x509.Certificate:
    """A certificate of the key; without an issuer it is an authority's, signed by itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    usages = {"key_cert_sign": issuer is None, "crl_sign": issuer is None, "digital_signature": issuer is not None}
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
              "decipher_only")  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usages, **dict.fromkeys(others, False)), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if issuer:
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signing, hashes.SHA256())
