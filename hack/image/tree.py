"""What is in the operator's image: this Python, the packages of requirements.txt, Tidegate, and nothing else.

    python hack/image/tree.py FOLDER                     puts it into FOLDER, as it stands in the image
    python hack/image/tree.py --runtime LAYER.tar        Python and the packages alone, as a layer
    python hack/image/tree.py --application LAYER.tar    Tidegate alone, as a layer

No shell, no package manager, no compiler, no tests: what is not there can't be used by whoever gets in. The one list
makes both images: the Containerfile runs this in its build stage, the local cluster asks for the same files as layers
of a tar. Only the standard library is needed.
"""

from __future__ import annotations

import functools
import io
import os
import py_compile
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")

PYTHON, STANDARD_LIBRARY, LIBRARIES, APP = "/usr/bin/python3", "/usr/lib", "/usr/lib", "/app"
USER = 65532  # "nonroot", as in other images of this kind
ENTRYPOINT = (PYTHON, "-m", "tidegate.cli")
COMMAND = ("run",)
ENVIRONMENT = {
    "LD_LIBRARY_PATH": LIBRARIES,
    "PYTHONDONTWRITEBYTECODE": "1",  # the root file system is read-only
    "PYTHONPATH": APP,
    "PYTHONSAFEPATH": "1",  # nothing is imported from the working directory
    "PYTHONUNBUFFERED": "1",
}

_ACCOUNTS = {
    "/etc/passwd": f"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/tmp:/sbin/nologin\n",
    "/etc/group": f"root:x:0:\nnonroot:x:{USER}:\n",
}
# Of the standard library: what tests, draws windows, edits lines, installs or compiles, and SQLite.
_LEFT_OUT = re.compile(
    r"(^|/)(test|tests|idlelib|tkinter|turtledemo|turtle\.py|lib2to3|ensurepip|venv|pydoc_data|distutils|msilib|curses"
    r"|sqlite3|dbm|site-packages|dist-packages|__pycache__|config-[^/]*"
    r"|lib-dynload/(_test|_xx|xx|_tkinter|_ctypes_test|_curses|_sqlite3|_dbm|_gdbm|readline|nis)[^/]*)(/|$)"
)
_SOURCES = (".pyc", ".pyx", ".pxd", ".pyi", ".c", ".h", ".a", ".exe")


@dataclass(frozen=True, slots=True)
class File:
    """What one path of the image holds: a file of this machine, or text. `mode` as of chmod."""

    source: Path | bytes
    mode: int = 0o644

    def content(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


Tree = Mapping[str, File]
"""By absolute path inside."""


def runtime() -> Tree:
    """Python and the packages: what changes with the machine and with requirements.txt only."""
    found: dict[str, File] = {path: File(text.encode()) for path, text in _ACCOUNTS.items()}
    found[PYTHON] = File(_interpreter(), 0o755)
    found.update(_below(_standard_library(), f"{STANDARD_LIBRARY}/python{_version()}"))
    for name in packages():
        found.update(_package(name))
    found.update(_shared_libraries(found))
    return compiled(found)


def application(root: Path = ROOT) -> Tree:
    """Tidegate itself, out of the checkout."""
    folder = root / "operator" / "tidegate"
    return compiled(
        {
            f"{APP}/tidegate/{path.relative_to(folder).as_posix()}": File(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in (".py", ".typed")
        }
    )


def packages(requirements: Path = REQUIREMENTS) -> list[str]:
    """Names of the distributions, as requirements.txt has them."""
    return re.findall(r"^([A-Za-z0-9][\w.-]*)==", requirements.read_text(encoding="utf-8"), re.MULTILINE)


def compiled(tree: Tree) -> dict[str, File]:
    """With the bytecode beside each module, which is believed unchecked: nothing in an image changes."""
    made = dict(tree)
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "module.pyc"
        for path, file in tree.items():
            if not path.endswith(".py"):
                continue
            module = PurePosixPath(path)
            cached = module.parent / "__pycache__" / f"{module.stem}.{sys.implementation.cache_tag}.pyc"
            try:
                py_compile.compile(
                    str(file.source),
                    cfile=str(target),
                    dfile=path,
                    doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
            except (py_compile.PyCompileError, SyntaxError):
                continue  # a template of some package; what can't be compiled was never imported
            made[str(cached)] = File(target.read_bytes())
    return made


def write_folder(tree: Tree, folder: Path) -> None:
    """As files below `folder`, for `COPY --from`."""
    for path, file in sorted(tree.items()):
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content())
        target.chmod(file.mode)
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "tmp").chmod(0o1777)


def write_layer(tree: Tree, path: Path) -> None:
    """As the tar of one layer: the same bytes for the same files, whoever makes it and when."""
    folders = {"tmp": 0o1777}
    for inside in tree:
        for parent in PurePosixPath(inside.lstrip("/")).parents:
            folders.setdefault(str(parent), 0o755)
    folders.pop(".", None)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as layer:
        for folder, mode in sorted(folders.items()):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            layer.addfile(entry)
        for inside, file in sorted(tree.items()):
            content = file.content()
            entry = tarfile.TarInfo(inside.lstrip("/"))
            entry.size, entry.mode = len(content), file.mode
            layer.addfile(entry, io.BytesIO(content))
    partial.rename(path)


# ---- Python


def _interpreter() -> Path:
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _standard_library() -> Path:
    return Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))


