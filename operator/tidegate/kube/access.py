"""How the API server is reached, and as whom: the pod's ServiceAccount, or a kubeconfig."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from tidegate.errors import Permanent

_Files: TypeAlias = Sequence[tuple[Path, Mapping[str, Any]]]

LogIn: TypeAlias = Callable[[Mapping[str, Any], Path], Mapping[str, str]]
"""Takes the `exec` of a kubeconfig's user and the file that it stands in; gives what the user gets for it, as fields of
a kubeconfig's user: `token`, or `client-certificate-data` and `client-key-data`. Raises NoAccess."""

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class NoAccess(Permanent):
    """There is no way to the API server, or it is not one that we can go."""


@dataclass(frozen=True, slots=True)
class Access:
    """One API server and one identity. The secret parts stay out of `repr`.

    A token in a file is read at each use of `current_token`: the kubelet and cloud tools renew it in place.
    """

    server: str  # https://host:port, without a slash at the end
    namespace: str | None = None  # the pod's, or the context's, if it names one
    authority: str | None = None  # PEM; None: the system's authorities
    certificate: str | None = field(default=None, repr=False)  # PEM
    private_key: str | None = field(default=None, repr=False)  # PEM
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    insecure: bool = False

    def current_token(self) -> str | None:
        """The bearer token as it is now. Raises NoAccess if its file can't be read."""
        if self.token_file is None:
            return self.token
        try:
            return self.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NoAccess(f"The token in {self.token_file} can't be read: {error}") from None

    def authorization(self) -> str | None:
        """Value of the HTTP header, or None where a certificate says who we are."""
        if token := self.current_token():
            return f"Bearer {token}"
        if self.username is not None:
            pair = f"{self.username}:{self.password or ''}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        return None

    def tls(self) -> ssl.SSLContext | None:
        """What proves the server to us and us to the server; None for plain http."""
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cadata=self.authority)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.private_key:
            # The standard library loads a key from files only. These live for a moment, readable by us alone.
            with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
                certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
                certificate.write_text(self.certificate, encoding="ascii")
                key.touch(mode=0o600)
                key.write_text(self.private_key, encoding="ascii")
                context.load_cert_chain(certificate, key)
        return context


def from_environment(
    environment: Mapping[str, str] | None = None, *, context: str | None = None, log_in: LogIn | None = None
) -> Access:
    """The kubeconfig that KUBECONFIG names; else the pod's ServiceAccount; else ~/.kube/config. Raises NoAccess."""
    environment = os.environ if environment is None else environment
    if named := environment.get("KUBECONFIG"):
        return from_kubeconfig([Path(path) for path in named.split(os.pathsep) if path], context=context, log_in=log_in)
    if context is None and environment.get("KUBERNETES_SERVICE_HOST") and (SERVICE_ACCOUNT / "token").exists():
        return from_service_account(environment)
    usual = Path(environment.get("HOME", "~")).expanduser() / ".kube" / "config"
    if usual.exists():
        return from_kubeconfig([usual], context=context, log_in=log_in)
    raise NoAccess(
        f"There is no way to a Kubernetes API server: no ServiceAccount is mounted and {usual} does not exist; "
        "run in a pod, or set KUBECONFIG to a kubeconfig file"
    )


def from_service_account(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Access:
    """What the kubelet mounts into each pod. Raises NoAccess where a file is missing."""
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        authority = (folder / "ca.crt").read_text(encoding="ascii")
        namespace = (folder / "namespace").read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NoAccess(f"The ServiceAccount in {folder} is incomplete: {error}") from None
    return Access(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace,
        authority=authority,
        token_file=folder / "token",
    )


def from_kubeconfig(paths: Sequence[Path], *, context: str | None = None, log_in: LogIn | None = None) -> Access:
    """The chosen context, or the current one. As kubectl does, the first file that says something wins.

    A user with `exec` is logged in by `log_in`: at a terminal there is one, in the operator there is not.
    Raises NoAccess for a file that can't be read and for ways to log in that we do not have (`auth-provider`).
    """
    files = [(path, _load(path)) for path in paths if path.exists()]
    if not files:
        raise NoAccess(f"KUBECONFIG names {', '.join(map(str, paths))}, and no such file exists")
    chosen = context or next((config["current-context"] for _, config in files if config.get("current-context")), None)
    if not chosen:
        raise NoAccess(f"{files[0][0]} has no current-context: run `kubectl config use-context`")
    _, asked = _named(files, "context", chosen)
    cluster_path, cluster = _named(files, "cluster", str(asked.get("cluster")))
    user_path, user = _named(files, "user", str(asked["user"])) if asked.get("user") else (cluster_path, {})
    if log_in is not None and user.get("exec") and not user.get("token"):
        user = {**user, **log_in(user["exec"], user_path), "exec": None}
    for unknown in ("exec", "auth-provider"):
        if user.get(unknown) and not user.get("token"):
            raise NoAccess(
                f"{user_path}: user {asked['user']} logs in by `{unknown}`, which Tidegate does not do: "
                "give it a token, a tokenFile or a client certificate"
            )
    if not cluster.get("server"):
        raise NoAccess(f"{cluster_path}: cluster {asked.get('cluster')} has no server")
    for unknown in ("tls-server-name", "proxy-url"):
        if cluster.get(unknown):
            raise NoAccess(
                f"{cluster_path}: cluster {asked.get('cluster')} has a {unknown}, which Tidegate does not know"
            )
    token_file = user.get("tokenFile")
    return Access(
        server=str(cluster["server"]).rstrip("/"),
        namespace=asked.get("namespace") or None,
        authority=_pem(cluster, "certificate-authority", cluster_path),
        certificate=_pem(user, "client-certificate", user_path),
        private_key=_pem(user, "client-key", user_path),
        token=None if token_file else user.get("token"),
        token_file=user_path.parent / token_file if token_file else None,
        username=user.get("username"),
        password=user.get("password"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        # A YAML error quotes the line it is about, which may be a key.
        raise NoAccess(f"The kubeconfig {path} can't be read: {type(error).__name__}") from None
    if not isinstance(loaded, dict):
        raise NoAccess(f"The kubeconfig {path} is no mapping: is it another file?")
    return loaded


def _named(files: _Files, kind: str, name: str) -> tuple[Path, Mapping[str, Any]]:
    for path, config in files:
        for entry in config.get(f"{kind}s") or ():
            if entry.get("name") == name:
                return path, entry.get(kind) or {}
    raise NoAccess(f"No {kind} {name} in {', '.join(str(path) for path, _ in files)}")


def _pem(entry: Mapping[str, Any], field_name: str, path: Path) -> str | None:
    """The text of a certificate or key that stands in the file, or beside it."""
    if inline := entry.get(f"{field_name}-data"):
        try:
            return base64.b64decode("".join(str(inline).split()), validate=True).decode("ascii")
        except ValueError:
            raise NoAccess(f"{path}: {field_name}-data is not base64") from None
    named = entry.get(field_name)
    if not named:
        return None
    beside = path.parent / str(named)
    try:
        return beside.read_text(encoding="ascii")
    except OSError as error:
        raise NoAccess(f"{path} names {beside}, which can't be read: {error.strerror}") from None
