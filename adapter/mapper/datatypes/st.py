"""ST, TX, FT, ID: texts and yes/no."""

from html import escape

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, part, plain, whole_text
from adapter.mapper.datatypes.doubt import Doubt, Sent
from adapter.mapper.sites import Site

XHTML = "http://www.w3.org/1999/xhtml"
YES_NO = "0136-yes-no"


def st_string(repetition: Repetition) -> str | None:
    """ST, TX or FT to string or markdown."""
    return whole_text(repetition).strip() or None


def st_address(repetition: Repetition) -> dict[str, str] | None:
    """ST to Address, whose parts nobody tells."""
    text = st_string(repetition)
    return {"text": text} if text else None


def st_narrative(repetition: Repetition) -> dict[str, str] | None:
    """ST to Narrative: what a person wrote about the resource."""
    text = st_string(repetition)
    return {"status": "additional", "div": f'<div xmlns="{XHTML}">{escape(text)}</div>'} if text else None


def _bind_boolean(site: Site, _paths: tuple[str, ...]) -> Bound:
    table = site.table(YES_NO)
    values = {code: concept.targets[0]["code"] == "true" for code, concept in table.items() if concept.targets}

    def id_boolean(repetition: Repetition) -> bool | Doubt | None:
        code = part(repetition, 1)
        if not code:
            return None
        found = values.get(code)
        if found is None:
            sent = (Sent(YES_NO, code),)
            return Doubt(None, "103", "is neither yes nor no (HL7 table 0136)", "unmapped-code", sent=sent)
        return found

    return id_boolean


CONVERTERS = (
    Converter("ST-string", "string", plain(st_string)),
    Converter("ST-markdown", "markdown", plain(st_string)),
    Converter("ST-Address", "Address", plain(st_address)),
    Converter("ST-Narrative", "Narrative", plain(st_narrative)),
    Converter("ID-boolean", "boolean", _bind_boolean, reads=frozenset({1})),
)
