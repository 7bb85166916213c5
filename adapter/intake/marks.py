"""By what a message is known again, and with which others it keeps its order."""

from collections.abc import Sequence
from hashlib import blake2b, sha256
from mmap import mmap

from adapter.intake.reading import Reading


def lane(reading: Reading) -> str:
    """What keeps the messages of one patient in order: the site and a digest of its patient number.

    None for what is not to be converted as it is: it must keep back no other message.
    """
    if reading.site is None or reading.fragment or (reading.refusal and reading.refusal.state == "held"):
        return ""
    if reading.message is None:
        return reading.site.code
    patient = reading.message.text(reading.site.lane)
    if not patient:
        return reading.site.code
    return f"{reading.site.code}|{blake2b(patient.encode(), digest_size=8).hexdigest()}"


def digest(raw: bytes | mmap, reading: Reading) -> bytes:
    """SHA-256 of the bytes, the duplicate's mark.

    Where the site promises that MSH-10 is unique, MSH-7 is left out: a sender that writes a new time into the same
    message sends it again (B17).
    """
    if reading.site is None or not reading.site.unique_control_ids or not reading.head.control_id:
        return sha256(raw).digest()
    start = _time_at(reading, raw)
    view = memoryview(raw)
    found = sha256(view[:start])
    found.update(view[start + len(reading.head.raw(7)) :])
    return found.digest()


def content(raw: bytes, reading: Reading) -> int | None:
    """Eight bytes that tell whether a site has sent the same under another MSH-10 and MSH-7 (B16).

    None for what is refused: sending that again, mended or not, is no matter.
    """
    if reading.site is None or reading.refusal:
        return None
    fields = reading.head.fields
    time = _time_at(reading, raw)
    number = time + _length(fields[7:10])
    view = memoryview(raw)
    found = blake2b(reading.site.code.encode(), digest_size=8)
    found.update(view[:time])
    found.update(view[time + len(reading.head.raw(7)) : number])
    found.update(view[number + len(reading.head.control_id) :])
    return int.from_bytes(found.digest(), "big", signed=True)


def _time_at(reading: Reading, raw: bytes | mmap) -> int:
    """Where MSH-7 begins: MSH and its separator, then MSH-2 to MSH-6."""
    return raw.find(b"MSH") + 4 + _length(reading.head.fields[2:7])


def _length(fields: Sequence[bytes]) -> int:
    """Of some fields, each with the separator that follows it."""
    return len(b"".join(fields)) + len(fields)
