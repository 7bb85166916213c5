"""By what a message is known again, and with which others it keeps its order."""

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
    start = _after(reading, raw, 6)
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
    time = _after(reading, raw, 6)
    after_time = time + len(reading.head.raw(7))
    number = after_time + sum(len(field) + 1 for field in fields[8:10]) + 1
    view = memoryview(raw)
    found = blake2b(view[:time], digest_size=8, key=reading.site.code.encode()[:64])
    found.update(view[after_time:number])
    found.update(view[number + len(reading.head.control_id) :])
    return int.from_bytes(found.digest(), "big", signed=True)


def _after(reading: Reading, raw: bytes | mmap, field: int) -> int:
    """Where the field after MSH-n begins: MSH and its separator, then each field with the separator that follows."""
    return raw.find(b"MSH") + 4 + sum(len(one) + 1 for one in reading.head.fields[2 : field + 1])
