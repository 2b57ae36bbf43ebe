# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from pypac_obs.whole_file import replace_file


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("new")
    old.write_text("old")
    return new, old


def test_a_file_that_somebody_reads_is_replaced(files: tuple[Path, Path]) -> None:
    new, old = files
    reading = old.open()
    reader = threading.Timer(0.2, reading.close)
    reader.start()
    replace_file(new, old)
    reader.join()
    assert old.read_text() == "new"
    assert not new.exists()


def test_a_refusal_that_stays_is_told(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def refuse(*names: object, **folders: object) -> None:
        tried.append(names)
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr("pypac_obs.whole_file._PATIENCE_S", 0.1)
    with pytest.raises(PermissionError):
        replace_file(*files)
    assert (len(tried) > 1) is (sys.platform == "win32")
    assert files[1].read_text() == "old"


def test_what_is_no_matter_of_patience_is_told_at_once(files: tuple[Path, Path]) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(files[0].with_name("gone"), files[1])
