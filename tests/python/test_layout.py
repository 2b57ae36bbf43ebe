# SPDX-License-Identifier: MIT
"""Which folder of the package uses which: exactly the arrows of a table, without a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pypac_obs"
# Who uses whom. A module at the top counts as a folder; `_core` is the native one. A new arrow is
# written down here, and in docs/architecture.md where it is one between folders.
TABLE = """
cli: _core audio_system capabilities control diagnosis errors events host_time incidents
    input_devices likely_names log native_files obs outputs plugins processes profile recorder
    rendering sandbox seen_programs session session_registry sound_file state_folder status
    undecoded whole_file wording working_folder
session: _core audio_system capabilities control errors events forked incidents likely_names log
    model obs outputs plugins profile session_registry source state_folder status undecoded
    whole_file wording working_folder
control: errors events forked model runtime_folder session_registry status whole_file
diagnosis: _core audio_system capabilities errors input_devices native_files obs wording
obs: _core errors incidents log outputs profile runtime_folder session_registry state_folder
    status whole_file
outputs: errors incidents log own_folder profile status whole_file working_folder
model: errors plugins profile
profile: _core errors undecoded working_folder
sandbox: errors obs
audio_system: _core errors
capabilities: _core obs
events: host_time incidents model status
filter_process: _core errors filter plugins
forked: _core
input_devices: _core audio_system
likely_names: _core audio_system input_devices profile seen_programs
native_files: errors
own_folder: whole_file
plugins: errors outputs profile source
processes: _core audio_system errors forked input_devices
recorder: errors incidents outputs profile session status
rendering: _core errors profile
runtime_folder: errors own_folder
seen_programs: state_folder whole_file
session_registry: errors own_folder runtime_folder
sound_file: errors
status: _core
working_folder: errors
pypac_obs: capabilities errors filter incidents input_devices outputs processes profile recorder
    session source status
"""


def read_table(text: str) -> dict[str, set[str]]:
    """One line for each folder; what begins with blanks goes on with the line before."""
    rows = text.strip().replace("\n    ", " ").splitlines()
    return {name: set(used.split()) for name, _, used in (row.partition(": ") for row in rows)}


ARROWS = read_table(TABLE)


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(file.read_bytes()) for name, file in SOURCES.items()}


def folder_of(module: str) -> str:
    """The folder right under the package, or the module there."""
    _, *parts = module.split(".")
    return parts[0] if parts else "pypac_obs"


def modules_in(statement: ast.AST) -> Iterator[str]:
    """The modules of the package that one statement imports."""
    if isinstance(statement, ast.Import):
        yield from (one.name for one in statement.names if one.name.split(".")[0] == "pypac_obs")
    elif isinstance(statement, ast.ImportFrom):
        assert statement.level == 0, "imports name the whole module"
        module = statement.module or ""
        if module.split(".")[0] == "pypac_obs":
            for name in (f"{module}.{one.name}" for one in statement.names):
                yield name if name in SOURCES or name == "pypac_obs._core" else module


def at_import_time(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported: not in functions, not for types alone."""
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING":
            yield from at_import_time(one.orelse)
            continue
        yield one
        for inner in ("body", "orelse", "finalbody"):
            yield from at_import_time(getattr(one, inner, []))
        for handler in getattr(one, "handlers", []):
            yield from at_import_time(handler.body)


def assert_no_circle(arrows: Mapping[str, set[str]]) -> None:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


def arrows_of(table: Mapping[str, set[str]]) -> set[str]:
    return {f"{name} -> {one}" for name, used in table.items() for one in used}


def test_folders_use_those_of_the_table_and_no_others() -> None:
    found: dict[str, set[str]] = {}
    for module, tree in TREES.items():
        for used in (used for node in ast.walk(tree) for used in modules_in(node)):
            if folder_of(used) != folder_of(module):
                found.setdefault(folder_of(module), set()).add(folder_of(used))
    new = arrows_of(found) - arrows_of(ARROWS)
    gone = arrows_of(ARROWS) - arrows_of(found)
    assert not new, f"arrows that the table does not have: {', '.join(sorted(new))}"
    assert not gone, f"arrows of the table that nothing draws: {', '.join(sorted(gone))}"


def test_no_folder_uses_one_that_uses_it_back() -> None:
    assert_no_circle(ARROWS)


def test_nothing_uses_the_command_line_and_it_alone_uses_the_sandbox() -> None:
    assert {name for name, used in ARROWS.items() if "cli" in used} == set()
    assert {name for name, used in ARROWS.items() if "sandbox" in used} == {"cli"}
    # These do not know who runs a session.
    assert not ARROWS["control"] & {"session", "outputs", "obs"}
    assert not {"session"} & (ARROWS["obs"] | ARROWS["outputs"] | ARROWS["model"])


def test_no_module_is_imported_in_a_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for module, tree in TREES.items():
        arrows[module] = {
            used
            for statement in at_import_time(tree.body)
            for used in modules_in(statement)
            # A package's own file loads before its modules, and may name them.
            if used in SOURCES and used != module
        }
    assert_no_circle(arrows)
