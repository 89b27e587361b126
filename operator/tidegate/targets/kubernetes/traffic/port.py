"""What every way of splitting traffic does.

A split lives in one object, its carrier: an HTTPRoute, say. Beside it stands our fence, an annotation (see `stamp`),
and both are written together: so a write is refused where the object is not as it was when it was decided on, and a
late one of an older move never lands. Looks are of the cache and never wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol

from tidegate.api.release import Component
from tidegate.engine.values import Ensure, Reading
from tidegate.errors import Transient
from tidegate.kube import Resource
from tidegate.targets.kubernetes.view import Place, View
from tidegate.targets.port import Problem


class InUse(Transient):
    """Traffic may still reach it."""


class Carrier(NamedTuple):
    """The object that a split lives in, in the Release's own namespace."""

    resource: Resource
    name: str

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.name}"


class Seen(NamedTuple):
    """One part's traffic, as a look shows it."""

    reading: Reading
    problems: tuple[Problem, ...] = ()
    refusals: tuple[Problem, ...] = ()
    editor: str | None = None  # who wrote the split last, where it was not us
    marked: str | None = None  # the content that requests marked for it reach, as its gateways have had time to follow
    achieved: Mapping[str, int] = MappingProxyType({})  # shares by content, where they may differ from the split


def still_draining(name: str, until: float) -> InUse:
    moment = f"{datetime.fromtimestamp(until, UTC):%H:%M:%S} UTC"
    return InUse(f"{name} is kept until {moment}: requests that began before traffic left it may still be running.")


class Write(NamedTuple):
    """What one component's split should be."""

    component: Component
    ensure: Ensure


class Way(Protocol):
    def carries(self, component: Component) -> bool:
        """Whether the component's traffic comes this way."""

    def carrier(self, release: str, component: Component) -> Carrier:
        """Where the component's split lives. Components with the same carrier are written at once."""

    def look(self, view: View, component: Component, now: float) -> Seen:
        """How its traffic comes, and what stands in the way."""

    def port(self, view: View, component: Component) -> int | None:
        """By which its traffic names the app's own Service; None where nothing tells."""

    def pods_for(self, share: int, replicas: int) -> int:
        """How many pods a share of all traffic needs."""

    def share_of(self, pods: int, replicas: int) -> int:
        """The greatest share for which so many pods suffice."""

    def weighs(self, view: View, component: Component, place: Place) -> bool:
        """Whether its number of pods is its weight just now: then only `ensure` may change it."""

    async def ensure(self, view: View, carrier: Carrier, writes: Sequence[Write], now: float) -> None:
        """Make these splits, all of one carrier, as they should be; one write, and none where they are so already.

        Raises Conflict where the fence is not as expected, Permanent where only a person can help.
        """

    async def preview(self, view: View, component: Component, content: str, move: int, now: float) -> None:
        """Let requests with the component's preview header reach this content; "": none.

        A write of its own, and none where it is so already. Raises Conflict where the split there is newer than `move`.
        """

    def leads_to(self, view: View, component: Component, place: Place) -> bool:
        """Whether new requests may reach it."""

    def busy_until(self, view: View, component: Component, place: Place, now: float) -> float | None:
        """When the drain after its last traffic is over, if it is yet to come. None also while traffic leads there."""

    async def leave(
        self, view: View, component: Component | None, place: Place, now: float, *, unfollowed: bool
    ) -> None:
        """Before a place is taken down: a last look at the server itself, then drop what names it without traffic.

        `component` is None where it is not known any more how the part was reached. `unfollowed`: do not wait for a
        data plane that reports nothing. Raises InUse where traffic leads there or its drain is not over.
        """

    async def hand_back(self, view: View, component: Component, keeps: bool) -> None:
        """The Release goes: the traffic names the app's own Service, as before us, and our fence is taken away.

        `keeps`: what serves stays, and a split that a person made stays with it.
        """
