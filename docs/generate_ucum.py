"""Write the definitions of UCUM's units that search converts with, from the standard's `ucum-essence.xml`.

    python docs/generate_ucum.py ucum-essence.xml

Out: `adapter/fhir/ucum.json`: prefixes, base units, and every other unit as a number of other units. Special units
(`Cel`, `[degF]`, `dB`: no plain factor leads from them to others) are left out. An arbitrary unit (`[iU]`) stands
for nothing else and is a base unit here. The file is in the development package `ucumvert` (`vendor/`).
"""

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

TARGET = Path(__file__).resolve().parents[1] / "adapter" / "fhir" / "ucum.json"
SPACE = {"u": "http://unitsofmeasure.org/ucum-essence"}


def value_of(unit: ElementTree.Element) -> dict[str, str]:
    """The number of other units that it is."""
    found = unit.find("u:value", SPACE)
    if found is None:
        raise ValueError(f"{unit.attrib['Code']} has no value")
    return found.attrib


def main(source: Path) -> None:
    """Read the table and write what is needed of it."""
    root = ElementTree.parse(source).getroot()  # noqa: S314  (the standard's own file)
    bases = [unit.attrib["Code"] for unit in root.findall("u:base-unit", SPACE)]
    prefixes = {one.attrib["Code"]: value_of(one)["value"] for one in root.findall("u:prefix", SPACE)}
    units: dict[str, Any] = {code: [True, "1", ""] for code in bases}
    for unit in root.findall("u:unit", SPACE):
        code, metric, value = unit.attrib["Code"], unit.attrib["isMetric"] == "yes", value_of(unit)
        if unit.get("isSpecial") == "yes":
            continue
        arbitrary = unit.get("isArbitrary") == "yes" and value["Unit"] == "1"
        units[code] = [metric, "1", ""] if arbitrary else [metric, value["value"], value["Unit"]]
    origin = f"UCUM {root.attrib['version']}, ucum-essence.xml; its licence: docs/terminology-licences.md"
    content = {"origin": origin, "prefixes": prefixes, "units": units}
    TARGET.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
