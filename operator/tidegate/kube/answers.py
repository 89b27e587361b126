"""What an answer of the API server means, as an error whose sentence can stand in a condition."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from tidegate.errors import AlreadyExists, Conflict, Denied, Expired, NotFound, Rejected, TidegateError, Unavailable
from tidegate.kube.resources import Resource

_LONGEST: Final = 1024  # of the server's own words; a condition's message is limited


class Request(NamedTuple):
    """What was asked: enough to name it in a sentence, and to count it."""

    verb: str  # as RBAC names it: get, list, create, update, patch, delete
    resource: Resource
    namespace: str | None
    name: str | None
    subresource: str | None = None

    @property
    def subject(self) -> str:
        """`Service production/graphql`, `releases.tidegate.dev in production`."""
        if self.name is not None:
            return f"{self.resource.kind} {self.namespace}/{self.name}"
        return f"{self.resource} in {self.namespace}" if self.namespace else f"{self.resource} in all namespaces"

    @property
    def right(self) -> str:
        """`patch releases/status in API group tidegate.dev`: what a Role has to say."""
        what = f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural
        return f"{self.verb} {what}" + (f" in API group {self.resource.group}" if self.resource.group else "")


def failure(request: Request, code: int, body: bytes, retry_after: float | None) -> TidegateError:
    """The error for an answer of 400 or more."""
    reason, message = _status(body)
    if code == 404:
        return NotFound(_not_found(request, reason, message))
    if code == 409:
        if reason == "AlreadyExists":
            return AlreadyExists(f"{request.subject} is there already")
        return Conflict(f"{request.subject} was changed by someone else in the meantime; it will be read again")
    if code == 410:
        return Expired(f"The API server no longer knows that state of {request.subject}: it is listed anew")
    if code == 401:
        return Denied("The API server does not know who we are: the token or certificate is invalid or has expired")
    if code == 403:
        return Denied(_denied(request, message))
    if code == 429 or code >= 500:
        return Unavailable(
            f"The API server could not {request.verb} {request.subject} now ({code}): {message or 'no reason given'}",
            retry_after=retry_after,
        )
    return Rejected(f"The API server refused to {request.verb} {request.subject}: {message or f'status {code}'}")


def silence(request: Request, error: BaseException, seconds: float) -> Unavailable:
    """The error for no answer at all. The words of a connection error are kept: they hold an address, no secret."""
    if isinstance(error, TimeoutError):
        return Unavailable(
            f"The API server did not answer within {seconds:g} s when asked to {request.verb} {request.subject}"
        )
    return Unavailable(f"The API server can't be reached to {request.verb} {request.subject}: {error}")


def _not_found(request: Request, reason: str, message: str) -> str:
    if not reason or "could not find the requested resource" in message:
        kind = f"{request.resource.kind} ({request.resource.api_version})"
        return f"The API server does not know the kind {kind}: install its definition first"
    if request.verb == "create" or request.name is None:
        return f"{request.subject} could not be reached: {message}"
    return f"{request.subject} does not exist"


def _denied(request: Request, message: str) -> str:
    if 'User "' in message and " cannot " in message:  # RBAC: User "…" cannot patch resource "…" in API group "…"
        return f"A right is missing: grant the user named here to {request.right} (API server: {message})"
    return f"The API server forbids to {request.verb} {request.subject}: {message or 'no reason given'}"


def _status(body: bytes) -> tuple[str, str]:
    """Reason and message of a `Status` object; of anything else the first words."""
    try:
        status = json.loads(body)
    except ValueError:
        return "", _cut(body[: 2 * _LONGEST].decode("utf-8", "replace").strip())
    if not isinstance(status, dict):
        return "", ""
    return str(status.get("reason") or ""), _cut(str(status.get("message") or ""))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
