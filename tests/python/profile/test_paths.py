# SPDX-License-Identifier: MIT
"""Templates of paths: what is filled in, what is refused, and that no name leads out."""

import os
import re
import unicodedata
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypac_obs.profile import ProfileError, expand_path
from pypac_obs.profile.paths import TemplateError, check_template, placeholders

START = datetime(2026, 11, 23, 18, 4, 5)


def expand(template: str, track: str = "voice", profile: str = "evening", session: str = "s1"):
    return expand_path(template, track=track, profile=profile, session=session, start=START)


def test_every_placeholder_is_filled_in():
    path = expand("{profile}/{session}/{date} {time}/{track}")
    assert path == Path("evening/s1/2026-11-23 18-04-05/voice")


def test_home_and_variables_are_filled_in(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("USERPROFILE", "/home/somebody")
    monkeypatch.setenv("PYPAC_DISK", "/mnt/disk")
    assert expand("~/a") == Path("/home/somebody/a")
    assert expand("~") == Path("/home/somebody")
    assert expand("$PYPAC_DISK/a") == expand("${PYPAC_DISK}/a") == Path("/mnt/disk/a")


def test_what_was_filled_in_is_not_read_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYPAC_DISK", "{track}$HOME")
    assert expand("a/$PYPAC_DISK") == Path("a/{track}$HOME")


def test_doubled_marks_stand_for_themselves():
    assert expand("{{track}} $$HOME") == Path("{track} $HOME")


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{trakc}", '"{trakc}"'),
        ("{}", '"{}"'),
        ("{track", 'a lone "{"'),
        ("track}", 'a lone "}"'),
        ("{{track}", 'a lone "}"'),
        ("$", 'a lone "$"'),
        ("$PYPAC_UNSET", '"$PYPAC_UNSET", which is unset or empty'),
        ("${PYPAC_EMPTY}/a", '"$PYPAC_EMPTY", which is unset or empty'),
        ("~root/a", '"~root/a"'),
    ],
)
def test_a_wrong_template_is_refused(template: str, found: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PYPAC_UNSET", raising=False)
    monkeypatch.setenv("PYPAC_EMPTY", "")
    with pytest.raises(TemplateError) as caught:
        check_template(template)
    assert caught.value.found.startswith(found)
    with pytest.raises(ProfileError):
        expand(template)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (r"\\server\share\{date}", "a folder of this computer"),
        ("//server/share", "a folder of this computer"),
        (r"\/server/share", "a folder of this computer"),
        (r"\\?\C:\Recordings", "a folder of this computer"),
        (r"\\.\PhysicalDrive0", "a folder of this computer"),
        ("$PYPAC_NET/rec", "a folder of this computer"),
        ("~/NUL", "does not reserve for a device"),
        ("~/rec/nul.txt/{date}", "does not reserve for a device"),
        ("D:\\con\\{date}", "does not reserve for a device"),
        ("/mnt/rec/Com1 .x", "does not reserve for a device"),
        ("/mnt/rec/LPT9", "does not reserve for a device"),
        ("/mnt/rec/COM¹", "does not reserve for a device"),
        ("/mnt/rec/PRN. ", "does not reserve for a device"),
        ("~/rec./{date}", "does not end in a dot or space"),
        ("~/rec /{date}", "does not end in a dot or space"),
        ("~/rec/{date} ", "does not end in a dot or space"),
        ("~/\u202egpj", "visible characters"),
        ("~/a\u200bb", "visible characters"),
        ("~/a\u2066b", "visible characters"),
        ("~/\u3164", "visible characters"),
        ("~/a\U000e0041", "visible characters"),
    ],
)
def test_a_path_that_windows_or_a_reader_takes_otherwise_is_refused(
    template: str, expected: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PYPAC_NET", r"\\server\share")
    with pytest.raises(TemplateError, match=re.escape(expected)):
        check_template(template)
    with pytest.raises(ProfileError, match=re.escape(expected)):
        expand(template)


@pytest.mark.parametrize(
    "template",
    [
        "~/Recordings/{date} {time}",
        r"D:\Recordings\{date}",
        "D:/Recordings",
        "/mnt/data/rec",
        "./rec",
        "../rec/{profile}",
        "console/nulled/.hidden",
        "Aufnahmen/Übung/录音 😀",
        "/",
    ],
)
def test_ordinary_folders_are_taken(template: str):
    check_template(template)
    expand(template)


@pytest.mark.linux("Windows takes its own home folder from elsewhere")
def test_a_home_folder_on_another_computer_is_the_user_s_own(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "//server/me")
    assert expand("~/rec") == Path("//server/me/rec")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("nul", "_nul"),
        ("CON.yaml", "_CON.yaml"),
        ("aux ", "aux_"),
        ("a\u202ebc", "a_bc"),
        ("a\u200d\ufeffb", "a__b"),
        ("x\u3164\u115f", "x__"),
        ("name. .", "name_"),
        ("Übung 录音 😀", "Übung 录音 😀"),
    ],
)
def test_names_that_are_filled_in_are_safe_and_visible(name: str, written: str):
    assert expand("{session}", session=name) == Path(written)
    assert expand("/rec/{profile}/{track}", track=name, profile=name).parts[-2:] == (
        written,
        written,
    )


def test_no_name_can_be_put_together_of_parts():
    with pytest.raises(ProfileError, match="reserve for a device"):
        expand("/rec/N{session}", session="ul")


def test_only_real_placeholders_are_named():
    assert placeholders("{date}/{{x}}/{nonsense}${HOME}") == {"date", "nonsense"}


@given(st.text(), st.text(), st.text())
def test_no_name_leads_out_of_the_folder(track: str, profile: str, session: str):
    path = expand("/base/{track}/{profile}/{session}", track, profile, session)
    assert len(path.parts) == 5
    assert not any(unicodedata.category(character) == "Cf" for character in str(path))
    assert os.path.normpath(path) == str(path)
