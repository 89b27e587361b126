from __future__ import annotations

import grimp
import pytest

from hack.import_contract import AllowedImports


def contract(**options: list[str]) -> AllowedImports:
    return AllowedImports(
        name="pure",
        session_options={"root_packages": ["tidegate"]},
        contract_options={"packages": ["tidegate.engine"], **options},
    )


@pytest.fixture
def graph() -> grimp.ImportGraph:
    """tidegate.engine.decide imports a sibling, the API, the clock and a web client; the API imports the client too."""
    graph = grimp.ImportGraph()
    for module in ("tidegate", "tidegate.engine", "tidegate.engine.decide", "tidegate.engine.values", "tidegate.api"):
        graph.add_module(module)
    for module in ("time", "httpx"):
        graph.add_module(module, is_squashed=True)
    for line, imported in enumerate(("tidegate.engine.values", "tidegate.api", "time", "httpx"), start=1):
        graph.add_import(
            importer="tidegate.engine.decide",
            imported=imported,
            line_number=line,
            line_contents=f"import {imported}",
        )
    graph.add_import(importer="tidegate.api", imported="httpx", line_number=1, line_contents="import httpx")
    return graph


def test_what_the_list_names_and_the_package_itself_may_be_imported(graph: grimp.ImportGraph) -> None:
    assert contract(allowed=["tidegate.api", "httpx", "stdlib"]).check(graph, verbose=False).kept


def test_what_the_list_does_not_name_is_found_with_its_line(graph: grimp.ImportGraph) -> None:
    found = contract(allowed=["tidegate.api", "stdlib"]).check(graph, verbose=False)
    assert found.metadata["breaches"] == [("tidegate.engine.decide", "httpx", 4)]


def test_what_is_denied_is_found_though_the_standard_library_is_allowed(graph: grimp.ImportGraph) -> None:
    found = contract(allowed=["tidegate.api", "httpx", "stdlib"], denied=["time"]).check(graph, verbose=False)
    assert found.metadata["breaches"] == [("tidegate.engine.decide", "time", 3)]


def test_a_name_that_only_begins_alike_is_not_allowed(graph: grimp.ImportGraph) -> None:
    found = contract(allowed=["tidegate.ap", "http", "stdlib"]).check(graph, verbose=False)
    assert {imported for _, imported, _ in found.metadata["breaches"]} == {"tidegate.api", "httpx"}


def test_a_package_that_does_not_exist_is_a_fault_and_not_kept(graph: grimp.ImportGraph) -> None:
    graph.remove_module("tidegate.engine")
    with pytest.raises(ValueError, match=r"names tidegate\.engine, which does not exist"):
        contract(allowed=["stdlib"]).check(graph, verbose=False)
