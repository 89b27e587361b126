"""What the queue hands out, and when, under a clock that is moved. Each test runs in no time."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.controller.queue import Queue
from tidegate.kube import Key

pytestmark = pytest.mark.looptime

A, B, C = Key("shop", "a"), Key("shop", "b"), Key("shop", "c")


def now() -> float:
    return asyncio.get_running_loop().time()


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
