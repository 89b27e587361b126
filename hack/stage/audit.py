"""The API server's audit log: every request that it answered, by whom, about what, and how it ended.

Of writes to what Tidegate owns there are whole bodies and answers (hack/cluster/controlplane.py has the policy); of the
rest, who asked for what. Only the cluster that `make cluster` makes has such a log.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

LOG = Path(__file__).resolve().parents[2] / ".cluster" / "log"
"""Where this checkout's cluster keeps it: `audit.log`, and `audit-TIME.log` for what was before."""

ACCOUNT = "tidegate"
_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True)
class Request:
    """One request, when it was answered. `group` is empty for the core group, `resource` for what is none (discovery);
    `subresource`, `namespace` and `name` are empty where there is none."""

    document: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.document["auditID"])

    @property
    def at(self) -> str:
        """When it was answered, as RFC 3339 in UTC with microseconds: the order of these texts is that of time."""
        return str(self.document["stageTimestamp"])

    @property
    def time(self) -> datetime:
        """The same, to reckon with."""
        return datetime.fromisoformat(self.at)

    @property
    def user(self) -> str:
        """Who asked, by whom he was authenticated; whom he acted as does not count."""
        return str(self.document["user"]["username"])

    @property
    def impersonated(self) -> bool:
        return "impersonatedUser" in self.document

    @property
    def verb(self) -> str:
        """As RBAC knows it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`."""
        return str(self.document["verb"])

    @property
    def group(self) -> str:
        return self._about("apiGroup")

    @property
    def resource(self) -> str:
        return self._about("resource")

    @property
    def subresource(self) -> str:
        return self._about("subresource")

    @property
    def namespace(self) -> str:
        return self._about("namespace")

    @property
    def name(self) -> str:
        """In the path; of a `create` it may stand in the answer only."""
        return self._about("name") or str((self.answer.get("metadata") or {}).get("name", ""))

    @property
    def code(self) -> int:
        """HTTP status; 0 where none was given, as when the server ended."""
        return int((self.document.get("responseStatus") or {}).get("code", 0))

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """What was sent; empty where the log has no bodies."""
        return _mapping(self.document.get("requestObject"))

    @cached_property
    def answer(self) -> Mapping[str, Any]:
        """What came back: the object as it was stored, or a Status."""
        return _mapping(self.document.get("responseObject"))

    @property
    def by_operator(self) -> bool:
        """Whether an operator asked, of whatever installation: a ServiceAccount `tidegate`, acting as itself."""
        return is_operator(self.user) and not self.impersonated

    def _about(self, field: str) -> str:
        return str((self.document.get("objectRef") or {}).get(field, ""))


def is_operator(user: str) -> bool:
    return user.startswith(_SERVICE_ACCOUNT) and user.endswith(f":{ACCOUNT}")


def requests(
    *, since: str = "", containing: str = "", wanted: Callable[[Request], bool] = lambda _: True, log: Path = LOG
) -> Iterator[Request]:
    """Those that were answered after `since` (as `Request.at`), in the order of the log.

    `containing` is looked for in the raw line first, which is quick: `:tidegate"` for the operator's own, a namespace's
    name for all that was done in it. Raises NoLog where there is none, or not of so long ago.
    """
    for file in files(log, since=since):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                if containing and containing not in line:
                    continue
                request = Request(_parsed(line))
                if request.document and request.at > since and wanted(request):
                    yield request


def files(log: Path = LOG, *, since: str = "") -> list[Path]:
    """The log's files, oldest first. Raises NoLog where there is none, or where the oldest begins after `since`."""
    found = [*sorted(log.glob("audit-*.log")), log / "audit.log"]
    if not found[-1].exists():
        raise NoLog(f"there is no {found[-1]}: only the cluster of `make cluster` keeps an audit log")
    with found[0].open(encoding="utf-8") as lines:
        first = Request(_parsed(next(lines, "")))
    if since and first.document and first.at > since:
        raise NoLog(f"the log goes back to {first.at} only: what was before is rotated away, or the cluster is newer")
    return found


class NoLog(Exception):
    """There is nothing to read; the text says why."""


def _parsed(line: str) -> Mapping[str, Any]:
    """Empty for the last line of a log that is being written."""
    try:
        return _mapping(json.loads(line))
    except ValueError:
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
