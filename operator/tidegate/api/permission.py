"""The label rule: the named object says who may name it.

A Service or CronJob of a user is used by a Release only if it carries `tidegate.dev/release: <that Release>`. So
nothing is taken by naming it, and nothing has two Releases. A Secret is used by a Connection only if it carries
`tidegate.dev/connection: <that Connection>`: who may write Connections, and so say to which URL a token is sent, need
not be one who may read the namespace's Secrets.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.api.meta import LABEL_CONNECTION, LABEL_RELEASE


def refusal(kind: str, namespace: str, name: str, labels: Mapping[str, str] | None, release: str) -> str | None:
    """None if the Release may use the object; else the sentence that says why not, and the command that allows it."""
    owner = (labels or {}).get(LABEL_RELEASE)
    if owner == release:
        return None
    command = f"kubectl label --namespace {namespace} {kind.lower()} {name} {LABEL_RELEASE}={release}"
    if owner:
        return f"{kind} {name} belongs to Release {owner}, not to {release}. To hand it over: {command} --overwrite"
    return f"{kind} {name} does not carry the label that lets Release {release} use it. To allow it: {command}"


def refusal_to_connection(namespace: str, secret: str, labels: Mapping[str, str] | None, connection: str) -> str | None:
    """None if the Connection may use the Secret; else the sentence that says why not, and the command that allows
    it."""
    owner = (labels or {}).get(LABEL_CONNECTION)
    if owner == connection:
        return None
    command = f"kubectl label --namespace {namespace} secret {secret} {LABEL_CONNECTION}={connection}"
    if owner:
        return f"Secret {secret} is for Connection {owner}, not for {connection}. To change that: {command} --overwrite"
    return f"Secret {secret} does not carry the label that lets Connection {connection} use it. To allow it: {command}"
