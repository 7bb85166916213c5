"""Certificates for tests: a hospital's authority, a strange one, and files of all of them."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from adapter.listeners import Tls


@dataclass
class Certificates:
    """An authority and its files in a folder."""

    folder: Path
    authority: trustme.CA

    def file(self, name: str, content: bytes) -> Path:
        """Write a file."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def server(self, name: str = "server") -> tuple[Path, Path]:
        """A new certificate of the listener for 127.0.0.1, and its key."""
        made = self.authority.issue_cert("127.0.0.1", common_name=name)
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        return self.file("server.pem", chain), self.file("server.key", made.private_key_pem.bytes())

    def tls(self, *subjects: str, revoked: Path | None = None) -> Tls:
        """As a listener has it: client certificates are asked for."""
        certificate, key = self.server()
        clients = self.file("ca.pem", self.authority.cert_pem.bytes())
        return Tls(certificate, key, clients, frozenset(subjects), revoked)

    def client(self, made: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """What a hospital connects with."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if made:
            made.configure_cert(context)
        return context

    def issue(self, name: str, *, days: tuple[int, int] = (-1, 300)) -> trustme.LeafCert:
        """A client certificate that is valid from and until so many days from now."""
        now = datetime.now(UTC)
        return self.authority.issue_cert(
            name,
            common_name=name,
            not_before=now + timedelta(days=days[0]),
            not_after=now + timedelta(days=days[1]),
        )

    def revocation_list(self, *revoked: trustme.LeafCert) -> Path:
        """The authority's list of what it has taken back."""
        now = datetime.now(UTC)
        issuer = x509.load_pem_x509_certificate(self.authority.cert_pem.bytes())
        key = serialization.load_pem_private_key(self.authority.private_key_pem.bytes(), None)
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
        builder = builder.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=20))
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial(one)).revocation_date(now)
            builder = builder.add_revoked_certificate(entry.build())
        made = builder.sign(key, hashes.SHA256())  # pyright: ignore[reportArgumentType]
        return self.file("revoked.pem", made.public_bytes(serialization.Encoding.PEM))


def loaded(made: trustme.LeafCert) -> x509.Certificate:
    """The certificate itself."""
    return x509.load_pem_x509_certificate(made.cert_chain_pems[0].bytes())


def serial(made: trustme.LeafCert) -> int:
    """Its number."""
    return loaded(made).serial_number


def certificates(folder: Path) -> Certificates:
    """A hospital's authority."""
    return Certificates(folder, trustme.CA())
