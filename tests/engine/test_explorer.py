"""The explorer finds what is planted, and nothing in the engine as it is."""

from __future__ import annotations

import pytest

from hack.explore_engine import explore
from tidegate.engine import climbing
from tidegate.engine.passing import Pass


def test_a_small_world_is_explored_without_a_broken_rule() -> None:
    found = explore(parts=1, rungs=1, faults=1, edits=1, most=3_000, live=300)
    assert (found.broken, found.states > 3_000) == ([], True)


def test_a_planted_bug_is_found_by_the_shortest_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(climbing, "_would_raise", lambda *_: False)
    found = explore(parts=1, rungs=1, faults=1, edits=0, most=3_000, live=0)
    assert found.broken
    assert len(found.way) <= 8


def test_a_wait_without_an_end_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pass, "owe", lambda self, debt: self.wake_in(1.0))
    found = explore(parts=1, rungs=1, faults=0, edits=0, most=3_000, live=1)
    assert any("exposed" in sentence for sentence in found.broken)
