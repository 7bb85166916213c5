"""What a hospital and the intake have agreed on: blocks `intake:` and `calendar:` of site.yaml.

Every choice has a default, so that a site says only where it differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any, get_type_hints

from adapter.errors import MappingError
from adapter.mapper.suggest import nearest
from adapter.yaml_lines import Lines

ORIGINAL, ENHANCED = "original", "enhanced"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class IntakePolicy:
    """How messages of a site are answered and judged.

    Attributes:
        acknowledgement: the mode where MSH-15 and MSH-16 are both empty.
        ack_point: `stored` answers when the message is on disk, `mapped` when its resources are.
        outage: what a fault of our own is answered with: `silence` (and a closed connection), or `207`, an AR.
        warnings: whether doubts are told in an ERR of severity W beside AA or CA.
        strict: refuse where the default is to accept and flag: MSH-7 and MSH-11 empty, MSH-10 used twice, numbers
            and dates that are none.
        sequence_numbers: the protocol of MSH-13 (HL7 v2.5.1 §2.10.1).
        continuation: put messages in fragments (MSH-14, DSC) together; else they are refused.
        empty_control_id: `refuse` a message without MSH-10, or take it and know resends by their `hash`.
        version: stands in for an empty MSH-12.
        empty_frames: `ignore` a frame without content, or `refuse` it.
        charset: `declared` reads MSH-18, `site` never does: the bytes are always in the site's own `encoding`.
        controls: `refuse` control characters, or `strip` them and flag the message.
        batch_answer: `batch` answers a batch with a batch, `each` with one frame for each message.
        unenrolled: `convert` what is of a patient who is not in the study, or `hold` it until the enrolment.
        ignored: events, `TYPE^EVENT`, that are kept and never converted.
    """

    acknowledgement: str = ORIGINAL
    ack_point: str = "stored"
    outage: str = "silence"
    warnings: bool = False
    strict: bool = False
    sequence_numbers: bool = False
    continuation: bool = True
    empty_control_id: str = "refuse"
    version: str = ""
    empty_frames: str = "ignore"
    charset: str = "declared"
    controls: str = "refuse"
    batch_answer: str = "batch"
    unenrolled: str = "convert"
    ignored: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a hospital usually sends, in its own time: silence of `idle_minutes` within these hours is an alarm."""

    days: frozenset[int]
    opens: time
    closes: time
    idle_minutes: int


CHOICES: Mapping[str, tuple[str, ...]] = {
    "acknowledgement": (ORIGINAL, ENHANCED),
    "ack_point": ("stored", "mapped"),
    "outage": ("silence", "207"),
    "empty_control_id": ("refuse", "hash"),
    "empty_frames": ("ignore", "refuse"),
    "charset": ("declared", "site"),
    "controls": ("refuse", "strip"),
    "batch_answer": ("batch", "each"),
    "unenrolled": ("convert", "hold"),
}
_TYPES = get_type_hints(IntakePolicy)


def load_policy(site: Lines, file: Path) -> IntakePolicy:
    """Read block `intake:` of a site.

    Raises:
        MappingError: an unknown key or value, with file and line.
    """
    said = _block(site, "intake", file, known=tuple(_TYPES))
    return IntakePolicy(**{key: _choice(said, key, file) for key in said})


def load_calendar(site: Lines, file: Path) -> Calendar | None:
    """Read block `calendar:` of a site: `{days: [mon, tue], hours: "07:00-19:00", idle_minutes: 60}`.

    Raises:
        MappingError: with file and line.
    """
    said = _block(site, "calendar", file, known=("days", "hours", "idle_minutes"))
    if not said:
        return None
    try:
        opens, closes = (time.fromisoformat(part.strip()) for part in str(said["hours"]).split("-"))
        days = frozenset(DAYS.index(day) for day in said.get("days") or DAYS)
        return Calendar(days, opens, closes, int(said["idle_minutes"]))
    except (KeyError, ValueError, TypeError):
        text = 'calendar: is {days: [mon, …], hours: "07:00-19:00", idle_minutes: 60}'
        raise MappingError(text, file=file, line=site.at["calendar"]) from None


def _block(site: Lines, name: str, file: Path, *, known: tuple[str, ...]) -> Lines:
    said: Any = site.get(name) or Lines()
    if not isinstance(said, Lines):
        raise MappingError(f"{name}: holds {', '.join(known)}", file=file, line=site.at[name])
    for key in said:
        if key not in known:
            text = f"unknown key {key!r}; known are {', '.join(known)}{nearest(key, known)}"
            raise MappingError(text, file=file, line=said.at[key])
    return said


def _choice(said: Lines, key: str, file: Path) -> Any:
    value = said[key]
    if key == "ignored":
        return frozenset(map(str, value or ()))
    if _TYPES[key] is bool and not isinstance(value, bool):
        raise MappingError(f"{key}: is true or false", file=file, line=said.at[key])
    if key in CHOICES and str(value) not in CHOICES[key]:
        raise MappingError(
            f"{key}: is one of {', '.join(CHOICES[key])}{nearest(str(value), CHOICES[key])}",
            file=file,
            line=said.at[key],
        )
    return value if isinstance(value, bool) else str(value)
