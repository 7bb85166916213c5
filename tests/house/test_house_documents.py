"""Do the documents say what is true of the code."""

import re
import tomllib
from collections.abc import Iterator

import pytest
import yaml

from adapter import errors, judged_errors, protocol_errors, request_errors
from adapter.cli import COMMANDS
from adapter.settings import Settings, variable
from adapter.store.incident_kinds import KINDS
from tests.house.project import PROJECT, code_spans, project_files, sections, table_rows

DOCUMENTS = [path for path in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))) if path.exists()]


def error_classes(root: type[errors.AdapterError]) -> Iterator[type[errors.AdapterError]]:
    yield root
    for child in root.__subclasses__():
        yield from error_classes(child)


ERRORS = [
    kind
    for kind in error_classes(errors.AdapterError)
    if kind.__module__ in {module.__name__ for module in (errors, judged_errors, protocol_errors, request_errors)}
]
LEAVES = [kind for kind in ERRORS if not kind.__subclasses__()]


def test_every_way_to_fail_has_a_code_of_its_own() -> None:
    own = [kind.code for kind in ERRORS if "code" in vars(kind)]
    assert len(own) == len(set(own))
    assert [kind.__name__ for kind in LEAVES if "code" not in vars(kind)] == []


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_every_way_to_fail_has_its_true_row_in_states(leaf: type[errors.AdapterError]) -> None:
    rows = {row[0]: row[1:] for row in table_rows(PROJECT / "docs/states.md")}
    name, condition, answer, mender = rows[leaf.code]
    assert (name, mender) == (f"`{leaf.__name__}`", leaf.mender)
    if issubclass(leaf, errors.Refusal):
        assert (condition.split(" ")[0], answer) == (leaf.condition, leaf.ack)


def test_states_explains_no_code_that_does_not_exist() -> None:
    told = set(re.findall(r"H2F-\d{4}", (PROJECT / "docs/states.md").read_text()))
    assert told - {kind.code for kind in ERRORS} == set()


def test_operating_tells_every_kind_of_incident_truly() -> None:
    table = sections(PROJECT / "docs/operating.md")["Alarms"]
    told = {
        tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in table.splitlines() if line.startswith("| `")
    }
    assert told == {(f"`{name}`", kind.text, kind.mender) for name, kind in KINDS.items()}


def test_operating_names_every_command_that_operators_have() -> None:
    text = (PROJECT / "docs/operating.md").read_text()
    operators = COMMANDS.keys() - {"serve", "convert", "send", "check", "demo"}
    assert [name for name in operators if f"adapter {name}" not in text] == []


def test_queries_tells_every_rule_as_the_mappings_have_it() -> None:
    rules = yaml.safe_load((PROJECT / "mappings/trial/queries.yaml").read_text(encoding="utf-8"))["queries"]
    expected = [(f"`{name}`", rule["severity"], rule["text"]) for name, rule in rules.items()]
    assert [tuple(row) for row in table_rows(PROJECT / "docs/queries.md") if row[0].startswith("`")] == expected


def test_every_setting_has_its_heading_and_no_heading_is_left_over() -> None:
    headings = [heading for heading in sections(PROJECT / "docs/settings.md") if heading.startswith("ADAPTER_")]
    assert headings == [variable(name) for name in Settings.model_fields]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_documented_default_is_the_default(name: str) -> None:
    default = Settings.model_fields[name].default
    told = f"Default: `{default}`" if default not in {None, ""} else "Default: none"
    assert told in sections(PROJECT / "docs/settings.md")[variable(name)]


def test_the_example_environment_knows_only_real_settings() -> None:
    named = re.findall(r"ADAPTER_\w+", (PROJECT / ".env.example").read_text())
    assert named
    assert set(named) <= {variable(name) for name in Settings.model_fields}


def test_every_path_in_a_table_exists() -> None:
    """`<…>` in a path stands for any name."""
    missing: list[str] = []
    for document in DOCUMENTS:
        for row in table_rows(document):
            paths = [span for cell in row for span in code_spans(cell) if is_path(span)]
            missing += [f"{document.name}: {path}" for path in paths if not found(path)]
    assert missing == []


def is_path(span: str) -> bool:
    tops = {path.name for path in PROJECT.iterdir() if path.is_dir()}
    return "/" in span and " " not in span and span.partition("/")[0] in tops


def found(path: str) -> bool:
    return any(PROJECT.glob(re.sub(r"<[^>]+>", "*", path).rstrip("/")))


def test_every_link_between_documents_leads_somewhere() -> None:
    broken: list[str] = []
    for document in (path for path in project_files() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:|#", target) and not (document.parent / target.split("#")[0]).exists():
                broken.append(f"{document.relative_to(PROJECT)}: {target}")
    assert broken == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE))
    for document in (PROJECT / "CONTRIBUTING.md", *DOCUMENTS):
        named = {span.split()[1] for span in code_spans(document.read_text()) if re.match(r"make [a-z]", span)}
        assert named <= targets, document


def test_decisions_are_numbered_and_have_their_four_headings() -> None:
    decisions = sorted((PROJECT / "docs/decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        assert list(sections(path)) == ["Context", "Decision", "Status", "Consequences"], path.name


def test_the_changelog_ends_with_the_version_of_the_program() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    released = re.findall(
        r"^## \[(\d[^\]]*)\] - \d{4}-\d{2}-\d{2}$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert released[0] == version
