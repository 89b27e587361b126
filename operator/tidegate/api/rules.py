"""What policies ask of one climb: their guards, and the bounds of its ladder.

A climb goes on under what its policies asked when it began, and under whatever they have asked since that is stricter:
who edits, narrows or deletes a policy midway makes no climb under way easier. So there are two questions here: which
of two is the stricter, and what both together are.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from pydantic import ValidationError

from tidegate.api.grammar import WIRE
from tidegate.api.guard import Guard
from tidegate.api.limit import Limit, stricter
from tidegate.api.policy import LadderBounds, ReleasePolicy

UNBOUND: Final = LadderBounds()
"""Bounds that bound nothing."""
_FORMAT: Final = "1:"
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes that a packed text may unpack to: more than any policy can have."""


@dataclass(frozen=True)
class OwnedGuard:
    """A guard and whose it is. Two of one name stand side by side, each under its owner."""

    owner: str
    """Name of the policy; "" is the Release itself. A guard that was given another question midway stands beside what
    it was, as `policy@generation`."""
    guard: Guard


@dataclass(frozen=True)
class PolicyRules:
    """What one policy asks of a climb: its guards that act, and its bounds."""

    policy: str
    generation: int
    """The newest generation of the policy that is in it."""
    guards: tuple[OwnedGuard, ...] = ()
    weight: LadderBounds = UNBOUND

    def same_as(self, other: PolicyRules | None) -> bool:
        """Whether both ask the same, whatever generations they are of."""
        return other is not None and (self.guards, self.weight) == (other.guards, other.weight)

    @property
    def empty(self) -> bool:
        """Whether nothing is asked."""
        return not self.guards and self.weight == UNBOUND


def rules_of(policy: ReleasePolicy) -> PolicyRules:
    """What the policy asks now. A guard that only observes asks nothing."""
    name = policy.metadata.name
    guards = tuple(OwnedGuard(name, guard) for guard in policy.spec.guards if guard.enforced)
    weight = policy.spec.ladder.weight if policy.spec.ladder is not None else UNBOUND
    return PolicyRules(name, policy.metadata.generation, guards, weight)


def together(kept: Iterable[PolicyRules], now: Iterable[PolicyRules]) -> tuple[PolicyRules, ...]:
    """The strictest of what was asked so far and what is asked now, by policy; what asks nothing is left out."""
    strictest = {rules.policy: rules for rules in kept}
    for rules in now:
        known = strictest.get(rules.policy)
        strictest[rules.policy] = rules if known is None else _both(known, rules)
    return tuple(strictest[name] for name in sorted(strictest) if not strictest[name].empty)


def _both(kept: PolicyRules, now: PolicyRules) -> PolicyRules:
    guards = list(kept.guards)
    for owned in now.guards:
        for index, known in enumerate(guards):
            if known.guard.name == owned.guard.name and (merged := _stricter_guard(known.guard, owned.guard)):
                guards[index] = OwnedGuard(known.owner, merged)
                break
        else:
            guards.append(OwnedGuard(_owner(guards, owned, now), owned.guard))
    return replace(now, guards=tuple(guards), weight=_stricter_bounds(kept.weight, now.weight))


def _owner(guards: Sequence[OwnedGuard], new: OwnedGuard, rules: PolicyRules) -> str:
    """A name under which nothing else of that guard's name stands."""
    taken = {owned.owner for owned in guards if owned.guard.name == new.guard.name}
    names = (new.owner, f"{rules.policy}@{rules.generation}")
    free = next((name for name in names if name not in taken), None)
    return free or f"{names[1]}.{len(taken)}"


def _question(guard: Guard) -> tuple[Any, ...]:
    """What is asked and how much it takes to answer; only limits of one question can be compared."""
    return guard.connection, guard.component, guard.ratio, guard.quantile, guard.value, guard.min_samples


def _stricter_guard(one: Guard, other: Guard) -> Guard | None:
    """One guard that is breached wherever one of the two is; None where no single one is."""
    if _question(one) != _question(other):
        return None
    limits: dict[str, Limit | None] = {}
    for field in ("hold", "revert"):
        mine, others = getattr(one, field), getattr(other, field)
        limits[field] = stricter(mine, others) if mine and others else mine or others
        if limits[field] is None and (mine or others):
            return None
    if (limits["hold"], limits["revert"]) == (one.hold, one.revert):
        return one
    if (limits["hold"], limits["revert"]) == (other.hold, other.revert):
        return other
    return one.model_copy(update={field: limit for field, limit in limits.items() if limit is not None})


def _stricter_bounds(one: LadderBounds, other: LadderBounds) -> LadderBounds:
    firsts = [bound for bound in (one.max_first, other.max_first) if bound is not None]
    rises = [bound for bound in (one.max_rise, other.max_rise) if bound is not None]
    holds = [bound for bound in (one.min_hold, other.min_hold) if bound is not None]
    given: dict[str, Any] = {}
    if firsts:
        given["max_first"] = min(firsts)
    if rises:
        given["max_rise"] = min(rises)
    if holds:
        given["min_hold"] = max(holds)
    return LadderBounds(**given)


# ---- as a line of text, for a status


def pack(rules: PolicyRules) -> str:
    """The rules as a line of text; the policy and its generation stand beside it."""
    return _FORMAT + base64.b64encode(zlib.compress(_document(rules), 9)).decode()


@lru_cache(maxsize=256)
def unpack(policy: str, generation: int, text: str) -> PolicyRules | None:
    """The rules in that text; None where it has none that can be read (a newer Tidegate's, or cut off)."""
    if not text.startswith(_FORMAT):
        return None
    try:
        packed = base64.b64decode(text.removeprefix(_FORMAT), validate=True)
        document = json.loads(zlib.decompressobj().decompress(packed, _LARGEST))
        guards = tuple(
            OwnedGuard(str(owner), Guard.model_validate(guard, by_alias=True, by_name=False, context=WIRE))
            for owner, guard in document["guards"]
        )
        weight = LadderBounds.model_validate(document["weight"], by_alias=True, by_name=False, context=WIRE)
    except (binascii.Error, zlib.error, ValidationError, ValueError, KeyError, TypeError):
        return None
    return PolicyRules(policy, generation, guards, weight)


def fingerprint(rules: PolicyRules) -> str:
    """64 hexadecimal digits that differ where the rules do."""
    return hashlib.sha256(_document(rules)).hexdigest()


def _document(rules: PolicyRules) -> bytes:
    guards = [[owned.owner, owned.guard.document()] for owned in rules.guards]
    document = {"guards": guards, "weight": rules.weight.document()}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
