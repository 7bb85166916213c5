"""The text of a search value: its parts, and its modifier."""

import re

from adapter.fhir.search_parameter import Parameter
from adapter.request_errors import BadParameter


def split(text: str, separator: str) -> list[str]:
    """Split at a separator that no backslash escapes, keeping the escapes (R4 §3.1.1.4.1)."""
    parts, rest = [""], iter(text)
    for character in rest:
        if character == "\\":
            parts[-1] += character + next(rest, "")
        elif character == separator:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def plain_text(text: str) -> str:
    """A part without its escapes."""
    return re.sub(r"\\([\\,|$])", r"\1", text)


def refuse(parameter: Parameter, modifier: str, known: tuple[str, ...]) -> None:
    """Refuse a modifier that the parameter has not.

    Raises:
        BadParameter: names those that it has.
    """
    if modifier not in known:
        names = ", ".join(f":{name}" for name in (*known, "missing") if name)
        raise BadParameter(f"{parameter.code}:{modifier} is not supported; {parameter.type} parameters take {names}")
