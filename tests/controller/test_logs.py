"""Each line is one JSON object, says what it is about, and holds no secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tidegate.controller import logs


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("tidegate", "kopf", "kopf.objects")}
    stream = io.StringIO()
    logs.configure("info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_line_says_which_object_revision_and_step_it_is_about(output: io.StringIO) -> None:
    with logs.bind(object="shop/web", revision="abc"), logs.bind(step=2):
        logging.getLogger("tidegate.x").info("raised to %s", "10 %")
    logging.getLogger("tidegate.x").info("afterwards")
    inside, outside = lines(output)
    assert inside["message"] == "raised to 10 %"
    assert (inside["object"], inside["revision"], inside["step"]) == ("shop/web", "abc", "2")
    assert (outside["object"], outside["revision"], outside["step"]) == ("", "", "")
    assert inside["level"] == "info"
    assert inside["time"].endswith("+00:00")


async def test_what_is_bound_follows_the_work_into_its_tasks_and_no_other(output: io.StringIO) -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        logging.getLogger("tidegate").info("worked")

    with logs.bind(object="shop/web"):
        ours = asyncio.create_task(work())
    other = asyncio.create_task(work())
    await asyncio.gather(ours, other)
    assert sorted(line["object"] for line in lines(output)) == ["", "shop/web"]


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("Authorization: Bearer abcdefgh.ijkl", "abcdefgh"),
        ("GET https://user:hunter22@prometheus.example/api", "hunter22"),
        ('{"password": "hunter22"}', "hunter22"),
        ("token=hunter22&x=1", "hunter22"),
        ("api_key: hunter22", "hunter22"),
    ],
)
def test_a_credential_in_the_words_of_a_library_is_struck_out(output: io.StringIO, said: str, secret: str) -> None:
    try:
        raise RuntimeError(said)
    except RuntimeError:
        logging.getLogger("httpx").exception(said)
    assert secret not in output.getvalue()
    assert "***" in output.getvalue()


def test_kopf_does_not_tell_of_each_event_that_it_went_well(output: io.StringIO) -> None:
    logging.getLogger("kopf.objects").info("Handler 'x' succeeded.")
    logging.getLogger("kopf.reactor").info("Starting.")
    logging.getLogger("kopf.objects").warning("something")
    assert [line["message"] for line in lines(output)] == ["something"]


def test_an_error_carries_its_trace_in_the_same_line_and_a_transition_its_name(output: io.StringIO) -> None:
    try:
        raise KeyError("x")
    except KeyError:
        logging.getLogger("tidegate").exception("failed")
    logging.getLogger("tidegate").info("goes to 50 %", extra={"transition": "WeightRaised"})
    failed, raised = lines(output)
    assert "KeyError" in failed["trace"]
    assert raised["transition"] == "WeightRaised"
