"""Examples of the guide: synthetic messages of `profiles/examples/`, and what the mappings of today make of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.convert import convert
from adapter.hl7v2.parse import header, parse
from adapter.mapper.catalog import Catalog
from adapter.mapper.ids import resource_id
from adapter.trial.study import StudyRules, tie

NUMBER = "ATLI-901"
"""The number of the invented subject, whom all messages are about."""


@dataclass(frozen=True, slots=True)
class Example:
    """A resource, and the text of the message that gave it; none where it is a file of profiles/."""

    resource: dict[str, Any]
    message: str = ""


def examples(folder: Path, catalog: Catalog, study: StudyRules) -> Sequence[Example]:
    """What every message of the folder gives, tied to the study as the store does it, in the order of the files.

    Raises:
        AdapterError: a message cannot be converted.
    """
    found: list[Example] = []
    for file in sorted(folder.glob("*.hl7")):
        raw = file.read_bytes()
        head = header(raw)
        site = catalog.sites.find(head.sending_application, head.sending_facility) or catalog.standard
        text = raw.decode(parse(raw, default_encoding=site.encoding, habits=site.habits).encoding)
        for mapped in convert(raw, catalog=catalog, site=site).resources:
            tied = tie(mapped.resource, NUMBER, lambda _: None, study=study, identify=resource_id)
            found.append(Example(tied, text.replace("\r", "\n")))
    return found
