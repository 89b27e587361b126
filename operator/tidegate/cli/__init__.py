"""The command line: `tidegate`, also installed as `kubectl-tidegate`. `main` is its only way in.

A verb is one module; it is imported when it is used, since `--help` and `lint` need no network and should not wait for
its libraries.
"""

from tidegate.cli.main import main

__all__ = ["main"]
