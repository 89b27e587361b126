"""What differs between the version that serves and the one that the spec asks for, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tidegate.api.revision import Named
from tidegate.api.versions import CHANGED_VERSION
from tidegate.engine.values import Version
from tidegate.targets.port import Kept, Resolved

_MOST: Final = 16
_LONGEST: Final = 1024  # characters of all of them: each of ten attempts in a status has such a list


def changes(resolved: Resolved, wanted: Version, stable: Version | None, kept: Sequence[Kept]) -> tuple[str, ...]:
    """`Version`; each ConfigMap and Secret with other content, or that only one of them names; and, where neither
    explains it, the component whose template is another. Empty where there is nothing to compare with."""
    if stable is None or stable.content == wanted.content:
        return ()
    found = [] if wanted.name == stable.name else [CHANGED_VERSION]
    by_content = {each.content: each for each in kept}
    for piece in wanted.pieces:
        was = stable.piece(piece.part)
        if was is not None and was.artifact == piece.artifact:
            continue
        old = by_content.get(was.content) if was else None
        named = _named(old.named if old else {}, piece.part) ^ _named(resolved.named, piece.part)
        found += sorted({f"{each.kind} {each.name}" for each in named} if old else ())
        if not named and wanted.name == stable.name:
            found.append(f"component {piece.part}")
    found += [f"component {piece.part}" for piece in stable.pieces if wanted.piece(piece.part) is None]
    return _bounded(tuple(dict.fromkeys(found)))


def _bounded(found: tuple[str, ...]) -> tuple[str, ...]:
    """The first of them, and how many more there are."""
    size, shown = 0, 0
    for each in found[:_MOST]:
        size += len(each)
        if size > _LONGEST:
            break
        shown += 1
    left = len(found) - shown
    return (*found[:shown], f"{left} more") if left else found


def titled(name: str, changed: Sequence[str]) -> str:
    """The version's name, with what tells it from another of that name."""
    told = [each for each in changed if each != CHANGED_VERSION]
    if not told or CHANGED_VERSION in changed:
        return name
    return f"{name} with another {told[0]}" if len(told) == 1 else f"{name} with other {', '.join(told)}"


def _named(named: Mapping[str, tuple[Named, ...]], part: str) -> set[Named]:
    return set(named.get(part, ()))
