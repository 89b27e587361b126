"""What one can set about the operator itself: by flags, else by environment variables, else the defaults here."""

from __future__ import annotations

import argparse
import os
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from tidegate.api.grammar import format_duration, parse_duration
from tidegate.controller.lease import Term
from tidegate.controller.logs import LEVELS
from tidegate.errors import Invalid

_PREFIX: Final = "TIDEGATE_"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.replace(",", " ").split() if name)


def _level(text: str) -> str:
    if text not in LEVELS:
        raise ValueError(f"{text!r} is not a log level; write one of {', '.join(LEVELS)}")
    return text


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= most):
            raise ValueError(f"{text!r} is refused; write a whole number from {least} to {most}")
        return int(text)

    return read


def _option(default: Any, read: Callable[[str], Any], words: str) -> Any:
    return field(default=default, metadata={"read": read, "help": words})


@dataclass(frozen=True, slots=True)
class Settings:
    """Durations are seconds here, and `10s`, `5m` outside. `--lease-name` is TIDEGATE_LEASE_NAME, and so on."""

    namespaces: tuple[str, ...] = _option((), _names, "namespaces to work in, with commas between; default: all")
    lease_namespace: str = _option("", str, "namespace of the Lease; default: the operator's own, else tidegate-system")
    lease_name: str = _option("tidegate", str, "name of the Lease by which one replica leads")
    lease_duration: float = _option(15.0, parse_duration, "how long others wait for a silent leader")
    lease_renew: float = _option(10.0, parse_duration, "how long a leader that can't renew its Lease goes on")
    lease_retry: float = _option(2.0, parse_duration, "how often the Lease is renewed, or tried for")
    tick: float = _option(10.0, parse_duration, "how often guards are asked")
    workers: int = _option(16, _whole(1, 256), "how many objects are worked on at the same time")
    port: int = _option(8080, _whole(0, 65535), "port of /healthz, /readyz and /metrics; 0: any free one")
    address: str = _option("0.0.0.0", str, "address of that port")  # the kubelet and Prometheus ask from outside
    log_level: str = _option("info", _level, f"least level that is logged: {', '.join(LEVELS)}")
    drain: float = _option(10.0, parse_duration, "how long passes may take to end when the process is told to stop")
    sweep: float = _option(600.0, parse_duration, "how often the view is compared with the server")
    identity: str = field(default_factory=lambda: f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}")
    """Names this process in the Lease and in Events; another one after each start."""

    def __post_init__(self) -> None:
        try:
            self.term  # noqa: B018 - builds it, and so checks the durations
        except ValueError as error:
            raise Invalid(str(error)) from None

    @property
    def term(self) -> Term:
        """The durations of the Lease. Raises ValueError where they contradict each other."""
        return Term(self.lease_duration, self.lease_renew, self.lease_retry)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Let the parser take a flag for each setting."""
    for option in _options():
        default = option.default
        shown = format_duration(default) if option.metadata["read"] is parse_duration else default
        words = option.metadata["help"] + (f" (default: {shown})" if shown not in ("", ()) else "")
        parser.add_argument("--" + option.name.replace("_", "-"), metavar="VALUE", help=words)


def read(arguments: Mapping[str, str | None], environment: Mapping[str, str] | None = None) -> Settings:
    """Flags as `add_flags` names them (what is None was not given), then the environment.

    Raises Invalid, which names the flag or variable.
    """
    environment = os.environ if environment is None else environment
    chosen: dict[str, Any] = {}
    for option in _options():
        flag, variable = option.name, _PREFIX + option.name.upper()
        text, where = arguments.get(flag), f"--{flag.replace('_', '-')}"
        if text is None:
            text, where = environment.get(variable), variable
        if text is None:
            continue
        try:
            chosen[option.name] = option.metadata["read"](text)
        except ValueError as error:
            raise Invalid(str(error), path=where) from None
    return Settings(**chosen)


def from_command_line(words: Sequence[str] | None = None) -> Settings:
    """Of this process, or of the words given. Raises Invalid; argparse exits on unknown flags."""
    parser = argparse.ArgumentParser(prog="tidegate operator", description="Run the Tidegate operator.")
    add_flags(parser)
    return read(vars(parser.parse_args(words)))


def _options() -> list[Any]:
    return [option for option in fields(Settings) if "read" in option.metadata]
