"""Is what the program believes of R4 what fhir.resources says?"""

import json
import runpy

from tests.house.project import PROJECT


def test_the_elements_of_r4_are_those_of_fhir_resources() -> None:
    written = json.loads((PROJECT / "adapter/fhir/r4-elements.json").read_text(encoding="utf-8"))
    script = runpy.run_path(str(PROJECT / "docs/generate_r4_elements.py"))
    assert json.loads(json.dumps(script["elements"]())) == written
