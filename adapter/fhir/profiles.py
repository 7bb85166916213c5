"""The folder `profiles/`: which resource types are served, and the store's own resources."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapter.errors import MappingError
from adapter.fhir import json, r4

# What is served at /metadata, computed from what is loaded.
_COMPUTED = "CapabilityStatement"


def capability(profiles: Path) -> dict[str, Any]:
    """`CapabilityStatement-adapter.json`: what is to be served, in FHIR's own words.

    Raises:
        MappingError: the file is missing or is not JSON.
    """
    return _read(profiles / "CapabilityStatement-adapter.json")


def served_types(profiles: Path) -> tuple[str, ...]:
    """The resource types that are served, in order.

    Raises:
        MappingError: R4 has no such type.
    """
    names = tuple(sorted(entry["type"] for entry in capability(profiles)["rest"][0]["resource"]))
    for name in names:
        try:
            r4.element(name)
        except r4.UnknownElement as error:
            raise MappingError(str(error), file=profiles / "CapabilityStatement-adapter.json") from error
    return names


def definitions(profiles: Path) -> list[dict[str, Any]]:
    """The store's own resources (the study, the hospitals, profiles, plans), to be put into it at start.

    Raises:
        MappingError: a file is no JSON, or is not named for its resource.
    """
    return [resource for _, resource in _own(profiles)]


def check_definitions(profiles: Path) -> None:
    """Validate the store's own resources; apart from `definitions`, because importing the models takes a while.

    Raises:
        MappingError: one is not valid R4.
    """
    for file, resource in _own(profiles):
        if problems := r4.validate(resource):
            raise MappingError("; ".join(problems), file=file)


def _own(profiles: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in sorted(profiles.glob("*-*.json")):
        if file.name.partition("-")[0] == _COMPUTED:
            continue
        resource = _read(file)
        if file.stem != f"{resource.get('resourceType')}-{resource.get('id')}":
            raise MappingError("the file's name is not Type-id.json", file=file)
        yield file, resource


def _read(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise MappingError(f"cannot be read: {error}", file=file) from error
