"""What no pass can be made of is told, once, and the memory is left as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hack.stage import shop
from tests.kube.fake import FakeApi
from tidegate.api import ReleaseStatus
from tidegate.api.meta import FINALIZER
from tidegate.controller.loop import Attention, Loop
from tidegate.engine.values import Decision, Phase, Status
from tidegate.kube import RELEASES, Cluster, Key, Store

KEY = Key("prod", "shop")
NONSENSE: dict[str, Any] = {
    "a phase that there is not": {"phase": "Banana", "move": 7},
    "a weight that is none": {"phase": "Progressing", "weight": "x", "move": 7},
    "a cause that there is not": {"phase": "Completed", "weight": 0, "rejected": [{"revision": "z"}], "move": 7},
    "conditions that are none": {"phase": "Banana", "conditions": [{"type": 5}], "move": 7},
}


def test_a_changed_memory_is_looked_at_again_without_waiting_for_anybody() -> None:
    """What a revert has left is taken down one pass after its end: no event of the world may come in between."""
    nobody = cast(Any, None)
    loop = Loop(nobody, nobody, nobody, nobody, Leader(), nobody, wall=lambda: 1000.0)
    was, written = Status(phase=Phase.REVERTING), ReleaseStatus()
    picture = cast(Any, SimpleNamespace(before=was, refused=()))

    def next_look(status: Status) -> float | None:
        seen = Attention("uid", 0.0, 0.0)
        return loop._next_look(Decision(status, (), None), seen, picture, written, written, True)

    assert next_look(was._replace(phase=Phase.REVERTED)) == 1000.0
    assert next_look(was) is None


class Leader:
    epoch, holder = 1, "me"

    def safe_for(self, seconds: float) -> bool:
        return True


@pytest.fixture
async def cluster() -> AsyncIterator[tuple[FakeApi, Cluster]]:
    async with FakeApi() as api, api.client() as client:
        yield api, Cluster(client, Store())


@pytest.mark.parametrize("status", NONSENSE.values(), ids=NONSENSE)
async def test_a_status_that_cannot_be_read_is_told_once_and_left_as_it_is(
    status: dict[str, Any], cluster: tuple[FakeApi, Cluster]
) -> None:
    api, view = cluster
    document = shop.release("prod", "v1.0.0", guards=[])
    document["metadata"]["finalizers"] = [FINALIZER]
    view.store.put(RELEASES, api.put(RELEASES, {**document, "status": status}))
    nobody = cast(Any, None)  # nothing is looked at, nothing is done
    loop = Loop(view, nobody, nobody, nobody, Leader(), nobody)
    assert await loop.reconcile(KEY) is None
    after = api.objects[RELEASES, "prod", "shop"]["status"]
    told = {condition["type"]: condition for condition in after.pop("conditions")}
    assert after == {name: value for name, value in status.items() if name != "conditions"}
    assert told["Ready"]["status"] == "False"
    assert told["Ready"]["reason"] == "Invalid"
    assert "status" in told["Ready"]["message"]
    assert "put it right, or remove it" in told["Stalled"]["message"]
    await loop.reconcile(KEY)  # once the conditions can be read, there may be less to complain of
    writes = len(api.writes())
    await loop.reconcile(KEY)
    assert len(api.writes()) == writes <= 2, "said once, not at every look"
