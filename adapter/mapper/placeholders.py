"""What stands where nobody knows a name or a date of birth: mappings/placeholders.yaml."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from adapter.errors import MappingError
from adapter.yaml_lines import Lines, load

_KEYS = ("names", "begin", "end", "birth_dates")


@dataclass(frozen=True, slots=True)
class Placeholders:
    """Names that are one of `names`, `begin` or `end` with one of these, digits and blanks apart; birth dates."""

    names: frozenset[str] = frozenset()
    begin: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    birth_dates: frozenset[str] = frozenset()

    @lru_cache(maxsize=20_000)  # noqa: B019  (one for each installation, which lives as long as the program)
    def is_name(self, name: str) -> bool:
        """Whether a name means nobody."""
        plain = _plain(name)
        return not plain or plain in self.names or plain.startswith(self.begin) or plain.endswith(self.end)


def load_placeholders(mappings: Path) -> Placeholders:
    """Read placeholders.yaml of the folder.

    Raises:
        MappingError: with file and line.
    """
    file = mappings / "placeholders.yaml"
    content = load(file)
    for key in content:
        if key not in _KEYS:
            raise MappingError(f"unknown key {key!r}; known are {', '.join(_KEYS)}", file=file, line=content.at[key])
    return Placeholders(
        frozenset(map(_plain, _texts(content, "names", file))),
        tuple(map(_plain, _texts(content, "begin", file))),
        tuple(map(_plain, _texts(content, "end", file))),
        frozenset(_texts(content, "birth_dates", file)),
    )


def _texts(content: Lines, key: str, file: Path) -> list[str]:
    said: Any = content.get(key) or []
    texts = [str(one) for one in cast("list[Any]", said)] if isinstance(said, list) else [""]
    if not all(one.strip() for one in texts):
        raise MappingError(f"{key}: is a list of texts", file=file, line=content.at[key])
    return texts


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if not letter.isspace() and not letter.isdigit())
