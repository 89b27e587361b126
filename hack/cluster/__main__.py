"""`python hack/cluster …`, from whichever folder."""

import sys
from pathlib import Path

# Python put this folder itself in front. The checkout in its place makes `hack.cluster` importable, and keeps our
# modules from hiding others of the same name.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from hack.cluster.commands import main  # noqa: E402

sys.exit(main())
