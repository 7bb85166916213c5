"""What an operator should hear of messages while they are received: incidents, and clocks that are wrong."""

import logging
from datetime import timedelta

from adapter import log
from adapter.errors import ForeignSender, UnknownSender
from adapter.intake.doubts import NEWER_FIELDS, newer_fields, sent_at
from adapter.intake.draft import Arrival
from adapter.intake.reading import Reading
from adapter.intake.storing import CONTROL_ID_REUSED, Stored
from adapter.mapper.sites import Site
from adapter.protocol_errors import SequenceBroken
from adapter.store import inbox
from adapter.store.incidents import Incidents

SLOW_SECONDS = 1.0

_DAY = timedelta(days=1)
_TEN_YEARS = timedelta(days=3652)
_NEAR = timedelta(minutes=15)
_ALWAYS = 20
"""So many messages one after the other are always."""


class Watch:
    """Notes incidents. Belongs to one event loop."""

    def __init__(self, incidents: Incidents) -> None:
        """Nothing was seen yet."""
        self._incidents = incidents
        self._off: dict[str, int] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def received(self, reading: Reading, arrival: Arrival) -> None:
        """Look at a message before it is stored: its sender, its clock, its numbers; flags are added."""
        site = reading.site
        if isinstance(reading.refusal, ForeignSender) and site:
            self._incidents.note("foreign_sender", site=site.code, **_place(arrival))
        elif isinstance(reading.refusal, UnknownSender):
            self._incidents.note("unknown_sender", **_place(arrival))
        elif site and reading.refusal is None:
            self._clock(reading, site, arrival)
            if reading.head.raw(13) and reading.sequence is None:
                self._count(reading, site, arrival)
            if NEWER_FIELDS in reading.flags and reading.message:
                detail = newer_fields(reading.message.segments, reading.version)
                self._incidents.note("version_misdeclared", site=site.code, detail=detail)

    def stored(self, stored: Stored, *, asked: bool) -> None:
        """Look at what became of a message in the inbox; `asked`: the protocol of sequence numbers is on."""
        message = stored.message
        if message is None:
            return
        site, channel = message.site, message.channel
        if message.ack_code in inbox.REFUSALS and message.ack is None:
            # A sender that asked not to be told (B28, B30): nobody else knows.
            self._incidents.note("refusal_not_told", site=site, channel=channel, detail=message.cause_code)
        if CONTROL_ID_REUSED in message.flags:
            self._incidents.note("control_id_reused", site=site, channel=channel)
        if message.cause_code == SequenceBroken.code:
            self._incidents.note("sequence_gap", site=site, channel=channel, detail=message.cause.partition(": ")[2])
        elif asked and not message.cause_code and message.state != "ignored":
            self._incidents.end("sequence_gap", site=site, channel=channel)

    def answered(self, seconds: float, *, site: str, channel: str) -> None:
        """Look at how long an answer took (B55)."""
        if seconds > SLOW_SECONDS:
            self._incidents.note("slow_acknowledgement", site=site, channel=channel, detail=f"{seconds:.1f} s")

    def unexpected(self, arrival: Arrival, message_id: int | None) -> None:
        """Note an acknowledgement that nobody waits for (B32)."""
        detail = f"answers the reply to message {message_id}" if message_id else ""
        self._incidents.note("unexpected_acknowledgement", **_place(arrival), detail=detail)
        log.event(
            "acknowledgement_unexpected",
            level=logging.WARNING,
            message_id=message_id,
            channel=arrival.channel.name,
            peer=arrival.peer,
        )

    def _clock(self, reading: Reading, site: Site, arrival: Arrival) -> None:
        """MSH-7 beside our own time (B53, B54)."""
        sent = sent_at(reading)
        if sent is None:
            return
        late = arrival.received_at - sent
        if -_NEAR < late < _NEAR:
            self._off.pop(site.code, None)
        elif late > _DAY:
            reading.flag("time_old" if late > _TEN_YEARS else "late")
        elif late < -_DAY:
            reading.flag("time_ahead")
        elif (suggestion := self._always_off(site, arrival, late)) is not None:
            self._incidents.note("clock_skew", site=site.code, detail=suggestion)
        if late < -_DAY or late > _TEN_YEARS:
            days = abs(late) // _DAY
            detail = f"MSH-7 is {days} days {'ahead' if late < -_DAY else 'back'}"
            self._incidents.note("clock_skew", site=site.code, detail=detail)

    def _always_off(self, site: Site, arrival: Arrival, late: timedelta) -> str | None:
        """What to suggest when every message is off by as much as the site's zone is from UTC."""
        offset = arrival.received_at.astimezone(site.timezone).utcoffset() or timedelta()
        if not offset or abs(abs(late) - abs(offset)) > _NEAR:
            self._off.pop(site.code, None)
            return None
        self._off[site.code] = seen = self._off.get(site.code, 0) + 1
        if seen < _ALWAYS:
            return None
        hours = f"{abs(offset) / timedelta(hours=1):g} h"
        return f"MSH-7 is always {hours} {'back' if late > timedelta() else 'ahead'}: is it UTC without its offset?"

    def _count(self, reading: Reading, site: Site, arrival: Arrival) -> None:
        """MSH-13 of a site without the protocol: a gap is only flagged (B37)."""
        number = reading.head.sequence_number
        if not number.isdecimal() or len(number) > 15:
            return
        key = (site.code, arrival.channel.name)
        before, self._numbers[key] = self._numbers.get(key), int(number)
        if before is not None and int(number) > before + 1:
            reading.flag("sequence_gap")


def _place(arrival: Arrival) -> dict[str, str]:
    return {"channel": arrival.channel.name, "peer": arrival.peer.rpartition(":")[0]}
