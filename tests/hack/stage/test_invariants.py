"""The rules for recorded histories bite: two real ones break none, and each way of spoiling them breaks the one meant.

histories/*.jsonl are what the audit log of a real API server had of a release over 10, 50 and 100 %, and of one that
was turned back at 10 %; left out is what no rule looks at.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hack.stage.audit import Request
from hack.stage.history import histories, is_of_interest
from hack.stage.invariants import RULES, broken, premises

HISTORIES = Path(__file__).parent / "histories"
UNKNOWN = "shop-web-0123456789"


class Tape:
    """The recorded requests, to be spoilt. A write is named by the resourceVersion of its answer."""

    def __init__(self, name: str) -> None:
        lines = (HISTORIES / f"{name}.jsonl").read_text().splitlines()
        self.events: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def event(self, version: int) -> dict[str, Any]:
        return next(e for e in self.events if e["responseObject"]["metadata"].get("resourceVersion") == str(version))

    def object(self, version: int) -> dict[str, Any]:
        answer = self.event(version)["responseObject"]
        assert isinstance(answer, dict)
        return answer

    def status(self, version: int) -> dict[str, Any]:
        status = self.object(version)["status"]
        assert isinstance(status, dict)
        return status

    def component(self, version: int) -> dict[str, Any]:
        component = self.status(version)["components"][0]
        assert isinstance(component, dict)
        return component

    def again(self, version: int, at: int) -> dict[str, Any]:
        """The same write once more, stored later. Gives its object."""
        event = copy.deepcopy(self.event(version))
        event["responseObject"]["metadata"]["resourceVersion"] = str(at)
        self.events.append(event)
        answer = event["responseObject"]
        assert isinstance(answer, dict)
        return answer

    def swap(self, one: int, other: int) -> None:
        first, second = self.object(one)["metadata"], self.object(other)["metadata"]
        first["resourceVersion"], second["resourceVersion"] = second["resourceVersion"], first["resourceVersion"]

    def removal(self) -> dict[str, Any]:
        return next(e for e in self.events if e["verb"] == "delete" and e["objectRef"]["resource"] == "deployments")

    def judged(self) -> list[str]:
        requests = [request for request in map(Request, self.events) if is_of_interest(request)]
        return [sentence for history in histories(requests) for sentence in broken(history)]


def weights(route: dict[str, Any], **shares: int) -> None:
    refs = [{"name": name.replace("_", "-"), "weight": weight} for name, weight in shares.items()]
    route["spec"]["rules"][0]["backendRefs"] = refs


# revert.jsonl: 26741 records 10 %, 26745 writes it, 26808 records the revert, 26815 writes that, 26829 is its end
# release.jsonl: 20123, 20153 and 20319 record 10, 50 and 100 %, 20368 completes


def a_counter_falls(tape: Tape) -> None:
    tape.status(26808)["move"] = tape.component(26808)["move"] = 1


def a_move_is_used_twice(tape: Tape) -> None:
    tape.status(26808)["move"] = tape.component(26808)["move"] = 2


def an_old_leader_writes(tape: Tape) -> None:
    tape.status(26808)["writer"]["epoch"] -= 1


def a_status_is_written_whatever_stands_there(tape: Tape) -> None:
    del tape.event(26808)["requestObject"]["metadata"]["resourceVersion"]


def a_route_is_written_whatever_stands_there(tape: Tape) -> None:
    del tape.event(26745)["requestObject"]["metadata"]["resourceVersion"]


def a_status_is_written_to_be_sure(tape: Tape) -> None:
    tape.again(26829, 26830)


def a_route_is_written_though_it_is_so(tape: Tape) -> None:
    tape.again(26815, 26815)


def it_acts_and_then_records(tape: Tape) -> None:
    tape.swap(26741, 26745)


def it_never_records(tape: Tape) -> None:
    tape.events = [e for e in tape.events if e not in [tape.event(v) for v in (26741, 26764, 26784, 26808, 26829)]]


def an_old_write_lands_late(tape: Tape) -> None:
    tape.again(26745, 26820)


def a_stalled_raise_lands_before_the_revert(tape: Tape) -> None:
    tape.swap(26745, 26808)
    tape.events = [e for e in tape.events if e not in [tape.event(26764), tape.event(26784)]]


def more_is_given_than_was_recorded(tape: Tape) -> None:
    weights(tape.object(26745), shop_web_155b5998a7=50, shop_web_78e5b03c28=50)


def a_zero_is_left_out(tape: Tape) -> None:
    weights(tape.object(26815), shop_web_155b5998a7=100, shop_web_78e5b03c28=0)
    del tape.object(26815)["spec"]["rules"][0]["backendRefs"][1]["weight"]


def nobody_has_any_weight(tape: Tape) -> None:
    weights(tape.object(26815), shop_web_155b5998a7=0, shop_web_78e5b03c28=0)


def a_breach_is_seen_and_it_rises(tape: Tape) -> None:
    tape.status(26741)["guards"] = [{"name": "errors", "from": "", "verdict": "Breach"}]


def nothing_is_known_and_it_rises(tape: Tape) -> None:
    tape.status(26741)["guards"] = [{"name": "errors", "from": "", "verdict": "Unknown"}]


def it_rises_while_paused(tape: Tape) -> None:
    tape.object(26741)["spec"]["paused"] = True


def it_rises_above_a_pause(tape: Tape) -> None:
    standing = {"uid": "u", "action": "Pause", "by": "ana", "at": 10, "since": "2026-11-23T18:00:00Z"}
    tape.status(20153)["standing"] = [standing]


def it_rises_while_it_is_deleted(tape: Tape) -> None:
    tape.object(26741)["metadata"]["deletionTimestamp"] = "2026-11-23T18:00:00Z"


def it_rises_over_a_hand(tape: Tape) -> None:
    tape.component(20153)["hand"] = 3


def a_rejected_version_climbs(tape: Tape) -> None:
    tape.status(26741)["rejected"] = tape.status(26808)["rejected"]


def a_step_is_skipped(tape: Tape) -> None:
    tape.component(20123)["share"] = 50


def it_completes_below_the_top(tape: Tape) -> None:
    tape.component(20319)["share"] = 50


def it_completes_under_a_breach(tape: Tape) -> None:
    tape.status(20368)["guards"] = [{"name": "errors", "from": "", "verdict": "Breach"}]


def it_completes_before_it_stands(tape: Tape) -> None:
    tape.component(20368)["landed"] = 3


def a_rejection_is_forgotten(tape: Tape) -> None:
    del tape.status(26829)["rejected"]


def a_breach_is_not_remembered(tape: Tape) -> None:
    for version in (26808, 26829):
        del tape.status(version)["rejected"]


def a_rejected_version_is_taken_for_stable(tape: Tape) -> None:
    climbed = tape.status(26784)["candidate"]
    tape.status(26829)["stable"] = {**climbed, "since": "2026-11-23T18:00:00Z"}


def a_rejected_version_rises_in_the_route(tape: Tape) -> None:
    route = tape.again(26815, 26820)
    stamped = route["metadata"]["annotations"]["tidegate.dev/move-shop"].replace('"at":1', '"at":2')
    route["metadata"]["annotations"]["tidegate.dev/move-shop"] = stamped.replace('"web":3', '"web":4')
    weights(route, shop_web_155b5998a7=90, shop_web_78e5b03c28=10)


def traffic_goes_to_a_stranger_of_our_name(tape: Tape) -> None:
    weights(tape.object(26745), shop_web_155b5998a7=90, shop_web_0123456789=10)


def what_serves_is_removed(tape: Tape) -> None:
    tape.removal()["stageTimestamp"] = tape.event(26784)["stageTimestamp"]


class Spoilt(NamedTuple):
    how: Callable[[Tape], None]
    tape: str
    says: str


SPOILT = (
    Spoilt(a_counter_falls, "revert", "S1 a counter fell"),
    Spoilt(a_move_is_used_twice, "revert", "S1 what web should be changed without a new move"),
    Spoilt(an_old_leader_writes, "revert", "S14 epoch"),
    Spoilt(a_status_is_written_whatever_stands_there, "revert", "S14 written without a precondition"),
    Spoilt(a_route_is_written_whatever_stands_there, "revert", "S14 written without a precondition"),
    Spoilt(a_status_is_written_to_be_sure, "revert", "S17 an equal status"),
    Spoilt(a_route_is_written_though_it_is_so, "revert", "S17 what was written stood there"),
    Spoilt(it_acts_and_then_records, "revert", "S2 move 2 of web was written before it was recorded"),
    Spoilt(it_never_records, "revert", "S2 move 2 of web was written before it was recorded"),
    Spoilt(an_old_write_lands_late, "revert", "S14 move 2 of web was written over move 3"),
    Spoilt(a_stalled_raise_lands_before_the_revert, "revert", "S14 move 2 of web raised it after move 3"),
    Spoilt(more_is_given_than_was_recorded, "revert", "S2 web gives 50 %"),
    Spoilt(a_zero_is_left_out, "revert", "S1 the weights of a rule"),
    Spoilt(nobody_has_any_weight, "revert", "S1 the weights of a rule"),
    Spoilt(a_breach_is_seen_and_it_rises, "revert", "S2 raised while a guard said Breach"),
    Spoilt(nothing_is_known_and_it_rises, "revert", "S2 raised while a guard said Unknown"),
    Spoilt(it_rises_while_paused, "revert", "S11 raised while paused"),
    Spoilt(it_rises_above_a_pause, "release", "S11 raised above a Pause"),
    Spoilt(it_rises_while_it_is_deleted, "revert", "S13 raised while deleting"),
    Spoilt(it_rises_over_a_hand, "release", "S15 raised while a hand is on"),
    Spoilt(a_rejected_version_climbs, "revert", "S3 raised a rejected version"),
    Spoilt(a_step_is_skipped, "release", "S6 web went from 0 to 50 %"),
    Spoilt(it_completes_below_the_top, "release", "S6 completed with web at 50 %"),
    Spoilt(it_completes_under_a_breach, "release", "S7 completed under a breach"),
    Spoilt(it_completes_before_it_stands, "release", "S7 completed before move 4"),
    Spoilt(a_rejection_is_forgotten, "revert", "S3 forgot that 78e5b03c28 was rejected"),
    Spoilt(a_breach_is_not_remembered, "revert", "S3 turned back for"),
    Spoilt(a_rejected_version_is_taken_for_stable, "revert", "S3 v"),
    Spoilt(a_rejected_version_rises_in_the_route, "revert", "S3 78e5b03c28 is rejected and rose"),
    Spoilt(traffic_goes_to_a_stranger_of_our_name, "revert", f"S4 traffic to {UNKNOWN}"),
    Spoilt(what_serves_is_removed, "revert", "S4 removed while route web gave it traffic"),
)


@pytest.mark.parametrize("name", ["release", "revert"])
def test_what_really_was_breaks_no_rule(name: str) -> None:
    assert Tape(name).judged() == []


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda spoilt: spoilt.how.__name__)
def test_a_spoilt_history_is_noticed(spoilt: Spoilt) -> None:
    tape = Tape(spoilt.tape)
    spoilt.how(tape)
    assert [sentence for sentence in tape.judged() if sentence.startswith(spoilt.says)], tape.judged()


def test_every_rule_is_broken_by_some_history() -> None:
    """No rule is there for nothing."""
    bitten = set()
    for spoilt in SPOILT:
        tape = Tape(spoilt.tape)
        spoilt.how(tape)
        requests = [request for request in map(Request, tape.events) if is_of_interest(request)]
        bitten |= {rule for rule in RULES for history in histories(requests) if list(rule(history))}
    assert set(RULES) - bitten == set()


def test_a_retry_lifts_a_rejection() -> None:
    tape = Tape("revert")
    del tape.status(26829)["rejected"]
    retry = copy.deepcopy(tape.event(26829))
    retry["objectRef"] = {"resource": "interventions", "namespace": "history-revert", "name": "shop-1"}
    retry["responseObject"] = {
        "metadata": {"name": "shop-1", "resourceVersion": "26828"},
        "spec": {"action": "Retry", "targetRef": {"name": "shop"}},
    }
    tape.events.append(retry)
    assert tape.judged() == []


def test_who_overwrites_a_forged_epoch_breaks_no_rule() -> None:
    tape = Tape("revert")
    forged = tape.again(26829, 26830)
    forged["status"]["writer"]["epoch"] = 10**12
    tape.events[-1]["user"] = {"username": "dan@example.com"}
    tape.again(26829, 26831)
    assert tape.judged() == []
    forged["status"]["writer"]["epoch"] = 1
    assert [sentence for sentence in tape.judged() if sentence.startswith("S17 an equal status")]


def test_it_counts_what_was_put_to_the_test() -> None:
    requests = [request for request in map(Request, Tape("revert").events) if is_of_interest(request)]
    (history,) = histories(requests)
    counted = premises(history)
    assert {word for word, count in counted.items() if not count} == set()
    assert (counted["raises"], counted["reverts"], counted["writes of a route"]) == (2, 1, 3)
