"""Are the dependencies told, and does the lock file work anywhere."""

import re
import tomllib
from typing import Any

from tests.house.project import PROJECT, code_spans, table_rows

PYPROJECT: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())
LOCK: dict[str, Any] = tomllib.loads((PROJECT / "uv.lock").read_text())

PYPI = "https://pypi.org/simple"
FILES = "https://files.pythonhosted.org/"


ASKED: list[str] = [
    *PYPROJECT["project"]["dependencies"],
    *(one for extra in PYPROJECT["project"]["optional-dependencies"].values() for one in extra),
    *(one for group in PYPROJECT["dependency-groups"].values() for one in group),
]


def declared() -> set[str]:
    return {name_of(requirement) for requirement in ASKED}


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=;! ]", requirement)[0]


def test_every_dependency_has_its_row_and_no_row_is_left_over() -> None:
    rows = {code_spans(row[0])[0] for row in table_rows(PROJECT / "docs/dependencies.md")}
    assert rows == declared()


def test_the_lock_file_holds_what_pyproject_asks_for() -> None:
    own = next(package for package in LOCK["package"] if package["name"] == PYPROJECT["project"]["name"])
    locked = [
        *own["metadata"]["requires-dist"],
        *(one for group in own["metadata"]["requires-dev"].values() for one in group),
    ]
    assert {(entry["name"], entry["specifier"]) for entry in locked} == {
        (re.sub(r"[._]", "-", name_of(text)), specifier_of(text)) for text in ASKED
    }


def specifier_of(requirement: str) -> str:
    found = re.search(r"[<>=!][^;]*", requirement)
    return found.group().strip() if found else ""


def test_the_lock_file_names_only_the_public_index() -> None:
    """A host of somebody's own network would break every other machine."""
    outside = [package for package in LOCK["package"] if package["source"] != {"editable": "."}]
    assert {package["source"].get("registry") for package in outside} == {PYPI}
    urls = [
        file["url"]
        for package in outside
        for file in (*package.get("wheels", []), package.get("sdist", {"url": FILES}))
    ]
    assert [url for url in urls if not url.startswith(FILES)] == []
