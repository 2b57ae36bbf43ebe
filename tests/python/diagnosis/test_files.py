# SPDX-License-Identifier: MIT
"""What doctor finds out by trying."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pypac_obs.diagnosis import files
from pypac_obs.diagnosis.examination import examine
from pypac_obs.diagnosis.finding import Finding

# A folder in which nobody makes anything, not even root.
CLOSED = "Z:/proc" if sys.platform == "win32" else "/proc"


def recordings(monkeypatch: pytest.MonkeyPatch, folder: Path | str) -> Finding:
    monkeypatch.setattr(files, "_RECORDINGS", str(folder))
    return files.disk()


def test_a_folder_for_recordings_that_can_be_written_to_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert " GB free, " in recordings(monkeypatch, tmp_path).found
    assert " GB free, " in recordings(monkeypatch, tmp_path / "new" / "one").found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [CLOSED, f"{CLOSED}/Recordings"])
def test_a_folder_for_recordings_that_cannot_be_written_to_is_told(
    monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    finding = recordings(monkeypatch, folder)
    assert finding.state == "note"
    assert f"{Path(CLOSED)} cannot be written to (" in finding.found
    assert "outputs.files.folder" in finding.remedy
    assert ("Controlled folder access" in finding.remedy) == (sys.platform == "win32")


def test_a_file_where_the_folder_should_be_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Recordings").write_text("notes")
    finding = recordings(monkeypatch, tmp_path / "Recordings")
    assert (finding.state, " cannot be written to (" in finding.found) == ("note", True)
    assert (tmp_path / "Recordings").read_text() == "notes"


def test_a_part_that_cannot_be_looked_at_is_a_finding_and_costs_no_other(
    monkeypatch: pytest.MonkeyPatch,
):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/secret")

    whole = [finding.part for finding in examine()]
    monkeypatch.setattr(files, "formats", refuse)
    monkeypatch.setattr(files, "disk", refuse)
    findings = list(examine())
    assert [finding.part for finding in findings] == whole
    assert [(one.state, one.found) for one in findings[-2:]] == [
        ("note", "cannot be looked at: [Errno 13] Permission denied: '/secret'")
    ] * 2
