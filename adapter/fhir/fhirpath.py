"""The part of FHIRPath that SearchParameter.expression uses, compiled to plain paths.

Understood: unions, parentheses around a branch or its beginning, element names, `ofType(T)`, `as(T)`, `as T`,
`where(resolve() is T)`, `where(name='text')`. Anything else is refused when it is loaded.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

from adapter.fhir import r4

_STEP = re.compile(
    r"(?P<name>[a-z]\w*)(?P<call>\((?P<argument>(?:[^()']|'[^']*'|\(\))*)\))?(?: as (?P<cast>\w+))?(?:\.|$)",
    re.IGNORECASE,
)
_RESOLVE = re.compile(r"resolve\(\) is (\w+)")
_EQUALS = re.compile(r"(\w+)\s*=\s*'([^']*)'")


class NotUnderstood(ValueError):
    """The expression is outside the subset, or names an element that R4 has not."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step down: the JSON properties to follow with their types, and a test on what is found there."""

    properties: tuple[tuple[str, str], ...]
    where: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """A branch of an expression for one resource type; `target` is the type a reference must point to."""

    steps: tuple[Step, ...]
    target: str | None = None

    def values(self, resource: dict[str, Any]) -> list[tuple[str, Any]]:
        """Every value found, with its FHIR type."""
        nodes: list[tuple[str, Any]] = [("", resource)]
        for step in self.steps:
            found: list[tuple[str, Any]] = []
            for _, node in nodes:
                _follow(step, node, found)
            if not found:
                return found
            nodes = found
        return nodes


def _follow(step: Step, node: dict[str, Any], found: list[tuple[str, Any]]) -> None:
    for name, type_name in step.properties:
        value = node.get(name)
        if value is None:
            continue
        for item in cast("list[Any]", value) if isinstance(value, list) else (value,):
            if step.where is None or item.get(step.where[0]) == step.where[1]:
                found.append((type_name, item))


def compile_expression(expression: str, resource_type: str) -> tuple[Path, ...]:
    """The branches of an expression that start at `resource_type` (or at `Resource`).

    Raises:
        NotUnderstood: says what, and where in the expression.
    """
    branches = (branch.strip() for branch in expression.split("|"))
    paths = (_branch(branch, resource_type) for branch in branches if _root(branch) in (resource_type, "Resource"))
    return tuple(dict.fromkeys(paths))


def _root(branch: str) -> str:
    return branch.lstrip("(").partition(".")[0]


def _branch(branch: str, resource_type: str) -> Path:
    text = _without_parentheses(branch) if branch.startswith("(") else branch
    position = len(_root(text)) + 1
    steps: list[Step] = []
    owners, target = [resource_type], None
    while position <= len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise NotUnderstood(f"{text!r}: not understood at character {position + 1}")
        position = match.end() + (match.end() == len(text))
        resolve = _RESOLVE.fullmatch(match["argument"] or "")
        if match["call"] is None:
            steps.append(_down(owners, match["name"]))
        elif match["name"] == "where" and resolve:
            target = resolve[1]
        else:
            steps[-1] = _call(match, steps[-1])
        if match["cast"]:
            steps[-1] = _of_type(steps[-1], match["cast"])
        owners = [_below(owners, name, kind) for name, kind in steps[-1].properties] if not resolve else owners
    return Path(tuple(steps), target)


def _without_parentheses(branch: str) -> str:
    """A branch whose beginning stands in parentheses: `(Observation.value as CodeableConcept).text`."""
    depth = 0
    for place, character in enumerate(branch):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return branch[1:place] + branch[place + 1 :]
    raise NotUnderstood(f"{branch!r}: a parenthesis is not closed")


def _down(owners: list[str], name: str) -> Step:
    properties: dict[str, str] = {}
    for owner in owners:
        for path in (f"{owner}.{name}", f"{owner}.{name}[x]"):
            try:
                found = r4.element(path)
            except r4.UnknownElement:
                continue
            properties |= zip(found.names, found.types, strict=True)
    if not properties:
        raise NotUnderstood(f"R4 has no {owners[0]}.{name}")
    return Step(tuple(properties.items()))


def _below(owners: list[str], name: str, kind: str) -> str:
    return f"{owners[0]}.{name}" if kind == "BackboneElement" else kind


def _call(match: re.Match[str], step: Step) -> Step:
    argument = match["argument"] or ""
    if match["name"] in ("ofType", "as"):
        return _of_type(step, argument)
    equals = _EQUALS.fullmatch(argument)
    if match["name"] == "where" and equals:
        return Step(step.properties, (equals[1], equals[2]))
    raise NotUnderstood(f"{match[0]!r} is not understood")


def _of_type(step: Step, type_name: str) -> Step:
    # `DateTime` and `Boolean` are slips of R4's own definitions.
    names = (type_name, type_name[0].lower() + type_name[1:])
    kept = tuple(pair for pair in step.properties if pair[1] in names)
    if not kept:
        raise NotUnderstood(f"no choice is a {type_name}")
    return Step(kept, step.where)
