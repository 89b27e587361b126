from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hack.cluster.images import Image, write_archive


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program"
    file.write_bytes(b"\x7fELF, more or less")
    return file


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]


def blob(content: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    found = content["blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")]
    assert hashlib.sha256(found).hexdigest() == descriptor["digest"].removeprefix("sha256:")
    assert len(found) == descriptor["size"]
    return found


def test_the_same_files_give_the_same_bytes_whenever_and_by_whomever_they_were_made(
    tmp_path: Path, program: Path
) -> None:
    image = Image("example.local/thing:1", ("/bin/thing",), files={"/bin/thing": program})
    first = write_archive(tmp_path / "first.tar", [image])
    os.utime(program, (1, 1))
    program.chmod(0o600)
    assert write_archive(tmp_path / "second.tar", [image]) == first
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_another_content_or_environment_gives_another_digest(tmp_path: Path, program: Path) -> None:
    def digest(**environment: str) -> str:
        image = Image("a.local/b:1", ("/bin/b",), files={"/bin/b": program}, environment=environment)
        return write_archive(tmp_path / "image.tar", [image])

    plain = digest()
    assert digest(VERSION="v1") != plain
    program.write_bytes(b"something else")
    assert digest() != plain


def test_every_descriptor_leads_to_a_blob_of_that_digest_and_size(tmp_path: Path, program: Path) -> None:
    images = [
        Image(f"a.local/b:{tag}", ("/bin/b",), files={"/bin/b": program}, environment={"VERSION": tag})
        for tag in ("v1", "v2")
    ]
    write_archive(tmp_path / "both.tar", images)
    content = read(tmp_path / "both.tar")
    manifests = json.loads(content["index.json"])["manifests"]
    assert [one["annotations"]["io.containerd.image.name"] for one in manifests] == ["a.local/b:v1", "a.local/b:v2"]
    layers = []
    for descriptor, tag in zip(manifests, ("v1", "v2"), strict=True):
        manifest = json.loads(blob(content, descriptor))
        config = json.loads(blob(content, manifest["config"]))
        assert f"VERSION={tag}" in config["config"]["Env"]
        assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
        layers.append(blob(content, manifest["layers"][0]))
    assert layers[0] == layers[1], "versions of one binary share their layer"


def test_a_layer_has_the_files_the_links_and_their_folders(tmp_path: Path, program: Path) -> None:
    image = Image("a.local/b:1", ("/opt/x/y",), files={"/opt/x/y": program}, links={"/bin/z": "/opt/x/y"})
    write_archive(tmp_path / "image.tar", [image])
    content = read(tmp_path / "image.tar")
    manifest = json.loads(blob(content, json.loads(content["index.json"])["manifests"][0]))
    layer = tmp_path / "layer.tar"
    layer.write_bytes(blob(content, manifest["layers"][0]))
    with tarfile.open(layer) as tar:
        assert tar.getmember("opt").isdir()
        assert tar.getmember("opt/x").isdir()
        assert tar.getmember("opt/x/y").mode == 0o755
        assert tar.getmember("bin/z").linkname == "/opt/x/y"
        assert {(member.uid, member.gid, member.mtime) for member in tar.getmembers()} == {(0, 0, 0)}


@pytest.mark.parametrize("name", ["thing", "host:5000/thing"])
def test_a_name_without_a_tag_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="has no tag: write NAME:TAG"):
        Image(name, ("/bin/x",))


def test_a_relative_path_inside_is_refused(program: Path) -> None:
    with pytest.raises(ValueError, match="absolute path inside the image"):
        Image("a.local/b:1", ("/bin/x",), files={"bin/x": program})
