"""Messages that broke off, until the same MSH-10 of the same site arrives whole (A9)."""

from adapter.errors import Refusal
from adapter.hl7v2.parse import header
from adapter.mapper.catalog import Catalog
from adapter.store.inbox import NewMessage
from adapter.store.incidents import Incidents

_MOST = 1000

_Place = tuple[str, str, str]
"""Kind, channel and peer of the incident."""


class Truncated:
    """What broke off in this process. After a restart an incident ends by its quiet time."""

    def __init__(self, catalog: Catalog, incidents: Incidents) -> None:
        """Nothing is open."""
        self._catalog, self._incidents = catalog, incidents
        self.open: dict[tuple[str, str], _Place] = {}

    def note(self, kind: str, raw: bytes, *, channel: str, peer: str) -> None:
        """Tell of a frame that broke off, with the site and MSH-10 where so much of it came."""
        site, control_id = self._known(raw)
        place = (kind, channel, peer.rpartition(":")[0])
        if control_id and len(self.open) < _MOST:
            self.open[site, control_id] = place
        detail = f"after {len(raw)} bytes" + (f", MSH-10 {control_id[:50]}" if control_id else "")
        self._incidents.note(kind, site=site, channel=channel, peer=place[2], detail=detail)

    def arrived(self, message: NewMessage) -> None:
        """A message is stored: if it had broken off before, that is over."""
        place = self.open.pop((message.site, message.control_id), None)
        still = any(site == message.site and other == place for (site, _), other in self.open.items())
        if place and not still:
            self._incidents.end(place[0], site=message.site, channel=place[1], peer=place[2])

    def _known(self, raw: bytes) -> tuple[str, str]:
        try:
            head = header(raw)
        except Refusal:
            return "", ""
        site = self._catalog.sites.find(head.sending_application, head.sending_facility)
        # The field is known to be whole only when its end has come.
        return (site.code, head.text(10)) if site and len(head.fields) > 11 else ("", "")
