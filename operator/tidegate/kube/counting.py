"""Every request to the API server is counted, also those that are not made by our own client."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

import aiohttp

from tidegate.kube.resources import Resource

Counted: TypeAlias = Callable[[str, Resource, str], None]
"""Called once a request, with its verb, its resource and the answer's code; "none" where no answer came."""

DISCOVERY: Final = Resource("", "", "discovery", "APIResourceList")
"""In the place of a resource where the API server is asked what it serves."""

_VERBS: Final = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def counting(counted: Counted) -> aiohttp.TraceConfig:
    """For a session that others use. A watch counts when it begins, not when it ends."""

    async def ended(
        session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        counted(*said_by(params.method, str(params.url)), str(params.response.status))

    async def failed(
        session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        counted(*said_by(params.method, str(params.url)), "none")

    config = aiohttp.TraceConfig()
    config.on_request_end.append(ended)
    config.on_request_exception.append(failed)
    return config


def said_by(method: str, url: str) -> tuple[str, Resource]:
    """What is done to which kind, as RBAC names both."""
    parts = urlsplit(url)
    words = parts.path.strip("/").split("/")
    root = next((index for index, word in enumerate(words) if word in ("api", "apis")), 0)  # a proxy may stand before
    group = words[root + 1 : root + 2] if words[root] == "apis" else [""]
    version, *rest = words[root + 1 + (words[root] == "apis") :] or [""]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    if not rest:
        return "get", DISCOVERY
    verb = _VERBS.get(method.upper(), method.lower())
    if verb == "get" and len(rest) == 1:
        verb = "watch" if parse_qs(parts.query).get("watch") == ["true"] else "list"
    return verb, Resource(group[0], version, rest[0], "")
