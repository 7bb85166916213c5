"""One search parameter: what it reads, how the index calls it, and which parameters share their rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from adapter.fhir import fhirpath
from adapter.fhir.search_pairs import Component

_NAME = 2**24 - 1
# Columns of the resource itself; they need no rows.
OF_THE_RESOURCE = frozenset({"_id", "_lastUpdated"})
# The kind of index rows of those types that have no table of their own.
_STORED = {"uri": "token", "number": "date"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one resource type.

    `stored_as` is the name its rows carry, `number` that name and the type as the index holds them; `target` is the
    one type that its references may point to. `numbers` has more than one where the parameter is nothing but others
    together (`combo-code` is `code` and `component-code`): their rows are its rows. `components` are those of a
    composite parameter.
    """

    code: str
    type: str
    url: str
    description: str
    targets: tuple[str, ...]
    paths: tuple[fhirpath.Path, ...]
    stored_as: str
    number: int
    numbers: tuple[int, ...]
    target: str | None
    components: tuple[Component, ...] = ()

    @property
    def rows(self) -> str:
        """The kind of its index rows: a URI stands as a code without a system, a number as a range like a date.

        Rows of a composite are of the kind of its second component; a date with a code stands among the quantities.
        """
        if self.components:
            return "quantity" if self.components[1].type == "date" else self.components[1].type
        return _STORED.get(self.type, self.type)

    @property
    def written(self) -> bool:
        """Whether it has rows of its own."""
        return self.code not in OF_THE_RESOURCE and self.stored_as == self.code and len(self.numbers) == 1


@lru_cache(maxsize=4096)
def parameter_number(resource_type: str, name: str) -> int:
    """A search parameter as the index tables hold it: 24 bits for the type, 24 for the name, always the same ones."""
    return first_number(resource_type) | _hash(name)


def first_number(resource_type: str) -> int:
    """The least number that a parameter of this type may have."""
    return _hash(resource_type) << 24


def last_number(resource_type: str) -> int:
    """The greatest number that a parameter of this type may have."""
    return first_number(resource_type) | _NAME


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=3).digest())


def shared(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Let parameters that read the same elements share the rows of the one that has them all.

    References that are confined to one type share those that are not; what is several other parameters together has
    no rows of its own.
    """
    owners: dict[tuple[Any, ...], str] = {}
    for code, parameter in sorted(parameters.items()):
        if parameter.target is None:
            owners.setdefault(_read(parameter), code)
    found = {code: _sharing(parameter, owners.get(_read(parameter), code)) for code, parameter in parameters.items()}
    return {code: replace(one, numbers=_numbers(one, found.values())) for code, one in found.items()}


def _sharing(parameter: Parameter, owner: str) -> Parameter:
    if owner == parameter.code:
        return parameter
    return replace(parameter, stored_as=owner, number=(parameter.number & ~_NAME) | _hash(owner))


def _numbers(parameter: Parameter, others: Iterable[Parameter]) -> tuple[int, ...]:
    """Whose rows are its rows. Dates are sorted by, and references followed, by one number alone."""
    if parameter.type not in ("token", "quantity", "composite") or len(parameter.paths) == 1:
        return (parameter.number,)
    kind, paths = _kind(parameter), {path.steps for path in parameter.paths}
    parts = {
        one.number: read
        for one in others
        if _kind(one) == kind and one.stored_as == one.code and (read := {path.steps for path in one.paths}) < paths
    }
    whole = set[tuple[fhirpath.Step, ...]]().union(*parts.values()) == paths
    return tuple(sorted(parts)) if whole else (parameter.number,)


def _read(parameter: Parameter) -> tuple[Any, ...]:
    return _kind(parameter), tuple(path.steps for path in parameter.paths)


def _kind(parameter: Parameter) -> tuple[Any, ...]:
    return parameter.type, parameter.components
