"""The store's law: what is stored at the end does not depend on the order in which a patient's messages came."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.fhir.json import canonical
from adapter.mapper.engine import Mapped
from adapter.store.database import open_database
from adapter.store.merge import Merged, merge
from tests import databases
from tests.store_stand import RULES, mapped, observation, patient, stored, write

TIMES = [f"2018-03-{day:02d}T08:00:00+08:00" for day in range(1, 9)]
VALUES = st.sampled_from(["a", "b"])
IDENTIFIERS = st.lists(st.fixed_dictionaries({"system": VALUES, "value": VALUES}, optional={"use": VALUES}), max_size=3)
PATIENTS = st.fixed_dictionaries(
    {},
    optional={
        "gender": VALUES,
        "birthDate": VALUES,
        "deceasedBoolean": st.booleans(),
        "identifier": IDENTIFIERS,
        "link": st.lists(
            VALUES.map(lambda to: {"other": {"reference": f"Patient/{to}"}, "type": "seealso"}), max_size=2
        ),
    },
)
ENCOUNTERS = st.fixed_dictionaries(
    {},
    optional={
        "status": VALUES,
        "period": st.fixed_dictionaries({}, optional={"start": VALUES, "end": VALUES}),
        "identifier": IDENTIFIERS,
    },
)
NAMES = {
    "Patient": ["gender", "birthDate", "deceasedBoolean", "identifier"],
    "Encounter": ["status", "period", "period.end"],
}


@st.composite
def statements(draw: st.DrawFn) -> list[tuple[int, Mapped]]:
    kind, contents = draw(st.sampled_from([("Patient", PATIENTS), ("Encounter", ENCOUNTERS)]))
    made: list[tuple[int, Mapped]] = []
    for number, order in enumerate(draw(st.lists(st.sampled_from(TIMES), min_size=2, max_size=6)), 1):
        more: dict[str, Any] = {
            "fill": draw(st.booleans()),
            "defaults": tuple(draw(st.lists(st.sampled_from(NAMES[kind]), max_size=1))),
            "cleared": tuple(draw(st.lists(st.sampled_from(NAMES[kind]), max_size=1))),
        }
        made.append((number, mapped({"resourceType": kind, "id": "x", **draw(contents)}, order, **more)))
    return made


def after(said: list[tuple[int, Mapped]]) -> bytes:
    state = Merged({}, {})
    for number, statement in said:
        state = merge(RULES[statement.resource["resourceType"]], state, statement, message_id=number)
    return canonical(state.content)


@given(statements(), st.randoms())
def test_merging_in_any_order_gives_the_same_resource(said: list[tuple[int, Mapped]], chance: Any):
    shuffled = list(said)
    chance.shuffle(shuffled)
    assert after(shuffled) == after(said)


@given(statements())
def test_merging_a_message_again_changes_nothing(said: list[tuple[int, Mapped]]):
    assert after([*said, *said]) == after(said)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Mapped]]:
    """Messages about three linked records, one of which may become a subject of the study."""
    messages: list[list[Mapped]] = []
    for order in draw(st.permutations(TIMES[:5])):
        number = draw(st.sampled_from(["p1", "p2", "p3"]))
        subject = draw(st.sampled_from(["", "", "ATLI-901"]))
        links = draw(st.lists(st.sampled_from(["p1", "p2", "p3"]), max_size=1))
        result = observation(f"o-{draw(VALUES)}-{number}", of=number, valueString=draw(VALUES))
        about = patient(number, subject=subject, links=links, gender=draw(VALUES))
        messages.append([mapped(about, order, fill=draw(st.booleans())), mapped(result, order)])
    return messages


def world(messages: list[tuple[int, list[Mapped]]], *, at_once: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(databases.sqlite(Path(folder)))
        try:
            for start in range(0, len(messages), at_once):
                for number, said in messages[start : start + at_once]:
                    write(database, *said, message_id=number)
            keys = sorted({(m.resource["resourceType"], m.resource["id"]) for _, said in messages for m in said})
            return {"/".join(key): stored(database, *key) for key in keys}
        finally:
            database.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.randoms())
def test_store_is_the_same_whatever_the_order_of_messages(messages: list[list[Mapped]], chance: Any):
    numbered = list(enumerate(messages, 1))
    shuffled = list(numbered)
    chance.shuffle(shuffled)
    assert world(shuffled, at_once=1) == world(numbered, at_once=1)
