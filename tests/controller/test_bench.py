"""The target of the bench, as long as no test turns it, is a target as any other for the loop that acts on it."""

from __future__ import annotations

import pytest

from tests.controller.bench import Turned
from tests.engine.target import Place
from tests.targets.contract import EngineContract


class TestTurned(EngineContract):
    @pytest.fixture
    def world(self) -> Place:
        return Place(Turned)
