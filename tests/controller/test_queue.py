"""The work queue, under a clock that is moved. Each test runs in no time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


async def test_keys_come_out_once_and_in_the_order_of_arrival() -> None:
    queue: Queue[Key] = Queue()
    for key in (B, A, B, C, A):
        queue.add(key)
    assert [await queue.pop() for _ in range(3)] == [B, A, C]
    assert queue.depth == 0


async def test_a_revert_goes_before_all_others() -> None:
    queue: Queue[Key] = Queue()
    queue.add_all([A, B])
    queue.add(C, first=True)
    queue.add(B, first=True)
    assert [await queue.pop() for _ in range(3)] == [C, B, A]


async def test_a_key_that_is_worked_on_is_not_handed_out_but_comes_again_afterwards() -> None:
    queue: Queue[Key] = Queue()
    queue.add(A)
    key = await queue.pop()
    queue.add(A)
    queue.add(A, first=True)
    assert queue.depth == 0
    queue.done(key)
    assert queue.depth == 1
    assert await queue.pop() == A


async def test_a_wake_up_comes_at_its_instant() -> None:
    queue: Queue[Key] = Queue()
    queue.add_at(A, now() + 900)
    start = now()
    assert await queue.pop() == A
    assert now() - start == pytest.approx(900)


async def test_the_earliest_wake_up_counts_unless_it_is_replaced() -> None:
    queue: Queue[Key] = Queue()
    start = now()
    queue.add_at(A, start + 50)
    queue.add_at(A, start + 10)
    queue.add_at(A, start + 100)
    queue.add_at(B, start + 10)
    queue.add_at(B, start + 70, replace=True)
    assert await queue.pop() == A
    assert now() - start == pytest.approx(10)
    assert await queue.pop() == B
    assert now() - start == pytest.approx(70)


async def test_a_look_makes_earlier_wake_ups_void() -> None:
    queue: Queue[Key] = Queue()
    queue.add_at(A, now() + 10)
    queue.add(A)
    queue.done(await queue.pop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await queue.pop()


async def test_an_instant_that_has_passed_is_now() -> None:
    queue: Queue[Key] = Queue()
    queue.add_at(A, now() - 5)
    assert await queue.pop() == A


async def test_what_is_forgotten_wakes_nobody() -> None:
    queue: Queue[Key] = Queue()
    queue.add_at(A, now() + 10)
    queue.forget(A)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await queue.pop()


async def test_what_this_replica_does_not_own_is_not_taken_in() -> None:
    queue: Queue[Key] = Queue(owns=lambda key: key == B)
    queue.add(A)
    queue.add_at(A, now() + 1)
    queue.add(B)
    assert await queue.pop() == B
    assert queue.depth == 0


async def test_failures_wait_longer_each_time_up_to_a_minute_and_never_in_step() -> None:
    queue: Queue[Key] = Queue(dice=random.Random(1))
    waits = []
    for _ in range(9):
        queue.add(A, first=True)
        await queue.pop()
        waits.append(queue.failed(A))
        queue.done(A)
    for wait, least in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert least <= wait <= least * 1.25
    assert len(set(waits)) == len(waits)


async def test_a_success_ends_the_series_of_failures() -> None:
    queue: Queue[Key] = Queue()
    for _ in range(5):
        queue.add(A, first=True)
        await queue.pop()
        queue.failed(A)
        queue.done(A)
    queue.succeeded(A)
    queue.add(A)
    assert queue.depth == 1
    await queue.pop()
    assert queue.failed(A) < 1.26


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


async def test_a_revert_does_not_wait_for_a_backoff() -> None:
    queue: Queue[Key] = Queue()
    for _ in range(6):
        queue.add(A, first=True)
        await queue.pop()
        queue.failed(A)
        queue.done(A)
    start = now()
    queue.add(A, first=True)
    assert await queue.pop() == A
    assert now() == start


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


async def test_depth_age_and_the_longest_pass_are_known() -> None:
    queue: Queue[Key] = Queue()
    assert (queue.depth, queue.oldest, queue.longest_pass) == (0, 0.0, 0.0)
    queue.add_all([A, B])
    await asyncio.sleep(3)
    queue.add(C, first=True)
    assert queue.depth == 3
    assert queue.oldest == pytest.approx(3)
    await queue.pop()
    await asyncio.sleep(2)
    assert queue.working == 1
    assert queue.longest_pass == pytest.approx(2)


async def test_many_wake_ups_of_one_object_leave_no_litter() -> None:
    queue: Queue[Key] = Queue()
    for number in range(20_000):
        queue.add_at(A, now() + 100_000 - number)
    assert len(queue._heap) < 2100


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "first", "at", "pop", "done", "wait"]),
            st.sampled_from([A, B, C]),
            st.integers(0, 5),
        ),
        max_size=40,
    )
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_added_comes_out_and_nothing_comes_out_twice_at_once(steps: list[tuple[str, Key, int]]) -> None:
    async def play() -> None:
        queue: Queue[Key] = Queue()
        working: set[Key] = set()
        owed: set[Key] = set()  # added since its last look began
        for verb, key, number in steps:
            if verb == "add" or verb == "first":
                queue.add(key, first=verb == "first")
                owed.add(key)
            elif verb == "at":
                queue.add_at(key, now() + number / 1e6)
                owed.add(key)
            elif verb == "pop" and queue.depth:
                popped = await queue.pop()
                assert popped not in working
                working.add(popped)
                owed.discard(popped)
            elif verb == "done" and key in working:
                working.remove(key)
                queue.done(key)
            elif verb == "wait":
                await asyncio.sleep(number / 1e6)
        for key in working:
            queue.done(key)
        while owed:
            async with asyncio.timeout(5):
                popped = await queue.pop()
            owed.discard(popped)
            queue.done(popped)

    asyncio.run(play())
