"""Write adapter/fhir/r4-elements.json: the elements of R4, as fhir.resources has them.

    python docs/generate_r4_elements.py

Run it again after an upgrade of fhir.resources; a test compares.
"""

import json
from pathlib import Path

from adapter.fhir import r4, r4_models

TARGET = Path(r4.__file__).with_name("r4-elements.json")


def elements() -> dict[str, object]:
    """All types that are the same in R4 and R4B, with their elements."""
    names = sorted(r4_models.type_names() - r4.R4B_ONLY_TYPES - r4.DIFFERENT_TYPES)
    return {"types": names, "classes": dict(sorted(r4_models.described(names).items()))}


if __name__ == "__main__":
    TARGET.write_text(json.dumps(elements(), separators=(",", ":")).replace('},"', '},\n"') + "\n", encoding="utf-8")
