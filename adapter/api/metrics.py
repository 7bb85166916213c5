"""`GET /metrics` for Prometheus. Counters are plain numbers until somebody asks (`tally.py`); the rest is looked up.

No label holds what a sender may choose: sites, listeners, accepted types, states and codes of our own.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from adapter.api.exchange import Endpoint, admitted, through
from adapter.errors import StorageUnavailable
from adapter.store import incidents, standing
from adapter.store.database import Connection, Database
from adapter.tally import SECONDS, Histogram, Tally, Work

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NOTICES = {
    "noise": "framing_noise",
    "heartbeat": "empty_frames",
    "empty": "empty_frames",
    "refused": "connections_refused",
    "abandoned": "frames_abandoned",
    "garbage": "garbage",
    "frame": "end_block_lenient",
    "undelivered": "answers_undelivered",
    "failed": "failures",
    "unwelcome": "handshakes_failed",
    "stranger": "certificates_foreign",
    "vanished": "peers_vanished",
}
_MOST_INCIDENTS = 1000

Connections = Callable[[], Mapping[str, int]]
"""How many connections are open, by channel."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Where the numbers come from.

    `connections` tells how many are open by channel, `certificates` the days left by channel.
    """

    database: Database
    tally: Tally
    works: Sequence[Work]
    data: Path
    connections: Connections = field(default=dict[str, int])
    certificates: Callable[[], Mapping[str, float]] = field(default=dict[str, float])
    wal: Path | None = None
    clock: Callable[[], datetime] = lambda: datetime.fromtimestamp(0, UTC)


def endpoint(observed: Observed) -> Endpoint:
    """The handler of `GET /metrics`; for roles that operate."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Adapter(observed))

    async def metrics(request: Request) -> Response:
        await admitted(request)
        through(request, "operate")
        return Response(await run_in_threadpool(generate_latest, registry), headers={"Content-Type": CONTENT_TYPE})

    return metrics


class _Adapter(Collector):
    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        it = self._observed
        yield from _intake(it)
        yield from _work(it.works)
        yield from _machine(it)
        began = time.perf_counter()
        try:
            with it.database.read() as connection:
                yield from _waiting(connection, it.clock())
        except StorageUnavailable:
            yield _gauge("database_up", "Whether the database answers.", 0)
            return
        yield _gauge("database_up", "Whether the database answers.", 1)
        yield _gauge("scrape_database_seconds", "What this scrape asked of the database.", time.perf_counter() - began)


def _intake(it: Observed) -> Iterator[Metric]:
    stored = _counter("messages", "Messages stored.", ("site", "channel", "type", "state"))
    answers = _counter("answers", "Messages by the code of their answer.", ("channel", "code"))
    counted: dict[tuple[str, str], int] = {}
    by_state: dict[tuple[str, ...], int] = {}
    for (site, channel, kind, state, code), count in list(it.tally.messages.items()):
        by_state[site, channel, kind, state] = by_state.get((site, channel, kind, state), 0) + count
        counted[channel, code] = counted.get((channel, code), 0) + count
    yield _filled(stored, by_state)
    yield _filled(answers, counted)
    resends = _counter("resends", "Messages that came again.", ("site", "channel"))
    yield _filled(resends, dict(it.tally.resends))
    notices = _counter("notices", "What came that is no message.", ("channel", "kind"))
    yield _filled(notices, _named(it.tally.notices))
    yield _histogram("answer_seconds", "From the whole message to its answer.", dict(it.tally.latency))
    flying = GaugeMetricFamily("adapter_in_flight", "Messages without an answer yet.", labels=("channel",))
    for channel in list(it.tally.begun):
        flying.add_metric((channel,), it.tally.in_flight(channel))
    yield flying
    opened = GaugeMetricFamily("adapter_connections", "Open connections.", labels=("channel",))
    for channel, count in it.connections().items():
        opened.add_metric((channel,), count)
    yield opened


def _named(notices: Mapping[tuple[str, str], int]) -> dict[tuple[str, ...], int]:
    named: dict[tuple[str, ...], int] = {}
    for (channel, kind), count in list(notices.items()):
        key = (channel, _NOTICES.get(kind, "other"))
        named[key] = named.get(key, 0) + count
    return named


def _work(works: Sequence[Work]) -> Iterator[Metric]:
    ended = _counter("converted", "Messages by the state in which converting ended.", ("state",))
    counted: dict[tuple[str, ...], int] = {}
    for work in works:
        for state, count in work.ended.items():
            counted[state,] = counted.get((state,), 0) + count
    yield _filled(ended, counted)
    batches = {str(number): work.batches for number, work in enumerate(works)}
    yield _histogram("worker_batch_seconds", "Transactions of the workers.", batches, label="worker")


def _machine(it: Observed) -> Iterator[Metric]:
    if it.wal:
        size = it.wal.stat().st_size if it.wal.exists() else 0
        yield _gauge("wal_bytes", "Size of SQLite's write-ahead log.", size)
    yield _gauge("disk_free_bytes", "Room on the disk of the data folder.", shutil.disk_usage(it.data).free)
    left = GaugeMetricFamily("adapter_certificate_days", "Days until a certificate ends.", labels=("channel",))
    for channel, days in it.certificates().items():
        left.add_metric((channel,), days)
    yield left


def _waiting(connection: Connection, now: datetime) -> Iterator[Metric]:
    labels = ("site", "state")
    waiting = GaugeMetricFamily("adapter_waiting", "Messages that wait: received, held.", labels=labels)
    oldest = GaugeMetricFamily("adapter_oldest_waiting_seconds", "Age of the oldest that waits.", labels=labels)
    for one in standing.waiting(connection):
        waiting.add_metric((one.site, one.state), one.messages)
        oldest.add_metric((one.site, one.state), max(0.0, (now - one.oldest).total_seconds()))
    yield waiting
    yield oldest
    heard = GaugeMetricFamily("adapter_last_message_timestamp_seconds", "When a site was heard.", labels=("site",))
    for site, last in standing.last_received(connection).items():
        heard.add_metric((site,), last.timestamp())
    yield heard
    opened = GaugeMetricFamily("adapter_incidents_open", "Open incidents.", labels=("kind",))
    kinds: dict[str, int] = {}
    for one in incidents.listing(connection, open_only=True, limit=_MOST_INCIDENTS):
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
    for kind, count in sorted(kinds.items()):
        opened.add_metric((kind,), count)
    yield opened
    yield _gauge("database_bytes", "Size of the database.", standing.database_bytes(connection))
    full = standing.notifications_waiting(connection)
    yield _gauge("notify_queue_usage", "How full PostgreSQL's queue of notifications is.", full)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"adapter_{name}", text, value=value)


def _counter(name: str, text: str, labels: Sequence[str]) -> CounterMetricFamily:
    return CounterMetricFamily(f"adapter_{name}", text, labels=labels)


def _filled(metric: CounterMetricFamily, counted: Mapping[tuple[str, ...], int]) -> Metric:
    for labels, count in sorted(counted.items()):
        metric.add_metric(labels, count)
    return metric


def _histogram(name: str, text: str, known: Mapping[str, Histogram], *, label: str = "channel") -> Metric:
    metric = HistogramMetricFamily(f"adapter_{name}", text, labels=(label,))
    for of, histogram in known.items():
        total, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip((*map(str, SECONDS), "+Inf"), histogram.counts, strict=True):
            total += count
            buckets.append((bound, total))
        metric.add_metric((of,), buckets, histogram.total)
    return metric
