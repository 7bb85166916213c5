"""`adapter send`: files of messages to a receiver, over MLLP or HTTP."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from adapter.cli.terminal import ERR, OUT, progress, read_messages, read_units
from adapter.errors import ConfigurationError
from adapter.hl7v2 import envelope
from adapter.settings import Address
from adapter.wire.http_sender import send_http
from adapter.wire.mllp import encode
from adapter.wire.sender import Delivery, client_context, one_by_one, persist, send_mllp

SHOWN = 10


def send(
    files: Annotated[list[Path], typer.Argument(help="Files with messages; - reads standard input.")],
    mllp: Annotated[str, typer.Option(metavar="HOST:PORT", help="Send over MLLP to this address.")] = "",
    http: Annotated[str, typer.Option(metavar="URL", help="Send by HTTP POST to this address.")] = "",
    window: Annotated[int, typer.Option(min=1, help="Messages on the way without an answer.")] = 1,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 30.0,
    certificate: Annotated[Path | None, typer.Option(help="Our certificate (PEM): send over TLS.")] = None,
    key: Annotated[Path | None, typer.Option(help="The key of our certificate.")] = None,
    ca: Annotated[Path | None, typer.Option(help="Authorities of the receiver (PEM): send over TLS.")] = None,
    retries: Annotated[int, typer.Option(min=0, help="How often to send again what got no answer.")] = 0,
    answers: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the answers into this file.")] = None,
    *,
    gzip: Annotated[bool, typer.Option("--gzip", help="Pack what is sent over HTTP.")] = False,
    per_message: Annotated[bool, typer.Option("--per-message", help="A new MLLP connection for each message.")] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Send a batch (FHS, BHS) whole, in one frame or POST.")
    ] = False,
) -> None:
    """Send messages and count the answers.

    A file may hold one message or many: MLLP frames, a batch, or messages one after the other. The answers are
    written as MLLP frames; with --batch as they came, one after the other. The exit code is 1 when a message was
    refused or got no answer.

    [dim]adapter send stream.mllp --mllp 127.0.0.1:2575[/]
    """
    if bool(mllp) == bool(http):
        raise ConfigurationError("adapter send needs either --mllp HOST:PORT or --http URL")
    messages = list(read_units(files) if batch else read_messages(files))
    tls = _tls(certificate, key, ca)
    if http:
        way = partial(send_http, url=http, window=window, seconds=timeout, packed=gzip, tls=tls)
    else:
        host, port = _address(mllp)
        way = partial(send_mllp, host=host, port=port, seconds=timeout, tls=tls, complete=envelope.answers)
        way = partial(one_by_one, way) if per_message else partial(way, window=window)
    deliveries = persist(way, [message for _, _, message in messages], retries=retries)
    try:
        done = asyncio.run(_sent(deliveries, len(messages)))
    except OSError as error:
        raise ConfigurationError(f"{mllp or http} cannot be reached: {error.strerror or error}") from error
    if answers:
        _write(answers, [one.answer for one in done if one.answer], framed=not batch)
    _report(messages, done)
    raise typer.Exit(0 if all(delivery.accepted for delivery in done) else 1)


def _tls(certificate: Path | None, key: Path | None, ca: Path | None) -> ssl.SSLContext | None:
    """TLS where one of its files was named."""
    if not (certificate or ca):
        return None
    try:
        return client_context(certificate, key, ca)
    except OSError as error:
        files = ", ".join(str(file) for file in (certificate, key, ca) if file)
        raise ConfigurationError(f"{files}: {error.strerror or error}") from error


def _write(file: Path, answers: list[bytes], *, framed: bool) -> None:
    """Write the answers beside and rename, so that the file is whole."""
    beside = file.with_name(f".{file.name}.part")
    try:
        beside.write_bytes(b"".join(encode(one) if framed else one for one in answers))
        beside.replace(file)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from error


def _address(text: str) -> tuple[str, int]:
    try:
        address = Address.parse(text)
    except ValueError as error:
        raise ConfigurationError(f"--mllp: {error}") from error
    return address.host, address.port


async def _sent(deliveries: AsyncIterator[Delivery], total: int) -> list[Delivery]:
    done: list[Delivery] = []
    with progress() as bar:
        task = bar.add_task("sending", total=total)
        async for delivery in deliveries:
            done.append(delivery)
            bar.advance(task)
    return done


def _report(messages: list[tuple[str, int, bytes]], done: list[Delivery]) -> None:
    table = Table("answer", "messages", title=f"{len(done)} messages sent")
    told = Counter(code for delivery in done for code in delivery.codes or [f"none: {delivery.failure}"])
    for code, count in told.most_common():
        table.add_row(code, str(count))
    OUT.print(table)
    refused = [(where, one) for where, one in zip(messages, done, strict=True) if not one.accepted]
    for (file, number, _), delivery in refused[:SHOWN]:
        ERR.print(f"{file} message {number}: {_code(delivery)} {_reason(delivery)}", markup=False)
    if len(refused) > SHOWN:
        ERR.print(f"… and {len(refused) - SHOWN} more")


def _code(delivery: Delivery) -> str:
    """The first refusal, or why there is no answer."""
    return next((code for code in delivery.codes if code not in {"AA", "CA"}), delivery.failure)


def _reason(delivery: Delivery) -> str:
    """MSA-3 of the answer: the receiver's text, which holds no value of the message."""
    for line in delivery.answer.replace(b"\n", b"\r").split(b"\r"):
        if line.startswith(b"MSA") and len(fields := line.split(line[3:4])) > 3:
            return fields[3].decode("utf-8", "replace")
    return ""
