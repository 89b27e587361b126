"""What policies asked of a climb when it began, and since: kept in the status, so that nobody makes it easier midway.

A policy's guards and bounds, packed, take some hundred bytes. Where all of them would take more than `LARGEST`, of the
rest only a hash is kept: nothing is lost while such a policy stays as it is, and once it changes nothing rises any
more, since nobody could tell what it was.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tidegate.api import CLIMBING, Binding, Effective, Phase, PolicyRules
from tidegate.api.conditions import Reason
from tidegate.api.rules import fingerprint, pack, unpack
from tidegate.controller.picture import Obstacle
from tidegate.engine.values import Status

LARGEST: Final = 16 * 1024
"""Characters of all policies' rules together."""
_HASH: Final = "0:"


class Bound(NamedTuple):
    """What stands in the status, and what keeps the climb from rising: a policy that changed and was not kept."""

    bindings: tuple[Binding, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()


def under_way(status: Status) -> bool:
    """Whether there is a climb, on its way up or back, that policies bind."""
    return status.phase in (*CLIMBING, Phase.REVERTING)


def remembered(status: Status, written: Sequence[Binding]) -> tuple[PolicyRules, ...]:
    """What was asked of the climb that is under way; nothing where there is none."""
    if not under_way(status):
        return ()
    known = (unpack(binding.policy, binding.generation, binding.rules) for binding in written)
    return tuple(rules for rules in known if rules is not None)


def begun(force: Effective) -> tuple[Binding, ...]:
    """What binds a climb that begins now."""
    return _bound(force.rules_now, force.rules_now, ()).bindings


def goes_on(force: Effective, written: Sequence[Binding]) -> Bound:
    """What binds a climb that was bound like this so far."""
    return _bound(force.rules, force.rules_now, written)


def _bound(rules: Sequence[PolicyRules], now: Sequence[PolicyRules], written: Sequence[Binding]) -> Bound:
    asked, asks_now = {each.policy: each for each in rules}, {each.policy: each for each in now}
    old = {binding.policy: binding for binding in written}
    room = LARGEST - sum(len(binding.rules) for binding in written)
    bindings, changed = [], []
    for policy in sorted({*asked, *old}):
        before, current = old.get(policy), asks_now.get(policy)
        if before is None:
            text = pack(asked[policy])
            text = text if len(text) <= room else _hash(asked[policy])
            forgotten = False
        else:
            text, forgotten = _goes_on(before, asked.get(policy), current, room)
        room -= len(text) - (len(before.rules) if before else 0)
        loosened = forgotten or not asked[policy].same_as(current)
        generation = current.generation if current else before.generation if before else 0
        bindings.append(Binding(policy=policy, generation=generation, loosened=loosened, rules=text))
        if forgotten:
            changed.append(policy)
    return Bound(tuple(bindings), tuple(_changed(policy) for policy in changed))


def _goes_on(before: Binding, asked: PolicyRules | None, current: PolicyRules | None, room: int) -> tuple[str, bool]:
    """(what is kept of a policy, whether that is less than was asked)."""
    if before.rules.startswith(_HASH):
        return before.rules, current is None or _hash(current) != before.rules
    kept = unpack(before.policy, before.generation, before.rules)
    if kept is None or asked is None:
        return before.rules, True
    if kept.same_as(asked):
        return before.rules, False
    text = pack(asked)
    return (text, False) if len(text) - len(before.rules) <= room else (before.rules, True)


def _hash(rules: PolicyRules) -> str:
    return _HASH + fingerprint(rules)


def _changed(policy: str) -> Obstacle:
    return Obstacle(
        Reason.POLICY_CHANGED,
        f"policy {policy} has changed since this climb began, and what it asked of it is not known any more, so that "
        "nothing rises: put the policy back as it was, roll back, or ask for another version",
    )
