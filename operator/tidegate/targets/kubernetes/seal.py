"""The key under which the content of Secrets is hashed: who reads a revision in a status or a name must not be able to
try passwords against it.

It is one Secret of the operator's own namespace, made when the first Release names a Secret. If it is lost, another is
made; what is kept is then recognised by its content (see `sources`), so that nothing climbs for it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from tidegate.api.meta import LABEL_MANAGED_BY, MANAGED_BY
from tidegate.errors import AlreadyExists, NotFound, Permanent
from tidegate.kube import SECRETS, Client, Object

HOME: Final = "tidegate-system"  # where nothing else is said
NAME: Final = "tidegate-key"
_FIELD: Final = "key"
_BYTES: Final = 32
_PRINT_DIGITS: Final = 16


class Seal:
    """The key of this installation, kept in memory once it was read. `home` is the operator's own namespace."""

    def __init__(self, client: Client, home: str) -> None:
        self._client, self._home = client, home
        self._key = b""
        self._lock = asyncio.Lock()

    async def digest(self, namespace: str, name: str, text: bytes) -> str:
        """HMAC-SHA256 of what is in one Secret, 64 hexadecimal digits. In another it is another: who may write Secrets
        elsewhere must not be able to try passwords there. Raises what `Client` raises, and Permanent where the key is
        none."""
        return await self._mac(b"content", namespace.encode(), name.encode(), text)

    async def over(self, words: Sequence[str]) -> str:
        """A seal over these words: who has not the key can't make it."""
        return await self._mac(b"words", *(word.encode() for word in words))

    async def _mac(self, *parts: bytes) -> str:
        # No part but the last has a zero byte in it: names have none.
        return hmac.new(await self._opened(), b"\0".join(parts), hashlib.sha256).hexdigest()

    async def fingerprint(self) -> str:
        """By which a later process knows whether it has the same key; it tells nothing about the key."""
        return hashlib.sha256(b"tidegate " + await self._opened()).hexdigest()[:_PRINT_DIGITS]

    async def _opened(self) -> bytes:
        async with self._lock:
            if not self._key:
                self._key = _key_of(await self._read_or_make())
        return self._key

    async def _read_or_make(self) -> Object:
        try:
            return await self._client.get(SECRETS, self._home, NAME)
        except NotFound:
            pass
        try:
            return await self._client.create(SECRETS, self._home, _body(self._home))
        except AlreadyExists:  # by another replica, a moment ago
            return await self._client.get(SECRETS, self._home, NAME)


def _body(namespace: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {LABEL_MANAGED_BY: MANAGED_BY}},
        "immutable": True,
        "type": "Opaque",
        "data": {_FIELD: base64.b64encode(secrets.token_bytes(_BYTES)).decode()},
    }


def _key_of(obj: Object) -> bytes:
    try:
        key = base64.b64decode((obj.get("data") or {}).get(_FIELD, ""), validate=True)
    except (binascii.Error, TypeError):
        key = b""
    if len(key) < _BYTES:
        where = f"{obj['metadata']['namespace']}/{NAME}"
        raise Permanent(f"Secret {where} has no {_FIELD} of {_BYTES} bytes: delete it, and another is made.")
    return key
