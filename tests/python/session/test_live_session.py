# SPDX-License-Identifier: MIT
"""A session whose profile changes while it runs, on synthetic sources."""

import errno
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from pypac_obs import Block, Output, Session, _core
from pypac_obs.errors import (
    ChangeRefused,
    InvalidValue,
    OutputFailed,
    SessionClosed,
    UnknownAddress,
)
from pypac_obs.outputs.output import SessionInfo
from pypac_obs.session.wiring import Wiring

from .synthetic import RATE, base, hear, is_numbered, profile, read


def test_a_value_that_is_set_is_heard_at_once_without_a_click(tmp_path: Path):
    with Session(profile(base(tmp_path / "take"))) as session:
        hear(session, 9600)
        session.set("tone.gain_db", -40)
        at = session.position
        assert session.get("tone.gain_db") == -40
        hear(session, 9600)
        session.set("tone.mute", True)
        hear(session, 9600)
    samples = read(tmp_path / "take", "tone")
    # A block of 10 ms and a glide of 10 ms, and the block that is under way.
    after = samples[at + 1920 : at + 4800]
    assert 0.009 < np.abs(after).max() < 0.011
    own_step = 2 * np.pi * 1000 / RATE
    assert np.abs(np.diff(samples)).max() < 1.05 * own_step
    assert not samples[-4800:].any()
    assert is_numbered(read(tmp_path / "take", "one"))
    causes = {one.cause: one for one in session.incidents}
    assert causes["track_muted"].tracks == ("tone",)
    assert set(causes) == {"track_muted"}


def test_sources_and_tracks_come_and_go_and_the_rest_is_whole(tmp_path: Path):
    data = base(tmp_path / "take")
    more = {"synthetic": {"kind": "tone", "frequency_hz": 500}}
    with Session(profile(data)) as session:
        hear(session, 4800)
        for number in range(6):
            name = f"new-{number}"
            added = profile(
                data,
                sources__new=more,
                **{f"tracks__{name}": {"from": ["new", "one"], "gain_db": -3}},
            )
            assert session.apply(added).added_tracks == (name,)
            hear(session, 2400)
            assert session.apply(profile(data)).removed_tracks == (name,)
            hear(session, 960)
        hear(session, 9600)
        status = session.status()
        assert [one.name for one in status.sources] == ["one", "tone"]
        assert [one.name for one in status.tracks] == ["one", "tone"]
    length = len(read(tmp_path / "take", "one"))
    assert is_numbered(read(tmp_path / "take", "one"))
    for number in range(6):
        samples = read(tmp_path / "take", f"new-{number}")
        assert len(samples) == length
        heard = np.flatnonzero(samples)
        # Its place is on the timeline, silence around it; its end is faded out.
        assert 2400 <= heard[-1] - heard[0] <= 9600
    manifest = json.loads((tmp_path / "take" / "session.json").read_text(encoding="utf-8"))
    assert {one["name"]: one["frames"] for one in manifest["tracks"]} == dict.fromkeys(
        ("one", "tone", *(f"new-{number}" for number in range(6))), length
    )
    removed = [one for one in session.incidents if one.cause == "track_removed"]
    assert {one.tracks for one in removed} == {(f"new-{number}",) for number in range(6)}
    assert {one.cause for one in session.incidents} == {"track_removed"}


def test_room_for_filters_moves_no_frame_and_is_told(tmp_path: Path):
    data = {**base(tmp_path / "take"), "session": {"filter_headroom_ms": 25}}
    with Session(profile(data)) as session:
        assert session._running is not None
        wiring = session._running.wiring
        shared = wiring.add_shared_tracks("obs", "roomy", ["one"])
        reader = _core.SharedTrackReader("roomy", "one")
        hear(session, 14_400)
        session.set("tone.mute", True)
        assert reader.poll() == "running"
        assert reader.info().latency_frames == wiring.latency_frames + 1440  # whole blocks
        begin, frames, _ = reader.read(RATE)
        assert is_numbered(frames[:, 0], begin)
        shared.close()
        hear(session, 4800)
    one = read(tmp_path / "take", "one")
    assert is_numbered(one)
    assert len(read(tmp_path / "take", "tone")) == len(one)
    manifest = json.loads((tmp_path / "take" / "session.json").read_text(encoding="utf-8"))
    assert manifest["status"]["filter_delay_frames"] == 1440
    assert manifest["status"]["filter_latency_frames"] == {"one": 0, "tone": 0}
    assert {incident.cause for incident in session.incidents} == {"track_muted"}


def test_a_source_that_captures_something_else_is_faded_over(tmp_path: Path):
    data = base(tmp_path / "take")
    with Session(profile(data)) as session:
        hear(session, 9600)
        other = {"synthetic": {"kind": "tone", "frequency_hz": 250, "level_dbfs": 0}}
        assert session.apply(profile(data, sources__tone=other)).changed_sources == ("tone",)
        at = hear(session, 9600)
    samples = read(tmp_path / "take", "tone")
    spectrum = np.abs(np.fft.rfft(samples[at - 4800 : at] * np.hanning(4800)))
    assert np.argmax(spectrum) * RATE / 4800 == 250
    assert np.abs(np.diff(samples)).max() < 2.1 * np.pi * 1000 / RATE
    assert is_numbered(read(tmp_path / "take", "one"))


