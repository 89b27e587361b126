"""What people see of a Release, drawn from statuses as they were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console, RenderableType

from tests.cli import releases
from tidegate.api import Percent
from tidegate.cli import tables
from tidegate.cli.drawing import drawing
from tidegate.cli.view import view
from tidegate.errors import Invalid


def text(what: RenderableType | None, width: int = 160) -> str:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(what)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def drawn(release: Mapping[str, Any], now: float = releases.NOW) -> str:
    return text(drawing(view(release), now))


def section(title: str, whole: str) -> str:
    _, _, after = whole.partition(f"\n{title}\n")
    return after.partition("\n\n")[0]


def test_the_head_says_what_should_be_live_and_what_it_waits_for() -> None:
    lines = drawn(releases.climbing()).splitlines()
    assert lines[0] == "storefront in production   v1.2.3   Progressing"
    assert lines[1].startswith("… v1.2.3 at 10 %, step 1 of 3; latency-p95: no data since 18:04:00 UTC")


def test_the_ladder_is_drawn_with_where_it_stands_and_what_is_held() -> None:
    together, holds, own, _ = section("Ladder", drawn(releases.climbing())).splitlines()
    assert together == "  together    0 % ━━━ ● 10 % ──────── ○ 50 % ─── ○ 100 %"
    assert holds.strip() == "5m of 15m       15m        15m"
    assert own.startswith("  thumbnails  0 % ━━━ ● 20 %")


def test_the_hold_runs_with_the_clock_and_never_beyond_its_end() -> None:
    assert "10m of 15m" in drawn(releases.climbing(), releases.NOW + 300)
    assert "15m of 15m" in drawn(releases.climbing(), releases.NOW + 3600)


def test_after_completion_all_rungs_are_behind() -> None:
    whole = drawn(releases.completed())
    assert "0 % ━━━ ✔ 10 % ━━━ ✔ 50 % ━━━ ✔ 100 %" in whole
    assert whole.splitlines()[1] == "✔ v1.2.3 serves"


def test_waits_say_until_when_for_whom_and_since_when() -> None:
    assert section("Waits", drawn(releases.climbing())).splitlines() == [
        "  paused at 50 % by ana@example.com since 18:07:00 UTC: lunch. To go on: tidegate resume storefront",
        "  hold: full at 18:19:00 UTC, in 10m, if all stays well",
        "  hold of thumbnails: does not count now; 8m are left",
        "  a usable measurement: since 18:04:00 UTC, 5m ago",
    ]


def test_what_to_send_to_meet_the_candidate_is_said_while_there_is_one() -> None:
    for preview, header in (({}, "x-tidegate-version"), ({"header": "x-try"}, "x-try")):
        release = releases.climbing()
        release["spec"]["components"][0]["kubernetes"]["preview"] = preview
        name = release["spec"]["components"][0]["name"]
        assert section("Preview", drawn(release)).splitlines() == [f"  {name}: send {header}: v1.2.3"]
    assert "Preview" not in drawn(releases.climbing())
    done = releases.completed()
    done["spec"]["components"][0]["kubernetes"]["preview"] = {}
    assert "Preview" not in drawn(done)


def test_a_pause_of_the_spec_is_told_apart() -> None:
    assert "paused by spec.paused" in section("Waits", drawn(releases.climbing(paused=True)))


def test_versions_are_named_with_revision_and_time() -> None:
    versions = section("Versions", drawn(releases.climbing()))
    assert "candidate  v1.2.3 (5d9f0c1e7b)  attempt 3, since 18:00:00 UTC, 9m ago" in versions
    assert "stable     v1.2.2 (8a71c2d94e)  proven 2026-11-16 19:02:40 UTC, 6d23h ago" in versions
    assert "previous   v1.2.1 (77b0e1a2c3)  warm until 20:02:40 UTC, in 1h53m" in versions
    assert "previous  v1.2.2 (8a71c2d94e)  cold" in drawn(releases.completed())


def test_weights_are_shown_as_decided_and_as_seen() -> None:
    rows = section("Components", drawn(releases.climbing())).splitlines()
    assert [cell.strip() for cell in rows[1].split("  ") if cell.strip()] == [
        "graphql",
        "Shifted",
        "10 %",
        "10 %",
        "6/6 ready",
        "3/3 ready",
    ]
    assert "20 %     ?" in rows[2]


def test_guards_show_numbers_limits_and_samples_and_the_sentence_of_what_is_not_well() -> None:
    _, passed, unknown, sentence = section("Guards", drawn(releases.climbing())).splitlines()
    for shown in ("production/error-rate", "Pass", "0.12 %", "0.10 %", "+0.1pp", "+0.5pp", "1211/10480", "18:08:50"):
        assert shown in passed
    assert unknown.split() == ["latency-p95", "Unknown", "+25%"]
    assert sentence.strip() == "latency-p95: no data since 18:04:00 UTC"


def test_checks_show_what_became_of_them() -> None:
    assert "smoke  BeforeTraffic  Passed   18:01:00 UTC  storefront-smoke-3" in drawn(releases.climbing())


def test_a_revert_is_told_with_its_sentence_and_how_long_it_took() -> None:
    whole = drawn(releases.reverted())
    assert whole.splitlines()[1].startswith("✖ v1.2.2 serves; v1.2.3 was reverted.")
    assert section("Revert", whole).splitlines() == [
        "  Breach error-rate at 18:08:07 UTC, 53s ago, all traffic back within 2.5 s",
        "  error-rate of v1.2.3 is 0.9 pp above v1.2.2; limit +0.5pp",
    ]
    assert "v1.2.3   5d9f0c1e7b  Breach  3        18:08:07 UTC" in section("Rejected", whole)
    assert "v1.2.3   Reverted   50 %" in section("History", whole)


def test_what_is_not_there_has_no_heading() -> None:
    whole = drawn(releases.new())
    assert whole.splitlines()[1] == "… the operator has not looked at this yet"
    assert "Guards" not in whole
    assert "History" not in whole


def test_nothing_is_cut_off_on_a_narrow_terminal() -> None:
    narrow = text(drawing(view(releases.climbing()), releases.NOW), width=80)
    assert all(len(line) <= 80 for line in narrow.splitlines())
    assert "…" not in narrow.replace("… v1.2.3", "")
    joined = "".join(narrow.split())
    for shown in ("1211/10480", "+0.5pp", "8a71c2d94e"):
        assert shown in joined


def test_ready_counts_only_for_the_spec_as_it_is_now() -> None:
    assert view(releases.completed()).ready
    changed = view(releases.completed(generation=42))
    assert not changed.ready
    assert changed.sentence == "the operator has not looked at this yet"


def test_the_list_has_a_line_each_and_says_below_what_is_not_ready() -> None:
    views = [view(make()) for make in (releases.climbing, releases.completed)]
    head, climbing, completed, sentence = text(tables.releases(views, namespaces=False)).splitlines()
    assert head.split() == ["NAME", "VERSION", "STABLE", "PHASE", "WEIGHT", "STEP", "GUARDS", "READY"]
    assert climbing.split()[:4] == ["storefront", "v1.2.3", "v1.2.2", "Progressing"]
    assert completed.endswith("yes")
    assert sentence.startswith("storefront: v1.2.3 at 10 %")
    assert "NAMESPACE" in text(tables.releases(views, namespaces=True))


def test_a_spec_that_cannot_be_read_does_not_hide_the_status() -> None:
    release = releases.climbing(later="field")
    assert "the spec can't be read: spec.later" in drawn(release)
    assert "5d9f0c1e7b" in drawn(release)


def test_a_word_of_a_newer_operator_is_shown_as_it_is() -> None:
    release = releases.climbing()
    release["status"]["phase"] = "Teleporting"
    assert "Teleporting" in drawn(release)


def test_a_status_of_another_shape_says_what_to_do() -> None:
    release = releases.climbing()
    release["status"]["attempt"] = "many"
    with pytest.raises(Invalid, match="install the version that the operator has, or use --output yaml"):
        view(release)


def test_a_ladder_stands_where_its_slowest_component_does() -> None:
    release = releases.climbing()
    release["spec"]["components"][1].pop("steps")
    release["status"]["components"][1]["share"] = 50
    assert view(release).weight() == Percent.parse(10)


def test_what_only_a_person_can_mend_is_told_even_where_ready_does_not_say_it() -> None:
    release = releases.climbing()
    stalled = release["status"]["conditions"][1]
    stalled.update(status="True", reason="ImagePullFailed", message="registry.example/graphql:v1.2.3 can't be pulled")
    assert drawn(release).splitlines()[1] == (
        "✖ v1.2.3 at 10 %, step 1 of 3; latency-p95: no data since 18:04:00 UTC, hold not counting; "
        "registry.example/graphql:v1.2.3 can't be pulled"
    )
