# SPDX-License-Identifier: MIT
"""The commands where no audio system is needed: plans, runs of computed sources, wrong usage."""

import json
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from pypac_obs import __version__
from pypac_obs.cli import COMMANDS, commands
from pypac_obs.cli.demo import PROFILE
from pypac_obs.cli.obs_demo import PROFILE as OBS_PROFILE
from pypac_obs.cli.run import warnings_of
from pypac_obs.profile import FilesRule, load_profile

CONFIGS = Path(__file__).parents[3] / "configs"
GOOD = sorted(CONFIGS.glob("*.yaml"))
BROKEN = sorted((CONFIGS / "broken").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _no_audio_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIPEWIRE_REMOTE", str(tmp_path / "no-such-socket"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/no-such-socket")
    monkeypatch.delenv("PYPAC_OBS_TRACEBACK", raising=False)
    monkeypatch.delenv("PYPAC_NO_SUCH_VARIABLE", raising=False)


def call(*args: object) -> Result:
    return CliRunner().invoke(commands, [str(arg) for arg in args], prog_name="pypac-obs")


def synthetic(folder: Path, text: str = "") -> Path:
    profile = folder / "computed.yaml"
    profile.write_text(
        "version: 1\n"
        "sources:\n"
        "  tone: {synthetic: {kind: tone, frequency_hz: 1000, level_dbfs: -20}}\n"
        "  noise: {synthetic: {kind: noise, level_dbfs: -30}}\n"
        "tracks:\n"
        "  tone: {from: tone}\n"
        "  mix: {from: [{source: tone, gain_db: -3}, noise], channels: 1, filters: "
        "[gain: {gain_db: -2}]}\n"
        f"outputs:\n  files: {{folder: '{folder}/out'}}\n{text}",
        encoding="utf-8",
    )
    return profile


def test_the_version_is_the_packages():
    result = call("--version")
    assert (result.exit_code, result.stdout) == (0, f"pypac-obs {__version__}\n")


def test_help_lists_every_command_and_the_exit_codes():
    result = call("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", result.stdout, re.MULTILINE)
    for line in (
        "0  done",
        "1  failed while running",
        "2  wrong profile or usage",
        "3  the audio system is missing or refused",
    ):
        assert line in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_help_of_its_own(name: str):
    result = call(name, "--help")
    assert result.exit_code == 0
    assert f"Usage: pypac-obs {name}" in result.stdout


def test_schema_prints_a_json_schema():
    result = call("schema")
    assert result.exit_code == 0
    Draft202012Validator.check_schema(json.loads(result.stdout))


