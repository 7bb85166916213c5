"""Who asks, by the token of the request, and what that reaches."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from adapter.access.compiler import Compiler
from adapter.access.principal import Principal
from adapter.access.roles import Role
from adapter.access.scopes import NotAScope, parse
from adapter.request_errors import LoginRequired
from adapter.store import tokens
from adapter.store.database import Database
from adapter.store.reach import Reach
from adapter.store.tokens import Token

REMEMBERED_SECONDS = 5.0
"""So long a token is good without a look at the database; what another process revokes is dead after that."""

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what that reaches."""

    principal: Principal
    role: Role
    reach: Reach


class Guard:
    """Lets in who bears a token that was given out and is not over."""

    def __init__(
        self,
        database: Database,
        compiler: Compiler,
        clock: Callable[[], datetime],
        standing: Mapping[str, Token] | None = None,
    ) -> None:
        """Guard a database; `standing` are tokens that an administrator set, for programs that cannot ask for one."""
        self.database, self.compiler, self.clock = database, compiler, clock
        self._standing = standing or {}
        self._known: dict[str, tuple[float, datetime, Caller]] = {}

    def remembered(self, secret: str) -> Caller | None:
        """The caller with this token, where it was admitted a moment ago: costs nothing."""
        found = self._known.get(secret)
        if found is None or found[0] < time.monotonic() or found[1] <= self.clock():
            return None
        return found[2]

    def admit(self, secret: str) -> Caller:
        """The caller with this token.

        Raises:
            LoginRequired: nobody has it.
        """
        token = self._standing.get(secret) or self._given(secret)
        if token is None or token.role not in self.compiler.roles:
            raise LoginRequired("the bearer token is unknown, revoked or over")
        caller = self.caller(token)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[secret] = (time.monotonic() + REMEMBERED_SECONDS, token.expires, caller)
        return caller

    def _given(self, secret: str) -> Token | None:
        with self.database.read() as connection:
            return tokens.find(connection, secret, self.clock())

    def caller(self, token: Token) -> Caller:
        """Whom a token stands for."""
        try:
            scopes = parse(token.scope)
        except NotAScope:
            raise LoginRequired("the scope of the bearer token is not understood") from None
        principal = Principal(token.client, token.role, token.sites, scopes)
        return Caller(principal, self.compiler.role(principal), self.compiler.reach(principal))

    def forget(self) -> None:
        """Look at the database again for everybody: something was revoked."""
        self._known.clear()
