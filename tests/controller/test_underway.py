"""What a new leader looks at first."""

from __future__ import annotations

from typing import Any

from tests.kube.test_store import stored
from tidegate.controller.underway import under_way
from tidegate.kube import RELEASES, Key, Store


def _given(**phases: str | None) -> Store:
    """A store of Releases by name and phase; None: no status yet."""
    store = Store()
    for number, (name, phase) in enumerate(phases.items()):
        body: Any = stored(RELEASES, name, number + 1)
        body["metadata"]["generation"] = 1
        if phase is not None:
            body["status"] = {"phase": phase, "observedGeneration": 1}
        store.put(RELEASES, body)
    return store


def test_a_revert_comes_before_a_climb_and_both_before_what_stands_still() -> None:
    store = _given(old="Completed", climbs="Progressing", back="Reverted", turns="Reverting", bad="Failed", new=None)
    assert [key.name for key in under_way(store)] == ["turns", "climbs", "new"]


def test_what_was_edited_or_deleted_while_nobody_led_is_not_still() -> None:
    store = _given(still="Completed", edited="Completed", deleted="Reverted")
    for name, change in (("edited", {"generation": 2}), ("deleted", {"deletionTimestamp": "2026-01-01T00:00:00Z"})):
        found: Any = store.get(RELEASES, "shop", name)
        metadata = {**found["metadata"], **change, "resourceVersion": "100"}
        store.put(RELEASES, {**found, "metadata": metadata})
    assert under_way(store) == [Key("shop", "deleted"), Key("shop", "edited")]


def test_a_status_that_makes_no_sense_is_looked_at_soon() -> None:
    assert [key.name for key in under_way(_given(odd="Nonsense"))] == ["odd"]
