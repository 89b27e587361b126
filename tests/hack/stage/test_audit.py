from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hack.stage import audit
from hack.stage.audit import NoLog, Request

OPERATOR = "system:serviceaccount:tidegate-system:tidegate"


def event(at: str, verb: str = "get", **changes: Any) -> Mapping[str, Any]:
    return {
        "auditID": at,
        "stageTimestamp": f"2026-11-23T18:00:{at}Z",
        "verb": verb,
        "user": {"username": OPERATOR},
        "objectRef": {"resource": "releases", "apiGroup": "tidegate.dev", "namespace": "shop", "name": "web"},
        "responseStatus": {"code": 200},
        **changes,
    }


def write(file: Path, *events: Mapping[str, Any]) -> None:
    file.write_text("".join(json.dumps(one) + "\n" for one in events))


def test_requests_come_in_the_order_of_the_log_over_its_files(tmp_path: Path) -> None:
    write(tmp_path / "audit-2026-11-23T18-00-02.000.log", event("01.000000"))
    write(tmp_path / "audit.log", event("02.000000"), event("03.000000"))
    assert [request.id for request in audit.requests(log=tmp_path)] == ["01.000000", "02.000000", "03.000000"]


def test_what_was_asked_before_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", event("01.000000"), event("02.000000"), event("03.000000"))
    since = "2026-11-23T18:00:02.000000Z"
    assert [request.id for request in audit.requests(since=since, log=tmp_path)] == ["03.000000"]


def test_a_log_that_begins_too_late_is_no_log_of_the_time_asked_about(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", event("05.000000"))
    with pytest.raises(NoLog, match=r"goes back to 2026-11-23T18:00:05\.000000Z only"):
        list(audit.requests(since="2026-11-23T18:00:01.000000Z", log=tmp_path))


def test_where_no_log_is_kept_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoLog, match="only the cluster of `make cluster` keeps an audit log"):
        audit.files(tmp_path)


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", event("01.000000"))
    with (tmp_path / "audit.log").open("a") as log:
        log.write('{"auditID": "02')
    assert [request.id for request in audit.requests(log=tmp_path)] == ["01.000000"]


def test_a_request_tells_who_asked_for_what_and_how_it_ended() -> None:
    status = {"resource": "releases", "apiGroup": "tidegate.dev", "subresource": "status", "namespace": "shop"}
    stored = {"metadata": {"name": "web"}, "status": {}}
    request = Request(
        event("01.500000", "patch", objectRef=status, requestObject={"status": {}}, responseObject=stored)
    )
    assert (request.group, request.resource, request.subresource) == ("tidegate.dev", "releases", "status")
    assert (request.verb, request.namespace, request.name, request.code) == ("patch", "shop", "web", 200)
    assert (request.body, request.answer) == ({"status": {}}, stored)
    assert request.time.microsecond == 500_000


@pytest.mark.parametrize(
    ("user", "ours"),
    [
        (OPERATOR, True),
        ("system:serviceaccount:team-a:tidegate", True),
        ("system:serviceaccount:team-a:tidegate-migrate", False),
        ("admin", False),
        ("tidegate", False),
    ],
)
def test_an_operator_is_a_service_account_of_its_name(user: str, ours: bool) -> None:
    assert Request(event("01.000000", user={"username": user})).by_operator == ours


def test_who_only_acts_as_an_operator_is_none() -> None:
    assert not Request(event("01.000000", impersonatedUser={"username": "ana"})).by_operator
