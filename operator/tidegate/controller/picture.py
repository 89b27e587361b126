"""All that one pass saw of one Release, in one value: what the engine decides on, and what the story is told from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.api import Binding, Effective, GuardStatus, Release
from tidegate.api.conditions import Reason
from tidegate.api.status import CheckStatus
from tidegate.controller.changing import titled
from tidegate.engine.values import Answer, Observation, Spec, Status
from tidegate.targets.port import Problem, Sight


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a gate is shut, or what a person must mend."""

    reason: Reason | str
    sentence: str


@dataclass(frozen=True, slots=True)
class Picture:
    """`obstacles` shut the gates; `troubles` are the sentences of effects that failed last time."""

    release: Release
    force: Effective
    spec: Spec
    before: Status
    seen: Observation
    sight: Sight
    now: float
    guards: tuple[GuardStatus, ...] = ()
    checks: tuple[CheckStatus, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    troubles: tuple[Obstacle, ...] = ()
    binding: tuple[Binding, ...] = ()  # what binds the climb that was under way
    changed: tuple[str, ...] = ()  # how what the spec asks for differs from the stable version
    authors: Mapping[str, str] = field(default_factory=dict)
    proven: bool | None = None  # whether admission policies prove who wrote an act; None: nobody has asked yet
    refused: tuple[Answer, ...] = ()  # acts that the engine never hears of

    @property
    def title(self) -> str:
        """What the spec asks for, as people call it."""
        return titled(self.spec.version.name, self.changed)

    def problems_of(self, content: str, parts: tuple[str, ...]) -> tuple[Problem, ...]:
        return tuple(p for p in self.sight.problems if p.part in parts and p.content in ("", content))
