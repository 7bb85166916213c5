"""The codes of the hospitals: a CodeSystem for each of their systems, and what their codes are mapped to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from adapter.guide.shape import Resource, coding, group, resource, short
from adapter.mapper.codes import CANONICAL, SITE_COLUMNS
from adapter.mapper.csv_lines import Row, read
from adapter.mapper.sites import Site

COLUMNS = ("table", "kind", "target_system", "target_codes", "source")
_OWN = f"{CANONICAL}/CodeSystem/"


@dataclass(frozen=True, slots=True)
class LocalCode:
    """A row of a hospital's codes.csv, with the code system that the code belongs to."""

    site: str
    system: str
    kind: str
    row: Row


def local_codes(file: Path, sites: Iterable[Site]) -> list[LocalCode]:
    """The rows of all hospitals whose code has a system of that hospital.

    Args:
        file: `local-codes.csv`: to which system the codes of a table belong; the first row that fits decides.
        sites: the hospitals.

    Raises:
        MappingError: a table cannot be read.
    """
    rules = read(file, COLUMNS, key=COLUMNS[:4])
    return [code for site in sites for code in _of_site(rules, site)]


def code_systems(codes: Iterable[LocalCode], sites: Iterable[Site]) -> Iterator[Resource]:
    """One CodeSystem for each system that a hospital alone uses; without known codes its content is not present."""
    known: dict[str, dict[str, str]] = {}
    for code in codes:
        known.setdefault(code.system, {}).setdefault(code.row["code"], code.row["display"])
    for site in sites:
        for system in sorted(_systems(site).values()):
            found = known.get(system, {})
            made = resource(
                "CodeSystem",
                short(system),
                title=f"{site.name}: {short(system)}",
                description="What the hospital writes itself, as far as mappings/ know it.",
            )
            made["content"] = "fragment" if found else "not-present"
            if found:
                made["concept"] = [coding(code, display) for code, display in found.items()]
            yield made


def concept_maps(codes: Iterable[LocalCode]) -> Iterator[Resource]:
    """From the codes of the hospitals to those that others know: laboratories one by one, all else together."""
    rows = [(_map_of(code), code) for code in codes if code.row["target_code"]]
    rows.sort(key=lambda pair: (pair[0], pair[1].system))
    for name, pairs in groupby(rows, key=lambda pair: pair[0]):
        of_map = [code for _, code in pairs]
        made = resource(
            "ConceptMap",
            name,
            title=name.replace("-", " "),
            description="From the hospitals' codes.csv; every row says where it comes from.",
        )
        made["group"] = [
            group(system, found[0].row["target_system"], _elements(found))
            for system, found in ((key, list(some)) for key, some in groupby(of_map, key=lambda code: code.system))
        ]
        yield made


def _map_of(code: LocalCode) -> str:
    whose = code.site.lower() if code.kind == "lab" else "tli"
    return f"{whose}-{code.kind}-to-{short(code.row['target_system'])}"


def _elements(codes: Iterable[LocalCode]) -> list[Resource]:
    """Every code once, with all its targets."""
    made: dict[str, Resource] = {}
    for code in codes:
        row = code.row
        target = {**coding(row["target_code"], row["target_display"]), "equivalence": "relatedto"}
        element = made.setdefault(row["code"], {**coding(row["code"], row["display"]), "target": []})
        if all(one["code"] != row["target_code"] for one in element["target"]):
            element["target"].append({**target, "comment": row["source"]})
    return list(made.values())


def _of_site(rules: list[Row], site: Site) -> Iterator[LocalCode]:
    systems = _systems(site)
    for row in read(site.folder / "codes.csv", SITE_COLUMNS, key=("table", "code", "target_system")):
        rule = next((rule for rule in rules if rule["kind"] in systems and _fits(rule, row)), None)
        if rule is not None:
            yield LocalCode(site.code, systems[rule["kind"]], rule["kind"], row)


def _fits(rule: Row, row: Row) -> bool:
    wanted = rule["target_codes"].split()
    of_system = not rule["target_system"] or rule["target_system"] == row["target_system"]
    return rule["table"] == row["table"] and of_system and (not wanted or row["target_code"] in wanted)


def _systems(site: Site) -> Mapping[str, str]:
    """The hospital's own systems by kind: `lab` for `.../CodeSystem/fahzu-lab`."""
    prefix = f"{_OWN}{site.code.lower()}-"
    uris = [one.uri for one in (*site.systems.values(), *site.code_systems.values())]
    return {uri.removeprefix(prefix): uri for uri in uris if uri.startswith(prefix)}
