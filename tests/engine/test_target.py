"""The world that the engine is tested in does to its effects what a real target does: it passes their contract."""

from __future__ import annotations

import pytest

from tests.engine.target import Place, WorldTarget
from tests.targets.contract import EngineContract


class TestWorld(EngineContract):
    @pytest.fixture
    def world(self) -> Place:
        return Place(WorldTarget)
