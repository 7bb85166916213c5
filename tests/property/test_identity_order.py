"""The law of merges: what is stored at the end does not depend on the order in which messages came.

A merge may come before its patients (it waits for them), results of a retired number before or after the merge.
"""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.identity_stand import Sender, World, mrg, pid, pv1, world

NUMBERS = st.sampled_from(["A1", "B1", "C1"])


@st.composite
def histories(draw: st.DrawFn) -> list[bytes]:
    """Three records of one person, their visits and results, and what makes them one; each message says when it was."""
    his = Sender()
    messages = [his.person(number) for number in ("A1", "B1", "C1")]
    messages += [his.adt("A01", pid("A1"), pv1("V1")), his.result("A1", "1", visit="V1")]
    messages += [his.result(draw(NUMBERS), str(number)) for number in (2, 3)]
    kind = draw(st.sampled_from(["merge", "chain", "change", "visits", "link"]))
    if kind == "visits":
        messages += [
            his.adt("A01", pid("A1"), pv1("V2")),
            his.adt("A42", pid("A1"), "MRG|A1^^^FAHZU^MR||||V1^^^FAHZU^VN", pv1("V2")),
        ]
    elif kind == "link":
        messages += [his.adt("A24", pid("A1"), pid("B1")), his.adt("A37", pid("A1"), pid("B1"))]
    elif kind == "change":
        messages.append(his.adt("A47", pid("D1"), mrg("A1")))
    else:
        messages.append(his.adt("A40", pid("B1"), mrg("A1")))
        if kind == "chain":
            messages.append(his.adt("A40", pid("C1"), mrg("B1")))
    return messages


def ended(messages: list[bytes], order: list[int], *, at_once: int) -> dict[str, bytes]:
    """What is stored at the end: all are received in their order, and converted in another, some at a time."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as it:
        it.receive(*messages)
        it.do_all("UPDATE message SET state = 'later'")
        for start in range(0, len(order), at_once):
            for place in order[start : start + at_once]:
                it.do_all("UPDATE message SET state = 'received' WHERE id = ?", place + 1)
            it.convert()
        assert {state for state, _ in it.states} == {"mapped"}
        return it.content()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(histories(), st.randoms(), st.integers(1, 4))
def test_store_is_the_same_in_whatever_order_merges_and_messages_come(
    messages: list[bytes], chance: Any, at_once: int
) -> None:
    order = list(range(len(messages)))
    chance.shuffle(order)
    assert ended(messages, order, at_once=at_once) == ended(messages, sorted(order), at_once=1)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(histories())
def test_converting_everything_again_changes_nothing(messages: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as it:
        it.take(*messages)
        before, versions = it.content(), versions_of(it)
        it.do_all("UPDATE message SET state = 'received'")
        it.convert()
        assert {state for state, _ in it.states} == {"mapped"}
        assert (it.content(), versions_of(it)) == (before, versions)


def versions_of(it: World) -> list[tuple[Any, ...]]:
    return it.rows("SELECT key, version FROM resource ORDER BY key")
