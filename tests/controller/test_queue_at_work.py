"""The queue with its workers, under a clock that is moved: what fails, what hangs, and how it ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from tidegate.controller.queue import Closed, Queue
from tidegate.errors import Transient
from tidegate.kube import Key

pytestmark = pytest.mark.looptime

A, B, C = Key("shop", "a"), Key("shop", "b"), Key("shop", "c")


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Open:
    is_open: bool = True


@dataclass
class Notes:
    worked_on: list[tuple[Key, bool]] = field(default_factory=list)
    failures: list[tuple[Key, str, float]] = field(default_factory=list)

    def worked(self, key: Key, seconds: float, well: bool) -> None:
        self.worked_on.append((key, well))

    def failed(self, key: Key, sentence: str, again_in: float) -> None:
        self.failures.append((key, sentence, again_in))


async def working(
    queue: Queue[Key],
    handler: Callable[[Key], Awaitable[float | None]],
    seconds: float,
    *,
    gate: Open | None = None,
    workers: int = 4,
) -> Notes:
    """Let the queue work for so long, then close it."""
    notes = Notes()
    task = asyncio.create_task(queue.run(handler, gate=gate or Open(), watcher=notes, workers=workers, now=now))
    await asyncio.sleep(seconds)
    queue.close()
    await task
    return notes


async def test_the_handlers_instant_brings_the_key_back() -> None:
    queue: Queue[Key] = Queue()
    passes: list[float] = []

    async def handler(key: Key) -> float | None:
        passes.append(now())
        return now() + 10 if len(passes) < 4 else None

    start = now()
    queue.add(A)
    await working(queue, handler, 1000)
    assert [round(at - start) for at in passes] == [0, 10, 20, 30]


async def test_no_sleep_is_longer_than_five_minutes_for_a_machine_may_have_been_suspended() -> None:
    queue: Queue[Key] = Queue()
    passes: list[float] = []

    async def handler(key: Key) -> float | None:
        passes.append(now())
        return start + 700

    start = now()
    queue.add(A)
    await working(queue, handler, 650)
    assert [round(at - start) for at in passes] == [0, 300, 600]


async def test_a_converged_object_is_never_looked_at_again() -> None:
    queue: Queue[Key] = Queue()
    passes = 0

    async def handler(key: Key) -> float | None:
        nonlocal passes
        passes += 1
        return None

    queue.add(A)
    await working(queue, handler, 86_400)
    assert passes == 1


async def test_a_poison_object_hurts_only_itself() -> None:
    queue: Queue[Key] = Queue(dice=random.Random(2))
    passes: dict[Key, int] = {A: 0, B: 0}

    async def handler(key: Key) -> float | None:
        passes[key] += 1
        if key == A:
            raise Transient("the route could not be written")
        return now() + 1

    queue.add_all([A, B])
    notes = await working(queue, handler, 60.5, workers=1)
    assert passes[B] == 61
    assert 5 <= passes[A] <= 7
    assert notes.failures[0][:2] == (A, "the route could not be written")
    assert [well for key, well in notes.worked_on if key == A] == [False] * passes[A]


async def test_a_failing_object_whose_own_writes_wake_it_does_not_spin() -> None:
    queue: Queue[Key] = Queue()
    passes = 0

    async def handler(key: Key) -> float | None:
        nonlocal passes
        passes += 1
        queue.add(key)  # as the watch does when our own write comes back
        raise Transient("no")

    queue.add(A)
    await working(queue, handler, 30.5)
    assert passes <= 32


async def test_an_unforeseen_error_is_told_in_a_sentence_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    queue: Queue[Key] = Queue()

    async def handler(key: Key) -> float | None:
        raise KeyError("x")

    queue.add(A)
    notes = await working(queue, handler, 1.5)
    assert notes.failures[0][1] == "An unforeseen error, please report it: KeyError: 'x'"
    assert len(notes.failures) == 2
    assert "Traceback" in caplog.text


async def test_a_pass_that_hangs_is_ended_and_the_others_go_on() -> None:
    queue: Queue[Key] = Queue()
    done: list[Key] = []

    async def handler(key: Key) -> float | None:
        if key == A:
            await asyncio.sleep(10_000)
        done.append(key)
        return None

    queue.add_all([A, B, C])
    notes = await working(queue, handler, 121, workers=2)
    assert done == [B, C]
    assert notes.failures[0][1] == "A pass took longer than 120 s and was ended"


async def test_sixteen_workers_never_work_on_one_key_at_once() -> None:
    queue: Queue[Key] = Queue()
    busy: set[Key] = set()
    most = 0

    async def handler(key: Key) -> float | None:
        nonlocal most
        assert key not in busy
        busy.add(key)
        most = max(most, len(busy))
        await asyncio.sleep(1)
        busy.remove(key)
        return now()

    keys = [Key("shop", str(number)) for number in range(20)]
    queue.add_all(keys)

    async def noise() -> None:
        while True:
            queue.add_all(keys)
            await asyncio.sleep(0.3)

    disturbing = asyncio.create_task(noise())
    await working(queue, handler, 30, workers=16)
    disturbing.cancel()
    assert most == 16


async def test_behind_a_shut_gate_nothing_is_done() -> None:
    queue: Queue[Key] = Queue()
    gate = Open()
    done: list[Key] = []

    async def handler(key: Key) -> float | None:
        done.append(key)
        gate.is_open = False
        return None

    queue.add_all([A, B])
    await queue.run(handler, gate=gate, watcher=Notes(), workers=1)
    assert done == [A]


async def test_closing_lets_the_running_pass_end_and_hands_out_nothing_more() -> None:
    queue: Queue[Key] = Queue()
    done: list[Key] = []

    async def handler(key: Key) -> float | None:
        await asyncio.sleep(5)
        done.append(key)
        return None

    queue.add_all([A, B])
    start = now()
    await working(queue, handler, 1, workers=1)
    assert done == [A]
    assert now() - start == pytest.approx(5)
    await queue.idle()
    with pytest.raises(Closed):
        await queue.pop()
