"""Rules of the house that no tool checks."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "operator" / "tidegate"

# Written in pieces, or this file would break its own rule.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("registry", "npmjs", "org"),
        ("static", "crates", "io"),
        ("repo", "maven", "apache", "org"),
        ("deb", "debian", "org"),
    )
)
# The root of an absolute path: "/root/x" is one, "$dir/root/x" and "https://host/root/x" are not.
MACHINE_PATH = re.compile(r"(?<![\w.}~*>)/-])/(?:home/[a-z]|root/|work/|Users/[A-Za-z])")


def tracked_files() -> Iterator[tuple[Path, str]]:
    """Every text file that Git knows or would add, with its content."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def sources(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_package_registry(host: str) -> None:
    assert [str(path) for path, text in tracked_files() if host in text] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in tracked_files()
        for number, line in enumerate(text.splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_every_dependency_is_locked_with_hashes_and_no_address() -> None:
    lock = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in lock
    assert not re.search(r"^-", lock, flags=re.MULTILINE), "options such as --index-url do not belong into the lock"

    entries = re.findall(r"^(\S+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", lock, flags=re.MULTILINE)
    assert len(entries) == len(re.findall(r"^[a-zA-Z]", lock, flags=re.MULTILINE)), "an entry has no hash"
    locked = {canonicalize_name(name): version for name, version, _ in entries}

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in constraints.txt: run make lock"
        assert requirement.specifier.contains(version), f"{requirement} is {version} in constraints.txt: run make lock"


def test_kopf_keeps_no_state_in_users_objects() -> None:
    """Kopf's stateful half writes annotations and finalizers into what it handles, and keeps a task per object."""
    assert [f"{path}:{line}: {what}" for path, tree in sources(PACKAGE) for line, what in uses_of_kopf(tree)] == []


def uses_of_kopf(tree: ast.Module) -> Iterator[tuple[int, str]]:
    stateful = {"timer", "daemon", "index", "create", "update", "resume", "delete", "field", "subhandler", "register"}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="kopf"), attr=name) if name in stateful:
                yield node.lineno, f"kopf.{name}"
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="kopf"), attr="on"), attr=name):
                if name in stateful:
                    yield node.lineno, f"kopf.on.{name}"
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] == "kopf":
                yield node.lineno, "write `import kopf`: this test looks for kopf.<name>"
            case ast.Import(names=names):
                if any(alias.name.partition(".")[0] == "kopf" and alias.asname for alias in names):
                    yield node.lineno, "write `import kopf` without `as`: this test looks for kopf.<name>"


def test_the_search_for_kopfs_stateful_half_finds_it() -> None:
    source = (
        "import kopf\n@kopf.on.update('releases')\n@kopf.timer('releases')\ndef handler(**_): ...\nfrom kopf import on"
    )
    assert sorted(line for line, _ in uses_of_kopf(ast.parse(source))) == [2, 3, 5]
    assert list(uses_of_kopf(ast.parse("import kopf\n@kopf.on.event('releases')\ndef handler(**_): ..."))) == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_of_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    code = re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL)
    used = {
        target
        for snippet in code
        for target in re.findall(r"(?:^|[`$;&|]|\b[A-Z_]+=\S+)[ \t]*make ([a-z]+)", snippet, flags=re.MULTILINE)
    }
    assert used, f"{page} names no command"
    assert used <= make_targets()


def test_a_file_is_one_idea() -> None:
    """Past some 400 lines there is a second idea in it; this is the hard end of that rule."""
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in PACKAGE.rglob("*.py")}
    assert {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > 500} == {}


def test_no_module_is_named_for_nothing() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "data", "info"}
    assert [str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*") if path.stem in vague] == []