def test_what_was_set_outlives_another_profile_that_says_the_same_of_it(tmp_path: Path):
    data = base(tmp_path / "take")
    with Session(profile(data)) as session:
        session.set("tone.gain_db", -12)
        session.apply(profile(data, tracks__more={"from": "one"}))
        assert session.get("tone.gain_db") == -12
        session.apply(profile(data, tracks__tone={"from": "tone", "gain_db": -6}))
        assert session.get("tone.gain_db") == -6


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"session__sample_rate": 44100}, "session.sample_rate takes a restart"),
        ({"tracks__one": {"from": "one", "channels": 1}}, "tracks.one.channels takes a restart"),
        ({"control__port": 14800}, "control.port takes a restart"),
    ],
)
def test_what_takes_a_restart_is_refused_and_changes_nothing(
    tmp_path: Path, change: dict[str, Any], reason: str
):
    data = {**base(tmp_path / "take"), "session": {}, "control": {}}
    with Session(profile(data)) as session:
        before = session.profile
        with pytest.raises(ChangeRefused, match=reason):
            session.apply(profile(data, **change, tracks__more={"from": "one"}))
        assert session.profile == before
        assert [one.name for one in session.status().tracks] == ["one", "tone"]
    assert not (tmp_path / "take" / "more.wav").exists()


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    return manifest


def ledger_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_outputs_come_and_go_and_the_others_lose_no_frame(tmp_path: Path):
    data = base(tmp_path / "take")
    second = {"files": {"folder": str(tmp_path / "second"), "tracks": ["one"]}}
    with Session(profile(data)) as session:
        hear(session, 9600)
        assert session.apply(profile(data, outputs__second=second)).added_outputs == ("second",)
        began = hear(session, 14_400)
        assert [one.name for one in session.status().outputs] == ["files", "second"]
        assert session.apply(profile(data)).removed_outputs == ("second",)
        # It is complete before the session ends.
        ended = len(read(tmp_path / "second", "one"))
        assert manifest_of(tmp_path / "second")["state"] == "complete"
        assert [one.name for one in session.status().outputs] == ["files"]
        hear(session, 4800)
    assert session.errors == ()
    assert session.incidents == ()
    assert is_numbered(read(tmp_path / "take", "one"))
    assert len(read(tmp_path / "take", "one")) == session.position
    samples = read(tmp_path / "second", "one")
    assert began - 4800 < ended == len(samples) < session.position
    [added] = [one for one in ledger_of(tmp_path / "second") if one["cause"] == "output_added"]
    silent = added["frames"]
    assert 9600 <= silent < began
    assert not samples[:silent].any()
    assert is_numbered(samples[silent:], silent)
    assert not (tmp_path / "second" / "tone.wav").exists()


def test_an_output_that_is_changed_is_closed_and_begun_anew(tmp_path: Path):
    data = base(tmp_path / "take")
    data["outputs"]["other"] = {"files": {"folder": str(tmp_path / "other")}}
    new = {"folder": str(tmp_path / "take"), "tracks": ["more", "one"]}
    with Session(profile(data)) as session:
        hear(session, 9600)
        changed = profile(data, outputs__files=new, tracks__more={"from": "one"})
        assert session.apply(changed).changed_outputs == ("files",)
        hear(session, 9600)
    assert session.errors == ()
    old = read(tmp_path / "take", "one")
    assert is_numbered(old)
    assert len(old) < session.position
    # A track that came with it is in the new one, and only what that one names.
    assert not (tmp_path / "take" / "tone (2).wav").exists()
    for name in ("one (2)", "more (2)"):
        samples = read(tmp_path / "take", name)
        assert len(samples) == session.position
        assert is_numbered(samples[-4800:], session.position - 4800)
    first = np.flatnonzero(read(tmp_path / "take", "one (2)"))[0]
    assert 9600 <= first <= len(old)  # without a frame between the two
    assert is_numbered(read(tmp_path / "other", "one"))
    assert len(read(tmp_path / "other", "more")) == session.position


