"""A Release as it is shown: what it asks for and what its status says. Whatever can't be read is left out and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.api import CLIMBING, ComponentStatus, Condition, ConditionType, Phase, ReleaseStatus
from tidegate.api.grammar import FULL, ZERO, Percent
from tidegate.api.ladder import Step
from tidegate.api.parse import parse_meta, parse_release, parse_release_status
from tidegate.errors import Invalid

UNCHANGED = "Unchanged"
"""State of a component that takes no part in the climb."""


@dataclass(frozen=True, slots=True)
class View:
    """`version` is the one that the spec asks for."""

    name: str
    namespace: str
    version: str
    generation: int
    deleting: bool
    paused: bool
    own_steps: tuple[tuple[str, tuple[Step, ...]], ...]  # of components that climb by themselves
    status: ReleaseStatus
    previews: tuple[tuple[str, str], ...] = ()  # (component, header) where requests can ask for the candidate
    unreadable: str = ""  # why the spec can't be read, if it can't

    def current(self, type_: ConditionType) -> Condition | None:
        """The condition, if it was found out for the spec as it is now."""
        condition = self.status.condition(type_)
        return condition if condition is not None and condition.observed_generation >= self.generation else None

    def holds(self, type_: ConditionType) -> bool:
        """Whether the condition is true of the spec as it is now."""
        condition = self.current(type_)
        return condition is not None and condition.status == "True"

    @property
    def ready(self) -> bool:
        return self.holds(ConditionType.READY)

    @property
    def stalled(self) -> bool:
        return self.holds(ConditionType.STALLED)

    @property
    def climbing(self) -> bool:
        return self.status.phase in CLIMBING

    @property
    def sentence(self) -> str:
        """What it waits for or how it ended, as the conditions Ready and Stalled say it."""
        if self.unreadable:
            return self.unreadable
        ready, stalled = self.current(ConditionType.READY), self.current(ConditionType.STALLED)
        if ready is None:
            return "the operator has not looked at this yet"
        if stalled is None or stalled.status != "True" or stalled.message in ready.message:
            return ready.message
        return f"{ready.message}; {stalled.message}" if ready.message not in stalled.message else stalled.message

    def members(self, own: str | None = None) -> tuple[ComponentStatus, ...]:
        """The components that climb by the common ladder, or just the one that climbs by its own."""
        alone = {name for name, _ in self.own_steps}
        taking_part = [c for c in self.status.components if c.state != UNCHANGED]
        return tuple(c for c in taking_part if (c.name == own if own is not None else c.name not in alone))

    def weight(self, own: str | None = None) -> Percent:
        """Where that ladder stands."""
        if self.status.phase is Phase.COMPLETED and self.ready:
            return FULL
        if not self.climbing:
            return ZERO
        return Percent(min((c.share for c in self.members(own)), default=self.status.weight))


def view(obj: Mapping[str, Any]) -> View:
    """Raises Invalid where the status can't be read: then a newer operator has written it."""
    meta = parse_meta(obj)
    try:
        status = parse_release_status(obj)
    except Invalid as error:
        raise Invalid(
            f"the status of Release {meta.name} can't be read by this version of tidegate ({error}): "
            "install the version that the operator has, or use --output yaml"
        ) from None
    written = obj.get("spec") or {}
    unreadable = ""
    own_steps: tuple[tuple[str, tuple[Step, ...]], ...] = ()
    previews: tuple[tuple[str, str], ...] = ()
    try:
        spec = parse_release(obj).spec
        own_steps = tuple((c.name, c.steps) for c in spec.components if c.steps is not None)
        previews = tuple((c.name, header) for c in spec.components if (header := c.kubernetes.preview_header))
    except Invalid as error:
        unreadable = f"the spec can't be read: {error}"
    return View(
        name=meta.name,
        namespace=meta.namespace,
        version=str(written.get("version") or ""),
        generation=meta.generation,
        deleting=meta.deleting,
        paused=written.get("paused") is True,
        own_steps=own_steps,
        status=status,
        previews=previews,
        unreadable=unreadable,
    )
