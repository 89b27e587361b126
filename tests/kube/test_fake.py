"""The small API server does what the real one does, wherever no fault was asked of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kube.contract import ApiServerContract
from tests.kube.fake import FakeApi
from tidegate.kube import Client


class TestFake(ApiServerContract):
    @pytest.fixture
    async def client(self) -> AsyncIterator[Client]:
        async with FakeApi() as api, api.client() as client:
            yield client

    @pytest.fixture
    def namespace(self) -> str:
        return "shop"
