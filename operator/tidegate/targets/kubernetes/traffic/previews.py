"""Preview rules: who sends a header with the candidate's version, or its revision, reaches it before it has weight.

Pure; rules go in and out as the API has them. For each rule that carries our traffic there is one more, with the same
matches and the header beside them, that leads to the candidate alone. By the Gateway API's order of precedence the
match with more headers wins among equal paths, so such a rule takes marked requests and no others. They stand at the
end: the numbers of the other rules, by which gateways name their metrics, stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from tidegate.api.meta import short
from tidegate.targets.kubernetes.traffic.routes import Backends, Ref, Rule, carries, previewed

MOST_RULES: Final = 16  # in one route, by the Gateway API
MOST_MATCHES: Final = 64  # in one rule
MOST_MATCHES_OF_ALL: Final = 128  # in one route
MOST_HEADERS: Final = 16  # in one match
ANY_PATH: Final[Mapping[str, str]] = {"type": "PathPrefix", "value": "/"}  # what a match without a path means
UNCLEAR: Final = "?"  # what is read where the rules are not as they would be written


def apart(rules: Sequence[Rule], backends: Backends) -> list[Rule]:
    """The rules without preview rules of ours, as they are."""
    return [deepcopy(rule) for rule in rules if previewed(rule, backends) is None]


def leading(rules: Sequence[Rule], backends: Backends, header: str, version: str, content: str) -> list[Rule]:
    """The rules with preview rules to this content and to no other. It must have a Service."""
    kept = apart(rules, backends)
    service = backends.service_of(content)
    assert service is not None
    return [*kept, *_added(kept, backends, header, (version, short(content)), service)]


def reading(rules: Sequence[Rule], backends: Backends, header: str | None, versions: Mapping[str, str]) -> str | None:
    """The content that preview rules lead to; "" if there are none, None if there are none and none can be.

    `versions` has the version of each content that they may lead to. Rules that are not all as they would be written
    are `UNCLEAR`: they are put right, or taken away.
    """
    found = {content for rule in rules if (content := previewed(rule, backends)) is not None}
    if not found:
        return None if header is None or refusal(rules, backends, header) else ""
    if header is None or len(found) > 1:
        return UNCLEAR
    content = found.pop()
    if content not in versions or backends.service_of(content) is None:
        return UNCLEAR
    wanted = leading(rules, backends, header, versions[content], content)
    return content if _same(wanted, rules, backends) else UNCLEAR


def refusal(rules: Sequence[Rule], backends: Backends, header: str) -> str | None:
    """Why there can be no preview rules, as a sentence; None if there can."""
    kept = apart(rules, backends)
    added = _added(kept, backends, header, ("version", "revision"), "service")
    what = f"HTTPRoute {backends.route} can't have a preview by header {header}: "
    if not added:
        return what + (
            "no rule that carries the traffic is without that header in its matches. Take it out of one of them, or "
            "write another preview.header."
        )
    if len(kept) + len(added) > MOST_RULES:
        return what + (
            f"with {len(added)} more it would have over {MOST_RULES} rules, which a route may not. Put rules with the "
            "same backends together, as matches of one, or leave preview out."
        )
    matches = sum(len(rule.get("matches") or [None]) for rule in (*kept, *added))
    if matches > MOST_MATCHES_OF_ALL or any(len(rule["matches"]) > MOST_MATCHES for rule in added):
        return what + (
            f"it would have over {MOST_MATCHES} matches in a rule or {MOST_MATCHES_OF_ALL} in all, since each stands "
            "there once for the version and once for the revision. Take some out, or leave preview out."
        )
    return None


def _added(rules: Sequence[Rule], backends: Backends, header: str, values: tuple[str, str], service: str) -> list[Rule]:
    found = []
    for rule in rules:
        if not carries(rule, backends):
            continue
        matches = [
            _marked(match, header, value)
            for match in rule.get("matches") or [{}]
            if _may_be_marked(match, header)
            for value in dict.fromkeys(values)
        ]
        if matches:
            found.append({**_beside(rule), "matches": matches, "backendRefs": [_ref(rule, backends, service)]})
    return found


def _beside(rule: Rule) -> Rule:
    """All else that the rule says of its traffic: filters, timeouts, retries. A name can't be there twice."""
    return {key: deepcopy(value) for key, value in rule.items() if key not in ("name", "matches", "backendRefs")}


def _may_be_marked(match: Mapping[str, Any], header: str) -> bool:
    headers = match.get("headers") or ()
    return len(headers) < MOST_HEADERS and all(str(each.get("name")).lower() != header.lower() for each in headers)


def _marked(match: Mapping[str, Any], header: str, value: str) -> dict[str, Any]:
    mark = {"type": "Exact", "name": header, "value": value}
    return {"path": dict(ANY_PATH), **deepcopy(dict(match)), "headers": [*deepcopy(match.get("headers") or []), mark]}


def _ref(rule: Rule, backends: Backends, service: str) -> Ref:
    like = next(ref for ref in rule["backendRefs"] if backends.content(ref) is not None)
    port = backends.ports.get(service, backends.port)
    ref: Ref = {"group": "", "kind": "Service", "name": service, "port": port, "weight": 1}
    if like.get("filters"):
        ref["filters"] = deepcopy(like["filters"])
    return ref


def _same(wanted: Sequence[Rule], rules: Sequence[Rule], backends: Backends) -> bool:
    """Whether the preview rules are the same; the others may stand anywhere among them."""
    return [rule for rule in wanted if previewed(rule, backends)] == [
        rule for rule in rules if previewed(rule, backends)
    ]
