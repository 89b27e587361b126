"""Waiting for what others do, in tests over real sockets, where no clock can be moved."""

import asyncio
from collections.abc import Callable


async def soon(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return when it is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.01)
