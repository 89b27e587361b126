"""One operator for all end-to-end tests, each with a namespace of its own."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.stage.api import Api
from hack.stage.operator import Operator, install
from tests.e2e.scenario import Shop


@pytest.fixture(scope="package")
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.close()


@pytest.fixture(scope="package")  # no longer: it works in all namespaces, also in those of other tests
def operator(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    install()
    folder = tmp_path_factory.mktemp("operator")
    with Operator(api, folder, port=8091, TIDEGATE_TICK="1s") as operator:
        yield operator
    crashes = [line for line in operator.lines() if "trace" in line]
    assert not crashes, f"the operator's log has tracebacks: {crashes[:3]}"


@pytest.fixture
def shop(api: Api, operator: Operator, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    assert operator.running(), operator.log.read_text()[-4000:]
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:30].strip("-")
    unique = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:6]
    shop = Shop(api, f"e2e-{words}-{unique}", tmp_path).open()
    yield shop
    shop.close()
