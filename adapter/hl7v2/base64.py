"""Base64 as it stands in HL7 v2: read piece by piece, strictly, with the line breaks that senders put between."""

import re
from binascii import Error, a2b_base64

_BREAKS = re.compile(rb"\\(?i:\.br|X(?:0[ad])+)\\|[\r\n\t ]+")
_SIGNS_OF_BREAKS = b"\\\r\n\t "
_LONGEST_ESCAPE = 16


class Base64:
    """A reader of one value. After the last piece, `whole` says whether it was base64 from end to end."""

    def __init__(self) -> None:
        """Begin."""
        self._rest = b""
        self._ended = self._broken = False

    @property
    def whole(self) -> bool:
        """Whether everything so far is base64, and ends with its last group of four."""
        return not self._broken and not self._rest

    def read(self, piece: bytes) -> bytes:
        """The bytes that a further piece stands for; nothing once the value is broken."""
        if self._broken:
            return b""
        text, pending = self._rest + piece, b""
        if text.count(b"\\") % 2:
            text, _, pending = text.rpartition(b"\\")
            pending = b"\\" + pending
        if len(text) != len(text.translate(None, _SIGNS_OF_BREAKS)):
            text = _BREAKS.sub(b"", text)
        usable = len(text) - len(text) % 4
        if self._ended and text:
            return self._break()
        try:
            found = a2b_base64(text[:usable], strict_mode=True)
        except Error:
            return self._break()
        self._ended = text[:usable].endswith(b"=")
        self._rest = text[usable:] + pending
        return self._break() if len(pending) > _LONGEST_ESCAPE else found

    def _break(self) -> bytes:
        self._broken, self._rest = True, b""
        return b""
