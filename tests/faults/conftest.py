"""What is installed once, and a namespace with an operator of its own for each test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.stage.api import Api
from hack.stage.operator import install
from tests.faults.life import Life


@pytest.fixture(scope="package")
def api() -> Iterator[Api]:
    install()
    api = Api()
    yield api
    api.close()


@pytest.fixture
def life(api: Api, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Life]:
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:30].strip("-")
    with Life(api, tmp_path, words) as life:
        yield life
