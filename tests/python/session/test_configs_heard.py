# SPDX-License-Identifier: MIT
"""What every profile in configs/ with filters sounds like, on sounds whose levels are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pypac_obs import Profile, Session
from pypac_obs.obs.provisioning.lint import profile_warnings
from pypac_obs.profile import load_profile

from ..heard import Heard

CONFIGS = Path(__file__).parents[3] / "configs"
RATE = 48_000

Mono = NDArray[np.float64]

PLAYED = """
import numpy as np
from pypac_obs import Source

class Played(Source):
    def __init__(self, file):
        self.samples, self.at = np.load(file), 0

    def read(self, frames):
        part = self.samples[self.at : self.at + frames]
        self.at += len(part)
        return part if len(part) else None
"""


def noise(level_dbfs: float, seconds: float, seed: int = 1) -> Mono:
    """Noise between 100 Hz and 4 kHz, as voices have it; the level is that of a sine as strong."""
    frames = round(seconds * RATE)
    hertz = np.fft.rfftfreq(frames, 1 / RATE)
    phases = np.exp(2j * np.pi * np.random.default_rng(seed).random(len(hertz)))
    mono = np.fft.irfft(phases * ((hertz > 100) & (hertz < 4000)), frames)
    made: Mono = mono * (10 ** (level_dbfs / 20) / np.sqrt(2 * np.mean(mono**2)))
    return made


def tone(hertz: float, level_dbfs: float, seconds: float) -> Mono:
    time = np.arange(round(seconds * RATE)) / RATE
    made: Mono = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hertz * time)
    return made


def silence(seconds: float) -> Mono:
    return np.zeros(round(seconds * RATE))


class Evening:
    """A session of a profile in configs/, offline, with other sources and no outputs."""

    def __init__(self, name: str, folder: Path, sources: dict[str, Mono]) -> None:
        folder.mkdir(exist_ok=True, mode=0o755)
        (folder / "played.py").write_text(PLAYED)
        (folder / "played.py").chmod(0o644)
        data: dict[str, Any] = load_profile(CONFIGS / f"{name}.yaml").model_dump()
        assert set(data["sources"]) == set(sources)
        self.seconds = max(map(len, sources.values())) / RATE
        for source, mono in sources.items():
            file = folder / f"{source}.npy"
            np.save(file, np.column_stack([mono, mono]).astype(np.float32))
            plugin = f"{folder / 'played.py'}:Played"
            data["sources"][source] = {"use": plugin, "settings": {"file": str(file)}}
        del data["outputs"]
        self._heard = Heard()
        self.session = Session(Profile.from_dict(data), offline=True, on_block=self._heard)

    def play(self, then: Callable[[Session], None] = lambda session: None) -> Evening:
        with self.session:
            then(self.session)
            self.session.run_offline(self.seconds)
        assert self.session.errors == ()
        return self

    def __getitem__(self, track: str) -> Mono:
        mono: Mono = self._heard[track][:, 0].astype(float)
        return mono

    def level_db(self, track: str, begin_s: float, end_s: float) -> float:
        return level_db(self[track][round(begin_s * RATE) : round(end_s * RATE)])


def level_db(mono: Mono) -> float:
    return float(10 * np.log10(2 * np.mean(mono**2) + 1e-20))


def lufs(audio: NDArray[np.float32]) -> float:
    """Integrated loudness by ITU-R BS.1770-5, both channels alike in weight."""
    # The coefficients for 48 kHz, as the recommendation prints them.
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    shelf_poles = [1.0, -1.69065929318241, 0.73248077421585]
    high, high_poles = [1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621]
    turn = np.exp(-2j * np.pi * np.arange(len(audio) // 2 + 1) / len(audio))
    at = [np.polyval(one[::-1], turn) for one in (shelf, high, shelf_poles, high_poles)]
    spectrum = np.fft.rfft(audio.astype(float), axis=0)
    weights = at[0] * at[1] / (at[2] * at[3])
    weighted = np.fft.irfft(spectrum * weights[:, None], len(audio), axis=0)
    step = RATE // 10
    squares = (weighted[: len(weighted) // step * step] ** 2).sum(axis=1).reshape(-1, step)
    power = np.convolve(squares.mean(axis=1), np.ones(4) / 4, "valid")
    loud = power[power > 10 ** ((-70 + 0.691) / 10)]
    gate = loud.mean() / 10
    return float(-0.691 + 10 * np.log10(loud[loud > gate].mean()))


def true_peak(audio: Mono) -> float:
    """The largest of eight times as many samples as there are."""
    return float(8 * np.abs(np.fft.irfft(np.fft.rfft(audio), 8 * len(audio))).max())


def of_tone(mono: Mono, hertz: float) -> float:
    """The peak level of a tone in dBFS; what is elsewhere stays out."""
    window = np.kaiser(len(mono), 20)
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(mono)) / RATE)
    return float(20 * np.log10(abs(np.sum(mono * window * wave)) * 2 / window.sum() + 1e-15))


def test_the_loudness_of_a_tone_is_as_the_recommendation_says():
    one_side = np.column_stack([tone(997, 0, 5), silence(5)]).astype(np.float32)
    assert lufs(one_side) == pytest.approx(-3.01, abs=0.02)


def test_every_profile_with_filters_is_heard_here():
    with_filters = {
        path.stem
        for path in CONFIGS.glob("*.yaml")
        if any(track.filters for track in load_profile(path).tracks.values())
    }
    tested = {
        name.removeprefix("test_profile_").replace("_", "-")
        for name in globals()
        if name.startswith("test_profile_")
    }
    assert with_filters == tested


def test_profile_game_ducked_under_voice(tmp_path: Path):
    sources = {
        "microphone": np.concatenate([silence(1), noise(-20, 2), silence(6)]),
        "discord": np.concatenate([silence(5), noise(-24, 2, seed=2), silence(2)]),
        "game": tone(440, -12, 9),
    }
    evening = Evening("game-ducked-under-voice", tmp_path / "loud", sources).play()
    # Nobody speaks; you do; nobody does; a friend does; nobody does.
    played = [evening.level_db("game", *when) for when in ((0.2, 0.9), (4.4, 4.9), (8.4, 8.9))]
    assert played == pytest.approx([-12, -12, -12], abs=0.3)
    ducked = [evening.level_db("game", *when) for when in ((1.5, 2.9), (5.5, 6.9))]
    assert ducked == pytest.approx([-24, -24], abs=0.5)
    assert evening.level_db("microphone", 1.5, 2.9) > -25
    assert level_db(evening["microphone"][: RATE // 2]) < -100

    evening = Evening("game-ducked-under-voice", tmp_path / "muted", sources).play(
        lambda session: session.set("microphone.mute", True)
    )
    assert evening.level_db("game", 1.5, 2.9) == pytest.approx(-12, abs=0.3), "muted, it is silent"
    assert evening.level_db("game", 5.5, 6.9) == pytest.approx(-24, abs=0.5)


def test_profile_discord_cleaned_up(tmp_path: Path):
    hum, fan = tone(50, -30, 66), noise(-64, 66, seed=3)
    soft, loud = noise(-38, 30), noise(-12, 30, seed=2)
    voice = np.concatenate([silence(3), soft, silence(3), loud])
    evening = Evening("discord-cleaned-up", tmp_path / "files", {"discord": voice + hum + fan})
    evening.play()
    assert level_db(evening["raw"] - 0) > -30
    # Softly and loudly spoken, after a while: 26 dB apart when they came in.
    softly, loudly = (evening.level_db("voice", *when) for when in ((25, 32), (58, 65)))
    assert abs(loudly - softly) < 6
    # The hum, beside the voice.
    raw, clean = (evening[name][58 * RATE : 65 * RATE] for name in ("raw", "voice"))
    below_voice_db = [of_tone(one, 50) - level_db(one) for one in (raw, clean)]
    assert below_voice_db[1] < below_voice_db[0] - 18
    # The fan, in the pauses.
    raw_pause, pause = (evening[name][34 * RATE : 36 * RATE] for name in ("raw", "voice"))
    hertz = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    band = (hertz > 500) & (hertz < 3000)
    fans = [np.sum(np.abs(np.fft.rfft(one))[band] ** 2) for one in (raw_pause, pause)]
    assert fans[1] < fans[0] * 10 ** ((softly + 38) / 10), "less louder than the voice became"
    assert np.abs(evening["voice"]).max() <= 10 ** (-3 / 20)


def test_profile_music_not_in_the_vod(tmp_path: Path):
    speaks = np.concatenate([silence(12), noise(-20, 4), silence(4)])
    evening = Evening(
        "music-not-in-the-vod",
        tmp_path / "files",
        {
            "microphone": speaks,
            "game": tone(300, -20, 20),
            "voice": tone(440, -20, 20),
            "music": tone(1000, -14, 20),
        },
    ).play()
    rule = evening.session.profile.tracks
    profile = load_profile(CONFIGS / "music-not-in-the-vod.yaml")
    obs = profile.outputs.obs
    assert obs is not None
    assert obs.vod_track == 6
    assert profile_warnings(profile) == []
    on = {name: set(track.to) for name, track in obs.tracks.items()}
    assert set(on) == set(rule)
    # What OBS sends: the sum of what is on that track.
    sums = {
        number: np.sum([evening[name] for name in on if number in on[name]], axis=0)
        for number in (1, 6)
    }
    quiet = slice(8 * RATE, 12 * RATE)
    assert of_tone(sums[1][quiet], 1000) > -40
    assert of_tone(sums[6][quiet], 1000) < -120
    assert of_tone(sums[6][quiet], 300) == pytest.approx(-20, abs=0.1)
    before, while_speaking = (
        of_tone(evening["music"][begin * RATE : (begin + 2) * RATE], 1000) for begin in (9, 13)
    )
    assert while_speaking - before == pytest.approx(-10, abs=1)


def test_profile_podcast(tmp_path: Path):
    evening = Evening(
        "podcast",
        tmp_path / "files",
        {"microphone": tone(300, -20, 2), "guest": tone(1000, -20, 2)},
    ).play()
    both = evening["both"][RATE // 2 :]
    assert of_tone(both, 300) == pytest.approx(-23, abs=0.05)
    assert of_tone(both, 1000) == pytest.approx(-26, abs=0.05)


def test_profile_podcast_loudness(tmp_path: Path):
    # A host who speaks softly and a guest who is loud, by turns of six seconds.
    turns, host, guest = 5, [], []
    for turn in range(turns):
        host += [noise(-34, 5.5, seed=turn), silence(6.5)]
        guest += [silence(6), noise(-22, 5.5, seed=100 + turn), silence(0.5)]
    sources = {"microphone": np.concatenate(host), "guest": np.concatenate(guest)}
    evening = Evening("podcast-loudness", tmp_path / "files", sources).play()
    mix = evening._heard["podcast"]
    before = np.column_stack([sources["microphone"] + sources["guest"]] * 2)
    assert lufs(before.astype(np.float32)) < -22
    assert lufs(mix) == pytest.approx(-16, abs=1)
    # The host and the guest in their last turns: 12 dB apart when they came in.
    apart = level_db(mix[50 * RATE : 53 * RATE, 0]) - level_db(mix[56 * RATE : 59 * RATE, 0])
    assert abs(apart) < 4
    assert 20 * np.log10(true_peak(mix[30 * RATE : 45 * RATE, 0].astype(float))) <= -1.4