# Wrong usage and wrong profiles ------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("run",),
        ("run", "--nonsense"),
        ("record",),
        ("record", "game", "--format", "mp3"),
        ("record", "game", "--out", "{rec}"),
        ("record", "a\nb"),
        ("demo", "--duration", "1"),
        ("obs", "demo", "--duration", "2"),
        *(
            ("record", "game", "--duration", text)
            for text in ("0", "-1", "", "1x", "nan", "1m1h", "9999h")
        ),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_a_sentence(args: tuple[str, ...]):
    result = call(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_profile_ends_with_2_and_the_place_of_the_mistake(command: str, path: Path):
    result = call(command, path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.match(re.escape(str(path)) + r":\d+:\d+: ", result.stderr)
    assert "expected" in result.stderr


def test_a_pattern_of_programs_is_not_one_of_files(tmp_path: Path):
    (tmp_path / "Spotify Setup.exe").touch()
    program = "from pypac_obs.cli import main; main()"
    command = [sys.executable, "-c", program, "schema", "Spotify*", "~"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Spotify* ~" in done.stderr


def test_a_missing_profile_ends_with_2(tmp_path: Path):
    result = call("run", tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "found no file of this name" in result.stderr


def test_an_unexpected_error_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pypac_obs.cli.schema.print_json", lambda *_, **__: {}["no\nkey"])
    result = call("schema")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "This is a bug; run with PYPAC_OBS_TRACEBACK=1" in result.stderr


def test_an_unexpected_error_shows_its_place_when_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYPAC_OBS_TRACEBACK", "1")
    monkeypatch.setattr("pypac_obs.cli.schema.print_json", lambda *_, **__: {}["key"])
    assert isinstance(call("schema").exception, KeyError)


# Without an audio system -------------------------------------------------------------------------


@pytest.mark.linux("it is PipeWire that is missing here")
@pytest.mark.parametrize("args", [("ps",), ("ps", "--watch"), ("record", "game")], ids=" ".join)
def test_a_missing_audio_system_ends_with_3_and_the_remedy(
    args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    result = call(*args)
    assert result.exit_code == 3
    assert re.fullmatch(r"Error: PipeWire is not running .*\.\n.*systemctl.*\n", result.stderr)
    assert not (tmp_path / "Recordings").exists()


@pytest.mark.linux("it is PipeWire that is missing here")
def test_doctor_ends_with_3_and_says_what_to_start():
    result = call("doctor")
    assert result.exit_code == 3
    assert "Recording cannot work yet." in result.stdout
    assert re.search(r"^PipeWire daemon: \S", result.stdout, re.MULTILINE)


def test_doctor_tells_each_part_in_json():
    result = call("doctor", "--json")
    report = json.loads(result.stdout)
    states = {finding["part"]: finding["state"] for finding in report["findings"]}
    if sys.platform == "win32":  # nothing takes its audio service away here
        assert states["Windows"] in ("good", "note")
    else:
        assert states["PipeWire daemon"] == "bad"
    works = "bad" not in states.values()
    assert (report["works"], result.exit_code) == (works, 0 if works else 3)
    assert states["libsndfile"] == "good"
    assert all(finding["remedy"] for finding in report["findings"] if finding["state"] == "bad")
    assert report["versions"]["pypac-obs"] == __version__


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_check_plans_every_profile_in_configs(path: Path):
    result = call("check", path, "--json")
    profile, plan = load_profile(path), json.loads(result.stdout)
    assert result.exit_code == 0
    assert [source["name"] for source in plan["sources"]] == list(profile.sources)
    assert [track["name"] for track in plan["tracks"]] == list(profile.tracks)
    assert set(plan["outputs"]) == set(profile.outputs.by_name())
    for name, rule in profile.outputs.by_name().items():
        said = plan["outputs"][name]
        if isinstance(rule, FilesRule):
            assert said["kind"] == "files"
            assert list(said["paths"]) == list(rule.tracks or profile.tracks)
        else:
            assert said["kind"] == "obs"
            assert said["scene"] == list(rule.scene)
            assert list(said["tracks"]) == list(rule.tracks)
    present = path.stem in ("synthetic", "two-folders") or sys.platform == "win32"
    assert plan["audio_system"]["present"] is present
    if not present:
        assert "PipeWire is not running" in plan["audio_system"]["reason"]


def test_check_shows_sends_filters_paths_and_warnings(tmp_path: Path):
    profile = synthetic(tmp_path)
    text = profile.read_text(encoding="utf-8")
    profile.write_text(text.replace("  noise:", "  spare: {synthetic: {kind: tone}}\n  noise:"))
    result = call("check", profile)
    assert result.exit_code == 0
    assert "tone -3 dB, noise" in result.stdout
    assert "gain (gain_db -2)" in result.stdout
    assert f"Files (wav, float32) in {tmp_path / 'out'}" in result.stdout
    assert 'Warning: The source "spare" goes into no track' in result.stdout


def test_check_says_how_late_filters_make_each_track_and_all_of_them(tmp_path: Path):
    profile = synthetic(tmp_path)
    assert "Filters take" in call("check", profile).stdout
    text = profile.read_text(encoding="utf-8")
    limiter = "{limiter: {look_ahead_ms: 5, true_peak: false}}"
    profile.write_text(
        text.replace("{from: tone}", f"{{from: tone, filters: [{limiter}], compare: []}}").replace(
            "version: 1", "version: 1\nsession: {filter_headroom_ms: 12}"
        )
    )
    result = call("check", profile)
    assert result.exit_code == 0
    assert "a: limiter (look_ahead_ms 5, true_peak false); b: none; a is heard" in result.stdout
    assert "5 ms (240 frames)" in result.stdout
    assert "All tracks are 20 ms late for their filters" in result.stdout
    told = json.loads(call("check", profile, "--json").stdout)
    assert [one["filter_latency_frames"] for one in told["tracks"]] == [240, 0]
    assert [one["filter_latency_ms"] for one in told["tracks"]] == [5, 0]
    assert (told["filter_delay_frames"], told["filter_delay_complete"]) == (960, True)


def test_check_says_long_latencies_in_whole_milliseconds(tmp_path: Path):
    profile = synthetic(tmp_path)
    text = profile.read_text(encoding="utf-8")
    early = ", ".join(f"{{delay: {{delay_ms: {ms}}}}}" for ms in (-450, -450, -334))
    profile.write_text(text.replace("{from: tone}", f"{{from: tone, filters: [{early}]}}"))
    assert "1234 ms (59232 frames)" in " ".join(call("check", profile).stdout.split())


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ("{}", "Control of the running session on 127.0.0.1, port 14700 or the next\n"),
        ("{port: 15000, remember: true}", "port 15000 or the next; values that are set then are"),
        ("{enabled: false}", "Control of the running session is switched off"),
    ],
)
def test_check_says_how_the_session_can_be_controlled(tmp_path: Path, control: str, said: str):
    profile = synthetic(tmp_path)
    with profile.open("a", encoding="utf-8") as file:
        file.write(f"\ncontrol: {control}\n")
    assert said in call("check", profile).stdout
    told = json.loads(call("check", profile, "--json").stdout)["control"]
    assert told == load_profile(profile).control.model_dump()


def test_check_names_the_password_and_who_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OBS_HOST", "OBS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_never_shown")
    path = tmp_path / "found.yaml"
    text = (
        "version: 1\nsources: {game: {synthetic: {kind: tone}}}\n"
        "tracks: {game: {from: game}}\noutputs:\n  obs:\n    tracks: {game: 2}\n"
        "    host: HOST\n    password: {env: GITHUB_TOKEN}\n"
    )
    said = {}
    for host in ("localhost", "evil.example"):
        path.write_text(text.replace("HOST", host))
        result = call("check", path)
        said[host] = result.output
        assert (result.exit_code, "ghp_never_shown" in result.output) == (0, False)
    assert (
        "OBS on localhost gets proof of the password from the environment (GITHUB_TOKEN)"
        in said["localhost"]
    )
    assert "encrypted" not in said["localhost"]
    assert "OBS on evil.example gets no password" in said["evil.example"]
    assert "nothing on the way there is encrypted" in said["evil.example"]
    assert "does not get the password from the environment (GITHUB_TOKEN)" in said["evil.example"]
    server = json.loads(call("check", path, "--json").stdout)["outputs"]["obs"]["server"]
    assert server == {
        "host": "evil.example",
        "password_from": "the environment (GITHUB_TOKEN)",
        "password_given": False,
    }


def test_check_warns_of_desktop_audio_as_it_sees_no_obs_and_run_does_not(tmp_path: Path):
    profile = tmp_path / "gaming.yaml"
    profile.write_text(
        "version: 1\nsession: {latency_ms: 10}\nsources: {game: {process: game}}\n"
        "tracks: {game: {from: game}}\noutputs:\n  obs:\n    tracks: {game: 2}\n"
    )
    assert "\nWarning: The profile leaves OBS's own" in call("check", profile).stdout
    assert warnings_of(load_profile(profile)) == []
    with profile.open("a") as file:
        file.write("    desktop_audio: keep\n")
    assert "Warning:" not in call("check", profile).stdout


@pytest.mark.parametrize(
    ("kind", "folder", "said"),
    [
        ("exfat", "12:30/a?", '(exfat) can\'t hold ":" and "?" in a name'),
        ("ext4", "12:30/a?", ""),
        ("exfat", "plain", ""),
    ],
)
@pytest.mark.linux("Windows refuses such names in any folder")
def test_check_says_which_character_the_drive_cannot_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, folder: str, said: str
):
    drive = types.SimpleNamespace(mountpoint=str(tmp_path), fstype=kind)
    root = types.SimpleNamespace(mountpoint="/", fstype="ext4")
    monkeypatch.setattr("psutil.disk_partitions", lambda **_: [drive, root])
    path = tmp_path / "p.yaml"
    path.write_text(
        "version: 1\nsources: {t: {synthetic: {kind: tone}}}\ntracks: {t: {from: t}}\n"
        f"outputs: {{files: {{folder: '{tmp_path}/{folder}'}}}}\n"
    )
    warnings = json.loads(call("check", path, "--json").stdout)["warnings"]
    assert [said in warning for warning in warnings if "The drive of" in warning] == [True] * bool(
        said
    )


def test_check_warns_of_a_profile_without_outputs(tmp_path: Path):
    profile = tmp_path / "nowhere.yaml"
    profile.write_text(
        "version: 1\nsources:\n  a: {synthetic: {kind: tone}}\ntracks:\n  a: {from: a}\n"
    )
    result = call("check", profile)
    assert result.exit_code == 0
    assert "Warning: The profile has no output, so nothing is written." in result.stdout


# Runs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "frames"), [("1", 48_000), ("0.75s", 36_000)])
def test_a_run_is_exactly_as_long_as_told(tmp_path: Path, text: str, frames: int):
    result = call("run", synthetic(tmp_path), "--duration", text)
    assert result.exit_code == 0, result.stderr
    for track, channels in (("tone", 2), ("mix", 1)):
        info = soundfile.info(tmp_path / "out" / f"{track}.wav")
        assert (info.frames, info.channels) == (frames, channels)
    assert f"{frames} frames a track" in result.stdout
    assert re.search(
        rf"^ tone +-20\.0 dB +-20\.0 +0:0\d\.\d+ +{frames} ", result.stdout, re.MULTILINE
    )
    assert f"Files in {tmp_path / 'out'}" in result.stdout
    assert "No incidents: nothing is missing." in result.stdout


def test_a_run_keeps_a_log_beside_its_files(tmp_path: Path):
    result = call("run", synthetic(tmp_path), "--duration", "0.6", "--log-level", "debug")
    assert result.exit_code == 0, result.stderr
    lines = (tmp_path / "out" / "session.log").read_text(encoding="utf-8").splitlines()
    assert re.search(r" INFO +MainThread: computed starts, by the profile .*pypac-obs \d", lines[0])
    assert any("source tone is playing" in line for line in lines)
    assert lines[-1].endswith("computed has ended")
    assert str(tmp_path) not in lines[0]


def test_a_run_without_files_keeps_its_log_in_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for variable in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    profile = tmp_path / "unheard.yaml"
    profile.write_text(
        "version: 1\nsources:\n  a: {synthetic: {kind: tone}}\ntracks:\n  a: {from: a}\n"
    )
    (tmp_path / "pypac-obs" / "logs").mkdir(parents=True)
    for number in range(12):
        (tmp_path / "pypac-obs" / "logs" / f"2020-01-{number + 1:02} 120000 old.log").touch()
    assert call("run", profile, "--duration", "0.3").exit_code == 0
    logs = sorted((tmp_path / "pypac-obs" / "logs").iterdir())
    assert len(logs) == 10  # the newest
    assert logs[-1].name.endswith(" unheard.log")
    assert "unheard has ended" in logs[-1].read_text(encoding="utf-8")


def test_a_run_in_a_pipe_writes_lines_and_no_control_characters(tmp_path: Path):
    result = call("run", synthetic(tmp_path), "--duration", "0.6")
    assert "\x1b" not in result.stdout
    assert result.stdout.startswith("Started computed: tone and mix into")
    # On a busy machine the first look at the session comes late.
    assert re.search(r"^0:00\.\d{3}  tone: Playing\.$", result.stdout, re.MULTILINE)


def test_a_run_in_json_writes_a_status_a_second_and_a_summary(tmp_path: Path):
    result = call("run", synthetic(tmp_path), "--duration", "1.5", "--json")
    assert result.exit_code == 0
    *lines, last = map(json.loads, result.stdout.splitlines())
    assert 1 <= len(lines) <= 2
    assert [source["name"] for source in lines[-1]["sources"]] == ["tone", "noise"]
    assert 0 <= lines[-1]["seconds"] <= 1.5
    summary = last["summary"]
    assert summary["frames"] == 72_000
    tone = summary["tracks"]["tone"]
    assert (tone["max_peak"], tone["range_lu"]) == (-20.0, 0.0)
    assert tone["max_true_peak_dbtp"] == pytest.approx(-20, abs=0.1)
    assert tone["integrated_lufs"] == pytest.approx(-20, abs=0.1)
    assert [(Path(file["path"]).name, file["frames"]) for file in summary["files"]] == [
        ("tone.wav", 72_000),
        ("mix.wav", 72_000),
    ]
    assert (summary["incidents"], summary["failures"]) == ([], [])


def test_a_run_calls_outputs_by_their_names(tmp_path: Path):
    profile = tmp_path / "named.yaml"
    full = tmp_path / "full"
    full.touch()
    profile.write_text(
        "version: 1\nsources:\n  a: {synthetic: {kind: tone}}\ntracks:\n  a: {from: a}\n"
        "  b: {from: a}\noutputs:\n"
        f"  archive: {{files: {{folder: '{tmp_path / 'one'}'}}}}\n"
        f"  talk: {{files: {{folder: '{tmp_path / 'two'}', tracks: b, format: flac}}}}\n"
    )
    shown = call("run", profile, "--duration", "0.3").stdout
    assert re.search(r"^ b .* b\.wav, b\.flac", shown, re.MULTILINE)
    assert f"Files of archive in {tmp_path / 'one'}\n" in shown
    assert f"Files of talk in {tmp_path / 'two'}\n" in shown
    again = call("run", profile, "--duration", "0.3", "--json").stdout.splitlines()
    files = json.loads(again[-1])["summary"]["files"]
    assert [(file["output"], Path(file["path"]).name) for file in files] == [
        ("archive", "a (2).wav"),
        ("archive", "b (2).wav"),
        ("talk", "b (2).flac"),
    ]
    profile.write_text(profile.read_text().replace(str(tmp_path / "two"), str(full / "below")))
    refused = call("run", profile, "--duration", "0.3")
    assert refused.exit_code == 1
    assert refused.stderr.count(f"talk: {full / 'below'} is no folder") == 1


def test_drop_outs_are_told_in_sentences(tmp_path: Path):
    [first, second] = incident_lines(tmp_path, count=2)
    assert re.search(r"noise from 0:00\.1\d\d to 0:00\.1\d\d\.$", first)
    assert re.search(r"noise from 0:00\.2\d\d to 0:00\.2\d\d\.$", second)


def test_many_drop_outs_are_told_in_one_sentence(tmp_path: Path):
    [line] = incident_lines(tmp_path, count=6)
    assert re.search(r"noise from 0:00\.1\d\d to 0:00\.1\d\d; ", line)
    assert re.search(r"; so 5 more times until 0:00\.6\d\d, \d+ frames in all\.$", line)


def incident_lines(folder: Path, count: int) -> list[str]:
    """Runs a source with holes of 20 ms every 100 ms; gives what the summary says of them."""
    profile = synthetic(folder)
    holes = ", ".join(f"{{at_s: 0.{1 + hole}, length_ms: 20}}" for hole in range(count))
    text = profile.read_text(encoding="utf-8")
    text = text.replace("kind: noise", f"kind: noise, dropouts: [{holes}]")
    profile.write_text(text, encoding="utf-8")
    result = call("run", profile, "--duration", "1")
    assert result.exit_code == 0
    _, incidents = result.stdout.split("Incidents:\n")
    return [line.strip() for line in incidents.splitlines()]


def test_a_profile_without_outputs_runs_with_a_warning(tmp_path: Path):
    profile = tmp_path / "nowhere.yaml"
    profile.write_text(
        "version: 1\nsources:\n  a: {synthetic: {kind: tone}}\ntracks:\n  a: {from: a}\n"
    )
    result = call("run", profile, "--duration", "0.5")
    assert result.exit_code == 0
    assert result.stderr == "Warning: The profile has no output, so nothing is written.\n"


def test_a_folder_that_is_opened_at_each_login_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    started = tmp_path / "config" / "autostart"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(started.parent))
    if sys.platform == "win32":
        started = tmp_path / "Start Menu" / "Programs" / "Startup"
    profile = synthetic(tmp_path)
    profile.write_text(profile.read_text().replace(f"'{tmp_path}/out'", f"'{started}'"))
    warning = f"Warning: What lies in {started} is opened at each login"
    assert warning in call("check", profile).stdout.replace("\n", " ")
    assert call("run", profile, "--duration", "0.1").stderr.startswith(warning)


@pytest.mark.parametrize("folder", [r"\\server\share", "//server/share", "NUL/rec", "a\u202eb"])
def test_a_folder_that_is_none_is_refused_by_every_command(folder: str, tmp_path: Path):
    profile = synthetic(tmp_path)
    text = profile.read_text().replace(f"'{tmp_path}/out'", f"'{folder}'")
    profile.write_text(text, encoding="utf-8")
    for command in ("check", "run"):
        result = call(command, profile)
        assert result.exit_code == 2
        assert "outputs.files.folder: expected" in result.stderr
    result = call("record", "game", "--out", folder)
    assert result.exit_code == 2
    assert "expected a" in result.stderr


def test_an_output_that_cannot_be_opened_ends_with_1(tmp_path: Path):
    profile = synthetic(tmp_path)
    (tmp_path / "out").write_text("a file where the folder should be")
    result = call("run", profile, "--duration", "0.5")
    assert result.exit_code == 1
    assert re.match(r"Error: files: .* is no folder\.\n", result.stderr)


# The demo's own profile --------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "text"), [("demo", PROFILE), ("obs-demo", OBS_PROFILE)])
def test_the_packaged_demo_is_the_one_in_configs(name, text):
    assert (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8") == text
