"""Conditions on other resources: chained parameters, forward and backward (R4 §3.1.1.4.16, §3.1.1.4.17).

Each hop is confined as a search of its own would be: what a caller does not reach tells nothing through a chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapter.request_errors import BadParameter, NotGranted
from adapter.store.reach import Compiled, Reach
from adapter.store.search_conditions import Condition, condition
from adapter.store.visible import and_visible

LONGEST = 3
"""Hops of a chain."""

_HAS = "_has:"


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a search may use: parameters of a type, chains of at most `hops`; `base` is our own address."""

    reach: Reach
    base: str
    hops: int = LONGEST

    def compiled(self, resource_type: str, name: str, value: str) -> Condition | None:
        """Compile one `name=value`: a parameter of the type, a chain, or a `_has`.

        Returns:
            The condition; None where the type has no such parameter.

        Raises:
            BadParameter: a value, a modifier or a chain that is not understood, or a chain that is too long.
            NotGranted: a hop leads to a type that the caller may not search.
        """
        if name.startswith(_HAS):
            return self._has(resource_type, name.removeprefix(_HAS), value)
        first, dot, rest = name.partition(".")
        parameter = self.reach.index.parameters[resource_type].get(first.partition(":")[0])
        if parameter is None:
            return None
        if not dot:
            return condition(self.reach, parameter, name, value, base=self.base)
        if parameter.type != "reference":
            raise BadParameter(f"{parameter.code} is no reference: nothing can be chained to it")
        wanted = first.partition(":")[2] or parameter.target
        return self._chain(parameter.number, [wanted] if wanted else parameter.targets, rest, value)

    def _chain(self, number: int, targets: Sequence[str], rest: str, value: str) -> Condition:
        """References to resources that fulfil the rest of the chain."""
        found: list[Compiled] = []
        for kind in self._searched(targets):
            inner = self._further().compiled(kind, rest, value)
            if inner is not None:
                sql, values = self._ids(kind, inner)
                found.append((f"i.target_type = ? AND i.target_id IN ({sql})", (kind, *values)))
        if not found:
            raise BadParameter("what the chain leads to cannot be searched by its last name")
        any_of = " OR ".join(f"({sql})" for sql, _ in found)
        refers = f"SELECT i.key FROM {self._table('index_reference')} i WHERE i.param = ? AND ({any_of})"
        return self._nested(f"c.key IN ({refers})", (number, *(one for _, values in found for one in values)))

    def _has(self, resource_type: str, name: str, value: str) -> Condition:
        """Resources that are referred to by resources that fulfil the rest: `_has:Observation:patient:code`."""
        kind, _, rest = name.partition(":")
        code, _, rest = rest.partition(":")
        parameter = self.reach.index.parameters.get(kind, {}).get(code)
        if parameter is None or parameter.type != "reference":
            raise BadParameter("_has names a type and one of its reference parameters: _has:Observation:patient:code")
        inner = self._further().compiled(self._searched([kind])[0], rest, value)
        if inner is None:
            raise BadParameter(f"{kind} has not the parameter at the end of _has")
        tests, values = self._those(kind, inner)
        sql = (
            f"SELECT i.target_id FROM {self._table('index_reference')} i"
            f" JOIN {self._table('resource')} h ON h.key = i.key WHERE i.param = ? AND i.target_type = ? AND {tests}"
        )
        return self._nested(f"c.id IN ({sql})", (parameter.number, resource_type, *values))

    def _ids(self, resource_type: str, inner: Condition) -> Compiled:
        """The ids of the resources of a type that fulfil a condition and are reached."""
        tests, values = self._those(resource_type, inner)
        return f"SELECT h.id FROM {self._table('resource')} h WHERE {tests}", values

    def _those(self, resource_type: str, inner: Condition) -> Compiled:
        """The test of rows `h` of the resources: they are there, fulfil a condition and are reached."""
        sql, values = inner.test("h.key")
        seen, limits = and_visible(self.reach, resource_type, "h")
        return f"h.resource_type = ? AND NOT h.deleted AND {sql}{seen}", (resource_type, *values, *limits)

    def _nested(self, where: str, values: tuple[Any, ...]) -> Condition:
        return Condition(self._table("resource"), f"{where} AND NOT c.deleted", values, of_resource=True, nested=True)

    def _further(self) -> "Names":
        if not self.hops:
            raise BadParameter(f"a chain has at most {LONGEST} hops")
        return replace(self, hops=self.hops - 1)

    def _searched(self, kinds: Sequence[str]) -> list[str]:
        """Those of these types that are served, and that the caller may search."""
        served = [kind for kind in kinds if kind in self.reach.index.parameters]
        if not served:
            raise BadParameter("the chain leads to a type that is not served")
        searched = [kind for kind in served if self.reach.may("s", kind)]
        if not searched:
            raise NotGranted(f"the token does not allow system/{served[0]}.s")
        return searched

    def _table(self, name: str) -> str:
        return self.reach.view.table(name)
