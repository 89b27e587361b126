"""docs/safety.md names tests for each of the eleven rules: they are there, and those outside the engine bite, too."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.checks import test_job
from tests.controller import test_queue_at_work, test_sampling
from tests.kube import test_store
from tests.targets import test_routes
from tidegate.controller.queue import Queue
from tidegate.controller.sampling import Sampler
from tidegate.engine.values import CheckKey, When
from tidegate.kube.resources import Key
from tidegate.kube.store import Store
from tidegate.targets.kubernetes.traffic.routes import Backends

ROOT = Path(__file__).parents[1]
RULES = range(1, 12)
REAL = ("tests/faults/", "tests/integration/", "tests/e2e/", "tests/targets/contract.py")  # on a real API server


def _table() -> Mapping[int, list[str]]:
    rows = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", (ROOT / "docs" / "safety.md").read_text(), re.MULTILINE)
    return {int(number): re.findall(r"`([^`]+::[^`]+)`", tests) for number, tests in rows}


def _tests_of(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_tests_one_without_and_one_with_a_real_api_server(rule: int) -> None:
    named = _table()[rule]
    missing = [test for test in named if test.split("::")[1] not in _tests_of(ROOT / test.split("::")[0])]
    assert not missing, f"docs/safety.md names tests that are not there: {missing}"
    assert any(test.startswith(REAL) for test in named), "none of a real API server"
    assert any(not test.startswith(REAL) for test in named), "none that `make unit` runs"


# ---- rule 10


def _named_namespaces(schema: Any, path: str = "") -> Iterator[str]:
    """Paths of all fields `namespace` or `namespaces`, but for those of a pod template, which Kubernetes owns."""
    if isinstance(schema, Mapping):
        for name, inner in (schema.get("properties") or {}).items():
            if name in ("namespace", "namespaces"):
                yield f"{path}.{name}"
            if name != "template":
                yield from _named_namespaces(inner, f"{path}.{name}")
        for word in ("items", "additionalProperties"):
            yield from _named_namespaces(schema.get(word), f"{path}[]")


def _specs() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path in sorted((ROOT / "crds").glob("tidegate.dev_*.yaml")):
        definition = yaml.safe_load(path.read_text())["spec"]
        for version in definition["versions"]:
            kind = definition["names"]["kind"]
            yield kind, version["schema"]["openAPIV3Schema"]["properties"]["spec"]


def test_no_reference_names_a_namespace() -> None:
    specs = dict(_specs())
    assert sorted(specs) == ["Connection", "Intervention", "Release", "ReleasePolicy"]
    found = [f"{kind}{path}" for kind, spec in specs.items() for path in _named_namespaces(spec, ".spec")]
    assert not found, f"a reference that leaves its namespace: {found}"
    doctored: Any = {"properties": {"route": {"properties": {"name": {}, "namespace": {}}}}}
    assert list(_named_namespaces(doctored)) == [".route.namespace"]


# ---- what is outside the engine bites


class Planted(NamedTuple):
    rule: int
    design: str
    where: object
    name: str
    naive: Any
    story: Callable[[], Awaitable[None] | None]


def _always_a_second(self: Any, key: Any) -> float:
    self.add_at(key, self._now() + 1.0)
    return 1.0


def _by_name_alone(self: Backends, ref: Mapping[str, Any]) -> str | None:
    name = str(ref.get("name"))
    return (self.pinned or f"?{name}") if name == self.service else self.contents.get(name)


def _whoever_asks(self: Any, key: Key, evidence: Any, asks: Any, now: float) -> Any:
    return honest_latest(self, Key("production", key.name), evidence, asks, now)


def _whatever_comes_last(self: Any, resource: Any, obj: Any) -> bool:
    self.drop(resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    return honest_put(self, resource, obj)


honest_latest, honest_put = Sampler.latest, Store.put
STEP = CheckKey("smoke", When.EACH_STEP, 3, "web", 12)

PLANTED = [
    Planted(
        3,
        "the last line that came is how it is",
        Store,
        "put",
        _whatever_comes_last,
        test_store.test_a_stale_line_of_a_watch_does_not_turn_the_view_back,
    ),
    Planted(
        6,
        "a check is called by its name",
        test_job,
        "job_name",
        lambda release, content, key: f"{release}-{key.name}-{content[:10]}",
        lambda: test_job.test_one_name_for_one_key(STEP, "-3-step-12"),
    ),
    Planted(
        9,
        "what failed is tried again in a second",
        Queue,
        "failed",
        _always_a_second,
        test_queue_at_work.test_a_poison_object_hurts_only_itself,
    ),
    Planted(
        10,
        "a backend is its name",
        Backends,
        "content",
        _by_name_alone,
        test_routes.test_the_same_name_in_another_namespace_or_of_another_kind_is_not_ours,
    ),
    Planted(
        10,
        "a Connection is its name",
        Sampler,
        "latest",
        _whoever_asks,
        test_sampling.test_connections_are_those_of_the_releases_own_namespace,
    ),
]


@pytest.mark.looptime
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.rule}: {planted.design}")
async def test_the_rule_holds_and_its_test_fails_under_the_naive_design(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _told(planted.story)
    monkeypatch.setattr(planted.where, planted.name, planted.naive)
    with pytest.raises(AssertionError):
        await _told(planted.story)


async def _told(story: Callable[[], Awaitable[None] | None]) -> None:
    ended = story()
    if inspect.isawaitable(ended):
        await ended
