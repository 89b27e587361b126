"""The label rule: the named object says who may name it.

A Service or CronJob of a user is used by a Release only if it carries `tidegate.dev/release: <that Release>`. So
nothing is taken by naming it, and nothing has two Releases.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.api.meta import LABEL_RELEASE


def refusal(kind: str, namespace: str, name: str, labels: Mapping[str, str] | None, release: str) -> str | None:
    """None if the Release may use the object; else the sentence that says why not, and the command that allows it."""
    owner = (labels or {}).get(LABEL_RELEASE)
    if owner == release:
        return None
    command = f"kubectl label --namespace {namespace} {kind.lower()} {name} {LABEL_RELEASE}={release}"
    if owner:
        return f"{kind} {name} belongs to Release {owner}, not to {release}. To hand it over: {command} --overwrite"
    return f"{kind} {name} does not carry the label that lets Release {release} use it. To allow it: {command}"
