"""`python -m tidegate.controller`: the operator, as it runs in a pod."""

import sys

from tidegate.controller.app import run
from tidegate.controller.settings import from_command_line
from tidegate.errors import Invalid

try:
    settings = from_command_line()
except Invalid as error:
    sys.exit(f"tidegate operator: {error}")
sys.exit(run(settings))
