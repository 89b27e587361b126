"""kill -9 at every write of a take-over, and of giving it back: the end is the same as without.

As with a climb (`test_kill_at_every_write`): clean runs teach which writes there are; then each of them is the last
thing that an operator tries, in a namespace of its own, and another operator goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hack.stage import shop
from hack.stage.api import Api, eventually
from hack.stage.proxy import Fault, FaultProxy, Wrong
from tests.faults.life import AT_ONCE, Life, until_quiet
from tests.faults.plans import PATIENCE, Course, plans

OWN = {"app": "web"}


@dataclass(frozen=True)
class Story:
    """`act` begins it and `over` says that it has ended. `before`: what is done first, without faults."""

    words: str
    act: Callable[[Life], None]
    over: Callable[[Life], bool]
    before: Sequence[Story] = ()


def take_over(life: Life) -> None:
    component = shop.adopting(replicas=1)
    component["kubernetes"] |= {"drain": "0s"}
    life.declare("v1.0.0", components=[component], steps=AT_ONCE)


def is_taken_over(life: Life) -> bool:
    return life.status().get("phase") == "Completed" and deployments(life).get("web") == 0


def delete(life: Life) -> None:
    life.api.delete("Release", life.namespace, "shop")


def is_given_back(life: Life) -> bool:
    return not life.release() and deployments(life) == {"web": 1}


TAKING_OVER = Story("taking", take_over, is_taken_over)
GIVING_BACK = Story("giving", delete, is_given_back, before=[TAKING_OVER])


def deployments(life: Life) -> dict[str, int]:
    return {
        found["metadata"]["name"]: found["spec"]["replicas"] for found in life.api.list("Deployment", life.namespace)
    }


def end(life: Life) -> Mapping[str, Any]:
    """All that is there, without what differs from run to run."""
    service = life.api.get("Service", life.namespace, "web") or {}
    web = life.api.get("Deployment", life.namespace, "web") or {}
    status, marks = life.status(), web["metadata"].get("annotations", {})
    return {
        "phase": status.get("phase"),
        "history": [(past["version"], past["outcome"]) for past in status.get("history", [])],
        "stable": status.get("stable", {}).get("revision"),
        "backends": {ref["name"] for ref in _refs(life)},
        "selector": service["spec"]["selector"],
        "before": service["metadata"].get("annotations", {}).get("tidegate.dev/selector-before"),
        "deployments": deployments(life),
        "paused": web["spec"].get("paused", False),
        "held": "tidegate.dev/adopted" in marks,
        "owned": "ownerReferences" in web["metadata"],
        "services": life.names("Service"),
        "revisions": life.names("ControllerRevision"),
    }


def _refs(life: Life) -> list[dict[str, Any]]:
    route = life.api.get("HTTPRoute", life.namespace, "web") or {}
    refs: list[dict[str, Any]] = route["spec"]["rules"][0]["backendRefs"]
    return refs


def serve(life: Life) -> None:
    """What ran before there was a Release."""
    service = shop.service(life.namespace)
    service["spec"]["selector"] = OWN
    life.api.apply(service, shop.deployment(life.namespace, "v1.0.0", replicas=1))


def is_serving(life: Life) -> bool:
    web = life.api.get("Deployment", life.namespace, "web") or {}
    return bool(web.get("status", {}).get("availableReplicas"))


def run(api: Api, folder: Path, story: Story, faults: Sequence[Fault | None]) -> list[Course]:
    """One life of an operator, with a namespace for each fault."""
    with ExitStack() as stack:
        lives = [stack.enter_context(Life(api, folder, story.words)) for _ in faults]
        namespaces = ",".join(life.namespace for life in lives)
        operator, proxy = lives[0].operator(TIDEGATE_NAMESPACES=namespaces, TIDEGATE_WORKERS="64")
        stack.callback(operator.kill)

        def go_on() -> None:
            """On a machine that gives it no turn it loses the Lease, and ends by itself."""
            if not operator.running():
                proxy.mend()
                operator.start()

        for life in lives:
            serve(life)
        _each(lives, is_serving, "it serves")
        operator.start()
        for first in story.before:
            for life in lives:
                first.act(life)
            _each(lives, first.over, first.words, go_on)
            until_quiet([proxy], 1.0)
        wrongs = [(life, fault) for life, fault in zip(lives, faults, strict=True) if fault]
        proxy.begin(*(replace(fault, namespace=life.namespace) for life, fault in wrongs))
        for life in lives:
            story.act(life)

        def struck_or_over(life: Life) -> bool:
            return proxy.fired_in(life.namespace) is not None or story.over(life)

        _each(lives, struck_or_over, "struck, or over", go_on)
        if proxy.cut:
            operator.kill()
            proxy.mend()
            operator.start()
        _each(lives, story.over, story.words, go_on)
        until_quiet([proxy], 2.0)
        return [_course(life, fault, proxy) for life, fault in zip(lives, faults, strict=True)]


def _each(
    lives: Sequence[Life], reached: Callable[[Life], bool], what: str, go_on: Callable[[], None] = lambda: None
) -> None:
    def there(life: Life) -> bool:
        go_on()
        return reached(life)

    for life in lives:
        try:
            eventually(partial(there, life), PATIENCE, what, 0.2)
        except AssertionError as error:
            raise AssertionError(f"{life.namespace}: {error}; {deployments(life)}; {life.scene('shop')}") from None


def _course(life: Life, fault: Fault | None, proxy: FaultProxy) -> Course:
    writes = [write for write in proxy.writes if write.namespace == life.namespace]
    fired = proxy.fired_in(life.namespace) is not None
    return Course(life.namespace, fault, fired, writes, (), end(life))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("story", [TAKING_OVER, GIVING_BACK], ids=lambda story: story.words)
def test_killed_at_any_write_the_end_is_the_same_as_without(story: Story, api: Api, tmp_path: Path) -> None:
    clean = run(api, tmp_path / "clean", story, [None, None])
    assert clean[0].end == clean[1].end
    # Killed after a write is killed before the next one: what the first operator knew of its answer is gone either way.
    todo = plans(clean, [Wrong.CUT_BEFORE])
    assert len(todo) >= 10, [write.what for write in clean[0].writes]
    courses = run(api, tmp_path, story, todo)
    broken = [f"{course.namespace}, {course.fault}: {course.end}" for course in courses if course.end != clean[0].end]
    assert not broken, f"{len(broken)} of {len(todo)} ended otherwise than {clean[0].end}:\n" + "\n".join(broken)
    made = [[w.what for w in course.writes if w.verb == "create" and w.done] for course in courses]
    assert all(len(set(names)) == len(names) for names in made), "something was made twice"
    assert sum(course.fired for course in courses) >= len(todo) - 3, [str(c.fault) for c in courses if not c.fired]
