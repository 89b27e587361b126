"""What the guards of a Release say: questions asked in the background, answers judged here, readings for the status."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tidegate.api import Effective, GuardStatus, Samples
from tidegate.api.conditions import Reason
from tidegate.api.meta import short
from tidegate.api.status import ReleaseStatus
from tidegate.controller.picture import Obstacle
from tidegate.controller.sampling import Reading, Sampler
from tidegate.engine.guards import STRONGEST_FIRST, Arm, Ask, Judgement, Side, asks, judge, strongest
from tidegate.engine.promise import takes_part
from tidegate.engine.records import Record
from tidegate.engine.values import CLIMBING, Evidence, Part, Phase, Status, Verdict, Version
from tidegate.kube.resources import Key
from tidegate.targets.port import App, Sight

BASELINE: Final = 300.0
"""Seconds before the start of a climb in which stable's numbers count as its baseline."""

# What keeps a status far from the 1.5 MiB that etcd takes, whatever policies there are.
RECORDS: Final = 128
"""Guards of which a record is kept, each of at most 2 KiB: the first that have one."""
SHOWN: Final = 512
"""Guards that are shown: as many as a Release itself can have, 32 of each of its 16 components."""
LONGEST_MESSAGE: Final = 512
"""Characters."""


class Judged(NamedTuple):
    """What the guards say, and what they were asked for. `obstacles` keep guards from judging at all."""

    verdict: Verdict
    evidence: Evidence | None
    guards: tuple[GuardStatus, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()


class Judging:
    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def judge(
        self, app: App, force: Effective, wanted: Version, sight: Sight, written: ReleaseStatus, now: float
    ) -> Judged:
        """The verdict for the attempt and the moves as the status has them; none where nothing climbs."""
        key, status = Key(app.namespace, app.name), app.status
        listens = status.phase in CLIMBING or (status.phase is Phase.REVERTING and not status.guilty)
        if not listens or status.candidate is None:
            self._sampler.forget(key)
            return Judged(Verdict.PASS, None, obstacles=_blind_from_the_start(self._sampler, app, force, wanted, sight))
        evidence = Evidence(status.attempt, tuple((part.name, part.move) for part in status.parts))
        questions = _questions(app, force, status.candidate, sight)
        if not questions:
            return Judged(Verdict.PASS, evidence)
        newest = self._sampler.latest(key, evidence, questions, now)
        readings = newest.readings if newest else tuple(Reading(ask, None, None) for ask in questions)
        old = {(guard.name, guard.from_, guard.component): guard for guard in written.guards}
        judged, shown = [], []
        for reading in readings:
            before = old.get(_identity(reading.ask))
            record = Record.decode(before.record) if before else None
            judgement = judge(reading.ask, reading.candidate, reading.stable, record)
            judged.append(judgement)
            shown.append(_shown(judgement, before, now))
        return Judged(strongest(j.acting for j in judged), evidence, within_bounds(shown))

    def forget(self, key: Key) -> None:
        self._sampler.forget(key)

    async def close(self) -> None:
        await self._sampler.close()


def within_bounds(shown: Sequence[GuardStatus]) -> tuple[GuardStatus, ...]:
    """What of it stands in the status: the first records; and of too many guards those that say the worst."""
    recorded = [index for index, guard in enumerate(shown) if guard.record]
    kept = frozenset(recorded[:RECORDS])
    bare = [
        guard if index in kept or not guard.record else guard.model_copy(update={"record": ""})
        for index, guard in enumerate(shown)
    ]
    if len(bare) <= SHOWN:
        return tuple(bare)
    worst = sorted(range(len(bare)), key=lambda i: (i not in kept, STRONGEST_FIRST.index(bare[i].verdict)))
    return tuple(bare[index] for index in sorted(worst[:SHOWN]))


def _identity(ask: Ask) -> tuple[str, str, str]:
    return ask.guard.name, ask.owner, ask.component


def _blind_from_the_start(
    sampler: Sampler, app: App, force: Effective, wanted: Version, sight: Sight
) -> tuple[Obstacle, ...]:
    """A guard that could not tell the versions apart keeps a climb from beginning."""
    stable = app.status.stable
    if stable is not None and stable.content == wanted.content:
        return ()
    obstacles = []
    for ask in _questions(app, force, wanted, sight):
        why = sampler.impediment(Key(app.namespace, app.name), ask)
        if why is not None and ask.guard.enforced:
            obstacles.append(Obstacle(Reason.GUARD_BLIND, why))
    return tuple(obstacles)


def _questions(app: App, force: Effective, candidate: Version, sight: Sight) -> tuple[Ask, ...]:
    status = app.status
    parts = [part for part in status.parts if takes_part(status, part.name)]
    if candidate is not status.candidate:
        parts = [Part(piece.part) for piece in candidate.pieces]
    sides = [_side(app, candidate, part, sight) for part in parts]
    return asks(force.guards, _whole(app, candidate, parts, sight), sides)


def _since(status: Status, part: Part) -> float:
    """From when evidence counts: since the newest move stands in the world.

    Before the first move there is none of the candidate, and stable is looked at for a while back: a ladder of one step
    has no other time in which its baseline could be taken.
    """
    if status.phase is Phase.REVERTING:
        return status.started
    if part.weight == 0:
        return status.started - BASELINE
    return max(part.landed_at if part.landed >= part.move else part.moved, status.started)


def _promised(status: Status, part: Part) -> int:
    """What is judged as exposed; a climb that turns back for a harmless cause is still judged for what it did."""
    return max(part.weight, 1) if status.phase is Phase.REVERTING else part.weight


def _side(app: App, candidate: Version, part: Part, sight: Sight) -> Side:
    status = app.status
    stable = status.stable if status.stable and status.stable.runs(part.name) else None
    return Side(
        part=part.name,
        candidate=_arm(app, candidate, candidate.runs(part.name) or "", sight, part.name),
        stable=_arm(app, stable, stable.runs(part.name) or "", sight, part.name) if stable else None,
        promised=_promised(status, part),
        since=_since(status, part),
    )


def _whole(app: App, candidate: Version, parts: list[Part], sight: Sight) -> Side:
    """All parts that climb, together."""
    status = app.status
    stable = status.stable
    return Side(
        part="",
        candidate=_arm(app, candidate, _one_content(candidate, parts), sight),
        stable=_arm(app, stable, _one_content(stable, parts), sight) if stable else None,
        promised=_promised_together([_promised(status, part) for part in parts]),
        since=max((_since(status, part) for part in parts), default=status.started),
    )


def _promised_together(shares: list[int]) -> int:
    """Nothing only where no part is exposed, all only where all are: a part ahead of the others is judged with them."""
    return max(sum(shares) // len(shares), int(any(shares))) if shares else 0


def _one_content(version: Version, parts: list[Part]) -> str:
    """The revision under which the climbing parts run, where it is one; else the version's own."""
    contents = {content for part in parts if (content := version.runs(part.name))}
    return contents.pop() if len(contents) == 1 else version.content


def _arm(app: App, version: Version, content: str, sight: Sight, part: str = "") -> Arm:
    # what is unchanged still runs under the name that it was first released as, and so do its series
    name = next((kept.version for kept in sight.kept if kept.content == content), version.name)
    values: Mapping[str, str] = {"version": name, "revision": short(content), "release": app.name}
    if part:
        size = sight.sizes.get((part, content))
        service = size.ref if size else f"{app.name}-{part}-{short(content)}"
        values = {**values, "component": part, "service": service}
    return Arm(version.name, content, tuple(sorted(values.items())))


def _shown(judgement: Judgement, before: GuardStatus | None, now: float) -> GuardStatus:
    guard = judgement.ask.guard
    same = before is not None and before.verdict is judgement.verdict
    return GuardStatus(
        name=guard.name,
        from_=judgement.ask.owner,
        component=judgement.ask.component,
        verdict=judgement.verdict,
        data=judgement.data,
        candidate=judgement.candidate,
        stable=judgement.stable,
        hold=str(guard.hold) if guard.hold else "",
        revert=str(guard.revert) if guard.revert else "",
        samples=Samples(candidate=judgement.samples[0], stable=judgement.samples[1]),
        since=before.since if before and same else now,
        through=judgement.through or None,
        message=_cut(judgement.sentence),
        record=judgement.record.encode() if judgement.record else "",
    )


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST_MESSAGE else sentence[: LONGEST_MESSAGE - 1] + "…"
