"""After: what nobody needs any more, and the clock of debts."""

from tidegate.engine.passing import POLL, Pass
from tidegate.engine.values import Instance, Phase, Reading, Retire, State, Status


def keep_house(p: Pass) -> None:
    if p.status.phase is Phase.GONE:
        return
    p.pin_services()
    p.preview_candidate()
    if p.status.phase is Phase.REVERTING:
        return
    _let_previous_go(p)
    unread = any(reading.split is None for _, reading in p.seen.readings)  # also of a part that no status names yet
    if p.seen.instances is None or unread or any(p.reading(part).split is None for part in p.status.parts):
        return
    _drop_parts_of_nobody(p)
    _take_down_leftovers(p)


def _let_previous_go(p: Pass) -> None:
    """Warm, then retiring (recorded), then taken down in a later pass: a rollback finds it until the very last."""
    status = p.status
    if status.keep_until is None or p.handed():
        return
    if p.now < status.keep_until:
        p.wake_at(status.keep_until)
        return
    p.set(keep_until=None, retiring=True)
    p.wake_in(0)


def _drop_parts_of_nobody(p: Pass) -> None:
    status = p.status
    if status.stable is None:
        return
    owners = [v for v in (status.stable, status.candidate) if v]
    gone = {
        part.name
        for part in status.parts
        if not any(v.runs(part.name) for v in owners) and p.settled(part) and not _is_named(p.reading(part))
    }
    if gone:
        p.set(parts=tuple(part for part in status.parts if part.name not in gone))


def _is_named(reading: Reading) -> bool:
    """Whether something leads to a version beside the split."""
    return bool(reading.pin or reading.preview)


def _take_down_leftovers(p: Pass) -> None:
    """Take down only what neither the status this pass began with nor the one it ends with needs."""
    needed = _needed(p, p.was) | _needed(p, p.status)
    serving = {(name, content) for name, reading in p.seen.readings for content, share in reading.split or () if share}
    named = _named(p)
    left = [i for i in p.seen.instances or () if i.state is not State.ABSENT and (i.part, i.content) not in needed]
    for instance in left:
        if (instance.part, instance.content) in serving | named:
            p.wake_to_repair()
        elif instance.busy_until is not None and instance.busy_until > p.now:
            p.wake_at(instance.busy_until)
        else:
            _retire(p, instance)
    if p.was.retiring and p.status.retiring and not any(_belongs(p, i) for i in left):
        p.set(retiring=False)


def _named(p: Pass) -> set[tuple[str, str | None]]:
    """What something leads to beside the split."""
    return {(name, content) for name, reading in p.seen.readings for content in (reading.pin, reading.preview)}


def _retire(p: Pass, instance: Instance) -> None:
    p.do(Retire(instance.part, instance.content, instance.claim))
    p.wake_in(POLL)


def _belongs(p: Pass, instance: Instance) -> bool:
    previous = p.status.previous
    return previous is not None and previous.runs(instance.part) == instance.content


def _needed(p: Pass, status: Status) -> set[tuple[str, str]]:
    cold = status.previous is not None and status.keep_until is None and not p.handed()
    versions = [status.stable, status.candidate, None if cold else status.previous]
    if status.recall and not status.recall.gave_up:
        versions.append(status.recall.version)
    return {(piece.part, piece.content) for v in versions if v for piece in v.pieces}


def count_debts(p: Pass) -> None:
    """A debt begins when it is first owed and ends when it is not: written so that its limit survives a restart."""
    if p.status.phase is Phase.GONE:
        return
    since = dict(p.status.owed)
    owed = tuple((debt, since.get(debt, p.now)) for debt in sorted(p.owing))
    if owed != p.status.owed:
        p.set(owed=owed)
