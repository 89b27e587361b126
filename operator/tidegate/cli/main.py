"""From words to an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidegate.cli.exits import Exit, code_of
from tidegate.cli.parser import build
from tidegate.errors import TidegateError

_PLUGIN: Final = "kubectl-tidegate"
_DEBUG: Final = "TIDEGATE_DEBUG"


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say (by default those of this process), and return the exit code.

    Whatever goes wrong is one sentence on standard error. Wrong usage raises SystemExit, as argparse does.
    """
    given = sys.argv[1:] if words is None else list(words)
    plugin = words is None and Path(sys.argv[0]).name == _PLUGIN
    arguments = build("kubectl tidegate" if plugin else "tidegate", given).parse_args(given)
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except TidegateError as error:
        return _complain(error.message, code_of(error))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain again when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        if os.environ.get(_DEBUG):
            raise
        return _complain(
            f"this is a bug in tidegate: {type(error).__name__}: {error}. "
            f"Please report it with what {_DEBUG}=1 in the environment makes it show",
            Exit.BUG,
        )


def _complain(sentence: str, code: Exit) -> Exit:
    sys.stderr.write(f"tidegate: {sentence}\n")
    return code
