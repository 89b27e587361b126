"""What guards are asked about: which share, since when, under which names, and what keeps them from judging at all.
(How much of it stands in the status is proved in test_judging.)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.controller.bench import KEY, NEW, OLD, document
from tests.controller.scenes import NOW, climbing, resting, reverting, sight
from tests.engine.world import percent, version
from tidegate.api import Connection, ReleaseStatus, effective, parse_connection, parse_release
from tidegate.controller.judging import BASELINE, Judged, Judging
from tidegate.controller.sampling import Reading, Round, Sampler
from tidegate.engine.guards import Ask, Side
from tidegate.engine.values import FULL, Cause, Evidence, Part, Phase, Status, Verdict, Version
from tidegate.kube.resources import Key
from tidegate.stats import Counts, Data, Measurement
from tidegate.targets.port import App, Kept, Resolved, Sight

ERRORS: dict[str, Any] = {
    "name": "errors",
    "connection": "prometheus",
    "ratio": {"bad": 'e{r="$(revision)"}', "total": 'r{r="$(revision)"}'},
    "revert": "5%",
}
BY_SERVICE = {**ERRORS, "name": "service", "ratio": {"bad": 'e{s="$(service)"}', "total": 'r{s="$(service)"}'}}
BLIND = {**ERRORS, "name": "blind", "ratio": {"bad": "e", "total": "r"}, "revert": "+5pp"}
TWO, TWO_OLD = version("2", "api", "web"), version("1", "api", "web")


class Answered(Sampler):
    """Every question is answered with so many bad of a thousand; what is asked is noted. Nothing goes anywhere."""

    def __init__(self, bad: int = 0) -> None:
        self.connections: dict[str, Connection] = {"prometheus": connection("*")}
        super().__init__(
            connection=lambda namespace, name: self.connections.get(name),
            secret=_no_secret,
            wake=lambda key: None,
            tick=10.0,
        )
        self.bad, self.asked, self.evidence, self.forgotten = bad, tuple[Ask, ...](), list[Evidence](), 0

    def latest(self, key: Key, evidence: Evidence, asks: tuple[Ask, ...], now: float) -> Round | None:
        self.asked = asks
        self.evidence.append(evidence)
        measured = Measurement(Data.OK, "", Counts(self.bad, 1000), since=now - 60, through=now)
        return Round(evidence, asks, now, tuple(Reading(ask, measured, measured) for ask in asks))

    def forget(self, key: Key) -> None:
        self.forgotten += 1


async def _no_secret(connection: Connection, name: str, key: str) -> str:
    raise AssertionError("no Secret is needed")


def connection(*guards: str) -> Connection:
    return parse_connection(
        {
            "metadata": {"name": "prometheus", "namespace": "prod"},
            "spec": {"prometheus": {"url": "http://prometheus.example"}, "allow": [{"guards": list(guards)}]},
        }
    )


def judge(
    sampler: Answered,
    status: Status,
    guards: Sequence[dict[str, Any]] = (ERRORS,),
    *,
    wanted: Version = NEW,
    seen: Sight | None = None,
) -> Judged:
    made = document("v2.0.0")
    made["spec"]["guards"] = list(guards)
    release = parse_release(made)
    app = App(KEY.namespace, KEY.name, "uid-1", Resolved(release), status, wanted.content)
    force = effective(release, ())
    return Judging(sampler).judge(app, force, wanted, seen or sight(status), ReleaseStatus(), NOW)


def side(status: Status, guard: dict[str, Any] = ERRORS, seen: Sight | None = None) -> Side:
    """What the guard is asked about."""
    sampler = Answered()
    judge(sampler, status, [guard], seen=seen)
    return sampler.asked[0].side


def two(api: float, web: float, phase: Phase = Phase.PROGRESSING) -> Status:
    parts = tuple(
        Part(name, weight=percent(share), move=2, moved=NOW - 45, landed=2, landed_at=landed_at)
        for name, share, landed_at in (("api", api, NOW - 41), ("web", web, NOW - 20))
    )
    return climbing(phase=phase, stable=TWO_OLD, candidate=TWO, parts=parts)


# ---- the share


@pytest.mark.parametrize(
    ("api", "web", "together"),
    [(0, 0, 0), (10, 10, percent(10)), (50, 10, percent(30)), (0.001, 0, 1), (100, 100, FULL), (100, 50, percent(75))],
)
def test_all_parts_together_are_exposed_where_one_is_and_whole_where_all_are(
    api: float, web: float, together: int
) -> None:
    assert side(two(api, web)).promised == together


def test_a_part_that_does_not_climb_is_not_in_the_share() -> None:
    half = version("2", "api", like=TWO_OLD)
    status = two(10, 0)._replace(candidate=half)
    assert side(status).promised == percent(10)
    assert side(status, BY_SERVICE).part == "api"


# ---- since when


def test_before_the_first_move_stable_is_looked_at_for_a_while_back() -> None:
    status = climbing(0, Phase.PREPARING)
    assert side(status).since == status.started - BASELINE


def test_evidence_counts_since_the_move_was_seen_to_stand_or_else_since_it_was_decided() -> None:
    assert side(climbing()).since == NOW - 41
    assert side(climbing(parts=(climbing().parts[0]._replace(landed=1),))).since == NOW - 45


def test_all_parts_together_count_since_the_last_of_them_landed() -> None:
    assert side(two(10, 10)).since == NOW - 20


def test_evidence_is_never_older_than_the_attempt() -> None:
    status = climbing(started=NOW - 5)
    assert side(status).since == NOW - 5


def test_in_a_harmless_revert_what_the_attempt_did_is_judged_to_the_end() -> None:
    status = reverting(Cause.SUPERSEDED)
    asked = side(status)
    assert (asked.promised, asked.since) == (1, status.started)
    judged = judge(Answered(bad=500), status)
    assert judged.verdict is Verdict.BREACH
    assert judged.evidence == Evidence(2, (("web", 3),))


def test_a_revert_for_a_guilty_cause_and_rest_ask_nothing() -> None:
    for status in (reverting(Cause.BREACH), resting(stable=NEW)):
        sampler = Answered(bad=500)
        judged = judge(sampler, status)
        assert (judged.verdict, judged.evidence, judged.guards) == (Verdict.PASS, None, ())
        assert (sampler.evidence, sampler.forgotten) == ([], 1)


# ---- under which names


def test_an_arm_has_the_names_under_which_its_pods_run() -> None:
    asked = side(climbing(), BY_SERVICE)
    assert asked.stable is not None
    assert asked.candidate.mapping == {
        "version": "v2",
        "revision": "2",
        "release": "shop",
        "component": "web",
        "service": "shop-web-2",
    }
    assert asked.stable.mapping["service"] == "shop-web-1"


def test_a_service_that_is_not_there_yet_has_its_name_already() -> None:
    bare = side(climbing(0, Phase.PREPARING), BY_SERVICE, sight(climbing(), sizes={}))
    assert bare.candidate.mapping["service"] == "shop-web-2"


def test_a_piece_that_did_not_change_keeps_the_names_that_it_was_first_released_as() -> None:
    """Stable is v1, whose web still runs as it was released with v0: its series are v0's."""
    older = version("0", "web")
    stable = version("1", "api", like=older)
    status = two(0, 10)._replace(stable=stable, candidate=version("2", "web", like=stable))
    seen = sight(status, kept=(Kept("0", "v0", 1, ()), Kept("1", "v1", 2, ())))
    for guard in (ERRORS, BY_SERVICE):
        arm = side(status, guard, seen).stable
        assert arm is not None
        assert (arm.name, arm.mapping["version"], arm.mapping["revision"]) == ("v1", "v0", "0")


