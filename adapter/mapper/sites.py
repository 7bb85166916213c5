"""The hospitals: who they are, how they are recognised, and the tables of their dialect.

One folder `mappings/sites/<site>/` each: site.yaml, codes.csv, units.csv, identifiers.csv.
"""

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from adapter.errors import MappingError
from adapter.hl7v2.encoding import Habits
from adapter.mapper.codes import CodeSystem, CodeTable, hl7_table, load_site_tables, load_systems, load_tables
from adapter.mapper.identity import IdentifierTable, load_identifiers
from adapter.mapper.policy import Calendar, IntakePolicy, load_calendar, load_policy
from adapter.mapper.suggest import nearest
from adapter.mapper.units import Units, load_site_units, load_units
from adapter.yaml_lines import Lines, load

REQUIRED_KEYS = ("code", "name", "timezone", "processing", "lane")
OPTIONAL_KEYS = (
    *("organization", "match", "encoding", "unique_control_ids", "systems", "code_systems", "fixes"),
    *("intake", "calendar"),
)
SITE_KEYS = frozenset({*REQUIRED_KEYS, *OPTIONAL_KEYS})
MATCH_FIELDS = ("MSH-3", "MSH-4")
NO_TABLE: CodeTable = {}


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One hospital.

    `lane` is the field that names the patient for the order of conversion; `codes` are its own tables, `code_systems`
    the system of codes that it sends without CWE.3, by v2 path.
    """

    code: str
    name: str
    folder: Path
    organization: str
    match: Mapping[str, frozenset[str]]
    timezone: ZoneInfo
    encoding: str | None
    processing: frozenset[str]
    lane: str
    unique_control_ids: bool
    intake: IntakePolicy
    calendar: Calendar | None
    fixes: tuple[str, ...]
    identifiers: IdentifierTable
    systems: Mapping[str, CodeSystem]
    code_systems: Mapping[str, CodeSystem]
    codes: Mapping[str, CodeTable]
    shared_codes: Mapping[str, CodeTable]
    units: Units

    @property
    def habits(self) -> Habits:
        """What its bytes are known for."""
        return Habits(self.intake.charset == "site", self.intake.controls == "strip")

    def table(self, name: str) -> CodeTable:
        """The table of this name: the shared rows, over them the site's own; empty where there is none."""
        own, shared = self.codes.get(name, NO_TABLE), self.shared_codes.get(name, NO_TABLE)
        return {**shared, **own} if own and shared else own or shared

    def tables(self) -> tuple[str, ...]:
        """The names of all tables."""
        return tuple(sorted({*self.codes, *self.shared_codes}))

    def system(self, name: str) -> CodeSystem | None:
        """The code system that this hospital calls `name` (CWE.3); None where no table knows it."""
        found = self.systems.get(name)
        if found is None and (uri := hl7_table(name)):
            return CodeSystem(uri, local=False)
        return found

    def sends(self, application: str, facility: str) -> bool:
        """Whether MSH-3 and MSH-4 (first components) are those of this hospital."""
        sent = {"MSH-3": application.partition("^")[0], "MSH-4": facility.partition("^")[0]}
        return bool(self.match) and all(sent[field] in names for field, names in self.match.items())


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """All hospitals, by code."""

    by_code: Mapping[str, Site]

    def __iter__(self) -> Iterator[Site]:
        """In the order of their codes."""
        return iter(self.by_code.values())

    def __getitem__(self, code: str) -> Site:
        """The site of this code; KeyError where there is none."""
        return self.by_code[code]

    def find(self, application: str, facility: str) -> Site | None:
        """The site that MSH-3 and MSH-4 name."""
        return next((site for site in self if site.sends(application, facility)), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Shared:
    identifiers: IdentifierTable
    systems: Mapping[str, CodeSystem]
    codes: Mapping[str, CodeTable]
    units: Units


def load_sites(mappings: Path) -> Sites:
    """Read every folder of mappings/sites.

    Raises:
        MappingError: the first thing that is wrong, with file and line.
    """
    shared = _load_shared(mappings)
    sites: dict[str, Site] = {}
    for file in sorted((mappings / "sites").glob("*/site.yaml")):
        site = _load_site(file, shared)
        for key, value in (("match", site.match), ("organization", site.organization)):
            if not value:
                raise MappingError(f"{key}: is missing", file=file, line=1)
        if site.code in sites:
            raise MappingError(f"{site.code} is also the code of {sites[site.code].folder.name}", file=file, line=1)
        for other in sites.values():
            if _overlap(site, other):
                raise MappingError(f"matches senders that {other.code} matches too", file=file, line=1)
        sites[site.code] = site
    return Sites(dict(sorted(sites.items())))


def standard_site(mappings: Path) -> Site:
    """A site without tables of its own, for messages of senders that nobody has described (sites/standard.yaml).

    Raises:
        MappingError: with file and line.
    """
    return _load_site(mappings / "sites" / "standard.yaml", _load_shared(mappings))


def _load_shared(mappings: Path) -> _Shared:
    codes = load_tables(mappings / "codes")
    return _Shared(
        load_identifiers(mappings / "identifiers.csv", codes.get("0203-identifier-type", NO_TABLE)),
        load_systems(mappings / "systems.csv"),
        codes,
        load_units(mappings / "units"),
    )


def _load_site(file: Path, shared: _Shared) -> Site:
    said, folder = load(file), file.parent
    _check_keys(said, file)
    alone = file.name != "site.yaml"
    systems = {**shared.systems, **_systems(said, "systems", file)}
    types = shared.codes.get("0203-identifier-type", NO_TABLE)
    identifiers = shared.identifiers
    if not alone:
        identifiers = load_identifiers(folder / "identifiers.csv", types, shared=identifiers)
    return Site(
        code=str(said["code"]),
        name=str(said["name"]),
        folder=folder,
        organization=str(said.get("organization", "")),
        match={field: frozenset(map(str, names)) for field, names in _match(said, file).items()},
        timezone=_timezone(said, file),
        encoding=_encoding(said, file),
        processing=frozenset(map(str, said["processing"])),
        lane=str(said["lane"]),
        unique_control_ids=bool(said.get("unique_control_ids", True)),
        intake=load_policy(said, file),
        calendar=load_calendar(said, file),
        fixes=tuple(map(str, said.get("fixes") or ())),
        identifiers=identifiers,
        systems=systems,
        code_systems=_systems(said, "code_systems", file),
        codes={} if alone else load_site_tables(folder / "codes.csv"),
        shared_codes=shared.codes,
        units=shared.units if alone else load_site_units(folder / "units.csv", shared.units),
    )


def _check_keys(said: Lines, file: Path) -> None:
    for key in said:
        if key not in SITE_KEYS:
            known = ", ".join(sorted(SITE_KEYS))
            raise MappingError(
                f"unknown key {key!r}; known are {known}{nearest(key, SITE_KEYS)}", file=file, line=said.at[key]
            )
    for key in REQUIRED_KEYS:
        if not said.get(key):
            raise MappingError(f"{key}: is missing", file=file, line=said.at.get(key, 1))
    for key in ("processing", "fixes"):
        if not isinstance(said.get(key) or [], list):
            raise MappingError(f"{key}: must be a list", file=file, line=said.at[key])


def _match(said: Lines, file: Path) -> Mapping[str, Any]:
    match = said.get("match") or Lines()
    for field, names in match.items():
        if field not in MATCH_FIELDS or not isinstance(names, list):
            raise MappingError("match: takes lists of names for MSH-3 and MSH-4", file=file, line=match.at[field])
    return match


def _systems(said: Lines, key: str, file: Path) -> dict[str, CodeSystem]:
    systems = said.get(key) or Lines()
    for name, uri in systems.items():
        if not str(uri).startswith(("http://", "https://", "urn:")):
            raise MappingError(f"{name} must be a URI, not {uri!r}", file=file, line=systems.at[name])
    return {name: CodeSystem(str(uri), local=True) for name, uri in systems.items()}


def _timezone(said: Lines, file: Path) -> ZoneInfo:
    try:
        return ZoneInfo(str(said["timezone"]))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        line = said.at["timezone"]
        near = nearest(str(said["timezone"]), available_timezones())
        raise MappingError(f"there is no time zone {said['timezone']}{near}", file=file, line=line) from None


def _encoding(said: Lines, file: Path) -> str | None:
    name = said.get("encoding")
    try:
        return codecs.lookup(str(name)).name if name else None
    except LookupError:
        raise MappingError(f"there is no encoding {name}", file=file, line=said.at["encoding"]) from None


def _overlap(one: Site, other: Site) -> bool:
    everyone: frozenset[str] = frozenset()
    for field in MATCH_FIELDS:
        mine, theirs = one.match.get(field, everyone), other.match.get(field, everyone)
        if mine and theirs and not mine & theirs:
            return False
    return True
