"""Verdicts: every rule is asked about every message of a batch, in the order of the messages."""

from collections.abc import Iterable, Sequence

from adapter.judge.facts import StoredFacts, needed
from adapter.judge.verdict import Asked, Facts, Found, Hold, Name, Rule, Verdict
from adapter.store.database import Connection
from adapter.store.repair import answered

ON = Verdict()


def judge(connection: Connection, asked: Sequence[Asked], rules: Sequence[Rule]) -> list[Verdict]:
    """Judge the messages of a batch, in their order, by what is stored and what the earlier ones state.

    Args:
        connection: of the transaction in which they are written.
        asked: the messages.
        rules: what is judged.
    """
    wanted = [[list(rule.needs(one)) for rule in rules] for one in asked]
    names = needed(asked, [name for one in wanted for name in one])
    if not names:
        return [ON] * len(asked)
    facts = StoredFacts(connection, names)
    verdicts: list[Verdict] = []
    for one, needs in zip(asked, wanted, strict=True):
        verdict = _judged(connection, one, _asking(rules, needs, one), facts)
        if verdict.hold is None:
            facts.add(one)
        verdicts.append(verdict)
    return verdicts


def _asking(rules: Sequence[Rule], needs: Sequence[Sequence[Name]], asked: Asked) -> Iterable[Rule]:
    return (rule for rule, own in zip(rules, needs, strict=True) if own or asked.identities)


def _judged(connection: Connection, asked: Asked, rules: Iterable[Rule], facts: Facts) -> Verdict:
    findings: list[Found] = []
    for rule in rules:
        for said in rule.judge(asked, facts):
            if isinstance(said, Found):
                findings.append(said)
            elif said.answer and answered(connection, asked.message_id, said.answer):
                findings.append(Found(_path(said), said.answer, "went on by the word of a person"))
            else:
                return Verdict(tuple(findings), said)
    return Verdict(tuple(findings)) if findings else ON


def _path(hold: Hold) -> str:
    return hold.cause.text.partition(":")[0] if ": " in hold.cause.text else ""
