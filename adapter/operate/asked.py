"""What an operator asks for, read from texts: options of a command, parameters of a request."""

from collections.abc import Mapping
from datetime import datetime

from adapter.request_errors import BadParameter
from adapter.store.browse import Filter

STATES = ("received", "mapped", "unmapped", "held", "ignored", "rejected", "fragment", "joined", "batch")
NAMES = ("site", "state", "type", "since", "until", "control_id", "cause", "flag", "lane")
"""The filters, as the API and (with a hyphen) the command line name them."""


def asked_for(said: Mapping[str, str]) -> Filter:
    """Read filters; an empty text asks for everything.

    Raises:
        BadParameter: a name or a value that is not understood.
    """
    if unknown := sorted(said.keys() - set(NAMES)):
        raise BadParameter(f"there is no filter {unknown[0]}; there are {', '.join(NAMES)}")
    state = said.get("state", "")
    if state and state not in STATES:
        raise BadParameter(f"there is no state {state}; there are {', '.join(STATES)}")
    message_type, _, event = said.get("type", "").partition("^")
    if said.get("lane") and not (said.get("since") or state in {"received", "held"}):
        raise BadParameter("lane needs since, or one of the states received and held: it would read everything")
    return Filter(
        site=said.get("site", ""),
        state=state,
        message_type=message_type,
        event=event,
        control_id=said.get("control_id", ""),
        cause=said.get("cause", "").upper(),
        flag=said.get("flag", ""),
        lane=said.get("lane", ""),
        since=_time("since", said.get("since", "")),
        until=_time("until", said.get("until", "")),
    )


def as_texts(asked: Filter) -> dict[str, str]:
    """The same as texts, to be sent or to be bound to a plan; what is not asked for is left out."""
    kind = f"{asked.message_type}^{asked.event}" if asked.event else asked.message_type
    texts = {
        "site": asked.site,
        "state": asked.state,
        "type": kind,
        "control_id": asked.control_id,
        "cause": asked.cause,
        "flag": asked.flag,
        "lane": asked.lane,
        "since": asked.since.isoformat() if asked.since else "",
        "until": asked.until.isoformat() if asked.until else "",
    }
    return {name: text for name, text in texts.items() if text}


def _time(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        # Without an offset it is the time of this machine.
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise BadParameter(f"{name} is a time such as 2026-03-01T08:00 or 2026-03-01T08:00+08:00") from None
