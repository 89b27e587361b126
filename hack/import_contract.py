"""A contract for import-linter: a package imports what its list names, and nothing else.

Import-linter ships deny lists. A deny list forgets the library that is added tomorrow; "the engine is pure" is an
allow list. The lists are in pyproject.toml, under `[tool.importlinter]`.

`allowed` takes modules of ours (with all that is in them), names of third-party packages, and `stdlib` for the
standard library. `denied` takes away again, usually parts of the standard library. What stands in the package
itself is always allowed. Only direct imports are looked at: what an allowed module imports is that module's contract.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

STDLIB = "stdlib"


class AllowedImports(Contract):
    """Checks one or more packages against one list. Every package that is named must exist."""

    type_name = "allowed_imports"

    packages = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField())
    denied = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        breaches: list[tuple[str, str, int]] = []
        for package in _strings(self.packages):
            if package not in graph.modules:
                raise ValueError(f"the contract {self.name!r} names {package}, which does not exist")
            allowed = [*_strings(self.allowed), package]
            for importer in sorted({package} | graph.find_descendants(package)):
                for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                    if self._permits(imported, allowed):
                        continue
                    details = graph.get_import_details(importer=importer, imported=imported)
                    breaches += [(importer, imported, detail["line_number"]) for detail in details]
        return ContractCheck(kept=not breaches, metadata={"breaches": breaches})

    def _permits(self, imported: str, allowed: Iterable[str]) -> bool:
        if any(_within(imported, denied) for denied in _strings(self.denied)):
            return False
        if imported == "tidegate" or any(_within(imported, name) for name in allowed):
            return True  # the root module is the version and imports nothing
        return STDLIB in allowed and imported.partition(".")[0] in sys.stdlib_module_names

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported, line in check.metadata["breaches"]:
            output.print_error(f"{importer}:{line} imports {imported}", bold=False)
        output.new_line()
        output.print(f"Allowed here: {', '.join(_strings(self.allowed))}")
        if denied := _strings(self.denied):
            output.print(f"But not: {', '.join(denied)}")


def _strings(field: object) -> list[str]:
    """The value of a field: import-linter puts the parsed value in the place of the declaration."""
    assert isinstance(field, list)
    return field


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
