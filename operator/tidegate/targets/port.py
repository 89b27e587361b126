"""What every target can do. A target is where traffic goes; it is the only thing that reads or moves it.

`observe` is the first verb: nothing that was written is believed until it was read back. Every other verb means
"make X be Y" and may be repeated, after a crash too. Targets raise `tidegate.errors.Transient` (will be tried again)
or `tidegate.errors.Permanent` (a person must act), each with a sentence that can stand in a condition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol

from tidegate.api.release import Component, Release
from tidegate.api.revision import NOTHING, Named
from tidegate.engine.values import Ensure, Instance, Pin, Preview, Reading, Retire, Start, Status


class Problem(NamedTuple):
    """What keeps one part from being as it should."""

    part: str
    content: str  # "" if it is not about one version
    reason: str  # CamelCase, for a condition
    sentence: str  # what is wrong and what to do
    lasting: bool  # only a person can mend it


@dataclass(frozen=True, slots=True)
class Resolved:
    """A Release with all that it names put in its place: the templates in force, and the content of what they name."""

    release: Release
    named: Mapping[str, tuple[Named, ...]] = field(default_factory=lambda: NOTHING)  # by component
    problems: tuple[Problem, ...] = ()  # what can't be resolved: nothing starts and nothing rises while there is one
    may_mean: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    """While there are problems: of each revision that is kept, by content, whether it is as the spec says in all that
    could be resolved, so that the spec may ask for it. What is not kept is not in it."""


@dataclass(frozen=True, slots=True)
class App:
    """One Release as a target sees it: what is wanted, and what is remembered."""

    namespace: str
    name: str
    uid: str
    resolved: Resolved
    status: Status
    revision: str  # whole hash of what the spec asks for now

    @property
    def release(self) -> Release:
        """With every template in force in its place."""
        return self.resolved.release

    @property
    def components(self) -> Mapping[str, Component]:
        """The components that the spec has now, by name; a part of an older version may be missing here."""
        return {component.name: component for component in self.release.spec.components}


class Size(NamedTuple):
    ref: str  # name of what runs, for people
    ready: int
    wanted: int
    endpoints: tuple[str, ...] = ()  # host:port of what is ready
    marked: bool = False  # requests that are marked for it reach it, and its gateways have had time to follow


class Kept(NamedTuple):
    """A revision that is kept and could be started again."""

    content: str
    version: str
    number: int  # rises with every revision kept
    artifacts: tuple[tuple[str, str], ...]  # (part, artifact hash), sorted
    named: Mapping[str, tuple[Named, ...]] = NOTHING  # by component


@dataclass(frozen=True, slots=True)
class Sight:
    """What a target saw. Unknown is a value of its own: a reading without split, `instances` None."""

    readings: Mapping[str, Reading]
    instances: tuple[Instance, ...] | None
    sizes: Mapping[tuple[str, str], Size] = field(default_factory=dict)  # by (part, content)
    kept: tuple[Kept, ...] = ()
    problems: tuple[Problem, ...] = ()
    refusals: tuple[Problem, ...] = ()  # references that this Release may not make: nothing starts, nothing rises
    occupied: tuple[Problem, ...] = ()  # something that is not ours serves there already
    adopt: Kept | None = None  # and may be taken over: as a version, what runs there now
    foreign: Mapping[str, str] = field(default_factory=dict)  # part -> who last wrote the route, where it was not us
    # by (part, content): the share that ready pods really give, where that may differ from what is configured
    achieved: Mapping[tuple[str, str], int] = field(default_factory=dict)


class Target(Protocol):
    async def resolve(self, release: Release) -> Resolved:
        """What the spec names, before its revision is hashed. From caches; the server is asked only for what was never
        read, or has changed since."""

    async def observe(self, app: App, demand: Mapping[tuple[str, str], int], now: float) -> Sight:
        """What is. `demand` says for which share of all traffic each (part, content) should be sized; health is
        measured against it. Reads caches only and never waits for the network."""

    async def ensure(self, app: App, writes: Sequence[Ensure], now: float) -> None:
        """Make each part's split what it should be. Parts that live in one object are one write. Refused (Transient)
        where the object is not as `expects` says, by stamp or by token."""

    async def pin(self, app: App, pin: Pin) -> None:
        """Make the app's own Service select one content."""

    async def preview(self, app: App, preview: Preview, now: float) -> None:
        """Let marked requests reach one content, or none. It moves no weight. Raises Conflict where the split is newer
        than the one that this was decided beside."""

    async def start(self, app: App, start: Start) -> None:
        """Let one part of one version run, sized for `share` and marked with `claim`; keep its revision first."""

    async def retire(self, app: App, retire: Retire) -> None:
        """Take one part of one version down. Refused where another claim stands, or where a last look shows that
        traffic may still reach it."""

    async def forget(self, app: App, settled: bool) -> None:
        """Give traffic back as deletionPolicy says and remove what is ours and not needed for serving."""
