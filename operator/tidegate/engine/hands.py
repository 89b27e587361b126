"""Hands: someone lowered a weight outside of us. He may be saving the night: it is kept; nothing climbs until Resume.

Known by four things together: our last move had landed, the reading includes it, traffic goes only to versions that we
know, and there is less on the newest side than promised. Any other difference is put back.
"""

from tidegate.engine.passing import Pass
from tidegate.engine.values import Part, Phase


def notice_hands(p: Pass) -> None:
    if p.status.phase in (Phase.REVERTING, Phase.GONE):
        return
    for part in p.status.parts:
        if p.settled(part):
            _note_landing(p, part)
        elif not part.hand and p.reading(part).split is not None:
            _notice(p, part)


def _note_landing(p: Pass, part: Part) -> None:
    if part.hand:
        # raised again by the same hand: it is as promised, but only Resume lets it climb on
        return
    if part.landed != part.move:
        p.put(part.name, landed=part.move, landed_at=p.now, stood=_newest_share(p, part))


def _notice(p: Pass, part: Part) -> None:
    seen = p.reading(part).move
    if part.landed == part.move:
        if (seen is None or seen >= part.move) and p.lowered(part):
            p.put(part.name, hand=p.next_move(), hand_at=p.now)
    elif seen is not None and seen == part.landed and p.lowered(part, than=part.stood):
        # our newest move was decided on a reading from before the edit, and never landed
        p.put(part.name, hand=p.next_move(), hand_at=p.now, weight=min(part.weight, part.stood))


def take_as_hand(p: Pass) -> None:
    """The world carries a newer move of ours than this status knows: a restored backup, or an edited annotation.

    The counter is raised above it, and what is there counts as a hand: nothing rises until Resume, reverts work.
    """
    p.set(move=max(p.status.move, p.newest_move_seen()))
    move = p.next_move()
    for part in p.status.parts:
        reading = p.reading(part)
        if reading.move is None or reading.move <= part.move:
            continue
        p.put(part.name, move=move, moved=p.now, landed=reading.move, stood=_newest_share(p, part))
        if p.status.phase is not Phase.REVERTING:
            p.put(part.name, hand=move, hand_at=p.now)


def _newest_share(p: Pass, part: Part) -> int:
    newest, _ = p.sides(part)
    return dict(p.reading(part).split or ()).get(newest, 0) if newest else 0


def resume_hands(p: Pass) -> None:
    """What was lowered becomes the promise, under a new move (old evidence is void); at rest stable gets 100 back.

    What the hand left is what stands from now on: until the new move lands it is no other lowering.
    """
    move = p.next_move()
    for part in p.status.parts:
        if not part.hand:
            continue
        p.put(part.name, stood=_newest_share(p, part))
        share = p.share(part)
        if p.climbing and share is not None:
            lowered = min(part.weight, share)
            p.put(part.name, hand=0, hand_at=0.0, weight=lowered, move=move, moved=p.now, held=0.0, since=None)
        else:
            p.put(part.name, hand=0, hand_at=0.0, move=move, moved=p.now)
