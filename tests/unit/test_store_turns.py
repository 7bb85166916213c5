"""A lock that is taken in the order of asking."""

import threading

from adapter.store.turns import Turns


def test_who_waits_comes_before_who_has_just_released() -> None:
    turns, order = Turns(), list[str]()
    assert turns.acquire(timeout=1)
    waiting = threading.Thread(target=lambda: (turns.acquire(timeout=5), order.append("waiting"), turns.release()))
    waiting.start()
    while not turns.wanted:
        pass
    turns.release()
    assert turns.acquire(timeout=5)
    order.append("greedy")
    turns.release()
    waiting.join()
    assert not turns.wanted
    assert order == ["waiting", "greedy"]


def test_who_gives_up_leaves_no_trace() -> None:
    turns = Turns()
    assert turns.acquire(timeout=1)
    assert not turns.acquire(timeout=0.01)
    turns.release()
    assert turns.acquire(timeout=0)
