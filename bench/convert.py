"""ORU^R01 with 20 OBX → resources as JSON bytes, with the ledger, against hl7apy and fhir.resources; cost by size.

    python bench/convert.py [--seconds S] [--profile]

The baseline is `hl7apy.parse_message` plus the same resources built and written by fhir.resources; it is not even
asked to map. Messages differ in identifiers, times and values, as real ones do, so that memos are not flattered.
Both run on one core in the same process, whose garbage collector is set as in the program; times are those of the
processor, and the ratio is what counts.
The second table shows that the cost grows with the number of results and not faster, up to the longest message that is
taken; `--profile` where the time goes.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable

from fhir.resources.R4B import get_fhir_model_class
from hl7apy.parser import parse_message
from rich.console import Console
from rich.table import Table

from adapter.app import settle
from adapter.convert import convert
from adapter.data import data_folder
from adapter.fhir import json
from adapter.mapper.catalog import Catalog, load_catalog

CODES = (
    ("6690-2", "Leukocytes", "WBC", "白细胞计数", "10*9/L", "10\\S\\9/L", "4.0-10.0"),
    ("751-8", "Neutrophils", "NEUT#", "中性粒细胞绝对值", "10*9/L", "10\\S\\9/L", "2.0-7.0"),
    ("718-7", "Hemoglobin", "HGB", "血红蛋白", "g/L", "g/L", "130-175"),
    ("777-3", "Platelets", "PLT", "血小板计数", "10*9/L", "10\\S\\9/L", "125-350"),
)
OBX = 20
DIFFERENT = 400
SIZES = (1, 5, 20, 70, 200, 1_000, 5_000, 19_900)


def message(number: int, results: int = OBX) -> bytes:
    """One synthetic blood count of the coordinating hospital; with 20 results about 3 kB."""
    oid = "2.16.840.1.113883.3.9999.1.01"
    at = f"2018{1 + number % 12:02}{1 + number % 28:02}{number % 24:02}{number % 60:02}00+0800"
    patient = f"00A9{number % 50:04}"
    lines = [
        f"MSH|^~\\&|LIS^{oid}.1^ISO|FAHZU^{oid}^ISO|TRIALHUB|CENTRAL|{at}||ORU^R01^ORU_R01"
        f"|LIS{number:011}|P|2.5.1|||AL|NE|CHN|UNICODE UTF-8",
        f"PID|1||{patient}^^^FAHZU&{oid}.2&ISO^MR||赵^试{number % 50}^^^^^L^I||19541202|M",
        f"PV1|1|I|HEM3^0302^01^FAHZU||||D1002^示例医^二|||HEM|||||||||"
        f"V{number % 200:09}^^^FAHZU&{oid}.2&ISO^VN|||||||||||||||||||||||||{at}",
        f"ORC|RE||L{number:09}^FAHZULIS",
        f"OBR|1||L{number:09}^FAHZULIS|CBC^血常规(五分类)^99ZJULIS|||{at}|||||||{at}||||||||{at}||HM|F",
    ]
    for index in range(results):
        loinc, english, local, chinese, ucum, shown, reference = CODES[index % len(CODES)]
        value = f"{(number * 7 + index * 13) % 1000 / 100:.2f}"
        lines.append(
            f"OBX|{index + 1}|NM|{loinc}^{english}^LN^{local}^{chinese}^99ZJULIS|{index // len(CODES) or ''}|{value}"
            f"|{ucum}^{shown}^UCUM|{reference}|L|||F|||{at}"
        )
    lines += [
        "CTI|ChiCTR-ONC-17011948^CHICTR|IND1^Induction 1^99TLIPHASE|C1D-10^C1D-10^99TLIVISIT",
        f"SPM|1|^SL{number:09}&FAHZULIS||BLD^Whole blood^HL70487|||||||||||||{at}|{at}",
    ]
    return "\r".join(lines).encode() + b"\r"


def rate(work: Callable[[int], object], seconds: float) -> tuple[float, float]:
    """Messages per second over `seconds`, and the best of ten slices in ms per message."""
    done, best, begun = 0, float("inf"), time.thread_time()
    while time.thread_time() - begun < seconds:
        started, count = time.thread_time(), 0
        while time.thread_time() - started < seconds / 10:
            work(done + count)
            count += 1
        best = min(best, (time.thread_time() - started) / count)
        done += count
    return done / (time.thread_time() - begun), best * 1000


def by_size(catalog: Catalog) -> Table:
    """The best ms of messages with more and more results, of a known shape and of one that comes for the first time."""
    table = Table("results", "bytes", "best ms", "µs a result", "first of its shape, ms", title="Cost by size")
    for results in SIZES:
        raws = [message(number, results) for number in range(max(4, 400 // results))]
        begun = time.thread_time()
        convert(raws[0], catalog=catalog).ledger.unmapped()
        first = (time.thread_time() - begun) * 1000
        found: list[float] = []
        for raw in raws * 3:
            begun = time.thread_time()
            convert(raw, catalog=catalog).ledger.unmapped()
            found.append((time.thread_time() - begun) * 1000)
        best = min(found)
        table.add_row(
            f"{results:,}", f"{len(raws[0]):,}", f"{best:.3f}", f"{best / results * 1000:.1f}", f"{first:.2f}"
        )
    return table


def profile(work: Callable[[int], object]) -> None:
    """Print where the time of a thousand conversions goes."""
    measured = cProfile.Profile()
    measured.enable()
    for number in range(1_000):
        work(number)
    measured.disable()
    pstats.Stats(measured).strip_dirs().sort_stats("tottime").print_stats(20)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=10.0, help="how long to measure each side")
    options.add_argument("--profile", action="store_true", help="show where the time goes, and measure nothing")
    asked = options.parse_args()
    seconds = asked.seconds
    catalog = load_catalog(data_folder("mappings"))
    messages = [message(number) for number in range(DIFFERENT)]
    texts = [one.decode() for one in messages]
    made = [
        [mapped.resource for mapped in convert(one, catalog=catalog).resources] for one in messages[: DIFFERENT // 10]
    ]

    def adapter(number: int) -> object:
        converted = convert(messages[number % DIFFERENT], catalog=catalog)
        return [json.dumps(mapped.resource) for mapped in converted.resources], converted.ledger.unmapped()

    def baseline(number: int) -> object:
        parse_message(texts[number % DIFFERENT], validation_level=2)
        return [
            get_fhir_model_class(resource["resourceType"]).model_validate(resource).model_dump_json()
            for resource in made[number % len(made)]
        ]

    settle()
    if asked.profile:
        profile(adapter)
        return
    ours, best = rate(adapter, seconds)
    theirs, _ = rate(baseline, seconds)
    size = sum(map(len, messages)) / DIFFERENT
    print(f"ORU^R01, {OBX} OBX, {size:.0f} bytes, {len(made[0])} resources")
    print(f"adapter: convert + JSON + unmapped    {ours:10.1f} messages/s   best {best:.3f} ms")
    print(f"baseline: hl7apy + fhir.resources     {theirs:10.1f} messages/s   {1000 / theirs:.1f} ms")
    print(f"ratio                                 {ours / theirs:10.0f} x")
    Console().print(by_size(catalog))


if __name__ == "__main__":
    main()
