"""Who is told: one Event a transition, with names; gauges after every pass; and nothing that did not happen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.controller.bench import KEY, document
from tests.controller.scenes import (
    NOW,
    V1,
    V2,
    V3,
    climbing,
    guard_status,
    picture,
    recorded,
    resting,
    reverted,
    reverting,
    rollback,
    sight,
    split,
)
from tests.kube.fake import FakeApi
from tidegate.controller.audience import Audience, News, news, put_back
from tidegate.controller.events import Reporter
from tidegate.controller.metrics import Metrics
from tidegate.controller.picture import Picture
from tidegate.engine import decide
from tidegate.engine.values import Action, Cause, Ensure, Handled, Phase, Reading, Recall, Status, Verdict
from tidegate.kube import EVENTS

DOCUMENT = document("v2.0.0")
HAND = climbing().parts[0]._replace(hand=3, hand_at=NOW)
COLD = Recall(V1, Cause.PERSON, reject=True, wanted="2")
COPY = COLD._replace(cause=Cause.ADOPTED, reject=False)
NOTHING_YET = Status(phase=Phase.WAITING)


def told(before: Status, after: Status, seen: Picture | None = None) -> list[News]:
    """What is told of the change from one to the other."""
    looked = seen or picture(after, before=before)
    first = recorded(before)
    return list(news(looked, first, recorded(after, first, looked)))


# ---- transitions


@pytest.mark.parametrize(
    ("before", "after", "reason", "note", "warning"),
    [
        (resting(Phase.WAITING), climbing(0, Phase.PREPARING), "Starting", "v2 is prepared, attempt 2", False),
        (climbing(0, Phase.PREPARING), climbing(0), "Progressing", "v2 climbs from 0 %", False),
        (climbing(10), climbing(50), "WeightRaised", "v2 goes to 50 %", False),
        (
            climbing(),
            climbing(parts=(HAND,)),
            "LoweredByHand",
            "the weight of web was lowered by hand; kept, nothing climbs",
            True,
        ),
        (climbing(100, Phase.COMPLETING), resting(stable=V2, attempt=2), "Completed", "v2 is live and proven", False),
        (climbing(), reverting(), "Reverting", "a guard was breached", True),
        (climbing(), reverting(Cause.SUPERSEDED), "Reverting", "v2 was superseded by v2", False),
        (reverting(), reverted(), "Reverted", "v1 serves; a guard was breached", True),
        (
            resting(Phase.WAITING),
            resting(Phase.WAITING, recall=COLD),
            "RollingBack",
            "v1 is started beside what serves",
            False,
        ),
        (
            resting(Phase.WAITING, recall=COLD),
            resting(Phase.WAITING, recall=COLD._replace(gave_up=True)),
            "RollbackRefused",
            "v1 did not become ready in time",
            True,
        ),
        (NOTHING_YET, NOTHING_YET._replace(recall=COPY), "Adopting", "v1 is started beside what serves", False),
        (
            NOTHING_YET._replace(recall=COPY),
            NOTHING_YET._replace(recall=COPY._replace(gave_up=True)),
            "AdoptionRefused",
            "v1 did not become ready in time",
            True,
        ),
        (
            NOTHING_YET._replace(recall=COPY),
            resting(attempt=0, proved=0),
            "Adopted",
            "what served is taken over: v1, as it ran, is stable from here on",
            False,
        ),
    ],
)
def test_each_transition_is_one_event(before: Status, after: Status, reason: str, note: str, warning: bool) -> None:
    assert told(before, after) == [News(reason, note, warning)]


def test_what_stays_as_it_is_is_told_by_nobody() -> None:
    for status in (resting(), climbing(), climbing(parts=(HAND,)), reverting(), reverted()):
        assert told(status, status) == []


def test_the_next_attempt_is_told_also_where_the_last_was_still_being_prepared() -> None:
    before = climbing(0, Phase.PREPARING)
    seen = picture(before, wanted=V3)
    after = decide(seen.spec, before, seen.seen, NOW).status
    assert [item.note for item in told(before, after, seen)] == ["v3 is prepared, attempt 3"]


def test_an_act_is_told_with_who_and_why_and_what_became_of_it() -> None:
    acts = (rollback("a", "ana@example.com", "it burns"), rollback("b", "bob@example.com", "lunch", Action.PAUSE))
    handled = (Handled("a", "Refused", "too late"), Handled("b", "Standing", "climbs no further until Resume"))
    after = climbing(handled=handled)
    assert told(climbing(), after, picture(after, before=climbing(), acts=acts)) == [
        News("InterventionAnswered", "Rollback by ana@example.com (it burns): Refused, too late", occasion="a"),
        News(
            "InterventionAnswered",
            "Pause by bob@example.com (lunch): Standing, climbs no further until Resume",
            occasion="b",
        ),
    ]
    assert told(after, after, picture(after, acts=acts)) == [], "once"


# ---- what strangers did


def _put_back(status: Status, *, author: str = "eve", move: int | None = None) -> list[tuple[str, News]]:
    part = status.parts[0]
    effect = Ensure("web", (("1", 100_000),), part.move if move is None else move, Reading((), 1, "token-9"))
    return list(put_back(picture(status, seen=sight(status, foreign={"web": author})), [effect]))


def test_a_foreign_edit_is_told_under_its_own_token_with_who_made_it() -> None:
    ((token, item),) = _put_back(resting())
    assert token == "token-9"
    assert item == News(
        "ForeignEditPutBack", "eve changed the weights of web; they are put back to what the status says", True
    )


def test_a_new_move_of_our_own_is_no_foreign_edit() -> None:
    status = climbing()
    assert _put_back(status, move=status.parts[0].move + 1) == []
    assert _put_back(climbing(parts=(status.parts[0]._replace(landed=1),))) == [], "our last write has not landed"
    assert _put_back(climbing(parts=(HAND,))) == [], "kept, not put back"
    unknown = picture(resting(), seen=sight(resting(), readings=split({"1": 100})))
    assert list(put_back(unknown, [Ensure("web", (), 1, Reading((), 1))])) == [], "nobody else wrote it last"


# ---- Events, metrics, logs


class Heard(NamedTuple):
    api: FakeApi
    reporter: Reporter
    metrics: Metrics
    audience: Audience

    async def events(self) -> list[dict[str, Any]]:
        await self.reporter.flush(5.0)
        return [body for (kind, _, _), body in self.api.objects.items() if kind == EVENTS]

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(self.metrics.exposition().decode())
        return {
            tuple(value for label, value in sorted(sample.labels.items()) if label not in ("namespace", "release")): (
                sample.value
            )
            for family in families
            for sample in family.samples
            if sample.name == name
        }


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    async with FakeApi() as api, api.client() as client:
        reporter, metrics = Reporter(client, "me"), Metrics()
        yield Heard(api, reporter, metrics, Audience(reporter, metrics))


async def test_two_acts_in_one_move_are_two_events(heard: Heard) -> None:
    acts = (rollback("a", "ana", "one"), rollback("b", "bob", "two"))
    after = climbing(handled=(Handled("a", "Refused", "no"), Handled("b", "Refused", "no")))
    seen = picture(after, before=climbing(), acts=acts)
    first = recorded(climbing())
    for _ in range(2):  # told again after a crash, they are the same two
        heard.audience.recorded(DOCUMENT, seen, first, recorded(after, first, seen))
    events = await heard.events()
    assert sorted(event["note"] for event in events) == [
        "Rollback by ana (one): Refused, no",
        "Rollback by bob (two): Refused, no",
    ]


async def test_a_foreign_edit_is_told_once_however_often_it_is_put_back(heard: Heard) -> None:
    def effect(token: str) -> Ensure:
        return Ensure("web", (("1", 100_000),), 1, Reading((), 1, token))

    seen = picture(resting(), seen=sight(resting(), foreign={"web": "eve"}))
    for token in ("7", "7", "8"):
        heard.audience.acting(DOCUMENT, seen, [effect(token)])
    events = await heard.events()
    assert len(events) == 2, "one an edit"
    assert {event["type"] for event in events} == {"Warning"}


async def test_gauges_follow_every_pass_whether_anything_was_written_or_not(heard: Heard) -> None:
    status = climbing()
    for observed in (10, 7):
        seen = picture(status, seen=sight(status, readings=split({"1": 100 - observed, "2": observed})))
        heard.audience.seen(KEY, seen, recorded(status, picture_=seen))
        assert heard.series("tidegate_release_weight") == {("web",): observed}
    assert heard.series("tidegate_release_phase") == {("Progressing",): 1}
    assert heard.series("tidegate_release_info") == {("v2", "v1"): 1}
    assert await heard.events() == []


async def test_the_gauges_of_a_guard_that_was_removed_go_and_those_of_the_others_stay(heard: Heard) -> None:
    errors = guard_status("errors", Verdict.PASS, candidate="0.1 %")
    latency = guard_status("latency", Verdict.HOLD, candidate="900 ms")
    for guards in ((errors, latency), (errors,)):
        heard.audience.seen(KEY, picture(climbing(), guards=guards), recorded(climbing()))
    assert heard.series("tidegate_guard_verdict") == {("", "errors", "Pass"): 1}
    assert heard.series("tidegate_guard_value") == {("", "errors", "candidate"): 0.1}


async def test_the_weight_of_a_component_that_is_gone_or_not_known_is_no_longer_shown(heard: Heard) -> None:
    status = climbing()
    heard.audience.seen(KEY, picture(status), recorded(status))
    blind = picture(status, seen=sight(status, readings=split(None)))
    heard.audience.seen(KEY, blind, recorded(status, picture_=blind))
    assert heard.series("tidegate_release_weight") == {}


async def test_phases_entered_and_the_time_of_a_revert_are_counted_once(heard: Heard) -> None:
    down = recorded(reverting(), recorded(climbing()), picture(reverting(), before=climbing()))
    heard.audience.recorded(DOCUMENT, picture(reverting(), before=climbing()), recorded(climbing()), down)
    later = replace(picture(reverted(), before=reverting()), now=NOW + 3)
    done = recorded(reverted(), down, later)
    heard.audience.recorded(DOCUMENT, later, down, done)
    heard.audience.recorded(DOCUMENT, later, done, done)
    assert heard.series("tidegate_transitions_total") == {("Reverting",): 1, ("Reverted",): 1}
    assert heard.series("tidegate_time_to_revert_seconds_sum") == {("Breach",): 4.0}
    assert heard.series("tidegate_time_to_revert_seconds_count") == {("Breach",): 1}
    await heard.reporter.flush(5.0)


async def test_what_is_gone_leaves_no_series(heard: Heard) -> None:
    heard.audience.seen(KEY, picture(climbing()), recorded(climbing()))
    heard.audience.gone(KEY)
    assert 'release="shop"' not in heard.metrics.exposition().decode()
