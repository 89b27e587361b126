"""The little that `up` has to say to the API server. kubectl would cost a second of discovery each time."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIELD_MANAGER = "tidegate-cluster"
# Addresses of the cluster are never to be reached through a proxy.
_direct = urllib.request.ProxyHandler({})


@dataclass(frozen=True)
class Answer:
    """`code` is 0 when there was no answer at all."""

    code: int
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    def json(self) -> Any:
        return json.loads(self.body)


def get(url: str, *, timeout: float = 2.0) -> Answer:
    """GET without credentials, for health checks; certificates are not looked at."""
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return _ask(urllib.request.Request(url), unverified, timeout)


@dataclass(frozen=True)
class Api:
    server: str
    certificate_authority: Path
    token: str

    def get(self, path: str) -> Answer:
        return self._send("GET", path, None)

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of a watch, as they come. Raises OSError when it ends other than by its own time-out."""
        opener = urllib.request.build_opener(_direct, urllib.request.HTTPSHandler(context=self._trust()))
        with opener.open(self._request("GET", path, None)) as response:
            yield from response

    def apply(self, path: str, manifest: bytes) -> Answer:
        """Server-side apply of one object, in YAML or JSON."""
        return self._send("PATCH", f"{path}?fieldManager={FIELD_MANAGER}&force=true", manifest)

    def _send(self, method: str, path: str, body: bytes | None) -> Answer:
        return _ask(self._request(method, path, body), self._trust(), 30.0)

    def _request(self, method: str, path: str, body: bytes | None) -> urllib.request.Request:
        request = urllib.request.Request(self.server + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("User-Agent", FIELD_MANAGER)
        if body is not None:
            request.add_header("Content-Type", "application/apply-patch+yaml")
        return request

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate_authority))


def _ask(request: urllib.request.Request, context: ssl.SSLContext, timeout: float) -> Answer:
    opener = urllib.request.build_opener(_direct, urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=timeout) as response:
            return Answer(response.status, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read())
    except OSError as error:
        return Answer(0, str(error).encode())
