"""Cursors of `next` links as clients see them: sealed, for one client and one view, for a day (catalogue G38)."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from adapter.access.guard import Caller
from adapter.request_errors import BadParameter

LASTS = timedelta(days=1)

_SEAL, _EXPIRY = 16, 8
_WRONG = "_cursor comes from a next link of the same client, within a day, and cannot be made by hand"


@dataclass(frozen=True, slots=True)
class Cursors:
    """Seals and opens them with the key of an installation, so that they outlive a restart."""

    key: bytes
    clock: Callable[[], datetime]

    def seal(self, caller: Caller, cursor: str) -> str:
        """What a link bears for a cursor of the store."""
        expiry = int((self.clock() + LASTS).timestamp()).to_bytes(_EXPIRY)
        said = expiry + cursor.encode()
        return base64.urlsafe_b64encode(self._seal(caller, said) + said).decode().rstrip("=")

    def open(self, caller: Caller, sealed: str) -> str:
        """The cursor of the store.

        Raises:
            BadParameter: it was changed, is another client's, or is over.
        """
        try:
            found = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise BadParameter(_WRONG) from None
        seal, said = found[:_SEAL], found[_SEAL:]
        genuine = hmac.compare_digest(seal, self._seal(caller, said))
        if not genuine or int.from_bytes(said[:_EXPIRY]) < self.clock().timestamp():
            raise BadParameter(_WRONG)
        return said[_EXPIRY:].decode()

    def _seal(self, caller: Caller, said: bytes) -> bytes:
        principal = caller.principal
        sites = "*" if principal.sites is None else " ".join(sorted(principal.sites))
        whose = "\n".join((principal.client, principal.role, sites, caller.reach.view.name)).encode()
        return hmac.digest(self.key, whose + b"\0" + said, sha256)[:_SEAL]
