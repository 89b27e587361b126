"""Container images from local files: OCI archives, the same bytes for the same content, no registry.

An image has the layers it is given and one of its own files. An archive may hold several images; blobs they share are
in it once.
"""

import functools
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnobody:x:65534:\n",
}


@dataclass(frozen=True)
class Image:
    """What to put into an image. `files` and `links` are by absolute path inside; files are executable.

    `layers` are tars that lie beneath; without files and links they are all there is.
    """

    name: str
    entrypoint: tuple[str, ...]
    files: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Path, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""

    def __post_init__(self) -> None:
        if ":" not in self.name.rpartition("/")[2]:
            raise ValueError(f"image {self.name!r} has no tag: write NAME:TAG")
        for path in (*self.files, *self.links):
            if not path.startswith("/"):
                raise ValueError(f"image {self.name}: {path!r} has to be an absolute path inside the image")


@dataclass(frozen=True)
class _Blob:
    content: bytes

    @functools.cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def descriptor(self, kind: str) -> dict[str, object]:
        return {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": f"sha256:{self.digest}",
            "size": len(self.content),
        }


def write_archive(path: Path, images: Iterable[Image]) -> str:
    """Writes an OCI image layout as a tar that `ctr images import` takes. Returns the SHA-256 of its index."""
    blobs: dict[str, bytes] = {}
    packed: dict[tuple[object, ...], _Blob] = {}
    manifests: list[dict[str, object]] = []

    def keep(blob: _Blob) -> _Blob:
        blobs[blob.digest] = blob.content
        return blob

    for image in images:
        # Versions of the sample differ in their environment alone: their layer is packed once.
        content = (tuple(sorted(image.files.items())), tuple(sorted(image.links.items())))
        layers = [keep(_Blob(path.read_bytes())) for path in image.layers]
        if content != ((), ()) or not layers:
            if content not in packed:
                packed[content] = keep(_Blob(_layer(image)))
            layers.append(packed[content])
        config = keep(_Blob(_json(_config(image, layers))))
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor("config.v1+json"),
            "layers": [layer.descriptor("layer.v1.tar") for layer in layers],
        }
        names = {
            "io.containerd.image.name": image.name,
            "org.opencontainers.image.ref.name": image.name.rpartition(":")[2],
        }
        manifests.append({**keep(_Blob(_json(manifest))).descriptor("manifest.v1+json"), "annotations": names})
    index = _json({"schemaVersion": 2, "manifests": manifests})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with tarfile.open(partial, "w") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644)
        _add(archive, "index.json", index, 0o644)
        for digest, content_bytes in sorted(blobs.items()):
            _add(archive, f"blobs/sha256/{digest}", content_bytes, 0o644)
    partial.rename(path)
    return hashlib.sha256(index).hexdigest()


def _config(image: Image, layers: list[_Blob]) -> dict[str, object]:
    machine = os.uname().machine
    environment = {"PATH": "/bin", **image.environment}
    return {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
            **({"Cmd": list(image.command)} if image.command else {}),
            **({"User": image.user} if image.user else {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in layers]},
    }


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as layer:
        folders = {"bin": 0o755, "etc": 0o755, "tmp": 0o1777}
        for path in (*image.files, *image.links):
            for parent in PurePosixPath(path.lstrip("/")).parents:
                folders.setdefault(str(parent), 0o755)
        folders.pop(".", None)
        for folder, mode in sorted(folders.items()):
            entry = _entry(folder, mode)
            entry.type = tarfile.DIRTYPE
            layer.addfile(entry)
        for path, text in _ACCOUNTS.items():
            _add(layer, path, text.encode(), 0o644)
        for path, source in sorted(image.files.items()):
            _add(layer, path.lstrip("/"), source.read_bytes(), 0o755)
        for path, target in sorted(image.links.items()):
            entry = _entry(path.lstrip("/"), 0o777)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            layer.addfile(entry)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    entry = _entry(path, mode)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _entry(path: str, mode: int) -> tarfile.TarInfo:
    # A TarInfo is made with owner 0 and time 0: nothing of this machine gets into the bytes.
    entry = tarfile.TarInfo(path)
    entry.mode = mode
    return entry


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
