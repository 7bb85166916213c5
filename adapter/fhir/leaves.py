"""The single values of a resource, each with the place where it stands."""

from collections.abc import Iterator
from typing import Any, cast


def leaves(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with its place: `("name[0]", "family")`."""
    if isinstance(value, dict):
        for name, part in cast("dict[str, Any]", value).items():
            yield from leaves(part, (*place, name))
    elif isinstance(value, list):
        for number, part in enumerate(cast("list[Any]", value)):
            yield from leaves(part, (*place[:-1], f"{place[-1]}[{number}]"))
    else:
        yield place, value
