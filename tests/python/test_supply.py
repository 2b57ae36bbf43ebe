# SPDX-License-Identifier: MIT
"""What builds and tests bring from elsewhere is named by its hash, in workflows and in `.ci`."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CI = ROOT / ".ci"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOCKS = ("requirements.txt", "requirements-windows.txt")

pytestmark = pytest.mark.linux("it is about the checkout, the same everywhere")


def locked(*groups: str) -> str:
    words = [sys.executable, str(CI / "locked.py"), *groups]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def names(text: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_named_by_its_commit_and_tells_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: *(.*)", workflow.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)+", action), action


def test_pip_installs_nothing_from_elsewhere_without_its_hash() -> None:
    scripts = [path for path in CI.iterdir() if path.is_file() and path.suffix in ("", ".py")]
    for path in [*scripts, *WORKFLOWS]:
        # The words of a command are on its own line and the next, or in one call of Python's.
        text = re.sub(r"\\\n\s*", " ", path.read_text())
        for line in re.findall(r".*\bpip\b.*\b(?:install|download)\b.*", text):
            fetches = not re.search(r"--no-index|--no-deps .*-e \.|^\s*#", line)
            own_tool = path.name == "lock"
            in_python = path.name == "windows_python.py" and '"-m", "pip"' not in line
            if fetches and not own_tool and not in_python:
                assert "--require-hashes" in line, f"{path.name}: {line.strip()}"
        assert "pipx" not in text, path.name


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_file_has_hashes_and_it_names_no_place(name: str) -> None:
    text = (CI / name).read_text()
    entries = re.split(r"\n(?=[a-z])", text)[1:]
    assert len(entries) > 20
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?:|file:|(^|\s)/|index|find-links|--trusted", text)


def test_the_lock_file_has_what_pyproject_and_the_tools_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    wanted += [
        line
        for line in (CI / "requirements.in").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    text = (CI / LOCKS[0]).read_text()
    for requirement in wanted:
        name = re.match(r"[\w.-]+", requirement)
        assert name is not None
        plain = re.sub(r"[-_.]+", "-", name[0]).lower()
        assert plain in names(text), f"{requirement} is not locked: make lock"
        if "==" in requirement:
            version = requirement.partition("==")[2]
            assert f"\n{plain}=={version} " in text, f"{requirement} has changed: make lock"


def test_a_group_brings_what_its_packages_ask_for_and_no_other() -> None:
    package = names(locked("package"))
    assert {"click", "numpy", "soundfile", "cffi", "pycparser"} <= package
    assert not package & {"pytest", "mypy", "ruff", "matplotlib", "cibuildwheel"}
    assert names(locked("demo")) >= package | {"matplotlib", "pillow"}
    assert names(locked("pytest")) >= {"pytest", "pluggy", "iniconfig"}
    assert "click" not in names(locked("pytest"))


def test_a_name_that_is_not_locked_is_told() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        locked("no-such-package")
    assert "no-such-package: make lock" in caught.value.stderr


def test_packages_of_a_mirror_behind_its_dates_are_refused() -> None:
    assert "Check-Valid-Until" not in (CI / "obs_latest").read_text()
