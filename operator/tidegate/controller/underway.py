"""Which Releases a new leader looks at first: those of which something is under way.

Among ten thousand that stand still, the one that is to revert must not wait for its turn. This is about order alone:
whoever is left out here is looked at all the same, only later.
"""

from collections.abc import Sequence
from typing import Final

from tidegate.engine.values import Phase
from tidegate.kube.resources import RELEASES, Key, Object
from tidegate.kube.store import Store

_STILL: Final = frozenset({Phase.COMPLETED, Phase.REVERTED, Phase.FAILED})


def under_way(store: Store) -> Sequence[Key]:
    """Reverts first, then climbs, then what asks for something that is not decided on yet."""
    ranked = [(rank, key) for key in store.keys(RELEASES) if (rank := _rank(store.get(RELEASES, *key))) is not None]
    return [key for _, key in sorted(ranked)]


def _rank(release: Object | None) -> int | None:
    """None: it stands still. Nothing here is believed: a status may have been edited by hand."""
    if release is None:
        return None
    status = release.get("status") or {}
    phase = status.get("phase")
    if phase == Phase.REVERTING:
        return 0
    if phase not in _STILL:
        return 1
    metadata = release["metadata"]
    told = status.get("observedGeneration") == metadata.get("generation") and not metadata.get("deletionTimestamp")
    return None if told else 2
