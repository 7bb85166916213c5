"""Rounds of questions, a few subjects each, by processes of their own.

The JSON of a round is large and short-lived: in the process that keeps the rows it would scatter them over the memory.
"""

import gc
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from adapter.report.rows import SubjectRow

AT_ONCE = 5
"""Subjects of one round of questions: their resources are in memory together."""

PROCESSES = 2
"""Rounds at once: the server looks for the next while we reduce the last."""

Ask = Callable[[slice], list[SubjectRow]]
"""Asks for the rows of some of the study's registrations."""

_ASK: list[Ask] = []
"""How a process asks; it gets that when it begins."""


def in_rounds(connect: Callable[[], Ask], subjects: int) -> Iterator[list[SubjectRow]]:
    """The rows, round by round, in the order of the registrations.

    Args:
        connect: called once in each process.
        subjects: how many registrations there are.

    Raises:
        NoAnswer: the server does not answer what is asked.
    """
    # Forked: the study, which is large, is shared and not sent; the collector would write to each of its objects.
    gc.freeze()
    pool = ProcessPoolExecutor(PROCESSES, mp_context=get_context("fork"), initializer=_begin, initargs=(connect,))
    try:
        yield from pool.map(_round, range(0, subjects, AT_ONCE))
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(connect: Callable[[], Ask]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for us
    _ASK.append(connect())


def _round(first: int) -> list[SubjectRow]:
    return _ASK[-1](slice(first, first + AT_ONCE))
