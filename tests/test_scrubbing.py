"""What looks like a credential is struck out, and what does not stays."""

from __future__ import annotations

import pytest

from tidegate.scrubbing import scrub


@pytest.mark.parametrize(
    "said",
    [
        "Authorization: Bearer hunter22.ijkl",
        "GET https://user:hunter22@prometheus.example/api",
        "dial redis://:hunter22@cache:6379",
        '{"password": "hunter22"}',
        "token=hunter22&x=1",
        "DB_PASSWORD=hunter22",
        "AWS_SECRET_ACCESS_KEY: hunter22",
        "api_key: hunter22",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter22\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter22",
    ],
)
def test_a_credential_is_struck_out(said: str) -> None:
    assert "hunter22" not in scrub(said)
    assert "***" in scrub(said)


@pytest.mark.parametrize(
    "said", ["connection to db:5432 refused", "panic: runtime error: index out of range [3]", "GET http://web:8080/a"]
)
def test_other_words_stay(said: str) -> None:
    assert scrub(said) == said
