# SPDX-License-Identifier: MIT
"""docs/make_filters.py: the tables in the docs are what it makes now, and each filter is drawn."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pypac_obs.profile.filters import filter_infos

SCRIPT = Path(__file__).parents[2] / "docs" / "make_filters.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_filters", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_descriptors(script: ModuleType):
    for page, link in script.PAGES.items():
        text = page.read_text(encoding="utf-8")
        assert script.tables(text, link) == text, f"run docs/make_filters.py: {page.name}"


def test_every_filter_has_a_picture_and_nothing_else_has_one(script: ModuleType):
    assert set(script.DRAWN) == set(filter_infos())
    assert {path.stem for path in script.PICTURES.iterdir()} == set(filter_infos())


def test_a_picture_is_drawn_from_what_the_filter_does(script: ModuleType, tmp_path: Path):
    script.draw("gain", tmp_path / "gain.svg")
    text = (tmp_path / "gain.svg").read_text(encoding="utf-8")
    assert "gain_db: 0 to -20" in text
    assert len(text) > 5_000
