# SPDX-License-Identifier: MIT
"""What is set, held, faded and applied while a session runs, and who is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pypac_obs import Profile, Session, load_profile
from pypac_obs.errors import (
    ChangeRefused,
    InvalidValue,
    OutputFailed,
    ProfileError,
    RevisionConflict,
    SessionClosed,
    UnknownAddress,
)
from pypac_obs.events import (
    Event,
    NewsTold,
    ProfileApplied,
    ProfileRefused,
    SessionEnding,
    Subscription,
    ValuesChanged,
)
from pypac_obs.session.controller import Controller

from .synthetic import RATE, base, hear, is_numbered, profile, read

PATIENCE_S = 20.0


def controller_of(session: Session) -> Controller:
    assert session._running is not None
    return session._running.controller


def next_of(events: Subscription, kind: type[Event], when: Callable[[Any], bool] = bool) -> Any:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        event = events.get(timeout_s=0.5)
        if isinstance(event, kind) and when(event):
            return event
    raise AssertionError(f"no {kind.kind} came")


def saved(path: Path, data: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def quiet(folder: Path) -> dict[str, Any]:
    """A profile whose session is known to nobody."""
    return {**base(folder), "control": {"enabled": False}}


def test_who_sets_a_value_is_told_with_it_and_each_change_has_a_revision(tmp_path: Path):
    with Session(profile(quiet(tmp_path / "take"))) as session, session.events.subscribe() as told:
        controller = controller_of(session)
        before = controller.revision
        assert controller.set("tone.gain_db", -6, origin="page-1") == -6.0
        assert controller.set("tone.gain_db", -12, origin="page-2") == -12.0
        one = next_of(told, ValuesChanged)
        two = next_of(told, ValuesChanged)
        assert session.get("tone.gain_db") == -12.0
    assert (one.origin, one.values, one.layer) == ("page-1", {"tone.gain_db": -6.0}, "live")
    assert (two.origin, two.values) == ("page-2", {"tone.gain_db": -12.0})
    assert (one.revision, two.revision) == (before + 1, before + 2)
    assert two.number > one.number


def test_steps_end_at_the_range_and_switches_turn_over(tmp_path: Path):
    with Session(profile(quiet(tmp_path / "take"))) as session:
        controller = controller_of(session)
        assert controller.adjust("tone.gain_db", 3) == 3.0
        assert controller.adjust("tone.gain_db", 300) == 40.0
        assert controller.toggle("tone.mute") is True
        assert controller.toggle("tone.mute") is False
        with pytest.raises(InvalidValue, match=r"tone\.gain_db is no switch"):
            controller.toggle("tone.gain_db")
        with pytest.raises(InvalidValue, match=r"tone\.mute is no number"):
            controller.adjust("tone.mute", 1)
        with pytest.raises(UnknownAddress, match="tone"):
            controller.set("tone.gain", 1)


def test_a_held_value_is_heard_until_its_client_lets_go(tmp_path: Path):
    with Session(profile(quiet(tmp_path / "take"))) as session:
        controller = controller_of(session)
        hear(session, RATE // 4)
        controller.hold("tone.mute", True, client="cough")
        controller.hold("tone.mute", True, client="other")
        begin = session.position
        hear(session, RATE // 4)
        controller.release("tone.mute", client="other")
        assert session.get("tone.mute") is True
        assert controller.layer_of("tone.mute") == "held"
        # What is set meanwhile counts once nobody holds it.
        controller.set("tone.gain_db", -6)
        hear(session, RATE // 8)
        controller.release_all("cough")
        assert session.get("tone.mute") is False
        end = session.position
        hear(session, RATE // 4)
    [muted] = [one for one in session.incidents if one.cause == "track_muted"]
    assert (muted.tracks, muted.detail) == (("tone",), "by other")
    samples = read(tmp_path / "take", "tone")
    assert not samples[begin + 1920 : end - 480].any()
    assert 0.49 < np.abs(samples[end + 1920 : end + 7200]).max() < 0.51
    assert is_numbered(read(tmp_path / "take", "one"))


def test_a_fade_ends_at_its_value_and_has_no_click(tmp_path: Path):
    with Session(profile(quiet(tmp_path / "take"))) as session:
        hear(session, RATE // 4)
        begin = session.position
        session.fade("tone.gain_db", -30, 0.5)
        until = time.monotonic() + PATIENCE_S
        while session.get("tone.gain_db") != -30 and time.monotonic() < until:
            time.sleep(0.01)
        end = session.position
        hear(session, RATE // 5)
        with pytest.raises(InvalidValue, match="cannot be faded"):
            session.fade("tone.mute", True, 1)
    samples = read(tmp_path / "take", "tone")
    assert np.abs(np.diff(samples)).max() < 1.05 * 2 * np.pi * 1000 / RATE
    # Halfway in time is halfway in decibels, as far as a busy machine steps in time.
    middle = samples[(begin + end) // 2 - 480 : (begin + end) // 2 + 480]
    assert -25 < 20 * np.log10(np.abs(middle).max()) < -5
    assert 20 * np.log10(np.abs(samples[end + 1920 : end + 4800]).max()) == pytest.approx(
        -30, abs=0.1
    )


def test_who_sets_a_value_ends_its_fade(tmp_path: Path):
    with Session(profile(quiet(tmp_path / "take"))) as session:
        session.fade("tone.gain_db", -100, 3600)
        session.set("tone.gain_db", -6)
        hear(session, RATE // 5)
        assert session.get("tone.gain_db") == -6


def test_a_reload_can_be_planned_undone_and_refused_for_its_revision(tmp_path: Path):
    data = quiet(tmp_path / "take")
    file = saved(tmp_path / "stream.yaml", data)
    with Session(file) as session, session.events.subscribe() as told:
        controller = controller_of(session)
        data["tracks"]["more"] = {"from": "tone", "gain_db": -6}
        saved(file, data)
        assert list(controller.plan().lines()) == ["+ track more"]
        assert "more" not in session.profile.tracks
        with pytest.raises(RevisionConflict, match="revision"):
            controller.reload(expect_revision=controller.revision + 1)
        assert controller.reload(origin="page-1").added_tracks == ("more",)
        applied = next_of(told, ProfileApplied)
        assert (applied.lines, applied.origin) == (("+ track more",), "page-1")
        assert session.undo().removed_tracks == ("more",)
        with pytest.raises(ChangeRefused, match="nothing to undo"):
            session.undo()
        hear(session, RATE // 5)
    assert is_numbered(read(tmp_path / "take", "one"))


def test_a_wrong_file_is_refused_whole_and_the_session_goes_on(tmp_path: Path):
    data = quiet(tmp_path / "take")
    file = saved(tmp_path / "stream.yaml", data)
    with Session(file) as session, session.events.subscribe() as told:
        data["tracks"]["tone"] = {"from": "tune"}
        saved(file, data)
        with pytest.raises(ProfileError) as refused:
            session.reload()
        with pytest.raises(ProfileError) as checked:
            load_profile(file)
        event = next_of(told, ProfileRefused)
        assert event.problems == tuple(map(str, checked.value.mistakes))
        assert str(refused.value) == str(checked.value)
        hear(session, RATE // 5)
    assert is_numbered(read(tmp_path / "take", "one"))


def test_a_profile_that_is_saved_is_followed_within_a_second(tmp_path: Path):
    data = base(tmp_path / "take")
    file = saved(tmp_path / "stream.yaml", data)
    with Session(file) as session, session.events.subscribe() as told:
        hear(session, RATE // 4)
        session.set("tone.gain_db", -20)
        data["tracks"]["more"] = {"from": "tone"}
        saved(file, data)
        applied = next_of(told, ProfileApplied)
        assert applied.lines == ("+ track more",)
        assert applied.origin == "file"
        assert session.get("tone.gain_db") == -20
        assert [track.name for track in session.status().tracks] == ["one", "tone", "more"]
        data["tracks"]["more"] = {"from": "nowhere"}
        saved(file, data)
        refused = next_of(told, NewsTold, lambda event: "nowhere" in event.text)
        assert "not followed" in refused.text
        hear(session, RATE // 4)
    assert is_numbered(read(tmp_path / "take", "one"))
    more = read(tmp_path / "take", "more")
    assert np.abs(more[-4800:]).max() == pytest.approx(1.0, abs=0.01)
    assert not more[: RATE // 4].any()


def test_live_values_are_there_in_the_next_run_if_the_profile_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
    data = base(tmp_path / "{session}")
    file = saved(tmp_path / "stream.yaml", {**data, "control": {"remember": True}})
    with Session(file, name="first") as session:
        session.set("tone.gain_db", -20)
        controller_of(session).hold("one.mute", True, client="cough")
    with Session(file, name="second") as session:
        assert session.get("tone.gain_db") == -20
        assert session.get("one.mute") is False
        hear(session, RATE // 4)
    # From its first frame on: no burst at the file's level.
    assert np.abs(read(tmp_path / "second", "tone")).max() < 0.11
    saved(file, {**data, "control": {"remember": False}})
    assert Session(file).get("tone.gain_db") == 0.0


def test_the_profile_of_no_file_cannot_be_reloaded(tmp_path: Path):
    with (
        Session(Profile.from_dict(quiet(tmp_path / "take"))) as session,
        pytest.raises(ChangeRefused, match="no file"),
    ):
        session.reload()


def test_a_plan_says_which_filters_take_longer_than_the_session_has_for_them(tmp_path: Path):
    data = {**base(tmp_path / "take"), "session": {"filter_headroom_ms": 10}}
    file = saved(tmp_path / "stream.yaml", data)
    with Session(file) as session:
        controller = controller_of(session)
        tone = {"from": "tone", "filters": [{"limiter": {"look_ahead_ms": 6, "true_peak": False}}]}
        saved(file, {**data, "tracks": {**data["tracks"], "tone": tone}})
        assert list(controller.plan().lines()) == ["~ track tone: other sends or filters"]
        tone["filters"] *= 2
        saved(file, {**data, "tracks": {**data["tracks"], "tone": tone}})
        assert list(controller.plan().lines()) == [
            "~ track tone: other sends or filters",
            "! tracks.tone.filters take 12 ms, and this session has 10 ms for filters: "
            "a restart, or session.filter_headroom_ms",
        ]
        with pytest.raises(ChangeRefused, match="take 12 ms, and this session has 10 ms"):
            session.reload()
        hear(session, 4800)
    assert is_numbered(read(tmp_path / "take", "one"))


def test_steps_and_switches_go_from_what_is_under_a_hold(tmp_path: Path):
    with Session(profile(quiet(tmp_path / "take"))) as session:
        controller = controller_of(session)
        controller.hold("tone.gain_db", -60, client="push to talk")
        assert controller.adjust("tone.gain_db", 3) == 3.0
        controller.hold("one.mute", True, client="cough")
        assert controller.toggle("one.mute") is True
        controller.release_all("push to talk")
        controller.release_all("cough")
        assert session.get("tone.gain_db") == 3.0
        assert session.get("one.mute") is True


def test_remembering_that_is_switched_on_while_it_runs_counts_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
    data = base(tmp_path / "{session}")
    file = saved(tmp_path / "stream.yaml", data)
    with Session(file, name="first") as session:
        saved(file, {**data, "control": {"remember": True}})
        session.reload()
        session.set("tone.gain_db", -20)
    with Session(file, name="second") as session:
        assert session.get("tone.gain_db") == -20


def test_the_file_that_was_applied_last_is_the_one_that_is_followed(tmp_path: Path):
    data = base(tmp_path / "take")
    one = saved(tmp_path / "one.yaml", data)
    data["tracks"]["more"] = {"from": "tone"}
    other = saved(tmp_path / "other.yaml", data)
    with Session(one) as session, session.events.subscribe(kinds={"profile_applied"}) as told:
        session.apply(other)
        next_of(told, ProfileApplied)
        data["tracks"]["even more"] = {"from": "tone"}
        saved(other, data)
        assert next_of(told, ProfileApplied).lines == ("+ track even more",)


def test_a_fault_of_ours_does_not_end_the_following_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = base(tmp_path / "take")
    file = saved(tmp_path / "stream.yaml", data)
    with Session(file) as session, session.events.subscribe() as told:
        with monkeypatch.context() as patch:
            patch.setattr(Controller, "_file", lambda _: 1 // 0)
            data["tracks"]["more"] = {"from": "tone"}
            saved(file, data)
            assert "ZeroDivisionError" in next_of(told, NewsTold).text
        data["tracks"]["even more"] = {"from": "tone"}
        saved(file, data)
        assert "+ track even more" in next_of(told, ProfileApplied).lines


def test_who_reads_events_is_told_of_every_end(tmp_path: Path):
    refused = Session(profile({**quiet(tmp_path), "outputs": {"files": {"folder": "/dev/null/x"}}}))
    with refused.events.subscribe() as told:
        with pytest.raises(OutputFailed):
            refused.start()
        assert isinstance(list(told)[-1], SessionEnding)
    never = Session(profile(quiet(tmp_path / "take")))
    with never.events.subscribe() as told:
        never.stop()
        assert list(told) == []
    with never.events.subscribe() as late:
        assert list(late) == []


def test_no_value_is_taken_after_the_end(tmp_path: Path):
    with Session(profile(quiet(tmp_path / "take"))) as session:
        controller = controller_of(session)
    with pytest.raises(SessionClosed):
        controller.set("tone.gain_db", -6)