def _below(folder: Path, inside: str) -> Iterator[tuple[str, File]]:
    for parent, _, names in os.walk(folder):
        relative = Path(parent).relative_to(folder).as_posix()
        for name in sorted(names):
            path = name if relative == "." else f"{relative}/{name}"
            if not _LEFT_OUT.search(path) and not path.endswith(_SOURCES):
                yield f"{inside}/{path}", File(Path(parent, name))


def _package(name: str) -> Iterator[tuple[str, File]]:
    """The files of one distribution. Its commands (`../../bin/…`), its tests and its bytecode stay behind."""
    for file in metadata.distribution(name).files or ():
        path = file.as_posix()
        here = Path(str(file.locate()))
        if not path.startswith("..") and "/tests/" not in path and not path.endswith(_SOURCES) and here.is_file():
            yield f"{APP}/{path}", File(here)


# ---- shared libraries


def _shared_libraries(tree: Tree) -> Iterator[tuple[str, File]]:
    """What the interpreter and all extension modules need of the system, and the loader that finds it."""
    programs = [
        file.source
        for path, file in tree.items()
        if isinstance(file.source, Path) and (path == PYTHON or re.search(r"\.so(\.|$)", path))
    ]
    ours = {source.resolve() for source in programs}
    for program in programs:
        for name, library in _needed(program):
            if library.resolve() in ours:
                continue  # a wheel that brought its own knows where it is
            # The loader is asked for by its absolute path, all else by its name.
            yield (name if name.startswith("/") else f"{LIBRARIES}/{name}"), File(library, 0o755)


@functools.cache
def _needed(program: Path) -> tuple[tuple[str, Path], ...]:
    """Name and place of each library, as the loader of this machine resolves them."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if missing := re.findall(r"^\s*(\S+) => not found", done.stdout, re.MULTILINE):
        raise SystemExit(f"{program} needs {', '.join(missing)}, which this machine does not have")
    named = re.findall(r"^\s*(\S+) => (/\S+)", done.stdout, re.MULTILINE)
    loader = re.findall(r"^\s*(/\S+) \(0x", done.stdout, re.MULTILINE)
    return tuple((name, Path(path)) for name, path in [*named, *((path, path) for path in loader)])


def _main(arguments: list[str]) -> int:
    match arguments:
        case ["--runtime", layer]:
            write_layer(runtime(), Path(layer))
        case ["--application", layer]:
            write_layer(application(), Path(layer))
        case [folder] if not folder.startswith("-"):
            write_folder({**runtime(), **application()}, Path(folder))
        case _:
            print("usage: tree.py FOLDER | --runtime LAYER.tar | --application LAYER.tar", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
