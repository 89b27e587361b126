"""What one may write: verbs and their options."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from tidegate import __version__

FORMATS: Final = ("table", "json", "yaml")
_WAIT: Final = "60s"

Subparsers = Any  # argparse keeps the type of its subparsers to itself

_EPILOG: Final = """\
exit codes:
  0    done; a watched Release is ready
  1    the answer is no: an act was refused, lint found a fault, a watched Release is stalled
  2    the command is wrong
  3    the cluster can't be reached, or does not permit it
  4    what was named does not exist
  5    nobody answered in time; what was asked for still stands
  130  interrupted
"""


def build(prog: str, words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for these words: the flags of `run` are known only where they are used, as they are dear to load."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Releases that climb on evidence and revert by themselves.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_reach()],
    )
    parser.add_argument("--version", action="version", version=f"tidegate {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB", title="verbs")
    _status(verbs)
    _acts(verbs)
    _lint(verbs)
    _run(verbs, words)
    return parser


def _status(verbs: Subparsers) -> None:
    verb = verbs.add_parser(
        "status",
        help="where a Release stands and what it waits for; without a name, all of them",
        description="Shows where a Release stands, what it waits for and until when; without a name a line each.",
        parents=[_reach(), _output()],
    )
    verb.add_argument("release", nargs="?", metavar="RELEASE")
    verb.add_argument(
        "-w",
        "--watch",
        action="store_true",
        help="follow it until it is ready (exit code 0) or stalled (1); into a pipe, a line a change",
    )
    verb.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces; not with a name")
    verb.set_defaults(run=_later("tidegate.cli.status"))


def _acts(verbs: Subparsers) -> None:
    def act(name: str, sentence: str) -> argparse.ArgumentParser:
        verb: argparse.ArgumentParser = verbs.add_parser(
            name,
            help=sentence,
            description=f"{sentence[:1].upper()}{sentence[1:]}. Writes an Intervention, which the operator answers.",
            parents=[_reach(), _output()],
        )
        verb.add_argument("release", metavar="RELEASE")
        verb.add_argument("--reason", required=True, type=_reason, help="why, for those who read the history")
        verb.add_argument("--wait", action="store_true", help="wait for the answer; refused is exit code 1")
        verb.add_argument(
            "--timeout", type=_duration, default=_WAIT, metavar="DURATION", help=f"of --wait (default: {_WAIT})"
        )
        verb.set_defaults(run=_later("tidegate.cli.acts"), verb=name, percent=None, version=None)
        return verb

    pause = act("pause", "climb no further until resume; guards and reverts go on")
    pause.add_argument("--at", dest="percent", type=_percent, metavar="PERCENT", help="climb up to here first")
    act("resume", "lift all pauses, and go on where a weight was lowered by hand")
    promote = act("promote", "end the hold of this step; guards still count")
    promote.add_argument(
        "--to", dest="percent", type=_percent, metavar="PERCENT", help="end all holds below this weight"
    )
    rollback = act("rollback", "back in one step, and reject what the spec asks for")
    rollback.add_argument(
        "--to-version",
        dest="version",
        type=_version,
        metavar="VERSION",
        help="to this completed version (default: what was live before)",
    )
    act("retry", "let a rejected version climb again, from the first step")
    act("complete", "end the bake, or let the previous version go, now")


def _lint(verbs: Subparsers) -> None:
    verb = verbs.add_parser(
        "lint",
        help="say what the cluster would refuse, without a cluster",
        description="Checks objects of tidegate.dev in files: all that the cluster would refuse, unknown fields, and "
        "what they say of each other. Other objects are read too, where a Release names them.",
        parents=[_output()],
    )
    verb.add_argument("files", nargs="+", metavar="FILE", help="YAML or JSON; a folder: all in it; -: standard input")
    verb.add_argument("-n", "--namespace", default=argparse.SUPPRESS, help="of objects that name none")
    verb.set_defaults(run=_later("tidegate.cli.lint"))


def _run(verbs: Subparsers, words: Sequence[str]) -> None:
    verb = verbs.add_parser(
        "run",
        help="run the operator",
        description="Runs the operator until it is told to stop. Each flag is also an environment variable: "
        "--log-level is TIDEGATE_LOG_LEVEL.",
    )
    if "run" in words:
        importlib.import_module("tidegate.controller.settings").add_flags(verb)
    verb.set_defaults(run=_later("tidegate.cli.operator"))


def _later(module: str) -> Callable[[argparse.Namespace], int]:
    """`run` of a module that is imported when it is called."""

    def run(arguments: argparse.Namespace) -> int:
        return int(importlib.import_module(module).run(arguments))

    return run


# ---- options that several verbs have


def _reach() -> argparse.ArgumentParser:
    """Which cluster and namespace. Before the verb or after it: what is not given leaves no trace to overwrite."""
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("-n", "--namespace", help="default: that of the context")
    options.add_argument("--context", help="of the kubeconfig (default: the current one)")
    options.add_argument("--kubeconfig", metavar="FILE", help="default: KUBECONFIG, else ~/.kube/config")
    return options


def _output() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("-o", "--output", choices=FORMATS, default="table", help="default: table")
    return options


# ---- values


def _percent(text: str) -> object:
    from tidegate.api.grammar import Percent

    return _read(lambda: Percent.parse(int(text) if text.isdecimal() else text))


def _duration(text: str) -> object:
    from tidegate.api.grammar import parse_duration

    return _read(lambda: parse_duration(text))


def _version(text: str) -> object:
    from pydantic import TypeAdapter, ValidationError

    from tidegate.api.grammar import VERSION_MESSAGE, Version

    try:
        return TypeAdapter(Version).validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError(f"{text!r} is refused; {VERSION_MESSAGE}") from None


def _reason(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("say why: it is what people will read in the history")
    if len(text) > 1024:
        raise argparse.ArgumentTypeError(f"it has {len(text)} characters, and may have 1024: shorten it")
    return text


def _read(parse: Callable[[], object]) -> object:
    try:
        return parse()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
