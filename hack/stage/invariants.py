"""What no recorded history may show: the safety rules of the engine's tests, asked of what really was written.

Each rule gives sentences, none is good; the letters are those of docs/safety.md. A rule looks at what was stored alone,
so it holds for whatever operator wrote it, killed, doubled or cut off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from hack.stage.history import History, Shift, Step, Write, stamp, weights
from tidegate.engine.promise import promise, takes_part
from tidegate.engine.values import CLIMBING, FULL, Action, Cause, Part, Phase, Status, Verdict
from tidegate.targets.kubernetes.names import looks_like_workload, workload_name

GRAIN = 500
"""Thousandths of a percent by which whole weights may be off."""

Rule = Callable[[History], Iterator[str]]


def broken(history: History) -> list[str]:
    """Every rule that a history breaks, with the write that breaks it."""
    return [sentence for rule in RULES for sentence in rule(history)]


def premises(history: History) -> Counter[str]:
    """How often something was there by which a rule could have been broken."""
    raised = [step for step in history.steps if any(_risen(step))]
    removed = [w for w in history.mine if w.kind == "deployments" and w.request.verb == "delete"]
    return Counter(
        {
            "statuses": len(history.steps),
            "writes of a route": len(history.shifts),
            "raises": len(raised),
            "completions": sum(1 for step in history.steps if _completes(step)),
            "reverts": sum(1 for step in history.steps if _turns_back(step)),
            "rejections": len({r.content for step in history.steps for r in step.now.rejected}),
            "removals": len(removed),
        }
    )


# ---- counters and writers


def counts_only_upwards(history: History) -> Iterator[str]:
    for step in history.steps:
        if step.now.move < step.was.move or step.now.attempt < step.was.attempt:
            yield f"S1 a counter fell: {step.write}"
        for part in step.now.parts:
            old = step.was.part(part.name)
            if old is not None and part.move < old.move:
                yield f"S1 the move of {part.name} fell: {step.write}"
            if part.move > step.now.move:
                yield f"S1 {part.name} has a move that was never given out: {step.write}"
            if old is not None and part.move == old.move and not part.hand and _differs(step, old, part):
                yield f"S1 what {part.name} should be changed without a new move: {step.write}"


def _differs(step: Step, old: Part, part: Part) -> bool:
    return promise(step.was, old) != promise(step.now, part)


def one_epoch_at_a_time(history: History) -> Iterator[str]:
    newest = 0
    for step in history.steps:
        epoch = step.written.writer.epoch if step.written.writer else 0
        if epoch < newest:
            yield f"S14 epoch {epoch} wrote after epoch {newest}: {step.write}"
        newest = max(newest, epoch)


def writes_only_what_it_has_read(history: History) -> Iterator[str]:
    """Without a resourceVersion to compare, an old leader would write over a new one."""
    decisive = [*(step.write for step in history.steps), *(shift.write for shift in history.shifts)]
    for write in decisive:
        if not (write.request.body.get("metadata") or {}).get("resourceVersion"):
            yield f"S14 written without a precondition: {write}"


def writes_nothing_twice(history: History) -> Iterator[str]:
    for write in history.mine:
        if write.before and not write.changed and write.request.verb in ("update", "patch"):
            yield f"S17 what was written stood there already: {write}"
    for step in history.steps:
        if _without_writer(step.write.before) == _without_writer(step.write.after) and not _was_forged(step):
            yield f"S17 an equal status was written: {step.write}"


def _was_forged(step: Step) -> bool:
    """Whether nobody stood there as writer, or a leader yet to come: that is put right, though all else is so."""
    epoch = ((step.write.before.get("status") or {}).get("writer") or {}).get("epoch") or 0
    return step.written.writer is not None and not 0 < epoch <= step.written.writer.epoch


def _without_writer(release: Any) -> Any:
    return {key: value for key, value in (release.get("status") or {}).items() if key != "writer"}


# ---- record before act


def records_before_it_acts(history: History) -> Iterator[str]:
    for shift in history.shifts:
        for part, move in shift.moves.items():
            known = (shift.status.part(part) if shift.status else None) or Part(part)
            promised = max((found.move for step in shift.recorded if (found := step.now.part(part))), default=0)
            if move > promised:
                yield f"S2 move {move} of {part} was written before it was recorded: {shift.write}"
            old = (stamp(shift.write.before, history.name, history.uid) or {}).get(part, 0)
            if move < old:
                yield f"S14 move {move} of {part} was written over move {old}: {shift.write}"
            if known.move > move and _gives_more(history, shift, part):
                yield f"S14 move {move} of {part} raised it after move {known.move} was recorded: {shift.write}"


def gives_no_more_than_it_recorded(history: History) -> Iterator[str]:
    for shift in history.shifts:
        for part, move in shift.moves.items():
            step = next((s for s in reversed(shift.recorded) if (p := s.now.part(part)) and p.move == move), None)
            if step is None or part not in _written_parts(history, shift):
                continue
            promised = dict(promise(step.now, step.now.parts[_index(step.now, part)]))
            for content, share in _shares(history, shift, part, _contents(step.now, part)).items():
                if share > promised.get(content, 0) + GRAIN and not _only_kept(history, shift, part, content, share):
                    most = f"{promised.get(content, 0) / 1000:g} % was recorded"
                    yield f"S2 {part} gives {share / 1000:g} % to {content[:10]}, and {most}: {shift.write}"


def _index(status: Status, part: str) -> int:
    return [p.name for p in status.parts].index(part)


def _contents(status: Status, part: str) -> set[str]:
    versions = [v for v in (status.stable, status.candidate, status.previous) if v]
    return {content for v in versions if (content := v.runs(part))}


def _shares(history: History, shift: Shift, part: str, contents: set[str], *, before: bool = False) -> dict[str, int]:
    """Of the traffic that goes to workloads of this part, who has how much, in thousandths of a percent."""
    found = weights(shift.write.before if before else shift.write.after)
    ours = {name: weight for name, weight in found.items() if looks_like_workload(history.name, part, name)}
    whole = sum(ours.values())
    names = {workload_name(history.name, part, content): content for content in contents}
    return {names[name]: weight * FULL // whole for name, weight in ours.items() if name in names and whole}


def _written_parts(history: History, shift: Shift) -> set[str]:
    old = stamp(shift.write.before, history.name, history.uid) or {}
    return {part for part, move in shift.moves.items() if old.get(part) != move}


def _only_kept(history: History, shift: Shift, part: str, content: str, share: int) -> bool:
    """It had as much before: the write took nothing away, for a hand, or was about another part."""
    return _shares(history, shift, part, {content}, before=True).get(content, 0) >= share


def _gives_more(history: History, shift: Shift, part: str) -> bool:
    if shift.status is None or shift.status.candidate is None:
        return False
    top = shift.status.candidate.runs(part)
    if top is None:
        return False
    had = _shares(history, shift, part, {top}, before=True).get(top, 0)
    return _shares(history, shift, part, {top}).get(top, 0) > had


def splits_all_traffic(history: History) -> Iterator[str]:
    """Every weight is written, zero too, and somebody of each rule's backends has one."""
    for shift in history.shifts:
        for rule in (shift.write.after.get("spec") or {}).get("rules") or ():
            backends = rule.get("backendRefs") or ()
            if not any(_is_workload(history, shift, backend["name"]) for backend in backends):
                continue
            if any("weight" not in backend for backend in backends) or not any(b.get("weight") for b in backends):
                yield f"S1 the weights of a rule are no split: {shift.write}"


