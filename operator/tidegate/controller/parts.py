"""What a process gives to the loop that it runs."""

from dataclasses import dataclass

from tidegate.controller.admission import Admission
from tidegate.controller.events import Reporter
from tidegate.controller.lease import Gate
from tidegate.controller.metrics import Metrics
from tidegate.controller.queue import Queue
from tidegate.controller.settings import Settings
from tidegate.kube.cluster import Cluster
from tidegate.kube.resources import Key


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop is made with."""

    settings: Settings
    home: str  # the namespace in which the operator keeps what is its own
    cluster: Cluster
    queue: Queue[Key]
    gate: Gate
    metrics: Metrics
    events: Reporter
    admission: Admission
