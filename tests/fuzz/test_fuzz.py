"""A short run of the fuzzer; bench/README.md records the long ones."""

import gc
from collections.abc import Iterator

import pytest

from adapter.wire.mllp import encode
from tests.fuzz.laws import Hang, Laws, limited, numbers, shrink
from tests.fuzz.streams import Streams, examples
from tests.integration.intake_stand import OBR, OBX, PID, header, message, result
from tests.mappings import catalog

STREAMS, SECONDS = 20_000, 10.0
AT_LEAST = 500  # on a machine so slow that the time ends first


@pytest.fixture
def laws() -> Iterator[Laws]:
    """The mappings are spared by the collector, as they are in the service."""
    gc.collect()
    gc.freeze()
    yield Laws(catalog())
    gc.unfreeze()


def test_no_byte_stream_breaks_a_law_of_framing_checks_answers_and_converting(laws: Laws) -> None:
    streams = Streams(examples(), seed=20180101)
    for number in numbers(0, STREAMS, SECONDS):
        stream = streams.make(number)
        try:
            laws.hold(stream, number)
        except (Exception, Hang) as error:
            pytest.fail(f"python -m tests.fuzz.fuzz --seed 20180101 --first {number} --streams 1: {error!r}")
    assert laws.tried.streams >= AT_LEAST
    assert laws.tried.ends["converted"] > laws.tried.streams / 10, "nearly nothing gets as far as converting"


def test_the_same_seed_and_number_make_the_same_stream() -> None:
    one, other = Streams(examples(), seed=7), Streams(examples(), seed=7)
    assert [one.make(number) for number in range(50)] == [other.make(number) for number in reversed(range(50))][::-1]
    assert len({one.make(number) for number in range(50)}) == 50


def for_ever() -> None:
    while True:
        pass


def test_a_stream_that_takes_too_long_is_noticed() -> None:
    with pytest.raises(Hang), limited(0.05):
        for_ever()


def test_a_fault_is_found_and_its_stream_made_small(laws: Laws) -> None:
    def breaks(stream: bytes) -> bool:
        return b"\x1c" in stream and b"OBX" in stream

    assert shrink(encode(result()) * 3, breaks) == b"OBX\x1c"


@pytest.mark.parametrize(
    "group", [(OBR, OBX), (OBX,), (PID, OBR), (OBR, OBX, "NTE|1||x"), ("ORC|RE", OBR, OBX)], ids=len
)
def test_thousands_of_groups_are_read_in_time_that_grows_with_their_number_only(
    laws: Laws, group: tuple[str, ...]
) -> None:
    laws.hold(encode(message(header(), PID, OBR, *group * (12_000 // len(group)))), number=1)
