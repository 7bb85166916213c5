"""Tokens for first steps: given to whoever has the data folder, without a client being registered."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapter.access.roles import Role
from adapter.access.scopes import NotAScope, parse
from adapter.request_errors import BadParameter
from adapter.store import tokens
from adapter.store.database import Database
from adapter.store.tokens import Token

EVERYTHING = "system/*.cruds"
LONGEST_MINUTES = 24 * 60
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Order:
    """A token that is asked for; an empty `site` means all hospitals, as far as the role is for all."""

    role: str
    site: str = ""
    scope: str = EVERYTHING
    minutes: int = 60

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Order":
        """Read the body of a request.

        Raises:
            BadParameter: a value is not understood.
        """
        minutes = str(said.get("minutes", 60))
        if not (minutes.isascii() and minutes.isdigit() and len(minutes) < 6):
            raise BadParameter("minutes is a whole number")
        return cls(
            str(said.get("role", "")), str(said.get("site", "")), str(said.get("scope") or EVERYTHING), int(minutes)
        )


def give(database: Database, roles: Mapping[str, Role], order: Order, now: datetime) -> dict[str, Any]:
    """Give out a token; it is stored by its hash alone.

    Returns:
        As a token endpoint answers (RFC 6749 §5.1), with `role` and `sites` beside.

    Raises:
        BadParameter: no such role, a role for one hospital without a hospital, scopes that are none, too long a time.
    """
    role = roles.get(order.role)
    if role is None:
        raise BadParameter(f"there is no such role; roles are {', '.join(roles)}")
    if role.sites != "all" and not order.site:
        raise BadParameter(f"role {role.name} is for one hospital: name it")
    if not 0 < order.minutes <= LONGEST_MINUTES:
        raise BadParameter(f"a token lasts 1 to {LONGEST_MINUTES} minutes")
    try:
        parse(order.scope)
    except NotAScope as error:
        raise BadParameter(str(error)) from None
    sites = frozenset({order.site}) if order.site else None
    token = Token(f"local-{role.name}", role.name, sites, order.scope, now + timedelta(minutes=order.minutes))
    secret = secrets.token_urlsafe(_BYTES)
    with database.write() as connection:
        tokens.sweep(connection, now)
        tokens.keep(connection, secret, token)
    return {
        "access_token": secret,
        "token_type": "Bearer",
        "expires_in": order.minutes * 60,
        "scope": order.scope,
        "role": role.name,
        "sites": sorted(sites or ()),
    }
