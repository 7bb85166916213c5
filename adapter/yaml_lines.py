"""YAML that remembers its lines, so that an error in a mapping names file and line."""

from pathlib import Path
from typing import Any

import yaml

from adapter.errors import MappingError


class Lines(dict[str, Any]):
    """A YAML mapping; `line` is where it begins, `at` where each key stands (1-based)."""

    line: int = 0
    at: dict[str, int]


# libyaml's parser where PyYAML was built with it: five times as fast.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """SafeLoader whose mappings are `Lines`; a key that stands twice is an error."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Lines:
    # PyYAML's own types say nothing of what is constructed.
    construct: Any = loader.construct_object
    made = Lines()
    made.line, made.at = node.start_mark.line + 1, {}
    for key_node, value_node in node.value:
        # As it is written: `on` is no boolean here.
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else str(construct(key_node, deep=True))
        line = key_node.start_mark.line + 1
        if key in made.at:
            raise yaml.MarkedYAMLError(None, None, f"key {key!r} stands twice", key_node.start_mark)
        made[key] = construct(value_node, deep=True)
        made.at[key] = line
    return made


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(path: Path) -> Lines:
    """Read one YAML file whose root is a mapping.

    Raises:
        MappingError: unreadable file, no YAML, a repeated key, or a root that is no mapping.
    """
    try:
        content = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise MappingError(error.problem or "is no YAML", file=path, line=mark.line + 1 if mark else 0) from error
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"cannot be read: {error}", file=path) from error
    if not isinstance(content, Lines):
        raise MappingError("must hold one mapping", file=path, line=1)
    return content
