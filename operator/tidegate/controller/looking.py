"""Observe: everything that one pass decides on, put into one picture.

A look reads caches only. Before it stands `resolve`, which waits for the server where something that the spec names was
never read, or has changed.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from tidegate.api import Release, effective
from tidegate.api.conditions import ConditionType, Reason
from tidegate.api.intervention import Intervention
from tidegate.api.parse import parse_intervention, parse_policy
from tidegate.api.policy import ReleasePolicy
from tidegate.api.status import CheckStatus, ReleaseStatus
from tidegate.api.words import CheckOutcome
from tidegate.checks.port import CheckResult
from tidegate.controller.admission import MISSING, Admission
from tidegate.controller.binding import Bound, goes_on, remembered, under_way
from tidegate.controller.changing import changes
from tidegate.controller.judging import Judging
from tidegate.controller.picture import Obstacle, Picture
from tidegate.controller.plan import act_of, adoptable_version, authors_of, kept_versions, spec_of, unanswered
from tidegate.engine.acts import REFUSED
from tidegate.engine.promise import demand
from tidegate.engine.values import (
    CLIMBING,
    Act,
    Answer,
    CheckKey,
    Gate,
    Observation,
    Outcome,
    Phase,
    Spec,
    Status,
    Watched,
    When,
)
from tidegate.errors import Invalid
from tidegate.kube.cluster import Cluster
from tidegate.kube.resources import INTERVENTIONS, POLICIES, Key, Object
from tidegate.targets.port import App, Resolved, Target

_WHEN, _ENDED = frozenset(When), frozenset(CheckOutcome)
"""What may be written down of a check; one that ended in a word that we don't know is asked for again."""


class CheckRunner(Protocol):
    def observe(self, app: App, keys: Iterable[CheckKey]) -> Mapping[CheckKey, CheckResult]: ...


