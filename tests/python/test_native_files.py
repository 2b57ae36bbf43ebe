# SPDX-License-Identifier: MIT
"""What keeps a compiled file from being loaded is said in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pypac_obs import _core, native_files
from pypac_obs.cli import commands
from pypac_obs.native_files import BlockedFile, blocked_files, explain

CORE = Path(str(_core.__file__))


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentences of Windows, wherever the test runs."""
    monkeypatch.setattr("pypac_obs.native_files.sys.platform", "win32")


def test_what_is_there_and_is_not_refused_is_not_told() -> None:
    assert list(blocked_files()) == []
    looked_at: list[Path] = []
    assert list(blocked_files(lambda path: looked_at.append(path) or 0)) == []
    assert {path.name.partition(".")[0] for path in looked_at} >= {"_core", "_pydantic_core"}


def test_each_file_that_is_refused_is_told_with_its_package() -> None:
    refused = {one.path.name: (one.package, one.code) for one in blocked_files(lambda _: 225)}
    assert refused[CORE.name] == ("pypac-obs", 225)
    assert "numpy" in {package for package, _ in refused.values()}


def test_a_file_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "_core.pyd"
    monkeypatch.setattr(
        native_files, "_compiled_files", lambda package: [gone] if package == "numpy" else []
    )
    [found] = blocked_files()
    assert (found.path, found.package, found.code) == (gone, "numpy", 2)
    assert found.found.startswith("is not there")
    assert "pip install --force-reinstall --no-deps numpy" in found.remedy


@pytest.mark.usefixtures("on_windows")
@pytest.mark.parametrize(
    ("code", "found", "remedy"),
    [
        (2, "virus protection may have taken it away", "Protection history"),
        (5, "deny access", "Protection history"),
        (126, "a DLL that it needs is missing", "Protection history"),
        (193, "is damaged", "Install it again"),
        (225, "Windows takes it for a virus", "Protection history"),
        (226, "Windows took it for a virus", "Protection history"),
        (577, "does not accept its signature", "Whoever administers this computer"),
        (1260, "by a policy of this computer", "Whoever administers this computer"),
        (4551, "Smart App Control", "Smart App Control knows no exceptions"),
    ],
)
def test_what_windows_says_is_a_sentence_with_its_number(
    code: int, found: str, remedy: str
) -> None:
    blocked = BlockedFile(CORE, "pypac-obs", code, "native words")
    assert found in blocked.found
    assert blocked.found.endswith(f" ({code})")
    assert "native words" not in blocked.found
    assert remedy in blocked.remedy
    assert "it again: python -m pip install" in blocked.remedy


def test_a_number_that_nobody_knows_is_told_in_the_systems_words() -> None:
    blocked = BlockedFile(CORE, "pypac-obs", 1114, "Initialization failed (1114)")
    assert blocked.found == "cannot be loaded: Initialization failed (1114)"


def test_the_file_that_an_import_names_is_blamed_also_behind_another_error() -> None:
    inner = ImportError("DLL load failed while importing _core", name="_core", path=str(CORE))
    outer = ImportError("numpy: please read this for advice")
    outer.__cause__ = inner
    for error in (inner, outer):
        explained = explain(error)
        assert explained is not None
        assert explained.message.startswith(f"{CORE} cannot be loaded: ")
        assert "pypac-obs" in explained.remedy


def test_sources_without_a_core_are_told_from_a_mistake_of_ours() -> None:
    package = sys.modules["pypac_obs"]
    missing = ImportError("cannot import name '_core' from 'pypac_obs'", path=package.__file__)
    explained = explain(missing)
    assert explained is not None
    assert f"{Path(str(package.__file__)).parent / '_core'} is not there" in explained.message
    assert explain(ImportError("cannot import name 'nonsense' from 'pypac_obs.session'")) is None


@pytest.mark.parametrize("args", [("doctor",), ("ps",), ("obs",)], ids=" ".join)
def test_each_command_says_it_instead_of_a_traceback(
    args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise ImportError("DLL load failed while importing _core", path=str(CORE))

    monkeypatch.setattr("pypac_obs.cli.importlib.import_module", broken)
    result = CliRunner().invoke(commands, list(args))
    assert result.exit_code == 3
    assert result.stderr.startswith(f"Error: {CORE} cannot be loaded: ")
    assert "it again: python -m pip install" in result.stderr
    assert "Traceback" not in result.stderr
    assert "This is a bug" not in result.stderr
