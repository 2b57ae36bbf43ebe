# SPDX-License-Identifier: MIT
"""The commands for a running session: what each asks it for, prints, and ends with."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake_session import (
    Answer,
    FakeSession,
    Raw,
    Request,
    fake_session,
    refusal,
    use_private_folders,
)
from rich.console import Console

from pypac_obs.cli import commands, status
from pypac_obs.cli.status_view import status_lines
from pypac_obs.control import client as client_module
from pypac_obs.control.token import read_or_make_token
from pypac_obs.session_registry import running_sessions
from pypac_obs.status import (
    BoundProgram,
    Level,
    Loudness,
    OutputStatus,
    SessionStatus,
    SourceStatus,
    TrackStatus,
)


@pytest.fixture(autouse=True)
def _private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_private_folders(tmp_path, monkeypatch)
    monkeypatch.delenv("PYPAC_OBS_TRACEBACK", raising=False)


PRESENT: dict[str, Any] = {
    "voice.gain_db": 0.0,
    "voice.mute": False,
    "voice.filter.duck.key": "game",
    "voice.filter.mix.from": ["game", "music"],
    "voice.filter.gate.mode": "soft",
    "voice.filter.other.key": None,
    "voice.filter.delay.frames": 3,
}


def answer_changes(session: FakeSession) -> None:
    """Has the session accept every value, as one does that runs."""

    def accept(request: Request) -> Answer:
        return 200, {**request.body, "value": request.body.get("value", 3.0), "revision": 2}

    for command in ("set", "adjust", "toggle", "fade"):
        session.answers[f"POST {command}"] = accept
    for address, value in PRESENT.items():
        one = {"address": address, "value": value, "layer": "profile", "revision": 1}
        session.answers[f"GET values/{address}"] = 200, one


@pytest.fixture
def gaming() -> Iterator[FakeSession]:
    with fake_session() as session:
        answer_changes(session)
        yield session


def call(*args: str) -> Result:
    return CliRunner().invoke(commands, args, prog_name="pypac-obs")


# set, toggle, fade --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "text", "value", "printed"),
    [
        ("voice.gain_db", "-6", -6, "-6"),
        ("voice.gain_db", "-.5", -0.5, "-0.5"),
        ("voice.gain_db", "2.5", 2.5, "2.5"),
        ("voice.gain_db", "1e1", 10.0, "10"),
        ("voice.gain_db", "loud", "loud", "loud"),
        ("voice.gain_db", "-6 dB", "-6 dB", "-6 dB"),
        ("voice.gain_db", "-inf", "-inf", "-inf"),
        ("voice.gain_db", "nan", "nan", "nan"),
        ("voice.gain_db", "1e999", "1e999", "1e999"),
        ("voice.gain_db", "+much", "+much", "+much"),
        ("voice.gain_db", "１", "１", "１"),  # noqa: RUF001
        ("voice.filter.delay.frames", "-4", -4, "-4"),
        ("voice.mute", "on", True, "on"),
        ("voice.mute", "TRUE", True, "on"),
        ("voice.mute", "yes", True, "on"),
        ("voice.mute", "off", False, "off"),
        ("voice.mute", "false", False, "off"),
        ("voice.mute", "No", False, "off"),
        ("voice.mute", "1", "1", "1"),
        ("voice.filter.gate.mode", "hard", "hard", "hard"),
        ("voice.filter.gate.mode", "on", "on", "on"),
        ("voice.filter.duck.key", "my music", "my music", "my music"),
        ("voice.filter.duck.key", "", None, "none"),
        ("voice.filter.other.key", "game", "game", "game"),
        ("voice.filter.mix.from", "game", ["game"], "game"),
        ("voice.filter.mix.from", " game, my music ,", ["game", "my music"], "game, my music"),
        ("voice.filter.mix.from", "", [], "none"),
    ],
)
def test_set_reads_a_value_as_its_address_takes_it(
    gaming: FakeSession, address: str, text: str, value: object, printed: str
) -> None:
    result = call("set", address, text)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{address}: {printed}\n"
    [_, (asked, body)] = gaming.asked
    assert (asked, body) == ("POST set", {"address": address, "value": value})
    assert type(body["value"]) is type(value)


@pytest.mark.parametrize(
    ("args", "by"),
    [
        (("+3",), 3),
        (("+.5",), 0.5),
        (("--by", "-3"), -3),
        (("--by=-1.5",), -1.5),
        (("--by", "3", "--session", "gaming"), 3),
    ],
)
def test_set_adds_to_the_present_value(
    gaming: FakeSession, args: tuple[str, ...], by: float
) -> None:
    result = call("set", "voice.gain_db", *args)
    assert (result.exit_code, result.stdout) == (0, "voice.gain_db: 3\n")
    assert gaming.asked == [("POST adjust", {"address": "voice.gain_db", "by": by})]


@pytest.mark.parametrize(
    "args",
    [
        ("set", "voice.gain_db", "-6", "--session", "gaming"),
        ("set", "--session", "gaming", "voice.gain_db", "-6"),
        ("set", "voice.gain_db", "--session", "gaming", "--", "-6"),
    ],
)
def test_a_negative_value_is_no_option_wherever_it_stands(
    gaming: FakeSession, args: tuple[str, ...]
) -> None:
    result = call(*args)
    assert (result.exit_code, result.stdout) == (0, "voice.gain_db: -6\n")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("set",), "Missing argument 'ADDRESS'"),
        (("set", "voice.gain_db"), "give a value, or --by and a number"),
        (("set", "voice.gain_db", "3", "--by", "3"), "give a value, or --by and a number"),
        (("set", "voice.gain_db", "--by", "nan"), "expected a number such as 3 or -1.5"),
        (("set", "voice.gain_db", "--by", "loud"), "expected a number such as 3 or -1.5"),
        (("set", "voice.gain_db", "3", "--sesion", "x"), "No such option"),
        (("set", "voice.gain_db", "3", "4"), "unexpected extra argument"),
        (("fade", "voice.gain_db", "-3"), "Missing option '--over'"),
        (("fade", "voice.gain_db", "-3", "--over", "soon"), "expected a time such as 20"),
        (("fade", "voice.gain_db", "-3", "--over", "-2"), "expected a time such as 20"),
        (("fade", "voice.gain_db", "-3", "--over", "0"), "expected more than no time"),
        (("toggle",), "Missing argument 'ADDRESS'"),
        (("reload", "--plan", "--undo"), "--plan and --undo don't go together"),
        (("mark", ""), "1 to 500 printable characters"),
        (("mark", "x" * 501), "1 to 500 printable characters"),
    ],
)
def test_wrong_usage_asks_for_nothing(
    gaming: FakeSession, args: tuple[str, ...], words: str
) -> None:
    result = call(*args)
    assert result.exit_code == 2
    assert words in result.stderr
    assert gaming.requests == []


@pytest.mark.parametrize(
    ("status_code", "kind", "code"),
    [
        (404, "UnknownAddress", 2),
        (422, "InvalidValue", 2),
        (409, "ChangeRefused", 1),
        (409, "SessionClosed", 1),
    ],
)
def test_what_the_session_refuses_is_said_as_it_says_it(
    gaming: FakeSession, status_code: int, kind: str, code: int
) -> None:
    refused = refusal(status_code, kind, "voice.gain_db must be less", "Did you mean it?")
    gaming.answers["POST set"] = refused
    result = call("set", "voice.gain_db", "100")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == "Error: voice.gain_db must be less.\nDid you mean it?\n"


def test_words_of_the_session_cannot_command_the_terminal(gaming: FakeSession) -> None:
    gaming.answers["POST set"] = refusal(422, "InvalidValue", "no\x1b[2J", "but\x07")
    result = call("set", "voice.gain_db", "1")
    assert "\x1b" not in result.stderr
    assert "\x07" not in result.stderr


def test_toggle(gaming: FakeSession) -> None:
    gaming.answers["POST toggle"] = 200, {"address": "a", "value": True, "revision": 2}
    result = call("toggle", "voice.mute")
    assert (result.exit_code, result.stdout) == (0, "voice.mute: on\n")
    assert gaming.asked == [("POST toggle", {"address": "voice.mute"})]


def test_reset_loudness_of_one_track_or_of_all(gaming: FakeSession) -> None:
    gaming.answers["POST reset_loudness"] = 200, {}
    result = call("reset-loudness", "voice")
    assert (result.exit_code, result.stdout) == (0, "voice: loudness begins anew\n")
    result = call("reset-loudness")
    assert (result.exit_code, result.stdout) == (0, "all tracks: loudness begins anew\n")
    assert gaming.asked == [
        ("POST reset_loudness", {"track": "voice"}),
        ("POST reset_loudness", {"track": None}),
    ]
    gaming.answers["POST reset_loudness"] = refusal(404, "UnknownAddress", "there is no track 'x'")
    result = call("reset-loudness", "x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: there is no track 'x'.")


def test_fade(gaming: FakeSession) -> None:
    result = call("fade", "voice.gain_db", "-30", "--over", "1.5")
    assert result.exit_code == 0
    assert result.stdout == "voice.gain_db: fading from 0 to -30 in 1.5 s\n"
    body = {"address": "voice.gain_db", "value": -30, "seconds": 1.5}
    assert gaming.asked[1:] == [("POST fade", body)]


# get ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "printed"),
    [
        ("voice.gain_db", "0"),
        ("voice.mute", "off"),
        ("voice.filter.mix.from", "game, music"),
        ("voice.filter.other.key", "none"),
        ("voice.filter.gate.mode", "soft"),
    ],
)
def test_get_prints_one_value_alone(gaming: FakeSession, address: str, printed: str) -> None:
    result = call("get", address)
    assert (result.exit_code, result.stdout) == (0, f"{printed}\n")
    told = json.loads(call("get", address, "--json").stdout)
    assert told == {
        "address": address,
        "value": PRESENT[address],
        "layer": "profile",
        "revision": 1,
    }


def test_get_prints_all_values_with_unit_range_and_origin(gaming: FakeSession) -> None:
    fader = {"value": -6.0, "layer": "live", "unit": "dB", "min": -120.0, "max": 40.0}
    values = {
        "voice.gain_db": fader,
        "voice.mute": {"value": True, "layer": "held"},
        "voice.filter.gate.mode": {"value": "soft", "layer": "profile", "unit": ""},
    }
    gaming.answers["GET values"] = 200, {"revision": 1, "values": values}
    result = call("get")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines() if "voice" in line]
    assert rows == [
        ["voice.gain_db", "-6", "dB", "-120", "to", "40", "set", "while", "it", "runs"],
        ["voice.mute", "on", "held", "by", "a", "client"],
        ["voice.filter.gate.mode", "soft", "profile"],
    ]
    assert json.loads(call("get", "--json").stdout) == values


# status -------------------------------------------------------------------------------------------

STATUS = SessionStatus(
    session="gaming",
    sample_rate=48000,
    frames=96000,
    sources=(
        SourceStatus(
            "game",
            "playing",
            "",
            (BoundProgram(42, "game.exe", "Game"),),
            1.5,
            True,
            96000,
            0,
            Level(-3.0, -12.0, -1.0),
        ),
        SourceStatus(
            "mic",
            "not_running",
            "nothing matches",
            (),
            0.0,
            False,
            0,
            0,
            Level(-math.inf, -math.inf, -math.inf),
        ),
    ),
    tracks=(
        TrackStatus(
            "voice",
            96000,
            Level(-3.0, -12.0, -1.0),
            Loudness(-2.5, -0.5, -20.0, -21.5, -math.inf, 3.5, -19.0, -math.inf),
            {"gate": 0.0, "squeeze": 4.25},
        ),
    ),
    outputs=(OutputStatus("files", "the disk is full", 480, "writing"),),
    incidents=2,
    warnings=("the priority is low",),
    news=("OBS was started",),
    news_total=1,
)


def test_a_status_is_the_same_after_json() -> None:
    assert SessionStatus.from_json(json.loads(json.dumps(STATUS.to_json()))) == STATUS


@pytest.mark.parametrize(
    "change",
    [
        {"session": 7},
        {"frames": "1"},
        {"frames": True},
        {"sources": {}},
        {"sources": [7]},
        {"sources": [{"name": "a"}]},
        {"tracks": [{"name": "a", "frames": 1, "level": None}]},
        {"tracks": [{"name": "a", "frames": 1, "level": {"peak": "x", "rms": 0, "max_peak": 0}}]},
        {"tracks": [{"name": "a", "loudness": {"momentary": "loud"}}]},
        {"tracks": [{"name": "a", "reduction_db": [3]}]},
        {"outputs": None},
        {"warnings": [7]},
    ],
)
def test_what_is_no_status_is_refused(change: dict[str, object]) -> None:
    values = json.loads(json.dumps(STATUS.to_json())) | change
    with pytest.raises(ValueError, match=r"expected|missing"):
        SessionStatus.from_json(values)


def test_status_shows_what_run_shows(gaming: FakeSession) -> None:
    gaming.answers["GET status"] = 200, {**STATUS.to_json(), "more_than_we_know": 1}
    result = call("status")
    assert (result.exit_code, result.stderr) == (0, "")
    for words in (
        "gaming  0:02.000",
        "Game (PID 42)",
        "Nothing matches.",
        "+1.5 ppm",
        "-12.0 dB",
        "LUFS",
        "-21.5",
        "Reduced",
        "4.2 dB",
        "The priority is low.",
        "files: Writing.",
        "The disk is full.",
        "The output files has lost 480 frames.",
        "OBS was started.",
        "2 incidents so far.",
    ):
        assert words in result.stdout
    assert json.loads(call("status", "--json").stdout)["more_than_we_know"] == 1


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (200, ["Peak", "RMS", "Highest", "LUFS", "Reduced", "Frames"]),
        (80, ["Peak", "RMS", "LUFS", "Reduced"]),
        (60, ["Peak", "LUFS"]),
    ],
)
def test_the_table_of_tracks_fits_and_keeps_what_counts(width: int, headings: list[str]) -> None:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(status_lines(STATUS, width=width)[2])
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= width
    shown = lines[1].split()
    assert [one for one in shown if one not in ("Track", "-60", "to", "0", "dBFS")] == headings


def test_a_status_that_is_none_is_a_sentence(gaming: FakeSession) -> None:
    gaming.answers["GET status"] = 200, {"session": "gaming"}
    result = call("status")
    assert result.exit_code == 1
    assert "gives a status that this version does not understand" in result.stderr


def ends_after(session: FakeSession, times: int) -> None:
    """Has the session answer that often, and end."""

    def answer(request: Request) -> Answer:
        if len(session.requests) <= times:
            now = {**STATUS.to_json(), "frames": 48000 * len(session.requests)}
            if len(session.requests) > 1:
                now["warnings"] = ["the priority is low", "the second warning"]
            return 200, now
        session.registration.close()
        return refusal(409, "SessionClosed", "the session has ended")

    session.answers["GET status"] = answer


def test_watch_writes_each_change_until_the_session_ends(
    gaming: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_LIVE_S", 0.0)
    ends_after(gaming, 3)
    result = call("status", "--watch")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "0:01.000  game: Playing. Bound to Game (PID 42).",
        "0:01.000  mic: Nothing matches. Its track is silence until it plays.",
        "0:01.000  files: Writing.",
        "0:01.000  The priority is low.",
        "0:01.000  OBS was started.",
        "0:02.000  The second warning.",
        "gaming has ended.",
    ]
    assert gaming.connections == 1


def test_watch_gives_json_lines(gaming: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_JSON_S", 0.0)
    ends_after(gaming, 2)
    result = call("status", "--watch", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    frames = [json.loads(line)["frames"] for line in result.stdout.splitlines()]
    assert frames == [48000, 96000]


def test_watch_draws_a_table_on_a_terminal(
    gaming: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, legacy_windows=False)
    monkeypatch.setattr(status, "make_console", lambda: console)
    monkeypatch.setattr(status, "_LIVE_S", 0.0)
    ends_after(gaming, 2)
    result = call("status", "--watch")
    assert (result.exit_code, result.stdout) == (0, "gaming has ended.\n")
    for words in ("0:01.000", "0:02.000", "Game (PID 42)", "2 incidents so far.", "Ctrl-C ends"):
        assert words in screen.getvalue()


def test_ctrl_c_ends_the_watch_and_not_the_session(
    gaming: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaming.answers["GET status"] = 200, STATUS.to_json()

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pypac_obs.cli.status.time.sleep", interrupted)
    assert call("status", "--watch").exit_code == 0
    assert [session.name for session in running_sessions()] == ["gaming"]


# reload, stop, mark -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "asked"),
    [
        ((), ("POST reload", {"plan": False, "expect_revision": None})),
        (("--plan",), ("POST reload", {"plan": True, "expect_revision": None})),
        (("--undo",), ("POST undo", {})),
    ],
)
def test_reload_prints_each_change(
    gaming: FakeSession, args: tuple[str, ...], asked: tuple[str, Any]
) -> None:
    lines = ["+ track music", "~ voice.gain_db: 0 -> -6"]
    gaming.answers["POST reload"] = gaming.answers["POST undo"] = 200, {"lines": lines}
    result = call("reload", *args)
    assert (result.exit_code, result.stdout.splitlines()) == (0, lines)
    gaming.answers["POST reload"] = gaming.answers["POST undo"] = 200, {"lines": []}
    assert call("reload", *args).stdout == "gaming: nothing to change\n"
    assert gaming.asked == [asked, asked]


def test_mistakes_of_a_profile_are_printed_as_check_prints_them(
    gaming: FakeSession, tmp_path: Path
) -> None:
    profile = tmp_path / "a.yaml"
    profile.write_text("version: 1\nsources: {tone: {synthetic: {kind: ton}}}\ntracks: {}\n")
    checked = call("check", str(profile))
    assert checked.exit_code == 2
    problems = [line for line in checked.stderr.splitlines() if line.startswith(str(profile))]
    assert problems
    gaming.answers["POST reload"] = refusal(422, "ProfileError", "mistakes", "", problems)
    result = call("reload")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == checked.stderr


def test_stop_waits_for_the_end(gaming: FakeSession) -> None:
    ending = threading.Timer(0.1, gaming.registration.close)

    def stop(request: Request) -> Answer:
        ending.start()
        return 200, {}

    gaming.answers["POST stop"] = stop
    result = call("stop")
    ending.join()
    assert (result.exit_code, result.stdout) == (0, "gaming has ended.\n")
    assert gaming.asked == [("POST stop", {})]


def test_a_session_that_does_not_stop_is_told(
    gaming: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypac_obs.cli.stop._ENDS_WITHIN_S", 0.1)
    gaming.answers["POST stop"] = 200, {}
    result = call("stop")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the session gaming has not ended within 0.1 seconds" in result.stderr


def marks(session: FakeSession, frame: int, *, in_file: bool) -> None:
    answer = {"frame": frame, "in_file": in_file, "sample_rate": 48000}
    session.answers["POST mark"] = 200, answer


def test_mark_says_where_it_is_and_whether_a_file_keeps_it(gaming: FakeSession) -> None:
    marks(gaming, 178_725_888, in_file=True)
    result = call("mark", " first\nkill ")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "gaming: marked 1:02:03.456 (frame 178725888)\n"
    marks(gaming, 48, in_file=False)
    assert call("mark", "x").stdout == (
        "gaming: marked 0:00.001 (frame 48), but no files are being written that keep it\n"
    )
    assert gaming.asked[0] == ("POST mark", {"text": "first kill", "host_ns": None})


def test_mark_has_the_moment_of_its_call(gaming: FakeSession) -> None:
    from pypac_obs import _core

    marks(gaming, 1, in_file=True)
    before = _core.host_now_ns()
    command = [sys.executable, "-Im", "pypac_obs.cli", "mark", "now"]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    after = _core.host_now_ns()
    assert told.stdout.startswith("gaming: marked")
    [(_, body)] = gaming.asked
    # A process's start is known to 10 ms; Python takes longer than that to load.
    assert before - 2 * 10**7 <= body["host_ns"] < after


def test_every_session_gets_the_mark_or_the_one_that_is_named() -> None:
    with fake_session("one") as one, fake_session("two") as two:
        marks(one, 1, in_file=True)
        marks(two, 2, in_file=True)
        assert call("mark", "for both").stdout.count("marked") == 2
        assert call("mark", "for two", "--session", "two").stdout.startswith("two: marked")
        result = call("mark", "for none", "--session", "three")
        assert result.exit_code == 1
        assert result.stderr == "Error: no session named three runs.\nThese do: one, two.\n"
        assert [body["text"] for _, body in one.asked] == ["for both"]
        assert [body["text"] for _, body in two.asked] == ["for both", "for two"]


def test_a_session_that_refuses_a_mark_does_not_keep_it_from_the_others() -> None:
    with fake_session("one") as one, fake_session("two") as two, fake_session("x", publish=False):
        one.answers["POST mark"] = refusal(500, "OutputFailed", "it has 10000 marks already")
        marks(two, 2, in_file=True)
        result = call("mark", "for all")
        assert result.exit_code == 1
        assert result.stdout == "two: marked 0:00.000 (frame 2)\n"
        assert result.stderr == "Error: it has 10000 marks already.\n"


# control ------------------------------------------------------------------------------------------


def test_control_prints_the_address_and_the_token(gaming: FakeSession) -> None:
    result = call("control", "url")
    assert (result.exit_code, result.stdout) == (0, f"http://127.0.0.1:{gaming.port}/\n")
    assert gaming.token not in result.output
    assert call("control", "token").stdout == f"{gaming.token}\n"


def test_a_renewed_token_is_another(gaming: FakeSession) -> None:
    gaming.answers["GET status"] = 200, STATUS.to_json()
    renewed = call("control", "token", "--renew").stdout.strip()
    assert renewed != gaming.token
    assert renewed == read_or_make_token() == call("control", "token").stdout.strip()
    result = call("status")
    assert result.exit_code == 1
    assert "the session gaming does not accept the control token" in result.stderr


# Which session ------------------------------------------------------------------------------------

COMMANDS = [
    ("reset-loudness",),
    ("get",),
    ("set", "voice.gain_db", "-6"),
    ("toggle", "voice.mute"),
    ("fade", "voice.gain_db", "-6", "--over", "1"),
    ("status",),
    ("status", "--watch"),
    ("reload",),
    ("stop",),
    ("control", "url"),
]
ALL = [*COMMANDS, ("mark", "x")]
BY_COMMAND = {"ids": " ".join}


@pytest.mark.parametrize("command", ALL, **BY_COMMAND)
def test_without_a_session_each_command_says_so(command: tuple[str, ...]) -> None:
    result = call(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: no session runs.\nStart one: pypac-obs run PROFILE\n"


@pytest.mark.parametrize("command", ALL, **BY_COMMAND)
def test_a_session_without_control_is_told(command: tuple[str, ...]) -> None:
    with fake_session(publish=False) as session:
        result = call(*command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: the session gaming has no control API.\n")
        assert "control: {enabled: false}" in result.stderr
        assert session.connections == 0


@pytest.mark.parametrize("command", COMMANDS, **BY_COMMAND)
def test_with_several_sessions_one_has_to_be_named(command: tuple[str, ...]) -> None:
    with fake_session("one") as one, fake_session("my two") as two:
        result = call(*command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == (
            "Error: 2 sessions run: one, my two.\nName one of them: --session one\n"
        )
        assert one.requests == two.requests == []


def test_the_named_session_is_asked_and_no_other() -> None:
    with fake_session("one") as one, fake_session("two") as two:
        answer_changes(one)
        answer_changes(two)
        assert call("set", "voice.gain_db", "-6", "--session", "two").exit_code == 0
        assert (len(one.requests), len(two.requests)) == (0, 2)
        result = call("set", "voice.gain_db", "-6", "--session", "Two")
        assert result.stderr == "Error: no session named Two runs.\nThese do: one, two.\n"


def test_sessions_of_one_name_are_told_apart_by_their_pid() -> None:
    with fake_session("one") as one, fake_session("one"):
        pid = running_sessions()[0].pid
        result = call("get", "--session", "one")
        assert result.exit_code == 1
        assert result.stderr == (
            f"Error: 2 sessions named one run: one (PID {pid}), one (PID {pid}).\n"
            f"Give the PID of one of them: --session {pid}\n"
        )
        assert one.requests == []


def test_a_session_is_found_by_its_pid(gaming: FakeSession) -> None:
    [session] = running_sessions()
    result = call("get", "voice.gain_db", "--session", str(session.pid))
    assert (result.exit_code, result.stdout) == (0, "0\n")


@pytest.mark.parametrize("command", [*COMMANDS[:-1], ("mark", "x")], **BY_COMMAND)
def test_a_session_that_hangs_is_one_sentence(
    gaming: FakeSession, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(client_module, "_ANSWERS_WITHIN_S", 0.1)
    monkeypatch.setattr(client_module, "_RELOADS_WITHIN_S", 0.1)
    monkeypatch.setattr(status, "_ENDS_WITHIN_S", 0.1)
    for asked in (
        "GET status",
        "GET values",
        "GET values/voice.gain_db",
        "POST toggle",
        "POST reload",
        "POST reset_loudness",
        "POST stop",
        "POST mark",
    ):
        gaming.answers[asked] = Raw(b"", hold=True)
    result = call(*command)
    [session] = running_sessions()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: the session gaming (PID {session.pid}) does not answer.\n"
        "It has just ended, or it hangs.\n"
    )
