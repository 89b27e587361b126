"""Writing a carrier: the stamp with the split, and only over what was looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tidegate.api.meta import short
from tidegate.errors import Conflict, Transient
from tidegate.kube import Object
from tidegate.targets.kubernetes.names import resource_version
from tidegate.targets.kubernetes.stamp import Stamp, annotation, stamp_of
from tidegate.targets.kubernetes.traffic.port import Carrier, Write
from tidegate.targets.kubernetes.view import View

TRIES: Final = 3  # of a write that somebody else's write came before, though not to what ours is about


def stamped(
    view: View,
    carrier: Carrier,
    obj: Object,
    token: str,
    writes: Sequence[Write],
    spec: Object | None,
    now: float,
    *,
    says: bool = True,
) -> Object | None:
    """The patch that gives the object this spec and the stamp of these writes; None if it has both.

    `spec` is the part of it that changes, or None. `says`: whether the spec by itself says the shares. Raises Conflict
    where the fence is not as expected.
    """
    app = view.app
    stamp = stamp_of(obj, app.name, app.uid)
    moves = {**stamp.moves, **{write.ensure.part: write.ensure.move for write in writes}}
    splits = stamp.splits if says else {**stamp.splits, **{write.ensure.part: in_short(write) for write in writes}}
    if spec is None and (moves, splits) == (stamp.moves, stamp.splits):
        return None
    for write in writes:
        check(view, carrier, obj, token, write)
    newer = Stamp(moves, now if spec is not None else stamp.at, splits)
    metadata = {
        "resourceVersion": resource_version(obj),
        "annotations": {annotation(app.name): newer.written(app.uid)},
    }
    return {"metadata": metadata} if spec is None else {"metadata": metadata, "spec": spec}


def in_short(write: Write) -> Mapping[str, int]:
    """The split by the revisions that labels carry."""
    return {short(content): share for content, share in write.ensure.split}


def check(view: View, carrier: Carrier, obj: Object, token: str | None, write: Write) -> None:
    """Raises Conflict where the object is not as the write expects, by stamp or by token (None: not asked for).

    By value is not enough: the same weights return, and a late write would land over a revert or a person.
    """
    part, move, expects = write.ensure.part, write.ensure.move, write.ensure.expects
    there = stamp_of(obj, view.app.name, view.app.uid).move(part)
    if there > move:
        raise Conflict(f"{carrier} has move {there} of {part} already, which is newer than {move}.")
    if expects.move is not None and there != expects.move:
        raise Conflict(f"{carrier} has move {there} of {part}, not {expects.move}: it was written since.")
    if expects.token and token is not None and token != expects.token:
        raise Conflict(f"{carrier} was edited since it was looked at. It is looked at again.")


async def merged(
    view: View, carrier: Carrier, obj: Object | None, patch: Callable[[Object | None], Object | None]
) -> None:
    """Write what `patch` makes of the object, and anew of a fresher one where somebody else's write came before ours:
    often only a status. `patch` returns None where there is nothing to write, and raises where it must not be written.
    """
    cluster, namespace = view.cluster, view.app.namespace
    for _ in range(TRIES):
        body = patch(obj)
        if body is None:
            return
        try:
            await cluster.merge(carrier.resource, namespace, carrier.name, body)
            return
        except Conflict:
            obj = await cluster.fresh(carrier.resource, namespace, carrier.name)
    raise Transient(f"{carrier} is being written by others at the same time; it is tried again.")
