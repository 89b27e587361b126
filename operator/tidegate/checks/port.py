"""What a check is asked for, and what it answers. A check is a question with a yes or a no; it moves nothing.

A check never holds up a pass: `run` sees to it that the question is asked once, `observe` tells what is known of the
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from tidegate.api.release import Release
from tidegate.engine.values import CheckKey, Outcome, Status


class App(Protocol):
    """One Release, as far as a check must know it. The targets' `App` is one."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def release(self) -> Release: ...
    @property
    def status(self) -> Status: ...


class Reachable(Protocol):
    """How one part of one version is reached. The targets' `Size` is one."""

    @property
    def endpoints(self) -> tuple[str, ...]: ...  # host:port of each that is ready
    @property
    def marked(self) -> bool: ...  # whether requests that are marked for it reach it


class CheckResult(NamedTuple):
    """What is known of one check."""

    outcome: Outcome
    message: str = ""  # a sentence; "" while it runs
    job: str = ""  # name of its Job, if it is one


class Checker(Protocol):
    """One kind of check."""

    async def run(self, app: App, key: CheckKey, sizes: Mapping[tuple[str, str], Reachable]) -> None:
        """Have the question asked, if it was not yet for this key. May be repeated. Raises Transient, Permanent."""

    def observe(self, app: App, keys: Iterable[CheckKey]) -> Mapping[CheckKey, CheckResult]:
        """What is known of these; a key that was never run is left out. From the cache and from memory alone."""
