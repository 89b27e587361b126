"""Connection: how to reach one outside system, and what may be done through it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from tidegate.api.grammar import Reference
from tidegate.api.meta import Meta
from tidegate.api.policy import NamePattern, matches
from tidegate.api.readiness import ReadinessField
from tidegate.api.schema import Matching, Model, Rule, Schema, words


class SecretKeyRef(Model):
    """One key of a Secret of the namespace."""

    name: Reference
    """Name of the Secret."""
    key: Annotated[
        str,
        Field(min_length=1, max_length=253),
        Matching("[A-Za-z0-9._-]+", "write a key of the Secret: letters, digits, '.', '_' and '-'"),
    ]
    """The key in its data."""


class SecretValue(Model):
    """A value that is in a Secret."""

    secret_key_ref: SecretKeyRef
    """Where it is."""


class BasicAuth(Model):
    """A name and a password."""

    username: SecretValue
    """The name."""
    password: SecretValue
    """The password."""


AUTH_MESSAGE: Final = "write exactly one of bearerToken and basicAuth"


class Auth(Model):
    """What a request shows to be let in."""

    model_config = ConfigDict(
        json_schema_extra=words(Rule("has(self.bearerToken) != has(self.basicAuth)", AUTH_MESSAGE))
    )

    bearer_token: SecretValue | None = None
    """Sent as Authorization: Bearer."""
    basic_auth: BasicAuth | None = None
    """Sent as Authorization: Basic."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.bearer_token is None) == (self.basic_auth is None):
            raise ValueError(AUTH_MESSAGE)
        return self


URL_MESSAGE: Final = (
    "write http:// or https:// and a host, as in http://prometheus.monitoring:9090, without user, query or fragment"
)
MATCHER_MESSAGE: Final = (
    "write label names of letters, digits and _, with a letter or _ first, each with the one value it must have"
)
_LABEL: Final = "[a-zA-Z_][a-zA-Z0-9_]*"


class Prometheus(Model):
    """A Prometheus, or what speaks its API."""

    url: Annotated[
        str,
        Field(min_length=1, max_length=1024),
        Matching("https?://[^/@?# ]+(/[^@?# ]*)?", URL_MESSAGE),
    ]
    """Where it is, as in http://prometheus.monitoring:9090."""
    auth: Auth | None = None
    """What is shown to be let in; absent: nothing."""
    matchers: Annotated[
        Mapping[str, Annotated[str, Field(max_length=256)]],
        Field(max_length=16),
        Schema(Rule(f"self.all(label, label.matches('^{_LABEL}$'))", MATCHER_MESSAGE)),
    ] = Field(default_factory=dict)
    """Forced into every selector, as in namespace: production; a query that says otherwise is refused."""

    @field_validator("matchers")
    @classmethod
    def _labels(cls, matchers: Mapping[str, str]) -> Mapping[str, str]:
        for label in matchers:
            if not re.fullmatch(_LABEL, label):
                raise ValueError(f"{label!r} is refused; {MATCHER_MESSAGE}")
        return matchers


class Allowance(Model):
    """One thing that may be done through a Connection."""

    guards: Annotated[tuple[NamePattern, ...], Field(min_length=1, max_length=64), Schema(list_type="set")]
    """Names of the Releases whose guards may ask; a * only at the end."""


class ConnectionSpec(Model):
    """How to reach one outside system."""

    prometheus: Prometheus
    """It is a Prometheus."""
    allow: Annotated[tuple[Allowance, ...], Field(min_length=1, max_length=16), Schema(list_type="atomic")]
    """What may be done through it; nothing else."""


class Connection(Model):
    """How to reach one outside system, and what may be done through it."""

    model_config = ConfigDict(extra="ignore")

    metadata: Meta
    spec: ConnectionSpec
    """How to reach it."""
    status: ReadinessField
    """Whether it can be used as it stands. Only the operator writes it."""

    def allows_guards_of(self, release: str) -> bool:
        """Whether guards that are judged for the Release of that name, its own and its policies', may ask."""
        return any(matches(pattern, release) for allowance in self.spec.allow for pattern in allowance.guards)
