"""Who is told of transitions: Kubernetes Events (one a transition), the operator's metrics, and the log.

Told after the status is recorded, never before, so that nothing is told that did not happen; telling waits for nobody.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tidegate.api import ReleaseStatus
from tidegate.controller.changing import titled
from tidegate.controller.events import Reporter
from tidegate.controller.metrics import Metrics, numbers
from tidegate.controller.picture import Picture
from tidegate.controller.waits import percent
from tidegate.engine.values import Cause, Effect, Ensure, Phase
from tidegate.kube.resources import Key, Object

logger = logging.getLogger(__name__)


class News(NamedTuple):
    """One transition, in a word and a sentence."""

    reason: str
    note: str
    warning: bool = False
    occasion: str | None = None  # tells two of one reason apart; None: the attempt and the move do


def news(picture: Picture, before: ReleaseStatus, after: ReleaseStatus) -> Iterator[News]:
    """What an SRE wants to hear of the change from one status to the next."""
    candidate = after.candidate
    name = titled(candidate.version, candidate.changed) if candidate else picture.title
    if after.phase is not before.phase or after.attempt > before.attempt:
        yield from _phase_news(name, before, after)
    elif after.phase is Phase.PROGRESSING and after.weight > before.weight:
        yield News("WeightRaised", f"{name} goes to {percent(after.weight)}")
    hands = {c.name for c in before.components if c.hand}
    for component in after.components:
        if component.hand and component.name not in hands:
            yield News(
                "LoweredByHand", f"the weight of {component.name} was lowered by hand; kept, nothing climbs", True
            )
    yield from _policy_news(name, before, after)
    yield from _people_news(picture, before, after)


def _policy_news(name: str, before: ReleaseStatus, after: ReleaseStatus) -> Iterator[News]:
    known = {(binding.policy, binding.generation) for binding in before.binding if binding.loosened}
    for binding in after.binding:
        if binding.loosened and (binding.policy, binding.generation) not in known:
            note = (
                f"policy {binding.policy} asks for less by now, or applies no longer; "
                f"what it asked of {name} goes on until the next climb"
            )
            yield News("PolicyLoosened", note, occasion=f"{after.attempt}/{binding.policy}/{binding.generation}")


def _phase_news(name: str, before: ReleaseStatus, after: ReleaseStatus) -> Iterator[News]:
    revert = after.revert
    stable = after.stable.version if after.stable else "nothing"
    if after.phase is Phase.PREPARING:
        yield News("Starting", f"{name} is prepared, attempt {after.attempt}")
    elif after.phase is Phase.PROGRESSING:
        yield News("Progressing", f"{name} climbs from {percent(after.weight)}")
    elif after.phase is Phase.COMPLETED and before.recall and before.recall.cause == Cause.ADOPTED:
        yield News("Adopted", f"what served is taken over: {stable}, as it ran, is stable from here on")
    elif after.phase is Phase.COMPLETED and after.stable != before.stable:
        yield News("Completed", f"{stable} is live and proven")
    elif after.phase is Phase.REVERTING and revert:
        yield News("Reverting", revert.message or f"{name} is taken back", revert.cause.rejects)
    elif after.phase in (Phase.REVERTED, Phase.FAILED) and before.phase is not Phase.IDLE:
        message = revert.message if revert else ""
        yield News(str(after.phase), f"{stable} serves; {message}", bool(revert and revert.cause.rejects))


def _people_news(picture: Picture, before: ReleaseStatus, after: ReleaseStatus) -> Iterator[News]:
    known = {handled.uid for handled in before.handled}
    acts = {act.uid: act for act in picture.spec.acts}
    for handled in after.handled:
        act = acts.get(handled.uid)
        if handled.uid not in known and act is not None:
            note = f"{act.verb} by {act.by} ({act.reason}): {handled.outcome}, {handled.message}"
            yield News("InterventionAnswered", note, occasion=handled.uid)
    yield from _recall_news(before, after)


def _recall_news(before: ReleaseStatus, after: ReleaseStatus) -> Iterator[News]:
    adopts = after.recall is not None and after.recall.cause == Cause.ADOPTED
    if after.recall and after.recall.gave_up and not (before.recall and before.recall.gave_up):
        reason = "AdoptionRefused" if adopts else "RollbackRefused"
        yield News(reason, f"{after.recall.version.version} did not become ready in time", True)
    elif after.recall and not before.recall:
        reason = "Adopting" if adopts else "RollingBack"
        yield News(reason, f"{after.recall.version.version} is started beside what serves")


def put_back(picture: Picture, effects: Iterable[Effect]) -> Iterator[tuple[str, News]]:
    """Foreign edits that raise exposure are undone, and told, with who did it; each under the edit's own token."""
    for effect in effects:
        if not isinstance(effect, Ensure) or effect.part not in picture.sight.foreign:
            continue
        part = picture.before.part(effect.part)
        if part is None or part.hand or not part.move or effect.move != part.move or part.landed < part.move:
            continue
        author = picture.sight.foreign[effect.part]
        note = f"{author} changed the weights of {effect.part}; they are put back to what the status says"
        yield effect.expects.token, News("ForeignEditPutBack", note, True)


class Audience:
    """Tells all of them."""

    def __init__(self, reporter: Reporter, metrics: Metrics) -> None:
        self._reporter, self._metrics = reporter, metrics

    def recorded(self, document: Object, picture: Picture, before: ReleaseStatus, after: ReleaseStatus) -> None:
        """A status was written."""
        for item in news(picture, before, after):
            self._tell(document, item, item.occasion)
        self._count(before, after)

    def seen(self, key: Key, picture: Picture, status: ReleaseStatus) -> None:
        """A pass has ended: the gauges follow, whether anything was written or not."""
        metrics = self._metrics
        metrics.phase(key, status.phase)
        stable, candidate = status.stable, status.candidate
        metrics.versions(key, stable.version if stable else "", candidate.version if candidate else "")
        metrics.forget_readings(key)
        for component in status.components:
            if component.weight is not None and component.weight.observed is not None:
                metrics.weight(key, component.name, component.weight.observed / 1000)
        for guard in picture.guards:
            metrics.guard(key, guard.name, guard.verdict, numbers(guard), component=guard.component)

    def acting(self, document: Object, picture: Picture, effects: Iterable[Effect]) -> None:
        """Effects are about to run."""
        for token, item in put_back(picture, effects):
            self._tell(document, item, token)

    def told(self, document: Object, item: News) -> None:
        """What is about no transition."""
        self._tell(document, item, item.occasion)

    def gone(self, key: Key) -> None:
        """The object is no more."""
        self._metrics.forget(key)

    def _tell(self, document: Object, item: News, occasion: str | None) -> None:
        logger.info(item.note, extra={"transition": item.reason})
        self._reporter.record(
            document, item.reason, item.note, action=item.reason, warning=item.warning, occasion=occasion
        )

    def _count(self, before: ReleaseStatus, after: ReleaseStatus) -> None:
        if after.phase is not before.phase:
            self._metrics.entered(after.phase)
        done, was = after.revert, before.revert
        if done and done.finished_at and done.at and not (was and was.finished_at and was.at == done.at):
            self._metrics.reverted(done.cause, done.finished_at - done.at)
