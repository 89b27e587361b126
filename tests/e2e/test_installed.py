"""The operator in its own pods, installed by the chart: what a user has in the end."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.cluster.elsewhere import elsewhere
from hack.cluster.layout import current_layout
from hack.stage import shop as sample
from hack.stage.api import Api, eventually
from hack.stage.operator import Operator, install
from hack.stage.pods import CHART, PROMETHEUS, Pods, helm
from tests.e2e.scenario import Shop

pytestmark = pytest.mark.skipif(elsewhere(current_layout()) is not None, reason="the image is on our own cluster")

STEPS = ({"weight": 10, "hold": "2s"}, {"weight": 50, "hold": "6s"}, {"weight": 100, "hold": "1s"})


@pytest.fixture
def chart(api: Api, operator: Operator) -> Iterator[Pods]:
    """The chart, with nothing set but a shorter tick, in the place of the operator that all other tests share.

    What belongs to no namespace is there already, from manifests/rights: Helm takes it over, and it is put back.
    """
    namespace = f"tidegate-chart-{uuid.uuid4().hex[:6]}"
    operator.stop()
    try:
        helm(
            *("install", "tidegate", str(CHART), "--namespace", namespace, "--create-namespace"),
            *("--set", "settings.tick=1s", "--take-ownership", "--force-conflicts", "--wait", "--timeout", "120s"),
        )
        yield Pods(api, namespace)
        helm("uninstall", "tidegate", "--namespace", namespace, "--wait", "--timeout", "60s")
        # With its definition each Release of the cluster would have gone: they are kept.
        assert api.get("CustomResourceDefinition", "", "releases.tidegate.dev") is not None
        assert api.get("ClusterRole", "", "tidegate-operator") is None
    finally:
        api.delete("Namespace", "", namespace)
        install()
        operator.start()


@pytest.fixture
def shop(api: Api, chart: Pods, tmp_path: Path) -> Iterator[Shop]:
    """As in all other tests, but under the chart's operator."""
    shop = Shop(api, f"e2e-chart-{uuid.uuid4().hex[:6]}", tmp_path).open()
    yield shop
    shop.close()


def test_under_the_chart_a_release_climbs_on_though_the_leaders_pod_is_deleted(chart: Pods, shop: Shop) -> None:
    try:
        _climb(chart, shop)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{chart.logs()}") from None


def _climb(chart: Pods, shop: Shop) -> None:
    chart.ready()
    assert len(chart.names()) == 2
    shop.api.apply(sample.connection(shop.namespace, PROMETHEUS))
    shop.given_live("v1.0.0", steps=STEPS)
    # From all namespaces to one, by Roles in the place of the ClusterRole. The pods are others afterwards.
    before = chart.names()
    helm(
        *("upgrade", "tidegate", str(CHART), "--namespace", chart.namespace, "--reuse-values"),
        *("--set", f"watchNamespaces={{{shop.namespace}}}", "--wait", "--timeout", "120s"),
    )
    assert shop.api.get("ClusterRole", "", "tidegate-operator") is None
    eventually(lambda: not set(chart.names()) & set(before) and chart.leader(), 60, "new pods lead")
    shop.declare("v1.1.0", steps=STEPS)
    shop.then_weight("v1.1.0", 50)
    led = chart.leader()
    assert led
    shop.api.delete("Pod", chart.namespace, led)
    eventually(lambda: chart.leader() not in ("", led), 30, "another pod leads", 0.2)
    shop.then_phase("Completed", version="v1.1.0")
    past = [(each["version"], each["outcome"]) for each in shop.status()["history"]]
    assert past == [("v1.1.0", "Completed"), ("v1.0.0", "Completed")]