def _is_workload(history: History, shift: Shift, name: str) -> bool:
    return any(looks_like_workload(history.name, part, name) for part in shift.moves)


# ---- what may rise


def _risen(step: Step) -> Iterator[tuple[Part, Part]]:
    """(before, after) of each part whose promised weight rose in a climb."""
    for part in step.now.parts:
        old = step.was.part(part.name) or Part(part.name)
        begun = part.rest if step.was.attempt != step.now.attempt else old.weight
        if step.now.phase in CLIMBING and takes_part(step.now, part.name) and part.weight > begun:
            yield old._replace(weight=begun), part


def raises_only_with_permission(history: History) -> Iterator[str]:
    for step in history.steps:
        if not any(_risen(step)):
            continue
        candidate, metadata = step.now.candidate, step.declared["metadata"]
        verdicts = {guard.verdict for guard in step.written.guards}
        for verdict in (Verdict.BREACH, Verdict.HOLD, Verdict.UNKNOWN):
            if verdict in verdicts:
                yield f"S2 raised while a guard said {verdict.value}: {step.write}"
        if any(candidate and r.content == candidate.content for r in step.now.rejected):
            yield f"S3 raised a rejected version: {step.write}"
        if step.declared["spec"].get("paused"):
            yield f"S11 raised while paused: {step.write}"
        limits = [standing.at or 0 for standing in step.now.standing]
        if any(part.weight > limit for _, part in _risen(step) for limit in limits):
            yield f"S11 raised above a Pause: {step.write}"
        if metadata.get("deletionTimestamp"):
            yield f"S13 raised while deleting: {step.write}"
        if any(part.hand for part in step.now.parts):
            yield f"S15 raised while a hand is on: {step.write}"


