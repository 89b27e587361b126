"""backendRefs: which are ours, what split they make, and how they are rewritten. Pure; rules go in and out as the API
has them.

Ours in a rule are the refs that name the app's own Service or one of our revisions' Services of that component. All
else, other refs, filters, matches, whole rules, stays as it is and where it is. Traffic goes to revisions by name; the
ref of the app's own Service stays in its place with weight 0, so that moving the pin never moves traffic of the route.

Where a rule has refs of others beside ours, ours together keep the weight they have: the split with the others is not
ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import gcd
from typing import Any, Final, TypeAlias

from tidegate.engine.values import FULL
from tidegate.errors import Permanent, Transient

Ref: TypeAlias = dict[str, Any]
Rule: TypeAlias = dict[str, Any]
Split: TypeAlias = tuple[tuple[str, int], ...]

COARSE: Final = 100  # the weight of all ours together while every share is a whole percent
FINE: Final = FULL  # and else: one thousandth of a percent is a weight of 1. Gateway API's limit is 1 000 000
HEAVIEST: Final = 1_000_000
MOST_REFS: Final = 16  # in one rule, by the Gateway API


@dataclass(frozen=True, slots=True)
class Backends:
    """The Services of one component that a route may name."""

    namespace: str
    route: str  # for sentences
    service: str  # the app's own
    port: int  # of the app's own
    pinned: str | None  # the content that `service` selects; None: nothing that we know
    contents: Mapping[str, str]  # Service of a revision -> its content, for each that is there
    ports: Mapping[str, int]  # the same Services -> their ports: a revision may have another than today's
    may_use_service: bool  # whether `service` is absent, or labelled for us: else it is one of the others
    is_dangling: Callable[[str], bool]  # whether a name that is not in `contents` is that of a lost Service of ours
    lost: Mapping[str, str]  # such a name -> its content, where that is still known
    kind: str = "HTTPRoute"  # for sentences, too, as is what one calls a ref in it
    ref: str = "backendRef"

    def content(self, ref: Mapping[str, Any]) -> str | None:
        """What a ref sends traffic to; None if it is not ours. A content that can't be told is "?" and the name."""
        if ref.get("kind", "Service") != "Service" or ref.get("group", "") != "":
            return None
        if ref.get("namespace", self.namespace) != self.namespace:
            return None
        name = str(ref.get("name"))
        if name == self.service:
            return (self.pinned or f"?{name}") if self.may_use_service else None
        if name in self.contents:
            return self.contents[name]
        return self.lost.get(name, f"?{name}") if self.is_dangling(name) else None

    def service_of(self, content: str) -> str | None:
        """The revision's Service of a content, if it is there."""
        return next((name for name, found in self.contents.items() if found == content), None)


def names_any(rules: Sequence[Rule], backends: Backends) -> bool:
    """Whether any rule has a ref of ours."""
    return any(_ours(rule, backends) for rule in rules)


def previewed(rule: Rule, backends: Backends) -> str | None:
    """The content that a preview rule of ours leads to; None if it is none. No weight counts in it.

    It names one of our revisions' Services and nothing else, and asks for that revision by a header in each match: only
    we know that name before it is there. By no name of the rule, which older Gateway APIs drop, and by no name of the
    header, which may have been edited since.
    """
    refs, matches = rule.get("backendRefs") or [], rule.get("matches") or []
    if len(refs) != 1 or not matches or refs[0].get("name") == backends.service:
        return None
    name = str(refs[0].get("name"))
    asked = [{str(header.get("value")) for header in match.get("headers") or ()} for match in matches]
    if not all(asked) or not any(value and name.endswith(f"-{value}") for values in asked for value in values):
        return None
    return backends.content(refs[0])


# ---- reading


def splits(rules: Sequence[Rule], backends: Backends) -> Sequence[Split]:
    """The different splits that the rules make among our contents, in order of the rules; usually one.

    A rule without ours is left out, and one whose traffic goes only to others. Shares are of our own traffic, sum to
    FULL (or to 0, where all weights are 0), and are without zeros: exactly what `rewrite` was given, if that wrote
    them.
    """
    found: list[Split] = []
    for rule in rules:
        if carries(rule, backends):
            split = _split(rule, backends)
            if split not in found:
                found.append(split)
    return found if found else [()]


def one_split(found: Sequence[Split], promised: Split, newest: str | None) -> Split:
    """What to report where rules differ: never what is promised, since then one of them would not be put right.

    If a rule gives the newest content more than promised, that one: it is put back. Else the one that gives it least: a
    person who lowered one rule of two lowered it.
    """
    if len(found) == 1:
        return found[0]
    share = dict(promised).get(newest or "", 0)
    others = [split for split in found if split != promised]
    highest = max(others, key=lambda split: dict(split).get(newest or "", 0))
    if dict(highest).get(newest or "", 0) > share:
        return highest
    return min(others, key=lambda split: dict(split).get(newest or "", 0))


