"""What a Release asks for, in the engine's words."""

from collections.abc import Iterable, Mapping, Sequence

from tidegate.api import Effective, Release
from tidegate.api.intervention import Intervention
from tidegate.api.ladder import Step
from tidegate.api.memory import Past
from tidegate.api.revision import artifact, revision
from tidegate.engine.values import Act, Check, Deadlines, Piece, Rung, Spec, Status, Track, Version
from tidegate.targets.port import Kept, Resolved


def wanted_version(resolved: Resolved, status: Status) -> Version:
    """The version that the spec asks for; what is unchanged against stable keeps the revision it runs under.

    While something that it names can't be resolved, nobody knows all of what it asks for. Then what is under way stays
    what is wanted, and gates are shut, so that it stays where it is; but only where the spec may ask for it. What
    surely differs has been put back, or superseded, and that is heard.
    """
    spec = resolved.release.spec
    if resolved.problems and (meant := _meant(resolved, status)) is not None:
        return meant
    artifacts = [
        (component.name, artifact(component, spec.version, resolved.named.get(component.name, ())))
        for component in spec.components
    ]
    return assemble(spec.version, revision(resolved.release, resolved.named), artifacts, status.stable)


def _meant(resolved: Resolved, status: Status) -> Version | None:
    """The version that we know of and that the spec may ask for, as far as that can be said."""
    candidate, recall, stable, known = status.candidate, status.recall, status.stable, resolved.may_mean
    if candidate is not None and known.get(candidate.content, candidate.name == resolved.release.spec.version):
        return candidate
    if candidate is None and recall is not None:
        return Version(recall.version.name, recall.wanted, ())  # what the spec asked for when that was decided
    if candidate is None and any(problem.lasting for problem in resolved.problems):
        return None  # nothing is under way, and a person must mend it: that is told
    if stable is not None and known.get(stable.content):
        return stable
    return next((Version(each.name, each.content, ()) for each in status.rejected if known.get(each.content)), None)


def assemble(name: str, content: str, artifacts: Iterable[tuple[str, str]], stable: Version | None) -> Version:
    pieces = []
    for part, made in sorted(artifacts):
        base = stable.piece(part) if stable else None
        pieces.append(Piece(part, base.content if base and base.artifact == made else content, made))
    return Version(name, content, tuple(pieces))


def kept_versions(kept: Sequence[Kept], history: Sequence[Past], stable: Version | None) -> tuple[Version, ...]:
    """The revisions that once completed here and are kept, newest first; with the history lost, all that are kept."""
    completed = {past.revision for past in history if past.outcome == "Completed"}
    newest_first = sorted(kept, key=lambda each: -each.number)
    return tuple(
        assemble(each.version, each.content, each.artifacts, stable)
        for each in newest_first
        if not history or each.content in completed
    )


def adoptable_version(adopt: Kept | None) -> Version | None:
    """What serves and is not ours, as a version that may be taken over."""
    return assemble(adopt.version, adopt.content, adopt.artifacts, None) if adopt else None


def spec_of(resolved: Resolved, force: Effective, *, status: Status, acts: tuple[Act, ...], tick: float) -> Spec:
    """The engine's spec: tracks from ladders, and limits in seconds."""
    spec = resolved.release.spec
    own = {name for name, _ in force.own_steps}
    together = tuple(component.name for component in spec.components if component.name not in own)
    tracks = [Track(together, _ladder(force.steps))] if together else []
    tracks += [Track((name,), _ladder(steps)) for name, steps in force.own_steps]
    return Spec(
        version=wanted_version(resolved, status),
        tracks=tuple(tracks),
        checks=tuple(Check(check.name, tuple(check.when)) for check in spec.checks),
        deadlines=Deadlines(force.deadlines.ready, force.deadlines.step, force.deadlines.orphan),
        keep=force.keep_previous,
        tick=tick if force.guards else None,
        paused=bool(spec.paused),
        deleting=resolved.release.metadata.deleting,
        acts=acts,
    )


def _ladder(steps: Sequence[Step]) -> tuple[Rung, ...]:
    return tuple(Rung(int(step.weight), step.hold or 0.0) for step in steps)


def act_of(intervention: Intervention) -> Act:
    spec, meta = intervention.spec, intervention.metadata
    return Act(
        uid=meta.uid,
        verb=spec.action,
        by=spec.by,
        reason=spec.reason,
        written=meta.creation_timestamp or 0.0,
        at=int(spec.pause.at) if spec.pause else None,
        to=int(spec.promote.to) if spec.promote else None,
        version=spec.rollback.version if spec.rollback else None,
        seen_attempt=spec.seen.attempt if spec.seen else None,
        seen_step=spec.seen.step if spec.seen else None,
    )


def unanswered(interventions: Iterable[Intervention], release: str) -> tuple[Intervention, ...]:
    """The acts on this Release that do not show an answer yet, oldest first."""
    mine = [i for i in interventions if i.spec.target_ref.name == release and not (i.status and i.status.outcome)]
    return tuple(sorted(mine, key=lambda i: (i.metadata.creation_timestamp or 0.0, i.metadata.name)))


def authors_of(written: Mapping[str, str], release: Release, content: str) -> dict[str, str]:
    """Who asked for which content, as far as it is known, the spec's author included."""
    known = dict(written)
    if release.spec.author:
        known.setdefault(content, release.spec.author)
    return known
