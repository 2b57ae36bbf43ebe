# SPDX-License-Identifier: MIT
"""The file of the token: made once, the user's alone, renewed whole."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from pypac_obs.control.token import TokenFile, read_or_make_token, renew_token, token_file
from pypac_obs.errors import OutputFailed, PermissionDenied


def test_it_is_made_once_and_has_256_bits(home: dict[str, str]) -> None:
    token = read_or_make_token(home)
    assert len(token) == 43
    assert read_or_make_token(home) == token
    file = token_file(home)
    assert file.read_text() == f"{token}\n"
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_all_who_make_it_at_once_get_the_same(home: dict[str, str]) -> None:
    tokens: list[str] = []
    makers = [
        threading.Thread(target=lambda: tokens.append(read_or_make_token(home))) for _ in range(8)
    ]
    for one in makers:
        one.start()
    for one in makers:
        one.join()
    assert len(tokens) == 8
    assert len(set(tokens)) == 1


def test_a_new_one_takes_its_place(home: dict[str, str]) -> None:
    token = read_or_make_token(home)
    current = TokenFile(home)
    assert current() == token
    new = renew_token(home)
    assert new != token
    assert current() == new == read_or_make_token(home)
    assert [one.name for one in token_file(home).parent.iterdir()] == ["control-token"]
    token_file(home).unlink()
    assert current() == new  # a running session keeps its last


def test_what_is_no_token_is_replaced(
    home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypac_obs.control.token._WRITTEN_WITHIN_S", 0.02)
    file = token_file(home)
    file.parent.mkdir(parents=True)
    for content in ("", "short", "x" * 43 + "\nmore", "\xe9" * 43):
        file.unlink(missing_ok=True)
        file.write_text(content)
        file.chmod(0o600)
        assert len(read_or_make_token(home)) == 43


@pytest.mark.linux("Windows has no modes, and links take a privilege there")
def test_what_others_could_read_or_have_put_there_is_not_taken(
    home: dict[str, str], tmp_path: Path
) -> None:
    read_or_make_token(home)
    file = token_file(home)
    for mode in (0o640, 0o604, 0o660):
        file.chmod(mode)
        with pytest.raises(PermissionDenied) as caught:
            read_or_make_token(home)
        assert str(file) in str(caught.value)
        assert "a new one is made" in caught.value.remedy
    file.chmod(0o600)
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    with pytest.raises(PermissionDenied):
        read_or_make_token(home)
    file.unlink()
    os.mkfifo(file, 0o600)
    with pytest.raises(PermissionDenied):
        read_or_make_token(home)


def test_a_folder_that_cannot_be_made_is_told(home: dict[str, str], tmp_path: Path) -> None:
    file = token_file(home)
    file.parent.parent.mkdir(parents=True, exist_ok=True)
    file.parent.write_text("in the way")
    with pytest.raises((OutputFailed, PermissionDenied)) as caught:
        read_or_make_token(home)
    assert str(file.parent) in str(caught.value)
