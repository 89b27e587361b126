"""Where numbers come from. One module a system; what each can do is in `tidegate.metrics.port`."""

from tidegate.api.connection import Connection
from tidegate.metrics.port import Secrets, Source, Window
from tidegate.metrics.prometheus import PrometheusSource
from tidegate.metrics.promql import faults

__all__ = ["PrometheusSource", "Secrets", "Source", "Window", "faults", "open_source"]


def open_source(connection: Connection, secrets: Secrets) -> Source:
    """The source behind a Connection. It makes no request before it is asked to measure."""
    return PrometheusSource(connection.metadata.name, connection.spec.prometheus, secrets)
