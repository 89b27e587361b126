"""One value of one Secret, asked of the server when it is needed and kept nowhere."""

import base64
from collections.abc import Mapping

from tidegate.api.connection import Connection
from tidegate.api.permission import refusal_to_connection
from tidegate.errors import NotFound, NotPermitted, Permanent
from tidegate.kube.client import Client
from tidegate.kube.resources import SECRETS


class SecretValues:
    """Of a Connection only those Secrets that say so themselves, by their label."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, connection: Connection, name: str, key: str) -> str:
        """Raises NotFound, NotPermitted, Denied, Unavailable, and Permanent where the Secret has no such key, or no
        text in it."""
        namespace = connection.metadata.namespace
        try:
            secret = await self._client.get(SECRETS, namespace, name)
        except NotFound:
            raise NotFound(f"There is no Secret {name} in namespace {namespace}; create it.") from None
        labels = secret["metadata"].get("labels")
        if refused := refusal_to_connection(namespace, name, labels, connection.metadata.name):
            raise NotPermitted(refused)
        data: Mapping[str, str] = secret.get("data") or {}
        if key not in data:
            raise Permanent(f"Secret {name} has no key {key}; add it, or name another key in the Connection.")
        try:
            return base64.b64decode(data[key]).decode().strip()
        except ValueError:
            raise Permanent(f"Key {key} of Secret {name} is no text; put the plain value there.") from None
