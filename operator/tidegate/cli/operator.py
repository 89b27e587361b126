"""`tidegate run`: the operator itself."""

from __future__ import annotations

import argparse

from tidegate.cli.exits import CommandFailed, Exit
from tidegate.controller import app
from tidegate.controller.settings import read
from tidegate.errors import Invalid


def run(arguments: argparse.Namespace) -> int:
    """Until it is told to stop; returns the operator's exit code."""
    for option in ("context", "kubeconfig", "namespace"):
        if hasattr(arguments, option):
            raise CommandFailed(
                f"run takes no --{option}: set KUBECONFIG, whose current context is used, and --namespaces", Exit.USAGE
            )
    try:
        settings = read(vars(arguments))
    except Invalid as error:
        raise CommandFailed(error.message, Exit.USAGE) from None
    return app.run(settings)
