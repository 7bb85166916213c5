"""Elements of FHIR R4 resources as the trial's rules need them: codes, moments, days, references, extensions. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

Resource = dict[str, Any]

DATE = len("2019-06-19")


@dataclass(frozen=True, slots=True)
class Moment:
    """A local day, and the time of day where one was given."""

    day: date
    at: datetime | None = None


def moment(text: str | None, zone: tzinfo) -> Moment | None:
    """A FHIR date or dateTime as a local moment; None where it names no whole day (`2019`, `2019-06`)."""
    if not text or len(text) < DATE:
        return None
    if len(text) == DATE:
        return Moment(date.fromisoformat(text))
    at = datetime.fromisoformat(text)
    at = at.astimezone(zone) if at.tzinfo else at.replace(tzinfo=zone)
    return Moment(at.date(), at)


def begun(resource: Resource, name: str, zone: tzinfo) -> Moment | None:
    """Where `effective`, `performed` or `onset` begins: its dateTime, instant, or the start of its period."""
    text: str | None = resource.get(f"{name}DateTime") or resource.get(f"{name}Instant")
    return moment(text or resource.get(f"{name}Period", {}).get("start"), zone)


def codes(concept: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """System and code of each coding that has a code."""
    for coding in (concept or {}).get("coding", []):
        if "code" in coding:
            yield coding.get("system", ""), coding["code"]


def code_of(concept: Mapping[str, Any] | None, system: str) -> str:
    """The code of one system; empty where the concept has none."""
    return next((code for of, code in codes(concept) if of == system), "")


def extension(element: Mapping[str, Any], url: str) -> Resource:
    """The first extension of this URL; empty where there is none."""
    extensions: list[Resource] = element.get("extension", [])
    none: Resource = {}
    return next((one for one in extensions if one.get("url") == url), none)


def reference(element: Mapping[str, Any] | None) -> str:
    """`Type/id` of a Reference; empty where it has none."""
    text: str = (element or {}).get("reference", "")
    return "/".join(text.split("/")[-2:])


def own(resource: Resource) -> str:
    """`Type/id` of the resource itself."""
    return f"{resource['resourceType']}/{resource['id']}"


def identifier(resource: Resource, system: str) -> str:
    """The value of the identifier of one system, the least if there are several; empty where there is none."""
    found: Any = resource.get("identifier", [])
    rows: list[dict[str, Any]] = [found] if isinstance(found, dict) else found
    return min((row["value"] for row in rows if row.get("system") == system and "value" in row), default="")
