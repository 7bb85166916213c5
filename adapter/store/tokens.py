"""Tokens that were given out. A token itself is nowhere stored: it is known by its SHA-256."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection

from adapter.store.database import instant, micros, rows, run

_KEEP = "INSERT INTO access_token (digest, client, role, sites, scope, expires) VALUES (?,?,?,?,?,?)"
_FIND = "SELECT client, role, sites, scope, expires FROM access_token WHERE digest = ? AND expires > ?"
_ALL = "*"


@dataclass(frozen=True, slots=True)
class Token:
    """Whose a token is, and what it is good for; `sites` None means all hospitals."""

    client: str
    role: str
    sites: frozenset[str] | None
    scope: str
    expires: datetime


def keep(connection: Connection, secret: str, token: Token) -> None:
    """Remember a token that is given out."""
    sites = _ALL if token.sites is None else " ".join(sorted(token.sites))
    row = (_digest(secret), token.client, token.role, sites, token.scope, micros(token.expires))
    run(connection, _KEEP, row)


def find(connection: Connection, secret: str, now: datetime) -> Token | None:
    """Whose token this is; None where it was never given out, was revoked, or is over."""
    for client, role, sites, scope, expires in rows(connection, _FIND, [_digest(secret), micros(now)]):
        return Token(client, role, None if sites == _ALL else frozenset(sites.split()), scope, instant(expires))
    return None


def revoke(connection: Connection, secret: str) -> bool:
    """Forget a token; whether there was one."""
    return run(connection, "DELETE FROM access_token WHERE digest = ?", [_digest(secret)]) == 1


def revoke_all(connection: Connection, client: str) -> int:
    """Forget all tokens of a client; how many there were."""
    return run(connection, "DELETE FROM access_token WHERE client = ?", [client])


def sweep(connection: Connection, now: datetime) -> int:
    """Forget what is over; how many there were."""
    return run(connection, "DELETE FROM access_token WHERE expires <= ?", [micros(now)])


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
