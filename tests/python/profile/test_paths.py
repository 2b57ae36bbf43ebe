# SPDX-License-Identifier: MIT
"""Templates of paths: what is filled in, what is refused, and that no name leads out."""

import os
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


def test_only_real_placeholders_are_named():
    assert placeholders("{date}/{{x}}/{nonsense}${HOME}") == {"date", "nonsense"}


@given(st.text(), st.text(), st.text())
def test_no_name_leads_out_of_the_folder(track: str, profile: str, session: str):
    path = expand("/base/{track}/{profile}/{session}", track, profile, session)
    assert len(path.parts) == 5
    assert os.path.normpath(path) == str(path)
