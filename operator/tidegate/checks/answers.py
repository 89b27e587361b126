"""Answers that no object in the cluster remembers, by Release and key. Lost with the process: then the question is
asked again."""

from __future__ import annotations

from tidegate.checks.port import App, CheckResult
from tidegate.engine.values import CheckKey


class Answers:
    """Of each Release, those of its newest attempt."""

    def __init__(self) -> None:
        self._by_release: dict[tuple[str, str], tuple[str, dict[CheckKey, CheckResult]]] = {}

    def get(self, app: App, key: CheckKey) -> CheckResult | None:
        uid, answers = self._by_release.get((app.namespace, app.name), ("", {}))
        return answers.get(key) if uid == app.uid else None

    def put(self, app: App, key: CheckKey, result: CheckResult) -> None:
        uid, answers = self._by_release.get((app.namespace, app.name), ("", {}))
        kept = {known: answer for known, answer in answers.items() if uid == app.uid and known.attempt >= key.attempt}
        self._by_release[app.namespace, app.name] = (app.uid, {**kept, key: result})

    def forget(self, namespace: str, name: str) -> None:
        self._by_release.pop((namespace, name), None)
