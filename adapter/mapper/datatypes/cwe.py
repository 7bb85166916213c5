"""CE, CWE, CNE, ID, IS: codes. v2-to-FHIR guide: CWE[CodeableConcept], CWE[Coding], CWE[code].

The targets of the table come first, then the codes as sent; what is in no table is kept and doubted, never guessed.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.codes import CodeSystem, CodeTable, Coding
from adapter.mapper.datatypes.converter import Bound, Converter, part, plain
from adapter.mapper.datatypes.cx import field_of
from adapter.mapper.datatypes.doubt import SYSTEMS, Doubt, Sent, doubted_as, without_doubt
from adapter.mapper.sites import Site

TABLE = "codes:"
BY = " by "
"""A path with a table of its own: `NK1-3 by 0063-relationship`."""
CODINGS = ((1, 2, 3, 7, 14), (4, 5, 6, 8, 17), (10, 11, 12, 13, 20))
"""Where a CWE holds code, text, name of the coding system, its version and its OID."""
READS = frozenset({*range(1, 15), 17, 20})
NO_ROW = ("103", "code is in no table of this site", "unmapped-code")
NO_SYSTEM = ("103", "name of the coding system is in no table", "unknown-system")


class Concepts:
    """The codes of one field of one site.

    `table` holds the rows for the field; `system` is what codes sent without CWE.3 belong to.
    """

    def __init__(self, site: Site, path: str) -> None:
        """Take the tables for this v2 path, over those of the table that it names."""
        path, _, name = path.partition(BY)
        field = field_of(path)
        self.site, self.named = site, name or field
        self.table: CodeTable = {**site.table(name), **site.table(field)} if name else site.table(field)
        self.system: CodeSystem | None = site.code_systems.get(field)

    def codes_of(self, targets: Collection[str]) -> frozenset[str]:
        """The codes of the site that mean one of these."""
        rows = self.table.items()
        return frozenset(code for code, row in rows if any(target["code"] in targets for target in row.targets))

    def concept(self, repetition: Repetition) -> dict[str, Any] | Doubt | None:
        """A CodeableConcept: targets, codes as sent, text."""
        targets: list[Coding] = []
        sent: list[Coding] = []
        settled, unknown = False, ""
        for at in CODINGS:
            code, display, name, version, oid = (part(repetition, number) for number in at)
            if not (code or display):
                continue
            row = self.table.get(code) or self.table.get(display)
            if row:
                targets += row.targets
                settled = True
            system = self._system(name, oid) or (self.system if at[0] == 1 and not name else None)
            unknown = unknown or (name if system is None else "")
            settled = settled or bool(system and not system.local)
            if code and (system or name or display):
                sent.append(_coding(system, code, display or (row.display if row else ""), version))
        made = _joined(targets, sent, _text(repetition, spoken=not sent))
        if made is None or settled:
            return made
        if self.table:
            return Doubt(made, *NO_ROW, sent=(_sent(self.named, repetition),))
        return Doubt(made, *NO_SYSTEM, sent=(Sent(SYSTEMS, unknown),)) if unknown else made

    def _system(self, name: str, oid: str) -> CodeSystem | None:
        found = self.site.system(name) if name else None
        return found or (CodeSystem(f"urn:oid:{oid}", local=True) if oid else None)

    def coding(self, repetition: Repetition) -> Coding | Doubt | None:
        """The first coding that `concept` gives."""
        made = self.concept(repetition)
        first = next(iter(codings_of(made)), None)
        return doubted_as(made, first)

    def code(self, repetition: Repetition) -> str | Doubt | None:
        """The code alone, where FHIR names the system itself."""
        made = self.coding(repetition)
        if isinstance(made, Doubt):
            return made.of(None)
        return made["code"] if made else part(repetition, 1) or None


class TableCodes:
    """A rule with `codes:`: only what the named table says is written."""

    def __init__(self, site: Site, name: str) -> None:
        """Take the table of this name."""
        self.name, self.table = name, site.table(name)

    def targets(self, repetition: Repetition) -> tuple[Coding, ...] | None:
        """The targets of the first component; None where the table has no such row."""
        row = self.table.get(part(repetition, 1)) or self.table.get(part(repetition, 2))
        return None if row is None else row.targets

    def concept(self, repetition: Repetition) -> dict[str, Any] | Doubt | None:
        """A CodeableConcept; the text as sent where the table has no such row."""
        text = part(repetition, 2) or part(repetition, 1)
        found = self.targets(repetition)
        if found is None:
            return self._unknown(repetition, {"text": text}) if text else None
        return {"coding": list(found)} if found else None

    def spoken_concept(self, repetition: Repetition) -> dict[str, Any] | Doubt | None:
        """As `concept`, with what was sent as text where it is not the target code itself (an arrow for high)."""
        made, sent = self.concept(repetition), part(repetition, 1)
        if not isinstance(made, dict) or any(coding["code"] == sent for coding in made["coding"]):
            return made
        return {**made, "text": part(repetition, 2) or sent}

    def coding(self, repetition: Repetition) -> Coding | Doubt | None:
        """The first target."""
        if not (part(repetition, 1) or part(repetition, 2)):
            return None
        found = self.targets(repetition)
        if found is None:
            return self._unknown(repetition, None)
        return found[0] if found else None

    def code(self, repetition: Repetition) -> str | Doubt | None:
        """The code of the first target."""
        made = self.coding(repetition)
        return made["code"] if isinstance(made, dict) else made

    def _unknown(self, repetition: Repetition, value: Any) -> Doubt:
        text, kind = f"code is not in table {self.name}", "unmapped-code"
        return Doubt(value, "103", text, kind, sent=(_sent(self.name, repetition),))


def codings_of(made: dict[str, Any] | Doubt | None) -> list[Coding]:
    """The codings of what `concept` gives."""
    concept: dict[str, Any] = without_doubt(made) or {}
    return concept.get("coding", [])


def codes(site: Site, path: str) -> Concepts | TableCodes:
    """What reads a path: `codes:<table>` for a named table, else the site's own rows for the field."""
    return TableCodes(site, path.removeprefix(TABLE)) if path.startswith(TABLE) else Concepts(site, path)


