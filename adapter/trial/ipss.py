"""International Prognostic Scoring System of a myelodysplastic syndrome, from marrow, karyotype and blood. Pure."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from adapter.trial.before import before_treatment
from adapter.trial.parameters import Ipss
from adapter.trial.record import Measurement, Subject
from adapter.trial.verdict import Verdict

RULE = "IPSS"
Karyotype = Literal["good", "intermediate", "poor"]

_KARYOTYPE = {"good": Decimal("0"), "intermediate": Decimal("0.5"), "poor": Decimal("1.0")}
_SEX = re.compile(r"[XY]+|X0?")
_CELLS = re.compile(r"\[[^\]]*\]")


def ipss(subject: Subject, parameters: Ipss) -> Verdict:
    """The risk group by blasts, karyotype and cytopenias before treatment (../shared/design/domain.md 3.7).

    Returns:
        `LOW`, `INT1`, `INT2` or `HIGH`, with the reported group beside it; without a value where evidence is missing.
    """
    reported = subject.one("RISK-IPSS")
    blasts, text = before_treatment(subject, "BM-BLAST"), subject.one("KARYOTYPE")
    blood = {key: before_treatment(subject, key) for key in ("HGB", "PLT", "ANC")}
    lacking = [name for name, one in (("marrow blasts", blasts), ("karyotype", text), *blood.items()) if one is None]
    of_blasts = blast_score(blasts.value) if blasts else None
    if blasts and of_blasts is None:
        lacking.append("blasts of at most 30 %")
    if lacking or of_blasts is None or text is None or blasts is None:
        return Verdict(RULE, "", missing=tuple(lacking), reported=reported)
    found = [one for one in blood.values() if one]
    cytopenias = sum(_low(one, parameters) for one in found)
    score = of_blasts + _KARYOTYPE[karyotype_risk(text.text, parameters)] + cytopenia_score(cytopenias)
    refs = (blasts.ref, text.ref, *(one.ref for one in found))
    return Verdict(RULE, group(score), tuple(sorted(refs)), reported=reported)


def blast_score(percent: float) -> Decimal | None:
    """Below 5 % 0, to 10 % 0.5, to 20 % 1.5, to 30 % 2.0; None above, which is acute leukaemia."""
    limits = ((10, "0.5"), (20, "1.5"), (30, "2.0"))
    if percent < 5:
        return Decimal(0)
    return next((Decimal(score) for limit, score in limits if percent <= limit), None)


def karyotype_risk(text: str, parameters: Ipss) -> Karyotype:
    """Good, intermediate or poor, from an ISCN karyotype or from words for a complex one.

    Three abnormalities or one of chromosome 7 are poor; none, or -Y, del(5q) or del(20q) alone, are good.
    """
    if re.search(parameters.complex_text, text):
        return "poor"
    abnormal = frozenset(_abnormalities(text))
    if len(abnormal) >= parameters.complex_from or any(_is(one, parameters.poor) for one in abnormal):
        return "poor"
    if not abnormal:
        return "good"
    return "good" if len(abnormal) == 1 and _is(next(iter(abnormal)), parameters.good_alone) else "intermediate"


def _abnormalities(text: str) -> Iterator[str]:
    """The abnormalities of every clone: what follows the number of chromosomes and the sex chromosomes."""
    for clone in _CELLS.sub("", text).replace(" ", "").split("/"):
        parts = clone.split(",")[1:]
        yield from (one for one in parts if one and not _SEX.fullmatch(one))


def _is(abnormality: str, expressions: tuple[str, ...]) -> bool:
    return any(re.fullmatch(one, abnormality) for one in expressions)


def _low(value: Measurement, parameters: Ipss) -> bool:
    limits = {"HGB": parameters.haemoglobin_below, "PLT": parameters.platelets_below, "ANC": parameters.anc_below}
    return value.value < limits[value.key]


def cytopenia_score(number: int) -> Decimal:
    """None or one cytopenia 0, two or three 0.5."""
    return Decimal("0.5") if number >= 2 else Decimal(0)


def group(score: Decimal) -> str:
    """0 low, 0.5 to 1.0 intermediate-1, 1.5 to 2.0 intermediate-2, from 2.5 high."""
    limits = ((Decimal(0), "LOW"), (Decimal(1), "INT1"), (Decimal(2), "INT2"))
    return next((name for limit, name in limits if score <= limit), "HIGH")