class Looker:
    """Looks at one Release and all that belongs to it."""

    def __init__(
        self,
        cluster: Cluster,
        target: Target,
        checks: CheckRunner,
        judging: Judging,
        admission: Admission,
        tick: float,
    ) -> None:
        self._cluster, self._target, self._checks, self._judging = cluster, target, checks, judging
        self._admission, self._tick = admission, tick

    async def resolve(self, release: Release) -> Resolved:
        """What the spec names. What of it can't be known stops nothing but the way up."""
        return await self._target.resolve(release)

    async def look(
        self,
        app: App,
        written: ReleaseStatus,
        watched: Watched,
        now: float,
        *,
        confirmed: bool,
        troubles: tuple[Obstacle, ...],
        unreadable: tuple[Obstacle, ...] = (),
    ) -> Picture:
        release, status = app.release, app.status
        policies, unclear = self._policies(app.namespace)
        obstacles = (*unreadable, *unclear)
        force = effective(release, policies, remembered(status, written.binding))
        bound = goes_on(force, written.binding) if under_way(status) else Bound()
        people = tuple(_readable(self._of(app)))
        acts, refused = self._acts(app, people)
        spec = spec_of(app.resolved, force, status=status, acts=acts, tick=self._tick)
        sight = await self._target.observe(app, demand(spec, status), now)
        judged = self._judging.judge(app, force, spec.version, sight, written, now)
        obstacles += tuple(Obstacle(Reason.POLICY_CONFLICT, sentence) for sentence in force.conflicts)
        obstacles += tuple(Obstacle(Reason.POLICY_VIOLATED, sentence) for sentence in force.violations)
        obstacles += bound.obstacles
        obstacles += tuple(
            Obstacle(found.reason, found.sentence) for found in (*app.resolved.problems, *sight.refusals)
        )
        obstacles += judged.obstacles
        obstacles += tuple(
            Obstacle(found.reason, found.sentence) for found in sight.occupied if _is_new(status, found.part)
        )
        outcomes, shown = self._look_at_checks(app, spec, written, now)
        gate = Gate.SHUT if obstacles else Gate.OPEN
        seen = Observation(
            readings=tuple(sorted(sight.readings.items())),
            instances=sight.instances,
            watched=watched,
            verdict=judged.verdict,
            evidence=judged.evidence,
            start=gate,
            step=gate,
            checks=outcomes,
            adopt=adoptable_version(sight.adopt),
            kept=kept_versions(sight.kept, written.history, status.stable),
            confirmed=confirmed,
        )
        return Picture(
            release=release,
            force=force,
            spec=spec,
            before=status,
            seen=seen,
            sight=sight,
            now=now,
            guards=judged.guards,
            checks=shown,
            obstacles=obstacles,
            troubles=troubles,
            refused=refused,
            binding=bound.bindings,
            changed=changes(app.resolved, spec.version, status.stable, sight.kept),
            proven=self._proven(app, written),
            authors=authors_of(_authors(written), release, spec.version.content),
        )

    def _policies(self, namespace: str) -> tuple[list[ReleasePolicy], tuple[Obstacle, ...]]:
        """A policy that can't be read shuts the gates: it may have said no."""
        policies, obstacles = [], []
        for document in self._cluster.within(POLICIES, namespace):
            try:
                policies.append(parse_policy(document))
            except Invalid as error:
                name = document["metadata"]["name"]
                obstacles.append(Obstacle(Reason.POLICY_CONFLICT, f"policy {name} can't be read: {error.message}"))
        return policies, tuple(obstacles)

    def _proven(self, app: App, written: ReleaseStatus) -> bool | None:
        known = self._admission.known
        if known is None and written.condition(ConditionType.IDENTITY_UNPROVEN):
            self._admission.in_force(Key(app.namespace, app.name))  # it is woken when what it tells is not so any more
        return known

    def _of(self, app: App) -> list[Object]:
        documents = self._cluster.within(INTERVENTIONS, app.namespace)
        return [d for d in documents if (d.get("spec") or {}).get("targetRef", {}).get("name") == app.name]

    def _acts(self, app: App, people: Iterable[Intervention]) -> tuple[tuple[Act, ...], tuple[Answer, ...]]:
        """What people ask of this Release and is not answered, and what is refused before the engine hears of it."""
        heard: list[Act] = []
        refused: list[Answer] = []
        for intervention in unanswered(people, app.name):
            uid, target = intervention.metadata.uid, intervention.spec.target_ref
            if target.uid not in (None, app.uid):
                gone = f"it was meant for another Release {app.name}, of uid {target.uid}, which is gone"
                refused.append(Answer(uid, REFUSED, gone))
            elif intervention.spec.action.lowers:
                heard.append(act_of(intervention))
            elif (proven := self._admission.in_force(Key(app.namespace, app.name))) is not None:
                if proven:
                    heard.append(act_of(intervention))
                else:
                    refused.append(Answer(uid, REFUSED, MISSING))
        return tuple(heard), tuple(refused)

    def _look_at_checks(
        self, app: App, spec: Spec, written: ReleaseStatus, now: float
    ) -> tuple[tuple[tuple[CheckKey, Outcome], ...], tuple[CheckStatus, ...]]:
        """Outcomes that are written down stand; the others are asked of the runner."""
        ours = (check for check in written.checks if check.attempt == app.status.attempt and check.when in _WHEN)
        known = {_key(check): check for check in ours}
        keys = [key for key in _keys(spec, app.status) if key not in known or known[key].outcome not in _ENDED]
        outcomes = {key: Outcome(check.outcome) for key, check in known.items() if check.outcome in _ENDED}
        shown = dict(known)
        for key, result in self._checks.observe(app, keys).items():
            outcomes[key] = result.outcome
            ended = result.outcome is not Outcome.RUNNING
            old = known.get(key)
            shown[key] = CheckStatus(
                name=key.name,
                when=key.when,
                key=key.part,
                attempt=key.attempt,
                move=key.move,
                outcome=CheckOutcome(result.outcome.value) if ended else "",
                job=result.job,
                at=now if ended or old is None else old.at,
                message=result.message,
            )
        current = [check for key, check in shown.items() if key.attempt == app.status.attempt]
        return tuple(outcomes.items()), tuple(current[-32:])


def _readable(documents: Iterable[Object]) -> Iterator[Intervention]:
    """Admission lets none in that can't be read; one that slipped by acts on nothing."""
    for document in documents:
        with suppress(Invalid):
            yield parse_intervention(document)


def _is_new(status: Status, part: str) -> bool:
    """Nothing of ours serves there yet, and nothing of ours is on its way there."""
    return status.phase not in (*CLIMBING, Phase.REVERTING) and not (status.stable and status.stable.runs(part))


def _key(check: CheckStatus) -> CheckKey:
    return CheckKey(check.name, When(check.when), check.attempt, check.key, check.move)


def _keys(spec: Spec, status: Status) -> list[CheckKey]:
    """Every check that could have been asked in this attempt, as its moves stand now."""
    if status.phase not in CLIMBING:
        return []
    keys = []
    for check in spec.checks:
        for when in check.when:
            if when is When.EACH_STEP:
                keys += [CheckKey(check.name, when, status.attempt, part.name, part.move) for part in status.parts]
            else:
                keys.append(CheckKey(check.name, when, status.attempt))
    return keys


def _authors(written: ReleaseStatus) -> dict[str, str]:
    """Who asked for which content, as far as the status tells."""
    references = [r for r in (written.stable, written.previous, written.candidate) if r is not None]
    known = {past.revision: past.author for past in written.history if past.author}
    known.update({r.revision: r.author for r in references if r.author})
    return known
