"""Objects out of files, as kubectl reads them, each value with the line on which it stands."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tidegate.errors import Invalid

STDIN: Final = "-"
_SUFFIXES: Final = (".yaml", ".yml", ".json")
_PIECE: Final = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class Document:
    """One object. `number` is its place in the file, from 1; `content` is None where it can't be read."""

    file: str
    number: int
    content: dict[str, Any] | None
    problems: tuple[tuple[int, str, str], ...]  # line, path, sentence
    node: yaml.Node | None = None

    @property
    def kind(self) -> str:
        return str((self.content or {}).get("kind") or "")

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return str((self.content or {}).get("apiVersion") or "").rpartition("/")[0]

    @property
    def metadata(self) -> dict[str, Any]:
        found = (self.content or {}).get("metadata")
        return found if isinstance(found, dict) else {}

    @property
    def name(self) -> str:
        return str(self.metadata.get("name") or "")

    def line(self, path: str = "") -> int:
        """The line of the field, or of what is nearest to it, from 1; 0 if nobody knows."""
        node, found = self.node, self.node
        for index, key in _PIECE.findall(path):
            name, node = _member(node, key, int(index) if index else None)
            if node is None:
                break
            found = name or node
        return found.start_mark.line + 1 if found is not None else 0


def read(names: Sequence[str]) -> Iterator[Document]:
    """All documents of files, folders and standard input. Raises Invalid for a file that can't be opened."""
    for name in names:
        if name == STDIN:
            yield from _documents("standard input", sys.stdin.read())
            continue
        path = Path(name)
        files = sorted(f for f in path.rglob("*") if f.suffix in _SUFFIXES) if path.is_dir() else [path]
        if not files:
            raise Invalid(f"there is no file *.yaml, *.yml or *.json in the folder {name}")
        for file in files:
            try:
                yield from _documents(str(file), file.read_text(encoding="utf-8"))
            except OSError as error:
                raise Invalid(f"{file} can't be read: {error.strerror}") from None
            except UnicodeDecodeError:
                raise Invalid(f"{file} is not UTF-8: is it another file?") from None


def _documents(file: str, text: str) -> Iterator[Document]:
    number = 0
    loader = _Loader(text)
    try:
        while loader.check_node():
            number += 1
            loader.problems = []
            node = loader.get_node()
            content = loader.construct_document(node)
            if node is None or content is None:
                continue
            yield from _objects(file, number, content, node, tuple(loader.problems))
    except yaml.YAMLError as error:
        yield Document(file, number + 1, None, ((_line_of(error), "", _why(error)),))
    finally:
        loader.dispose()


def _objects(
    file: str, number: int, content: Any, node: yaml.Node, problems: tuple[tuple[int, str, str], ...]
) -> Iterator[Document]:
    if not isinstance(content, dict):
        line = node.start_mark.line + 1
        yield Document(file, number, None, ((line, "", "is no object: write apiVersion, kind, metadata and spec"),))
        return
    whole = Document(file, number, content, problems, node)
    items = content.get("items")
    if whole.kind != "List" or not isinstance(items, list):
        yield whole
        return
    _, nodes = _member(node, "items", None)
    for index, item in enumerate(items):
        _, inner = _member(nodes, "", index)
        yield Document(file, number, item if isinstance(item, dict) else {}, problems if index == 0 else (), inner)


def _member(node: yaml.Node | None, key: str, index: int | None) -> tuple[yaml.Node | None, yaml.Node | None]:
    """(the key, the value), each None where there is none."""
    if index is not None:
        inside = node.value if isinstance(node, yaml.SequenceNode) else []
        return None, inside[index] if index < len(inside) else None
    if isinstance(node, yaml.MappingNode):
        return next(((name, value) for name, value in node.value if name.value == key), (None, None))
    return None, None


def _line_of(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark is not None else 0


def _why(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or str(error)
    return f"is not YAML: {problem}. A template must be rendered first: helm template … | tidegate lint -"


class _Loader(yaml.SafeLoader):
    """As the YAML library of kubectl reads: instants stay text, and a key that is there twice is told."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.problems: list[tuple[int, str, str]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    self.problems.append(
                        (key.start_mark.line + 1, "", f"the key {key.value!r} is there twice: only one would count")
                    )
                seen.add(key.value)
        # Kubernetes is JSON, whose keys are text: `on:` and `1:` are what kubectl makes of them.
        return {_key(key): value for key, value in super().construct_mapping(node, deep=deep).items()}


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


def _without_surprises(resolver: tuple[str, re.Pattern[str]]) -> bool:
    return resolver[0] != "tag:yaml.org,2002:timestamp"


_Loader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if _without_surprises(resolver)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# 10:30 is a number of base 60 to YAML 1.1, and text to kubectl. What is asked first wins.
for _first in "-+0123456789":
    _Loader.yaml_implicit_resolvers.setdefault(_first, []).insert(0, ("tag:yaml.org,2002:str", _SEXAGESIMAL))