def steps_in_order(history: History) -> Iterator[str]:
    for step in history.steps:
        if step.now.rescue or step.was.phase not in CLIMBING:
            continue
        for old, new in _risen(step):
            ladder = [int(rung.weight) for rung in step.written.steps]
            own = [c.get("steps") for c in step.declared["spec"].get("components") or () if c.get("name") == new.name]
            peers = [part.weight for part in step.was.parts if takes_part(step.was, part.name)]
            above = [weight for weight in ladder if weight > min([old.weight, *peers])]
            if ladder and not any(own) and (not above or new.weight != above[0]):
                yield f"S6 {new.name} went from {old.weight / 1000:g} to {new.weight / 1000:g} %: {step.write}"


def _completes(step: Step) -> bool:
    candidate, stable = step.was.candidate, step.now.stable
    climbed = step.was.phase in CLIMBING and step.was.attempt == step.now.attempt
    return climbed and candidate is not None and stable is not None and stable.content == candidate.content


def completes_what_stood(history: History) -> Iterator[str]:
    for step in history.steps:
        if not _completes(step):
            continue
        if any(guard.verdict is Verdict.BREACH for guard in step.written.guards):
            yield f"S7 completed under a breach: {step.write}"
        for part in step.was.parts:
            if takes_part(step.was, part.name) and part.weight != FULL:
                yield f"S6 completed with {part.name} at {part.weight / 1000:g} %: {step.write}"
            now = step.now.part(part.name)
            if takes_part(step.was, part.name) and now is not None and now.landed < part.move:
                yield f"S7 completed before move {part.move} of {part.name} was seen to stand: {step.write}"


# ---- what was rejected


def _turns_back(step: Step) -> bool:
    return step.was.phase in CLIMBING and step.now.turned > step.was.turned


def forgets_no_rejection(history: History) -> Iterator[str]:
    for step in history.steps:
        lost = {r.content for r in step.was.rejected} - {r.content for r in step.now.rejected}
        retried = any((act.get("spec") or {}).get("action") == Action.RETRY for act in step.acts)
        if lost and not retried and len(step.was.rejected) < 20:
            yield f"S3 forgot that {', '.join(sorted(c[:10] for c in lost))} was rejected: {step.write}"
        rejected = {r.content for r in step.now.rejected}
        guilty = step.was.candidate if _turns_back(step) and step.now.guilty else None
        if guilty is not None and guilty.content not in rejected:
            yield f"S3 turned back for {step.now.cause}, and does not remember it: {step.write}"
        stable, old = step.now.stable, step.was.stable
        became = stable is not None and (old is None or old.content != stable.content)
        asked = step.now.cause is Cause.PERSON or step.now.phase is Phase.REVERTING
        if stable and became and not asked and stable.content in rejected:
            yield f"S3 {stable.name} is rejected, and became stable: {step.write}"


def raises_no_rejected_version(history: History) -> Iterator[str]:
    """In the route. Where nothing is proven there is nothing to go back to, and a first version stays where it is."""
    for shift in history.shifts:
        status = shift.status
        if status is None or status.stable is None:
            continue
        rejected = {r.content for r in status.rejected}
        for part in shift.moves:
            contents = {c for c in rejected if c != status.stable.runs(part)}
            had = _shares(history, shift, part, contents, before=True)
            for content, share in _shares(history, shift, part, contents).items():
                if share > had.get(content, 0):
                    yield f"S3 {content[:10]} is rejected and rose in the route: {shift.write}"


def sends_traffic_only_where_it_is_proven(history: History) -> Iterator[str]:
    for shift in history.shifts:
        status = shift.status
        if status is None:
            continue
        for part in shift.moves:
            known = {workload_name(history.name, part, content) for content in _contents(status, part)}
            before, after = weights(shift.write.before), weights(shift.write.after)
            for name, weight in after.items():
                ours = looks_like_workload(history.name, part, name)
                if ours and name not in known and weight > before.get(name, 0):
                    yield f"S4 traffic to {name}, which is no version of the status: {shift.write}"


def removes_nothing_that_serves(history: History) -> Iterator[str]:
    routes: dict[str, Write] = {}
    for write in history.writes:
        if write.kind == "httproutes":
            routes[write.name] = write
        if not (write.kind == "deployments" and write.request.verb == "delete" and write.by_operator):
            continue
        for route in routes.values():
            if route.request.verb != "delete" and weights(route.after).get(write.name, 0) > 0:
                yield f"S4 removed while route {route.name} gave it traffic: {write}"


RULES: tuple[Rule, ...] = (
    counts_only_upwards,
    one_epoch_at_a_time,
    writes_only_what_it_has_read,
    writes_nothing_twice,
    records_before_it_acts,
    gives_no_more_than_it_recorded,
    splits_all_traffic,
    raises_only_with_permission,
    steps_in_order,
    completes_what_stood,
    forgets_no_rejection,
    raises_no_rejected_version,
    sends_traffic_only_where_it_is_proven,
    removes_nothing_that_serves,
)