def weight_of(rules: Sequence[Rule], services: frozenset[str]) -> int:
    """The weights of all refs to these Services together: 0 means that nothing is sent there."""
    return sum(_weight(ref) for rule in rules for ref in _refs(rule) if _names_service(ref, services))


def _split(rule: Rule, backends: Backends) -> Split:
    weights: dict[str, int] = {}
    for ref, content in _ours(rule, backends):
        weights[content] = weights.get(content, 0) + _weight(ref)
    weights = {content: weight for content, weight in weights.items() if weight}
    return tuple(sorted(_shares(weights).items()))


def _shares(weights: Mapping[str, int]) -> dict[str, int]:
    """By largest remainder, the sum being FULL. What has any weight has a share: no exposure is rounded away."""
    total = sum(weights.values())
    if not total:
        return {}
    shares = {content: max(1, weight * FULL // total) for content, weight in weights.items()}
    missing = FULL - sum(shares.values())
    by_remainder = sorted(weights, key=lambda content: (-(weights[content] * FULL % total), content))
    for content in by_remainder[: max(missing, 0)]:
        shares[content] += 1
    if missing < 0:  # tiny ones were lifted to 1: the largest pays
        shares[max(shares, key=lambda content: (shares[content], content))] += missing
    return shares


# ---- writing


def rewrite(rules: Sequence[Rule], backends: Backends, split: Split) -> list[Rule]:
    """The rules with our refs weighted as `split` says, and zero written for every other one of ours that is there.

    Raises Transient where a content has no Service (yet), and Permanent where no rule carries our traffic or where the
    weight that ours have beside others is too coarse for the share.
    """
    targets = {}
    for content, share in split:
        service = backends.service_of(content)
        if service is None:
            raise Transient(
                f"{backends.kind} {backends.route} can't send traffic to revision {content[:10]}: it has no Service. "
                "It is made again when the revision is started."
            )
        targets[service] = share
    if not any(carries(rule, backends) for rule in rules):
        raise Permanent(_carries_nothing(rules, backends))
    return [_rewritten(rule, index, backends, targets) for index, rule in enumerate(rules)]


def without(rules: Sequence[Rule], service: str) -> list[Rule]:
    """The rules without the refs to one revision's Service. The caller has seen that their weight is 0."""
    gone = frozenset({service})
    return [_with_refs(rule, [ref for ref in _refs(rule) if not _names_service(ref, gone)]) for rule in rules]


def handed_back(rules: Sequence[Rule], backends: Backends) -> list[Rule]:
    """The rules as before us: the app's own Service has all our weight, and no ref names a revision.

    A rule that does not name the app's own Service any more names it again, if we may use it.
    """
    result = []
    for rule in rules:
        ours = _ours(rule, backends)
        if not ours:
            result.append(deepcopy(rule))
            continue
        total = sum(_weight(ref) for ref, _ in ours)
        weight = total if _has_others(rule, backends) else COARSE
        refs: list[Ref] = []
        for ref in _refs(rule):
            if backends.content(ref) is None:
                refs.append(ref)
            elif ref["name"] == backends.service:
                refs.append({**ref, "weight": weight})
                weight = 0
        if backends.may_use_service and not any(ref.get("name") == backends.service for ref in refs):
            refs.insert(
                _place_after_ours(rule, backends, refs), _new_ref(backends.service, ours[0][0], backends.port, weight)
            )
        result.append(_with_refs(rule, refs))
    return result


def _rewritten(rule: Rule, index: int, backends: Backends, targets: Mapping[str, int]) -> Rule:
    ours = _ours(rule, backends)
    if not ours:
        return deepcopy(rule)
    weights = dict.fromkeys(backends.contents, 0)
    if carries(rule, backends):
        weights |= _weights(rule, index, backends, targets)
    refs: list[Ref] = []
    last = -1
    for ref in _refs(rule):
        if backends.content(ref) is None:
            refs.append(ref)
        elif ref["name"] == backends.service or ref["name"] in backends.contents:
            port = {"port": backends.ports[ref["name"]]} if ref["name"] in backends.ports else {}
            refs.append({**ref, **port, "weight": weights.pop(ref["name"], 0)})
            last = len(refs) - 1
    added = [_new_ref(name, ours[0][0], backends.ports[name], weight) for name, weight in sorted(weights.items())]
    at = last + 1 if last >= 0 else len(refs)
    return _with_refs(rule, _without_excess([*refs[:at], *added, *refs[at:]], backends))


def _without_excess(refs: list[Ref], backends: Backends) -> list[Ref]:
    """A rule holds so many refs and no more. Zeros of revisions give way, the last first: a revert must fit."""
    excess = len(refs) - MOST_REFS
    for index in reversed(range(len(refs))):
        if excess > 0 and refs[index].get("name") in backends.contents and not _weight(refs[index]):
            del refs[index]
            excess -= 1
    return refs


def _weights(rule: Rule, index: int, backends: Backends, targets: Mapping[str, int]) -> dict[str, int]:
    if not _has_others(rule, backends):
        total = COARSE if all(share * COARSE % FULL == 0 for share in targets.values()) else FINE
        return {name: share * total // FULL for name, share in targets.items()}
    total = sum(_weight(ref) for ref, _ in _ours(rule, backends))
    if any(share * total % FULL for share in targets.values()):
        raise Permanent(_too_coarse(rule, index, backends, targets, total))
    return {name: share * total // FULL for name, share in targets.items()}


def _too_coarse(rule: Rule, index: int, backends: Backends, targets: Mapping[str, int], total: int) -> str:
    least = FULL // gcd(FULL, *targets.values())  # the least total that can be split so
    factor = least // gcd(least, total)
    heaviest = max(_weight(ref) for ref in _refs(rule)) * factor
    what = (
        f"{backends.kind} {backends.route}: in rule {index + 1} other backends stand beside {backends.service}, whose "
        f"weight there, {total}, is too small to split as asked for. "
    )
    if heaviest > HEAVIEST:
        return what + f"Write the weights of that rule anew, with a multiple of {least} for {backends.service}."
    return what + f"Multiply all weights of that rule by {factor}: the split with the others stays the same."


def _carries_nothing(rules: Sequence[Rule], backends: Backends) -> str:
    if not names_any(rules, backends):
        return (
            f"{backends.kind} {backends.route} names neither Service {backends.service} nor a revision of it. "
            f"Add a {backends.ref} with name {backends.service} and port {backends.port} to the rules that should "
            "reach it."
        )
    return (
        f"{backends.kind} {backends.route} gives Service {backends.service} weight 0 and sends all to other backends, "
        f"which are not ours to change. Give the {backends.ref} {backends.service} a weight, such as 100."
    )


# ---- refs


def _refs(rule: Rule) -> list[Ref]:
    """Copies: nobody's rules are changed in place."""
    return [deepcopy(ref) for ref in rule.get("backendRefs") or ()]


def _with_refs(rule: Rule, refs: list[Ref]) -> Rule:
    if refs == (rule.get("backendRefs") or []):
        return deepcopy(rule)
    return {**deepcopy(rule), "backendRefs": refs}


def _ours(rule: Rule, backends: Backends) -> list[tuple[Ref, str]]:
    if previewed(rule, backends) is not None:
        return []
    return [(ref, content) for ref in _refs(rule) if (content := backends.content(ref)) is not None]


def _has_others(rule: Rule, backends: Backends) -> bool:
    return any(backends.content(ref) is None for ref in _refs(rule))


def carries(rule: Rule, backends: Backends) -> bool:
    """Whether our traffic comes by this rule: it has refs of ours, and the others beside them leave them a weight."""
    ours = _ours(rule, backends)
    return bool(ours) and (not _has_others(rule, backends) or any(_weight(ref) for ref, _ in ours))


def _weight(ref: Mapping[str, Any]) -> int:
    """Absent means 1."""
    weight = ref.get("weight")
    return 1 if weight is None else int(weight)


def _names_service(ref: Mapping[str, Any], services: frozenset[str]) -> bool:
    return ref.get("kind", "Service") == "Service" and not ref.get("group") and ref.get("name") in services


def _new_ref(name: str, like: Ref, port: int, weight: int) -> Ref:
    """A ref beside one of ours: with the same filters, since it carries the same traffic."""
    ref: Ref = {"group": "", "kind": "Service", "name": name, "port": port, "weight": weight}
    if like.get("filters"):
        ref["filters"] = deepcopy(like["filters"])
    return ref


def _place_after_ours(rule: Rule, backends: Backends, refs: Sequence[Ref]) -> int:
    """Where ours stood first, in a list from which some have been taken."""
    before = 0
    for ref in _refs(rule):
        if backends.content(ref) is not None:
            break
        before += 1
    return min(before, len(refs))


def each_ref(rules: Sequence[Rule]) -> Iterator[Ref]:
    """Every ref of every rule."""
    for rule in rules:
        yield from _refs(rule)