def test_an_output_that_cannot_be_begun_changes_nothing(tmp_path: Path):
    data = base(tmp_path / "take")
    (tmp_path / "blocked").touch()
    good = {"files": {"folder": str(tmp_path / "good")}}
    bad = {"files": {"folder": str(tmp_path / "blocked" / "below")}}
    with Session(profile(data)) as session:
        before = session.profile
        more = {"from": "one"}
        with pytest.raises(OutputFailed, match=r"bad: .*blocked.* is no folder"):
            session.apply(profile(data, outputs__good=good, outputs__bad=bad, tracks__more=more))
        assert session.profile == before
        assert [one.name for one in session.status().outputs] == ["files"]
        assert not (tmp_path / "good").exists()
        hear(session, 4800)
    assert session.errors == ()
    assert is_numbered(read(tmp_path / "take", "one"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["blocked", "take"]


def test_an_output_is_not_begun_where_the_rest_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = base(tmp_path / "take")
    good = {"files": {"folder": str(tmp_path / "good")}}

    def refuse(wiring: Wiring, *_: object) -> None:
        raise ValueError("the filters take too long: raise session.filter_headroom_ms")

    with Session(profile(data)) as session:
        monkeypatch.setattr(Wiring, "apply", refuse)
        with pytest.raises(ChangeRefused, match="the filters take too long"):
            session.apply(profile(data, outputs__good=good))
        assert not (tmp_path / "good").exists()
    assert is_numbered(read(tmp_path / "take", "one"))


class Failing(Output):
    name = "failing"

    def open(self, info: SessionInfo) -> None:
        pass

    def write(self, block: Block) -> None:
        raise OSError("no more")

    def close(self, end: int) -> None:
        pass

    def abort(self) -> None:
        pass


def test_an_output_that_has_failed_keeps_no_change_from_the_others(tmp_path: Path):
    data = base(tmp_path / "take")
    with Session(profile(data), outputs=[Failing()]) as session:
        while not session.errors:
            hear(session, 480)
        hear(session, 4800)
        session.apply(profile(data, tracks__more={"from": "one"}))
        hear(session, 4800)
    assert [str(error) for error in session.errors] == ["failing: OSError: no more"]
    assert {one.cause for one in session.incidents} == {"output_failed"}
    samples = read(tmp_path / "take", "more")
    assert is_numbered(samples[-2400:], session.position - 2400)


def test_wrong_addresses_and_values_and_sessions_are_refused(tmp_path: Path):
    session = Session(profile(base(tmp_path / "take")))
    with pytest.raises(SessionClosed):
        session.set("one.gain_db", 0)
    with session:
        with pytest.raises(UnknownAddress):
            session.set("two.gain_db", 0)
        with pytest.raises(InvalidValue):
            session.set("one.gain_db", 100)
        assert session.get("one.gain_db") == 0
    with pytest.raises(SessionClosed):
        session.apply(profile(base(tmp_path / "take")))


class SlowTape(Output):
    """Keeps the first channel of the track "one", and takes its time."""

    name = "slow"

    def open(self, info: object) -> None:
        self.taken: list[NDArray[np.float32]] = []
        self.starts: list[int] = []
        self.end = 0

    def write(self, block: Block) -> None:
        time.sleep(0.05)
        self.starts.append(block.start)
        self.taken.append(block.audio["one"][:, 0].copy())

    def close(self, end: int) -> None:
        self.end = end

    def abort(self) -> None:
        pass


def test_a_slow_output_misses_nothing_however_fast_profiles_follow(tmp_path: Path):
    data = base(tmp_path / "take")
    tape = SlowTape()
    with Session(profile(data), outputs=[tape]) as session:
        hear(session, 4800)
        for number in range(10):
            data["tracks"][f"more-{number}"] = {"from": "one"}
            session.apply(profile(data))
        hear(session, 960)
    assert is_numbered(np.concatenate(tape.taken))
    assert sum(map(len, tape.taken)) == tape.end
    assert is_numbered(read(tmp_path / "take", "one"))
    assert session.errors == ()


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_the_file_of_a_late_track_is_as_long_as_the_others(tmp_path: Path, kind: str):
    data = base(tmp_path / "take")
    data["outputs"]["files"]["format"] = kind
    with Session(profile(data)) as session:
        hear(session, 24_000)
        session.apply(profile(data, tracks__late={"from": "tone"}))
        came = session.position
        hear(session, 9600)
    lengths = {}
    for track in ("one", "tone", "late"):
        audio, rate = soundfile.read(tmp_path / "take" / f"{track}.{kind}")
        lengths[track] = len(audio)
        assert rate == RATE
    assert len(set(lengths.values())) == 1
    late = audio[:, 0]
    assert not late[: came - 960].any()
    assert np.abs(late[-4800:]).max() > 0.99


def test_where_the_file_of_a_new_track_cannot_be_made_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = base(tmp_path / "take")

    def no_more(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with Session(profile(data)) as session:
        hear(session, 4800)
        before = session.profile
        with monkeypatch.context() as patch:
            patch.setattr("pypac_obs.outputs.files.FileIO", no_more)
            with pytest.raises(OutputFailed, match="too many files are open"):
                session.apply(profile(data, tracks__more={"from": "tone"}))
        assert session.profile == before
        hear(session, 4800)
    assert session.errors == ()
    assert is_numbered(read(tmp_path / "take", "one"))
    names = sorted(one.name for one in (tmp_path / "take").iterdir())
    assert names == ["ledger.jsonl", "one.wav", "session.json", "tone.wav"]
