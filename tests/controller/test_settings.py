"""Settings: flags before variables before defaults, and a sentence for each mistake."""

from __future__ import annotations

import pytest

from tidegate.controller.settings import Settings, from_command_line, read
from tidegate.errors import Invalid


def test_without_a_word_all_is_as_documented() -> None:
    settings = read({}, {})
    assert settings.namespaces == ()
    assert (settings.term.lease, settings.term.renew, settings.term.retry) == (15, 10, 2)
    assert (settings.tick, settings.workers, settings.port, settings.log_level) == (10, 16, 8080, "info")


def test_a_flag_goes_before_a_variable() -> None:
    settings = read({"tick": "5s", "port": None}, {"TIDEGATE_TICK": "30s", "TIDEGATE_PORT": "9000"})
    assert (settings.tick, settings.port) == (5, 9000)


def test_flags_are_read_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_NAMESPACES", "a,b")
    settings = from_command_line(["--workers", "4", "--log-level", "debug"])
    assert (settings.workers, settings.log_level, settings.namespaces) == (4, "debug", ("a", "b"))


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("TIDEGATE_TICK", "soon", "TIDEGATE_TICK: 'soon' is not a duration; write a duration such as"),
        ("TIDEGATE_PORT", "99999", "TIDEGATE_PORT: '99999' is refused; write a whole number from 0 to 65535"),
        ("TIDEGATE_LOG_LEVEL", "loud", "TIDEGATE_LOG_LEVEL: 'loud' is not a log level; write one of debug"),
        ("TIDEGATE_LEASE_RENEW", "1h", "lease durations of 15/3600/2 s can't work"),
    ],
)
def test_a_mistake_is_named_with_its_place(variable: str, text: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        read({}, {variable: text})


def test_each_start_has_an_identity_of_its_own() -> None:
    assert Settings().identity != Settings().identity
