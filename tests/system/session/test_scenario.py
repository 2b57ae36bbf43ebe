# SPDX-License-Identifier: MIT
"""An evening in some seconds: the game plays, Discord comes late, crashes and comes back."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pypac_obs.sandbox import Player, Sandbox

from ..conftest import (
    PROGRAM,
    RATE,
    excused,
    long_or,
    missed_by,
    own,
    require,
    wait_until,
    wait_until_playing,
)
from .conftest import breaks, ledger, level_db, manifest, read, spans

pytestmark = pytest.mark.pipewire

GAME, DISCORD = own("game"), own("discord")
CONFIG = Path(__file__).resolve().parents[3] / "configs" / "game-and-discord.yaml"
LENGTH_S = round(long_or(10, 20))
# When Discord comes, crashes, and is back.
COMES_S, CRASHES_S, IS_BACK_S = LENGTH_S / 4, LENGTH_S / 2, LENGTH_S * 0.75
FRAMES = LENGTH_S * RATE
NEAR = RATE // 4  # what the clocks of the test and of the programs may be apart


@dataclass
class Evening:
    code: int
    out: str
    folder: Path
    killed: dict[str, Path]  # folders of the runs that were killed half-way, by format
    starts: list[int]  # of Discord's first frames, on the timeline
    kill: int  # of Discord
    killed_ns: int  # when those runs were, by the host's clock
    missed: list[tuple[int, int]]  # what the programs themselves could not play, begin and end

    def by_programs(self, line: dict[str, Any]) -> bool:
        """True for what no capture can have: on a busy machine the programs miss cycles."""
        begin, end = line["begin"], line["begin"] + line["frames"]
        return excused(line["cause"], begin, end, self.missed)

    def ledger(self) -> list[dict[str, Any]]:
        """What is missing. A program that dies on a busy machine stalls before it is seen to."""
        found: list[dict[str, Any]] = []
        for line in ledger(self.folder):
            if self.by_programs(line):
                continue
            last = found[-1] if found else None
            follows = last is not None and (
                (last["source"], last["cause"]) == (line["source"], "stalled")
                and last["begin"] + last["frames"] == line["begin"]
            )
            if last is not None and follows:
                line |= {"begin": last["begin"], "frames": last["frames"] + line["frames"]}
                found.pop()
            found.append(line)
        return found


@pytest.fixture(scope="module")
def evening(
    sandbox: Sandbox, position_player: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Evening]:
    """The profile runs to its end; beside it, two runs that are killed by SIGKILL half-way."""
    runs: list[subprocess.Popen[str]] = []
    players: list[Player] = []

    def run(*args: object) -> subprocess.Popen[str]:
        runs.append(
            subprocess.Popen(
                [*PROGRAM, "run", *map(str, args)],
                env=sandbox.env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return runs[-1]

    def play(name: str, frequency: int) -> Player:
        command = [position_player, "--name", name, "--tone", str(frequency)]
        players.append(sandbox.spawn(command, name=name))
        return players[-1]

    tmp = tmp_path_factory.mktemp("evening")
    killed = {}
    try:
        text = CONFIG.read_text()
        for old, new in (
            ('[cs2.exe, "steam_app_*", "game"]', GAME),
            ("[Discord.exe, Discord, vesktop, discord]", DISCORD),
        ):
            assert old in text
            text = text.replace(old, new)
        config = tmp / CONFIG.name
        config.write_text(text)
        play(GAME, 440)
        wait_until_playing(sandbox, GAME)
        whole = run(config, "--duration", str(LENGTH_S))
        for kind in ("wav", "flac"):
            killed[kind] = tmp / kind
            profile = tmp / f"{kind}.yaml"
            old = '{folder: "~/Recordings/{date} {time}", name: "{track}", format: wav}'
            assert old in text
            profile.write_text(text.replace(old, f"{{folder: '{tmp / kind}', format: {kind}}}"))
            run(profile)
        recordings = sandbox.folder / "home" / "Recordings"
        begun = [recordings.glob, *(folder.glob for folder in killed.values())]
        wait_until(
            lambda: all(
                any(file.stat().st_size for file in glob("**/session.json")) for glob in begun
            )
        )
        [recording] = recordings.iterdir()
        origin_ns, *other_ns = (
            manifest(folder)["start"]["host_ns"] for folder in (recording, *killed.values())
        )

        # The evening has its own times, and nothing to wait for.
        def sleep_until(seconds: float, begin_ns: int = origin_ns) -> None:
            time.sleep(max(0.0, seconds + (begin_ns - time.monotonic_ns()) / 1e9))

        sleep_until(COMES_S)
        first = play(DISCORD, 1000)
        sleep_until(CRASHES_S)
        kill_ns = time.monotonic_ns()
        first.kill()
        sleep_until(CRASHES_S, max(other_ns))
        killed_ns = time.monotonic_ns()
        for killed_run in runs[1:]:
            killed_run.send_signal(signal.SIGKILL)
        sleep_until(IS_BACK_S)
        second = play(DISCORD, 1000)
        out, _ = whole.communicate(timeout=20)

        def frame(host_ns: int) -> int:
            return round((host_ns - origin_ns) * RATE / 1e9)

        starts = [frame(int(player.output().split()[1])) for player in (first, second)]
        assert starts[0] == pytest.approx(COMES_S * RATE, abs=RATE)
        assert starts[1] == pytest.approx(IS_BACK_S * RATE, abs=RATE)
        folder = tmp / "whole"
        shutil.copytree(recording, folder)
        missed = [one for player in players for one in missed_by(player, origin_ns)]
        print("missed by the programs themselves:", missed)
        kill = frame(kill_ns)
        yield Evening(whole.returncode, out, folder, killed, starts, kill, killed_ns, missed)
    finally:
        for process in runs:
            process.kill()
            process.communicate()
        for player in players:
            player.kill()


def test_both_files_have_every_frame_and_the_run_ends_well(evening: Evening) -> None:
    assert evening.code == 0, evening.out
    assert sorted(path.name for path in evening.folder.iterdir()) == [
        "discord.wav",
        "game.wav",
        "ledger.jsonl",
        "session.json",
        "session.log",
    ]
    for name in ("game", "discord"):
        assert len(read(evening.folder / f"{name}.wav")) == FRAMES
    assert manifest(evening.folder)["state"] == "complete"


def test_the_ledger_has_the_two_absences_of_discord_and_nothing_else(evening: Evening) -> None:
    lines = evening.ledger()
    assert [(line["cause"], line["source"], line["tracks"]) for line in lines] == [
        ("not_running", "discord", ["discord"]),
        ("not_running", "discord", ["discord"]),
    ]
    late, restart = lines
    assert late["begin"] == 0
    assert late["frames"] == pytest.approx(evening.starts[0], abs=NEAR)
    assert restart["begin"] == pytest.approx(evening.kill, abs=NEAR)
    assert restart["begin"] + restart["frames"] == pytest.approx(evening.starts[1], abs=NEAR)


def test_discord_is_heard_where_it_played_at_its_level_and_zeros_are_elsewhere(
    evening: Evening,
) -> None:
    track = read(evening.folder / "discord.wav")
    late, restart = evening.ledger()
    played = [
        (late["frames"], restart["begin"]),
        (restart["begin"] + restart["frames"], FRAMES),
    ]
    for side in (0, 1):
        # Between these stretches there is not one frame that is not 0.
        heard = spans(track[:, side])
        assert len(heard) == 2
        for (begin, end), (first, last) in zip(heard, played, strict=True):
            # What is missing is in the ledger, to the frame; a sine may be 0 at its ends.
            assert begin == pytest.approx(first, abs=1)
            assert end == pytest.approx(last, abs=1)
            assert level_db(track[begin:end, side], 1000.0) == pytest.approx(-12, abs=0.01)
            assert level_db(track[begin:end, side], 440.0) < -110
            assert set(breaks(track[begin:end, side], 1000.0) + begin) <= edges(evening, "discord")


def test_the_game_is_heard_throughout_without_a_break(evening: Evening) -> None:
    track = read(evening.folder / "game.wav")
    for side in (0, 1):
        assert set(breaks(track[:, side], 440.0)) <= edges(evening, "game")
        assert level_db(track[:, side], 440.0) == pytest.approx(-12, abs=0.01)
        assert level_db(track[:, side], 1000.0) < -110


def edges(evening: Evening, source: str) -> set[int]:
    """The frames beside what the programs themselves could not play."""
    lines = [line for line in ledger(evening.folder) if line["source"] == source]
    ends = [
        end
        for line in filter(evening.by_programs, lines)
        for end in (line["begin"], line["begin"] + line["frames"])
    ]
    return {end + beside for end in ends for beside in range(-2, 3)}


def frames_by(program: str, path: Path) -> int:
    require(shutil.which(program) is not None, f"{program} is not installed")
    arguments: dict[str, list[Any]] = {
        "soxi": ["soxi", "-s", path],
        "ffprobe": [
            *("ffprobe", "-v", "error", "-show_entries", "stream=duration_ts"),
            *("-of", "csv=p=0", path),
        ],
    }
    done = subprocess.run(arguments[program], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_a_run_that_is_killed_leaves_files_up_to_its_last_second_that_every_player_opens(
    evening: Evening, kind: str
) -> None:
    folder = evening.killed[kind]
    paths = [folder / f"{name}.{kind}" for name in ("game", "discord")]
    for path in paths:
        assert frames_by("soxi", path) == frames_by("ffprobe", path) == len(read(path))
    game, discord = (read(path) for path in paths)
    assert len(game) == len(discord)
    lasted_s = (evening.killed_ns - manifest(folder)["start"]["host_ns"]) / 1e9
    assert lasted_s > CRASHES_S - 0.1
    assert (lasted_s - 1) * RATE <= len(game) <= (lasted_s + 0.5) * RATE
    # PCM of 24 bits is no exact sine; its steps stay below what counts as a break.
    cuts = breaks(game[:, 0], 440.0)
    assert len(cuts) <= 4 * len(evening.missed)
    [(begin, end)] = spans(discord[:, 0])
    assert level_db(discord[begin:end, 0], 1000.0) == pytest.approx(-12, abs=0.01)
    [late] = [line for line in ledger(folder) if line["cause"] == "not_running"]
    assert late["source"] == "discord"
    assert late["frames"] == pytest.approx(begin, abs=1)
