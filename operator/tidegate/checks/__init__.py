"""Checks: questions with a yes or a no, asked at set points of a climb. A new kind is a module here and a line in
`Checks`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from tidegate.checks.http import HTTPChecks
from tidegate.checks.job import JobChecks
from tidegate.checks.port import App, Checker, CheckResult, Reachable
from tidegate.engine.values import CheckKey
from tidegate.kube import Cluster, Key

__all__ = ["App", "CheckResult", "Checker", "Checks", "HTTPChecks", "JobChecks", "Reachable"]


class Checks:
    """All kinds as one. `wake` is called with a Release's key when an answer came that no watch tells of."""

    def __init__(self, cluster: Cluster, wake: Callable[[Key], None]) -> None:
        self._http = HTTPChecks(cluster, wake)
        self._job = JobChecks(cluster)

    @property
    def _kinds(self) -> Sequence[Checker]:
        return (self._http, self._job)

    async def run(self, app: App, key: CheckKey, sizes: Mapping[tuple[str, str], Reachable]) -> None:
        """Have the question asked, if it was not yet for this key. May be repeated. Raises Transient, Permanent."""
        for kind in self._kinds:
            await kind.run(app, key, sizes)

    def observe(self, app: App, keys: Iterable[CheckKey]) -> Mapping[CheckKey, CheckResult]:
        """What is known of these; a key that was never run is left out. From the cache and from memory alone."""
        asked = list(keys)
        return {key: result for kind in self._kinds for key, result in kind.observe(app, asked).items()}

    def forget(self, key: Key) -> None:
        """Keep nothing in mind of a Release that is gone."""
        self._http.forget(key.namespace, key.name)
        self._job.forget(key.namespace, key.name)

    async def close(self) -> None:
        """End what runs in the background."""
        await self._http.close()
