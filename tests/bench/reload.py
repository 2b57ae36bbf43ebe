# SPDX-License-Identifier: MIT
"""A session whose profile changes while it runs: what that costs the tracks that stay.

Position players play into tracks that no change is about, which are read as a stream of blocks and
as OBS reads them, from shared memory. Meanwhile sources, tracks and outputs come and go.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from report import Options, Report
from stage import POSITIONS, RATE, Audio, Stage, decode

from pypac_obs import Profile, Session, _core
from pypac_obs.session.blocks import BlockStream
from pypac_obs.session.profile_file import STILL_S

_STAY = 4
_GUESTS = 3
_SETS = 100
_MANY_TRACKS = 32


@dataclass
class Follower:
    """Follows the positions of a track: how many frames are not those that come next."""

    expected: int | None = None
    frames: int = 0
    lost: int = 0
    moves: int = 0
    starts: list[int] = field(default_factory=list)

    def take(self, audio: Audio) -> None:
        positions = decode(audio)
        for at in np.flatnonzero(positions < 0):
            # Position 0 is silence's own.
            self.lost += int((int(positions[at - 1]) + 1) % POSITIONS != 0) if at else 1
        good = np.flatnonzero(positions >= 0)
        if not len(good):
            return
        self.frames += len(audio)
        shifts = (positions[good] - good) % POSITIONS
        self.moves += int(np.count_nonzero(np.diff(shifts)))
        first = int(shifts[0])
        if self.expected is not None and first != self.expected:
            self.moves += 1
        self.expected = int((shifts[-1] + len(audio)) % POSITIONS)


def main(options: Options) -> Report:
    report = Report("reload")
    _measure_reloads(options, report)
    _measure_sets(options, report)
    _measure_compiling(options, report)
    _measure_saves(options, report)
    return report


def _measure_reloads(options: Options, report: Report) -> None:
    applies = round(options.pick(100, 10))
    pause_s = options.pick(3.0, 1.0)
    followers = {name: Follower() for name in ("stream", "shared")}
    with Stage(options, _STAY + _GUESTS) as stage, stage.joined():
        stay, guests = stage.names[:_STAY], stage.names[_STAY:]
        with Session(_profile(stay, [])) as session:
            time.sleep(1.0)
            took_ms = list(_reload(session, stay, guests, followers, applies, pause_s))
        causes = sorted({one.cause for one in session.incidents if one.source in stay})
    for name, follower in followers.items():
        report.add(
            f"{applies} reloads, {name}: frames lost or altered in what did not change",
            "",
            follower.lost,
            target="0",
            met=follower.lost == 0 and follower.frames > 0,
            digits=0,
        )
        report.add(f"{name}: places where frames were moved", "", follower.moves, target="0",
                   met=follower.moves == 0, digits=0)  # fmt: skip
    report.add("a reload takes, median", "ms", statistics.median(took_ms))
    report.add("a reload takes, longest", "ms", max(took_ms))
    report.details["reload_ms"] = took_ms
    report.details["followed_frames"] = {name: one.frames for name, one in followers.items()}
    report.details["incidents of what stays"] = causes


def _profile(stay: list[str], guests: list[str]) -> Profile:
    names = [*stay, *guests]
    return Profile.from_dict(
        {
            "version": 1,
            "sources": {name: {"process": name} for name in names},
            "tracks": {
                **{name: {"from": name} for name in stay},
                **{name: {"from": [name, stay[0]], "gain_db": -6} for name in guests},
            },
        }
    )


def _reload(
    session: Session,
    stay: list[str],
    guests: list[str],
    followers: dict[str, Follower],
    applies: int,
    pause_s: float,
) -> Iterator[float]:
    """Applies one profile after the other, and gives how many ms each took."""
    chance = random.Random(1)
    over = threading.Event()
    assert session._running is not None
    wiring = session._running.wiring
    shared = wiring.add_shared_tracks("bench", "bench", stay)
    stream = session.blocks([stay[1]])
    readers = [
        threading.Thread(target=_follow_stream, args=(stream, followers["stream"], over)),
        threading.Thread(target=_follow_shared, args=(stay[2], followers["shared"], over)),
    ]
    for reader in readers:
        reader.start()
    try:
        for _ in range(applies):
            with session.blocks():  # an output that comes and goes
                some = [name for name in guests if chance.random() < 0.5]
                begin = time.perf_counter()
                session.apply(_profile(stay, some))
                yield (time.perf_counter() - begin) * 1000
                time.sleep(pause_s * chance.uniform(0.5, 1.5))
    finally:
        over.set()
        for reader in readers:
            reader.join()
        stream.close()
        shared.close()


def _follow_stream(stream: BlockStream, follower: Follower, over: threading.Event) -> None:
    for block in stream:
        [audio] = block.audio.values()
        follower.take(audio)
        if over.is_set():
            return


def _follow_shared(track: str, follower: Follower, over: threading.Event) -> None:
    reader = _core.SharedTrackReader("bench", track)
    while not over.is_set():
        reader.poll()
        begin, audio, _ = reader.read(RATE)
        if len(audio):
            follower.starts.append(begin)
            follower.take(audio)
        else:
            time.sleep(0.02)


def _measure_sets(options: Options, report: Report) -> None:
    """How long after the return of `set` a value is heard, on the timeline of the mixer."""
    sets = round(options.pick(_SETS, 10))
    late_ms = []
    profile = Profile.from_dict(
        {
            "version": 1,
            "sources": {"tone": {"synthetic": {"kind": "tone", "level_dbfs": 0}}},
            "tracks": {"tone": {"from": "tone"}},
        }
    )
    with Session(profile) as session:
        assert session._running is not None
        wiring = session._running.wiring
        block = wiring.block_frames
        with session.blocks(frames=480) as stream:
            for index in range(sets):
                wanted = 0.01 if index % 2 == 0 else 1.0
                session.set("tone.gain_db", -40 if index % 2 == 0 else 0)
                returned = session.position
                late_ms.append((_whole_from(stream, returned, wanted) - returned) * 1000 / RATE)
    report.add(
        "a value that is set is there after, longest",
        "ms",
        max(late_ms),
        target=f"<= {block * 1000 / RATE + 10:g}",
        met=max(late_ms) <= block * 1000 / RATE + 10,
    )


def _whole_from(stream: BlockStream, since: int, level: float) -> int:
    """From which frame on a tone has that level, looked at in periods of the tone."""
    period = RATE // 440 + 1
    last_other = since
    for block in stream:
        [audio] = block.audio.values()
        if block.start + block.frames < since:
            continue
        peaks = np.abs(audio[:, 0]).astype(np.float64)
        for at in range(0, len(peaks) - period, 8):
            if abs(peaks[at : at + period].max() / level - 1) > 0.01:
                last_other = max(last_other, block.start + at)
        if block.start - last_other > RATE // 20:
            break
    return last_other


def _measure_compiling(options: Options, report: Report) -> None:
    """Compiling and swapping the plan of many tracks, with a filter each."""
    engine = _core.Engine(sample_rate=RATE, block_frames=480, latency_frames=1920)
    names = [f"track {index}" for index in range(_MANY_TRACKS)]
    sources = [
        (name, _core.SyntheticSource(
            sample_rate=RATE, channels=2, capacity_frames=RATE, kind="tone"))
        for name in names
    ]  # fmt: skip

    def tracks(gain_db: float) -> list[_core.TrackSpec]:
        return [
            _core.TrackSpec(
                name,
                gain_db=gain_db,
                sends=[_core.SendSpec(name)],
                filters=[_core.FilterSpec("gain", "gain", {"gain_db": gain_db})],
            )
            for name in names
        ]

    engine.apply(sources, tracks(0))
    engine.start(_core.host_now_ns())
    took_ms = []
    for index in range(round(options.pick(200, 20))):
        specs = tracks(-float(index % 7))
        some = specs if index % 2 else specs[:-4]
        begin = time.perf_counter()
        engine.apply(sources, some)
        took_ms.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.02)
        engine.collect()
    engine.abort()
    while not engine.wait_finished(1.0):
        pass
    median = statistics.median(took_ms)
    report.add(
        f"compile and swap of {_MANY_TRACKS} tracks with a filter each, median",
        "ms",
        median,
        target="< 5",
        met=median < 5,
        digits=2,
    )
    report.details["compile_ms"] = took_ms


def _measure_saves(options: Options, report: Report) -> None:
    """From a save, once the file is still, until the session has another profile."""
    tones = {f"tone{number}": {"synthetic": {"kind": "tone"}} for number in range(_MANY_TRACKS)}
    took_ms = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stream.yaml"

        def save(number: int) -> None:
            tracks: dict[str, object] = {
                name: {"from": name, "gain_db": -1.0 - number % 5} for name in tones
            }
            if number % 2:
                tracks["extra"] = {"from": "tone0"}
            data = {"version": 1, "sources": tones, "tracks": tracks}
            file.write_text(yaml.safe_dump(data), encoding="utf-8")

        save(0)
        with Session(file) as session, session.events.subscribe(kinds={"profile_applied"}) as told:
            for number in range(1, round(options.pick(30, 6)) + 1):
                save(number)
                begin_s = time.monotonic()
                if told.get(timeout_s=10) is None:
                    raise RuntimeError("the saved profile was not followed")
                took_ms.append((time.monotonic() - begin_s - STILL_S) * 1000)
    what = f"a saved profile of {_MANY_TRACKS} tracks is followed, once still"
    median = statistics.median(took_ms)
    report.add(f"{what}, median", "ms", median, target="< 150", met=median < 150)
    report.add(f"{what}, longest", "ms", max(took_ms))
