"""Data files of the trial's rules, read and checked against a model. Pure but for the reading."""

from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adapter.errors import MappingError
from adapter.yaml_lines import Lines, load

Model = TypeVar("Model", bound=BaseModel)


class Part(BaseModel):
    """A part of a data file: nothing beside what its model names, and not changed after it was read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def read(file: Path, model: type[Model]) -> Model:
    """Read one YAML file.

    Raises:
        MappingError: the file cannot be read, or does not say what it must; with its line.
    """
    return checked(load(file), file, model)


def checked(content: Lines, file: Path, model: type[Model]) -> Model:
    """The contents of a file as its model has them.

    Raises:
        MappingError: it does not say what it must; with the line of the first key that is wrong.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        line = content.at.get(str(first["loc"][0]), 1) if first["loc"] else 1
        where = ".".join(str(part) for part in first["loc"])
        raise MappingError(f"{where}: {first['msg']}", file=file, line=line) from None


def _value(said: Any) -> Any:
    """The value of a parameter, which must say where it comes from, or what is open about it."""
    parts = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    if set(parts) - {"source", "open"} != {"value"}:
        raise ValueError("must be {value: ..., source: ...} or {value: ..., open: ...}")
    if not any(isinstance(parts.get(name), str) and parts[name] for name in ("source", "open")):
        raise ValueError("must say its source, or what is open")
    return parts["value"]


STATED = BeforeValidator(_value)
"""A parameter: written as `{value: 38.0, source: where it stands}`, or `open:` where no source settles it."""

LISTED = Field(strict=False)
"""A tuple, written as a list."""

Key = Annotated[int, Field(strict=False)]
"""A number as the key of a mapping, which is a text in our YAML."""

Number = Annotated[float, STATED]
Whole = Annotated[int, STATED]
Yes = Annotated[bool, STATED]
Text = Annotated[str, STATED]
