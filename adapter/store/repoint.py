"""References in one resource, put in the place of those that were merged or moved. Pure."""

from collections.abc import Mapping
from typing import Any, cast

REPLACES, REPLACED_BY, SEE_ALSO = "replaces", "replaced-by", "seealso"


def repointed(resource: dict[str, Any], gone: Mapping[str, str]) -> dict[str, Any]:
    """A resource whose references lead to survivors.

    Args:
        resource: the resource; it is not changed.
        gone: by `Patient/…` of a retired one the reference of its survivor.

    Returns:
        The resource itself where nothing of it refers to a retired one.
    """
    own = f"{resource['resourceType']}/{resource['id']}"
    changed: dict[str, Any] = {}
    for name, value in resource.items():
        if name == "link" and resource["resourceType"] == "Patient":
            now: Any = [_link(one, own, gone) for one in value]
        else:
            now = _walked(value, gone)
        if now is not value and now != value:
            changed[name] = now
    return {**resource, **changed} if changed else resource


def moved(resource: dict[str, Any], of: str, to: str) -> dict[str, Any]:
    """A resource that refers to Patient `to` wherever it referred to `of`."""
    return repointed(resource, {f"Patient/{of}": f"Patient/{to}"})


def refers(said: Any, reference: str) -> bool:
    """Whether anything in it is this reference."""
    if isinstance(said, dict):
        items = cast("dict[str, Any]", said)
        return items.get("reference") == reference or any(refers(one, reference) for one in items.values())
    return isinstance(said, list) and any(refers(one, reference) for one in cast("list[Any]", said))


def _walked(said: Any, gone: Mapping[str, str]) -> Any:
    """The same where nothing in it changes, else a copy."""
    if isinstance(said, dict):
        items = cast("dict[str, Any]", said)
        if items.get("reference") in gone:
            return {**items, "reference": gone[items["reference"]]}
        now = {name: _walked(value, gone) for name, value in items.items()}
        return now if any(now[name] is not value for name, value in items.items()) else items
    if isinstance(said, list):
        values = cast("list[Any]", said)
        walked = [_walked(value, gone) for value in values]
        return walked if any(one is not value for one, value in zip(walked, values, strict=True)) else values
    return said


def _link(link: dict[str, Any], own: str, gone: Mapping[str, str]) -> dict[str, Any]:
    """Patient.link says which record replaced which; that must stay true, and lead to the last of a chain."""
    before = link["other"].get("reference", "")
    last = gone.get(before, before)
    if link["type"] == REPLACES or (last == before and link["type"] != SEE_ALSO):
        return link
    if last == own:
        return {**link, "type": REPLACES}
    kind = REPLACED_BY if gone.get(own) == last else link["type"]
    if (last, kind) == (before, link["type"]):
        return link
    # The number that it was known by is the other's.
    other = link["other"] if last == before else {"reference": last}
    return {**link, "other": other, "type": kind}
