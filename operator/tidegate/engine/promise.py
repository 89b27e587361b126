"""What a status promises to the world: traffic per part, and who runs how large. Functions of status and spec."""

from collections.abc import Iterator, Mapping

from tidegate.engine.values import CLIMBING, FULL, Part, Phase, Spec, Status, Track, Version

Split = tuple[tuple[str, int], ...]


def takes_part(status: Status, part: str) -> bool:
    """Whether the candidate brings something new for this part: what is the same in both versions does not climb."""
    if status.candidate is None:
        return False
    top = status.candidate.runs(part)
    return top is not None and (status.stable is None or status.stable.runs(part) != top)


def share_of(status: Status, part: Part) -> int:
    """The candidate's share in force: the weight while it climbs, else the rest."""
    return part.weight if status.phase in CLIMBING else part.rest


def promise(status: Status, part: Part) -> Split:
    """The split among contents that this part should have, sorted, without zeros.

    A part that stable does not have gives the candidate all or nothing; one that the candidate does not have, or has
    unchanged, stays with stable.
    """
    base = status.stable.runs(part.name) if status.stable else None
    top = status.candidate.runs(part.name) if status.candidate else None
    if top is None or top == base:
        return ((base, FULL),) if base else ()
    share = share_of(status, part)
    if base is None:
        return ((top, FULL),) if share > 0 else ()
    split = []
    if share < FULL:
        split.append((base, FULL - share))
    if share > 0:
        split.append((top, share))
    return tuple(sorted(split))


def pin(status: Status, part: Part) -> str | None:
    """The content that the app's own Service should select: who calls it directly never meets a candidate.

    "" for a part that no version has any more: nothing of ours, or its last pods could never be taken down. None:
    as it is.
    """
    if status.stable:
        base = status.stable.runs(part.name)
        if base:
            return base
        if not (status.candidate and status.candidate.runs(part.name)):
            return ""
    split = promise(status, part)
    return split[0][0] if split else None


def preview(status: Status, part: Part) -> str:
    """The content that marked requests should reach: the candidate's while it climbs, and "" at all other times."""
    if status.phase not in CLIMBING or status.candidate is None or not takes_part(status, part.name):
        return ""
    return status.candidate.runs(part.name) or ""


def track_of(spec: Spec, part: str) -> Track | None:
    return next((track for track in spec.tracks if part in track.parts), None)


def standing_at(status: Status, track: Track) -> int:
    """Where a track stands: the lowest weight among its parts that take part."""
    weights = [p.weight for p in status.parts if p.name in track.parts and takes_part(status, p.name)]
    return min(weights, default=0)


def step_of(spec: Spec, status: Status) -> tuple[int, int]:
    """(number, of): the step that a reader sees, of the first ladder that climbs; counted from 1."""
    climbing = {p.name for p in status.parts if takes_part(status, p.name)}
    track = next((t for t in spec.tracks if climbing & set(t.parts)), None) or next(iter(spec.tracks), None)
    if track is None:
        return 1, 1
    at = standing_at(status, track)
    return max(sum(1 for rung in track.ladder if rung.weight <= at), 1), len(track.ladder)


def next_weight(status: Status, track: Track) -> int:
    """The weight ahead of a track: the next rung above where it stands, or the last."""
    last = track.ladder[-1].weight
    if status.rescue:
        return last
    at = standing_at(status, track)
    return next((rung.weight for rung in track.ladder if rung.weight > at), last)


def load(status: Status, part: str, weight: int) -> int:
    """The share of all traffic that the candidate carries at a weight: of a part that stable does not have, all."""
    alone = status.stable is None or status.stable.runs(part) is None
    return FULL if alone and weight > 0 else weight


def _wanted(version: Version) -> Iterator[tuple[tuple[str, str], int]]:
    for piece in version.pieces:
        yield (piece.part, piece.content), FULL


def demand(spec: Spec, status: Status) -> Mapping[tuple[str, str], int]:
    """For which share of all traffic each (part, content) should be sized: capacity comes before traffic."""
    wanted: dict[tuple[str, str], int] = {}
    if status.phase in (*CLIMBING, Phase.REVERTING) and status.candidate:
        for piece in status.candidate.pieces:
            if not takes_part(status, piece.part):
                continue
            track = track_of(spec, piece.part)
            part = status.part(piece.part)
            ahead = next_weight(status, track) if track and status.phase in CLIMBING else 0
            wanted[piece.part, piece.content] = load(status, piece.part, max(ahead, part.weight if part else 0))
    for version in (status.stable, None if status.retiring else status.previous):
        if version and (version is not status.previous or status.keep_until is not None):
            wanted.update(_wanted(version))
    if status.recall and not status.recall.gave_up:
        wanted.update(_wanted(status.recall.version))
    return wanted
