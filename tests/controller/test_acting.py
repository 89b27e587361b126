"""How long an effect may take, and that the Lease leaves room for it."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tidegate.controller.acting import Actor, limit_under
from tidegate.controller.lease import Gate, Term
from tidegate.engine.values import Pin


@pytest.mark.parametrize("term", [Term(), Term(4.0, 3.0, 0.5), Term(60.0, 40.0, 5.0)])
def test_an_effect_fits_into_the_lease_also_right_before_it_is_renewed(term: Term) -> None:
    now = 100.0
    gate = Gate(lambda: now)
    gate.open(1, now + term.renew, now + term.lease * 0.95)
    now += term.retry * 1.2  # the longest pause between two renewals
    assert gate.safe_for(limit_under(term.lease)), "what is recorded would never be done"


def test_ten_seconds_are_the_most() -> None:
    assert limit_under(15.0) == limit_under(3600.0) == 10.0


async def test_what_is_cut_off_before_it_began_leaves_no_warning_behind() -> None:
    """Warnings are errors here: a coroutine that nobody awaits fails the test."""

    async def pin(*_: Any) -> None:
        raise AssertionError("it was told to stop before")

    actor = Actor(cast(Any, SimpleNamespace(pin=pin)), cast(Any, None), cast(Any, None))
    acting = asyncio.create_task(actor.act(cast(Any, None), cast(Any, None), [Pin("web", "A"), Pin("api", "A")]))
    await asyncio.sleep(0)
    acting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acting
