"""Certificates as people need to see them: whose they are, until when they are valid, and how long that still is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from adapter.errors import ConfigurationError

ALARM_DAYS = (30, 7, 1)
"""So many days before its end a certificate is an incident (A32)."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is told of one certificate; of a revocation list `valid_until` is when the next one is due."""

    subject: str
    serial: str
    fingerprint: str
    names: frozenset[str]
    valid_from: datetime
    valid_until: datetime

    def __str__(self) -> str:
        """As it stands in records."""
        return f"{self.subject}, serial {self.serial}" if self.serial else self.subject

    def days_left(self, now: datetime) -> int:
        """Whole days until it ends; below 0 when it has ended."""
        return (self.valid_until - now).days

    def alarm(self, now: datetime) -> int | None:
        """The least of `ALARM_DAYS` that has been reached, 0 when it has ended, None long before."""
        if now >= self.valid_until:
            return 0
        left = (self.valid_until - now).total_seconds() / 86_400
        return min((days for days in ALARM_DAYS if left <= days), default=None)

    def is_one_of(self, subjects: Iterable[str]) -> bool:
        """Whether one of these is its common name, an alternative name or its SHA-256 fingerprint."""
        return any(_plain(subject) == self.fingerprint or subject.lower() in self.names for subject in subjects)


def read(file: Path) -> tuple[Certificate, ...]:
    """The certificates of a PEM file, in order.

    Raises:
        ConfigurationError: it cannot be read, or holds none.
    """
    try:
        return tuple(map(_certificate, x509.load_pem_x509_certificates(file.read_bytes())))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file}: holds no certificate that can be read") from error


def read_revoked(file: Path) -> Certificate:
    """A revocation list, as a thing that ends.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        found = x509.load_pem_x509_crl(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file}: holds no revocation list that can be read") from error
    since = found.last_update_utc
    due = found.next_update_utc or datetime.max.replace(tzinfo=UTC)
    issuer = f"revocation list of {found.issuer.rfc4514_string()}"
    return Certificate(issuer, "", found.fingerprint(SHA256()).hex(), frozenset(), since, due)


def parse(der: bytes) -> Certificate | None:
    """One certificate as it comes over the wire; None where it cannot be read."""
    try:
        return _certificate(x509.load_der_x509_certificate(der))
    except ValueError:
        return None


def pem(der: bytes) -> bytes:
    """The same, to be kept in a file."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _certificate(found: x509.Certificate) -> Certificate:
    return Certificate(
        subject=found.subject.rfc4514_string(),
        serial=f"{found.serial_number:x}",
        fingerprint=found.fingerprint(SHA256()).hex(),
        names=frozenset(name.lower() for name in _names(found)),
        valid_from=found.not_valid_before_utc,
        valid_until=found.not_valid_after_utc,
    )


def _names(found: x509.Certificate) -> Iterable[str]:
    for attribute in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield str(attribute.value)
    try:
        others = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for name in others:
        if isinstance(name, x509.DNSName | x509.UniformResourceIdentifier | x509.RFC822Name | x509.IPAddress):
            yield str(name.value)


def _plain(fingerprint: str) -> str:
    return fingerprint.lower().removeprefix("sha256:").replace(":", "")