# ---- what acts, and what can't


def test_a_guard_that_only_observes_is_shown_and_never_acts() -> None:
    observed = {**ERRORS, "name": "watching", "mode": "Observe"}
    judged = judge(Answered(bad=500), climbing(), [observed])
    assert judged.verdict is Verdict.PASS
    assert [guard.verdict for guard in judged.guards] == [Verdict.BREACH]
    assert judge(Answered(bad=500), climbing(), [observed, ERRORS]).verdict is Verdict.BREACH


def test_without_guards_there_is_evidence_and_nothing_is_asked() -> None:
    sampler = Answered()
    judged = judge(sampler, climbing(), [])
    assert (judged.verdict, judged.evidence) == (Verdict.PASS, Evidence(2, (("web", 2),)))
    assert sampler.evidence == []


def test_a_blind_guard_shuts_the_start_and_says_what_to_write() -> None:
    (found,) = judge(Answered(), resting(stable=OLD), [BLIND, ERRORS]).obstacles
    assert found.reason == "GuardBlind"
    assert 'select one of them, as in version="$(version)"' in found.sentence


def test_a_missing_connection_and_one_that_does_not_allow_us_shut_the_start_and_say_what_to_do() -> None:
    sampler = Answered()
    sampler.connections.clear()
    (missing,) = judge(sampler, resting(stable=OLD)).obstacles
    assert missing.sentence.endswith("there is no Connection prometheus in namespace prod that can be read; create it")
    sampler.connections["prometheus"] = connection("other")
    (refused,) = judge(sampler, resting(stable=OLD)).obstacles
    assert refused.sentence.endswith("whoever owns it adds to its spec.allow: {guards: [shop]}")


def test_a_guard_that_only_observes_and_one_of_what_serves_already_shut_nothing() -> None:
    assert judge(Answered(), resting(stable=OLD), [{**BLIND, "mode": "Observe"}]).obstacles == ()
    assert judge(Answered(), resting(stable=NEW), [BLIND]).obstacles == ()


def test_under_way_a_blind_guard_holds() -> None:
    judged = judge(Answered(bad=500), climbing(), [BLIND])
    assert judged.obstacles == ()
    assert judged.verdict is Verdict.HOLD


def test_a_verdict_is_dated_when_it_changes() -> None:
    first = judge(Answered(), climbing()).guards
    made = parse_release({**document("v2.0.0"), "spec": {**document("v2.0.0")["spec"], "guards": [ERRORS]}})
    app = App(KEY.namespace, KEY.name, "uid-1", Resolved(made), climbing(), NEW.content)
    written, later = ReleaseStatus(guards=first), NOW + 30

    def again(bad: int) -> float | None:
        judged = Judging(Answered(bad)).judge(app, effective(made, ()), NEW, sight(climbing()), written, later)
        return judged.guards[0].since

    assert (again(0), again(500)) == (NOW, later)
