"""Matched HLA alleles of a pair (paper, Methods and Table 1: A, B, C, DRB1, DQB1; ten alleles). Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapter.trial.record import Statement

LOCI = ("HLA-A", "HLA-B", "HLA-C", "HLA-DRB1", "HLA-DQB1")

Typings = Mapping[str, Sequence[Statement]]


@dataclass(frozen=True, slots=True)
class Match:
    """Of ten alleles, how many the donor shares; `refs` are the typings that were compared."""

    alleles: int
    refs: tuple[str, ...]


def matched(recipient: Typings, donor: Typings) -> Match | None:
    """Count the recipient's alleles that the donor has too, each of the donor's counted once.

    Args:
        recipient: the typings by locus; `HLA-A*02:06+HLA-A*02:07` is a genotype (GL string, glstring.org).
        donor: the same of the donor.

    Returns:
        None where a locus of the five is not typed in both: then the pair has no number of ten (NOTES.md, I-10).
    """
    shared, refs = 0, list[str]()
    for locus in LOCI:
        one, other = recipient.get(locus, ()), donor.get(locus, ())
        if not one or not other:
            return None
        shared += (Counter(_alleles(one[-1].text)) & Counter(_alleles(other[-1].text))).total()
        refs += [one[-1].ref, other[-1].ref]
    return Match(shared, tuple(refs))


def _alleles(genotype: str) -> list[str]:
    """Both alleles of a genotype; one that is written once is homozygous."""
    alleles = genotype.split("+")
    return alleles * 2 if len(alleles) == 1 else alleles
