"""How long an effect may take, and that the Lease leaves room for it."""

import pytest

from tidegate.controller.acting import limit_under
from tidegate.controller.lease import Gate, Term


@pytest.mark.parametrize("term", [Term(), Term(4.0, 3.0, 0.5), Term(60.0, 40.0, 5.0)])
def test_an_effect_fits_into_the_lease_also_right_before_it_is_renewed(term: Term) -> None:
    now = 100.0
    gate = Gate(lambda: now)
    gate.open(1, now + term.renew, now + term.lease * 0.95)
    now += term.retry * 1.2  # the longest pause between two renewals
    assert gate.safe_for(limit_under(term.lease)), "what is recorded would never be done"


def test_ten_seconds_are_the_most() -> None:
    assert limit_under(15.0) == limit_under(3600.0) == 10.0
