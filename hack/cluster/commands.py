"""The command line: `python hack/cluster up|down|status|exec|kubeconfig|load-image|logs`."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from hack.cluster import cluster, namespaces, prometheus, state
from hack.cluster.elsewhere import elsewhere
from hack.cluster.images import Image, write_archive
from hack.cluster.layout import ClusterError, Layout, current_layout
from hack.cluster.progress import Progress, complain


def main() -> int:
    """Exit codes: 0 done, 1 something a person has to look at, 2 wrong usage; of `exec` that of the command."""
    layout = current_layout()
    try:
        # What `up` starts in the background; not for people.
        if sys.argv[1:2] == ["supervise"]:
            cluster.supervise(layout, sys.argv[2:])
            return 0
        if sys.argv[1:2] == ["discover"]:
            prometheus.discover(layout, sys.argv[2])
            return 0
        arguments = _parser().parse_args()
        return int(arguments.run(layout, arguments))
    except ClusterError as error:
        complain(str(error))
    except BrokenPipeError:
        pass  # whoever read our output has enough
    except KeyboardInterrupt:
        complain("interrupted")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hack/cluster", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    up = verbs.add_parser("up", help="start the cluster, or see that it is up")
    up.add_argument("--control-plane-only", action="store_true", help="no root, no pods: API server and controllers")
    up.set_defaults(run=_up)

    down = verbs.add_parser("down", help="stop it; nothing stays running or mounted")
    down.add_argument("--clean", action="store_true", help="remove .cluster/ with its logs and credentials too")
    down.set_defaults(run=_down)

    verbs.add_parser("status", help="what is running and healthy; 0 if everything is").set_defaults(run=_status)

    execute = verbs.add_parser("exec", help="run a command inside: exec -- kubectl get pods")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    execute.set_defaults(run=_exec)

    verbs.add_parser("kubeconfig", help="print the path of the admin's kubeconfig").set_defaults(run=_kubeconfig)

    load = verbs.add_parser("load-image", help="load an archive, or make an image from local files and load it")
    load.add_argument("name", metavar="ARCHIVE.tar|NAME:TAG")
    load.add_argument("files", nargs="*", metavar="FILE=/PATH/INSIDE", help="executables to put in")
    load.add_argument("--entrypoint", nargs="+", default=[], help="default: the first file")
    load.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    load.set_defaults(run=_load_image)

    logs = verbs.add_parser("logs", help="show the end of the logs of one or all parts")
    logs.add_argument("parts", nargs="*", metavar="PART")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("-n", "--lines", type=int, default=20)
    logs.set_defaults(run=_logs)
    return parser


def _up(layout: Layout, arguments: argparse.Namespace) -> int:
    other = elsewhere(layout)
    if other is not None:
        other.up(Progress())
    elif arguments.control_plane_only:
        cluster.up_control_plane_only(layout, Progress())
    else:
        cluster.up(layout, Progress())
    return 0


def _down(layout: Layout, arguments: argparse.Namespace) -> int:
    other = elsewhere(layout)
    if other is not None:
        other.down()
        return 0
    if state.stop(layout):
        print("the cluster is down")
    if arguments.clean:
        shutil.rmtree(layout.state, ignore_errors=True)
    return 0


def _status(layout: Layout, _: argparse.Namespace) -> int:
    other = elsewhere(layout)
    if other is not None:
        return namespaces.run(["kubectl", "get", "nodes"], other.environment(), inside=None)
    running = state.need(layout)
    running.enter()
    client = running.client(layout)
    if running.whole:
        checks = cluster.checks(client)
    else:
        checks = [cluster.Check("kube-apiserver", running.endpoints.healthy), cluster.controllers(client)]
    healthy = True
    for check in checks:
        holds = check.holds()
        healthy = healthy and holds
        print(f"{check.name:24} {'ok' if holds else 'NOT READY'}")
    return 0 if healthy else 1


def _exec(layout: Layout, arguments: argparse.Namespace) -> int:
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise ClusterError("nothing to run: write `python hack/cluster exec -- COMMAND …`")
    other = elsewhere(layout)
    if other is not None:
        return namespaces.run(command, other.environment(), inside=None)
    running = state.need(layout)
    environment = cluster.exec_environment(layout, whole=running.whole)
    # The command is looked up in the new PATH, not in ours.
    os.environ["PATH"] = environment["PATH"]
    return namespaces.run(command, environment, inside=running.pid if running.whole else None)


def _kubeconfig(layout: Layout, _: argparse.Namespace) -> int:
    other = elsewhere(layout)
    if other is not None:
        print(other.environment()["KUBECONFIG"])
    else:
        state.need(layout)
        print(layout.kubeconfig)
    return 0


def _load_image(layout: Layout, arguments: argparse.Namespace) -> int:
    archive = Path(arguments.name)
    if arguments.files:
        pairs = [_pair(one) for one in arguments.files]
        entrypoint = arguments.entrypoint or [pairs[0][1]]
        try:
            image = Image(
                name=arguments.name,
                entrypoint=tuple(entrypoint),
                files={inside: Path(file) for file, inside in pairs},
                environment=dict(_pair(one) for one in arguments.env),
            )
        except ValueError as error:
            raise ClusterError(str(error)) from None
        archive = layout.images / f"{arguments.name.replace('/', '_')}.tar"
        write_archive(archive, [image])
    elif not archive.exists():
        raise ClusterError(f"{archive} is no archive; to make an image, name the files to put in: FILE=/PATH/INSIDE")
    other = elsewhere(layout)
    if other is not None:
        other.load_archive(archive)
    else:
        cluster.load_archive(layout, archive, Progress())
    return 0


def _pair(text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals:
        raise ClusterError(f"{text!r} has no `=` in it")
    return left, right


def _logs(layout: Layout, arguments: argparse.Namespace) -> int:
    known = {file.stem: str(file) for file in sorted(layout.log.glob("*.log"))}
    wanted = arguments.parts or [name for name in known if name != "audit"]
    unknown = [name for name in wanted if name not in known]
    if unknown or not known:
        raise ClusterError(f"no log of {', '.join(unknown) or 'any part'}; there are: {', '.join(known) or 'none'}")
    follow = ["-F"] if arguments.follow else []
    os.execvp("tail", ["tail", "-n", str(arguments.lines), *follow, "--", *(known[name] for name in wanted)])
