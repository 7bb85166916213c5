"""SMART scopes of system clients: v1 and v2, what is refused, and what a role makes of them (catalogue G12, G13)."""

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

import pytest

from adapter.access.compiler import Compiler
from adapter.access.principal import Principal
from adapter.access.roles import load_roles
from adapter.access.scopes import NotAScope, parse
from adapter.errors import MappingError
from adapter.fhir.search_parameter import Parameter
from adapter.fhir.search_params import SearchIndex
from adapter.store.reach import IDENTIFIED

SERVED = ("Patient", "Observation")
ROLE = """\
reader:
  for: a test
  view: identified
  sites: one
  types: {"*": rs, Patient: r}
"""


def rights(scopes: str, folder: Path) -> Mapping[str, str]:
    """The letters that a reader has with these scopes, by type."""
    (folder / "roles.yaml").write_text(ROLE)
    parameters = {kind: dict[str, Parameter]() for kind in SERVED}
    index = SearchIndex(parameters, {}, {}, {}, UTC)
    compiler = Compiler(load_roles(folder, SERVED), {IDENTIFIED.name: index})
    reach = compiler.reach(Principal("c", "reader", frozenset({"FAHZU"}), parse(scopes)))
    return {kind: "".join(one for one in "cruds" if reach.may(one, kind)) for kind in SERVED}


@pytest.mark.parametrize(
    ("scopes", "patient", "observation"),
    [
        ("system/*.cruds", "r", "rs"),
        ("system/*.read", "r", "rs"),
        ("system/Observation.*", "", "rs"),
        ("system/Observation.write", "", ""),
        ("system/Patient.s system/Observation.r", "", "r"),
        ("", "", ""),
    ],
)
def test_g12_scopes_never_allow_more_than_the_role(tmp_path: Path, scopes: str, patient: str, observation: str):
    assert rights(scopes, tmp_path) == {"Patient": patient, "Observation": observation}


@pytest.mark.parametrize(
    "scope",
    ["user/*.rs", "patient/Patient.rs", "system/Observation.dus", "system/Observation.", "Observation.rs",
     "system/Observation.rs?", "system/Observation.rs?name=x", "system/Observation.rs?category=a&subject.name=b",
     "openid"],
)  # fmt: skip
def test_g13_what_is_no_scope_of_a_system_client_is_refused(scope: str):
    with pytest.raises(NotAScope):
        parse(scope)


@pytest.mark.parametrize(
    ("said", "line", "text"),
    [
        ("  colour: red\n", 6, "unknown key 'colour'"),
        ("  doors: [kitchen]\n", 6, "doors"),
    ],
)
def test_a_wrong_role_is_told_with_file_and_line(tmp_path: Path, said: str, line: int, text: str):
    (tmp_path / "roles.yaml").write_text(ROLE + said)
    with pytest.raises(MappingError, match=text) as caught:
        load_roles(tmp_path, SERVED)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("view: identified", "view: secret", "view: is one of"),
        ("sites: one", "sites: few", "sites: is one of"),
        ("Patient: r", "Patien: r", "no served type"),
        ("Patient: r", "Patient: rx", "letters of cruds"),
    ],
)
def test_a_role_that_names_what_there_is_not_is_refused(tmp_path: Path, before: str, after: str, text: str):
    (tmp_path / "roles.yaml").write_text(ROLE.replace(before, after))
    with pytest.raises(MappingError, match=text):
        load_roles(tmp_path, SERVED)