def _sent(table: str, repetition: Repetition) -> Sent:
    """The first code with its words, or the words alone where they are what the table would know it by."""
    for code, display, *_ in CODINGS:
        if sent := part(repetition, code) or part(repetition, display):
            return Sent(table, sent, part(repetition, display))
    return Sent(table, "")


def _coding(system: CodeSystem | None, code: str, display: str, version: str) -> Coding:
    made: Coding = {"system": system.uri} if system else {}
    if version:
        made["version"] = version
    made["code"] = " ".join(code.split())
    if display:
        made["display"] = display
    return made


def _text(repetition: Repetition, *, spoken: bool) -> str:
    """CWE.9, else, where no code was sent, the words that were."""
    order = (9, 2, 1, 5) if spoken else (9,)
    return next((text for number in order if (text := part(repetition, number))), "")


def _joined(targets: list[Coding], sent: list[Coding], text: str) -> dict[str, Any] | None:
    codings: dict[tuple[str, str], Coding] = {}
    for coding in (*targets, *sent):
        codings.setdefault((coding.get("system", ""), coding["code"]), coding)
    made: dict[str, Any] = {"coding": list(codings.values())} if codings else {}
    if text:
        made["text"] = text
    return made or None


def _bind_concept(site: Site, paths: tuple[str, ...]) -> Bound:
    return codes(site, paths[0]).concept


def _bind_coding(site: Site, paths: tuple[str, ...]) -> Bound:
    return codes(site, paths[0]).coding


def _bind_code(site: Site, paths: tuple[str, ...]) -> Bound:
    return codes(site, paths[0]).code


def _bind_interpretation(site: Site, _paths: tuple[str, ...]) -> Bound:
    return TableCodes(site, "0078-interpretation").spoken_concept


def _bind_class(site: Site, paths: tuple[str, ...]) -> Bound:
    """What our table says of a code, which nobody sent: without a row nothing is wrong, and only the worklist tells."""
    table = TableCodes(site, paths[0].partition(BY)[2])

    def cwe_class(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        made = table.concept(repetition)
        return replace(made, value=None, text="") if isinstance(made, Doubt) else made

    return cwe_class


def _bind_financial_class(site: Site, paths: tuple[str, ...]) -> Bound:
    """FC: the class is a code in the subcomponents of FC.1."""
    concept = codes(site, paths[0]).concept

    def fc_concept(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        return concept(tuple((subcomponent,) for subcomponent in repetition[0]))

    return fc_concept


def _bind_communication(site: Site, paths: tuple[str, ...]) -> Bound:
    """A language to Patient.communication or RelatedPerson.communication."""
    concept = codes(site, paths[0]).concept

    def cwe_communication(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        made = concept(repetition)
        value = without_doubt(made)
        if value is None:
            return made
        return doubted_as(made, {"language": value})

    return cwe_communication


def cwe_string(repetition: Repetition) -> str | None:
    """A coded field as text (v2-to-FHIR guide: CWE[string])."""
    return next((text for number in (9, 2, 5, 1) if (text := part(repetition, number))), None)


CONVERTERS = (
    Converter("FC-CodeableConcept", "CodeableConcept", _bind_financial_class, reads=frozenset({1})),
    Converter("CWE-Communication", "BackboneElement", _bind_communication, reads=READS),
    Converter("CWE-string", "string", plain(cwe_string), reads=frozenset({1, 2, 5, 9})),
    Converter("CWE-CodeableConcept", "CodeableConcept", _bind_concept, reads=READS),
    Converter("CWE-class", "CodeableConcept", _bind_class, reads=frozenset({1, 2})),
    Converter("CWE-Coding", "Coding", _bind_coding, reads=READS),
    Converter("CWE-code", "code", _bind_code, reads=READS),
    Converter("CWE-interpretation", "CodeableConcept", _bind_interpretation, reads=frozenset({1, 2})),
)
