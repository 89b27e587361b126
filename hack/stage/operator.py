"""The operator as a process, with the rights of its own ServiceAccount and no others."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from hack.stage.api import Api

ROOT = Path(__file__).parents[2]
SYSTEM = "tidegate-system"


def install() -> None:
    """CRDs, roles and admission policies: all of manifests/base but the pods, which this process stands for."""
    for command in (
        ["apply", "--server-side", "--force-conflicts", "-k", "crds"],
        [
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            *(word for path in sorted((ROOT / "crds").glob("tidegate.dev_*.yaml")) for word in ("-f", str(path))),
        ],
        ["apply", "--server-side", "--force-conflicts", "-k", "manifests/rights"],
    ):
        subprocess.run(["kubectl", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


class Operator:
    """`run` of the command line, in the background. Its log goes to a file.

    `server` is a way to the API server other than the kubeconfig's own: a proxy, by plain http.
    """

    def __init__(self, api: Api, folder: Path, *, port: int = 8090, server: str = "", **settings: str) -> None:
        self._api, self._folder, self.port, self._server, self._settings = api, folder, port, server, settings
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def log(self) -> Path:
        return self._folder / "operator.log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig()),
            "TIDEGATE_PORT": str(self.port),
            **self._settings,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tidegate.cli", "run"], env=environment, stdout=log, stderr=log, cwd=ROOT
            )

    def kill(self) -> None:
        """kill -9: nothing is said goodbye to."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """SIGSTOP: it does nothing, and does not know that time passes."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def strike(self) -> None:
        """kill -9 without waiting for the end: for who must not block."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(with_signal)
            self._process.wait(timeout=20)

    def __enter__(self) -> "Operator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kubeconfig(self) -> Path:
        """With the token of the operator's own ServiceAccount; made once."""
        path = self._folder / "operator.kubeconfig"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(self._api.kubeconfig(self._api.token(SYSTEM, "tidegate"), server=self._server))
        return path

    def lines(self) -> list[dict[str, object]]:
        """The log, each line as the object that it is; lines that are none are left out."""
        found = []
        for line in self.log.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found
