# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pypac_obs import _core
from pypac_obs.errors import OutputFailed, PermissionDenied
from pypac_obs.outputs import files as split_files
from pypac_obs.outputs.following import FollowingFiles, Take
from pypac_obs.own_folder import OwnFolder
from pypac_obs.profile import FilesRule, Profile
from pypac_obs.runtime_folder import make_folder, runtime_folder
from pypac_obs.session import Session
from pypac_obs.session_registry import (
    SessionRegistration,
    checked_text,
    running_sessions,
)

if TYPE_CHECKING:
    from tests.conftest import SecondUser

PROFILE: dict[str, Any] = {
    "version": 1,
    "sources": {"tone": {"synthetic": {"kind": "tone"}}},
    "tracks": {"tone": {"from": "tone"}},
}


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    for name in ("XDG_RUNTIME_DIR", "USERPROFILE"):
        monkeypatch.setenv(name, str(runtime))
    return runtime


@pytest.fixture
def gaming() -> Iterator[SessionRegistration]:
    registration = SessionRegistration("gaming", 48000, 1_000_000_000)
    yield registration
    registration.close()


def test_a_session_is_listed_while_it_runs() -> None:
    assert running_sessions() == ()
    registration = SessionRegistration("Game / Voice", 44100, 77)
    [session] = running_sessions()
    assert (session.name, session.pid) == ("Game / Voice", os.getpid())
    assert (session.sample_rate, session.start_host_ns) == (44100, 77)
    assert session.folder.parent == runtime_folder() / "sessions"
    assert session.folder.name == f"Game %2F Voice-{os.getpid()}"
    assert sys.platform == "win32" or session.folder.stat().st_mode & 0o777 == 0o700
    registration.close()
    registration.close()
    assert running_sessions() == ()
    assert not session.folder.exists()


def test_two_sessions_of_one_name_are_two() -> None:
    registrations = [SessionRegistration("gaming", 48000, number) for number in range(3)]
    assert [session.start_host_ns for session in running_sessions()] == [0, 1, 2]
    assert len({session.folder for session in running_sessions()}) == 3
    for registration in registrations:
        registration.close()


def test_a_session_that_died_is_not_listed_and_is_cleared_away() -> None:
    program = (
        "from pypac_obs.session_registry import SessionRegistration\n"
        "import os\nSessionRegistration('dead', 48000, 1)\nos._exit(9)\n"
    )
    subprocess.run([sys.executable, "-Ic", program], check=False)
    [folder] = (runtime_folder() / "sessions").iterdir()
    assert folder.name.startswith("dead-")
    assert running_sessions() == ()
    os.utime(folder, (1, 1))
    SessionRegistration("alive", 48000, 1).close()
    assert not folder.exists()


def foreign_sessions(folder: Path) -> Path:
    """Somebody's folders that look like a runtime folder with a stale session."""
    precious = folder / "sessions" / "precious-1"
    (precious / "photos").mkdir(parents=True, mode=0o700)
    for file in ("session.json", "letter.txt", "photos/1.jpg"):
        (precious / file).write_text("mine")
    for made in (precious, precious.parent, folder):
        made.chmod(0o700)
        os.utime(made, (1, 1))
    return precious


def everything_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.linux("Windows lets administrators make links only")
def test_stale_sessions_are_not_looked_for_behind_a_link(runtime: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    foreign_sessions(victim)
    before = everything_in(victim)
    (runtime / "pypac-obs").symlink_to(victim)
    with pytest.raises(PermissionDenied, match="is a link"):
        SessionRegistration("gaming", 48000, 1)
    assert everything_in(victim) == before
    (runtime / "pypac-obs").unlink()
    (runtime / "pypac-obs").mkdir(mode=0o700)
    (runtime / "pypac-obs" / "sessions").symlink_to(victim / "sessions")
    with pytest.raises(PermissionDenied, match="is a link"):
        SessionRegistration("gaming", 48000, 1)
    assert everything_in(victim) == before


@pytest.mark.linux("Windows keeps each user's profile closed")
def test_a_link_of_another_user_s_leads_to_no_deletion(
    second_user: SecondUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    foreign_sessions(victim)
    before = everything_in(victim)
    second_user.run("ln", "-s", str(victim), str(second_user.shared / "pypac-obs"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(second_user.shared))
    with pytest.raises(PermissionDenied, match=f"belongs to .*UID {second_user.uid}"):
        SessionRegistration("gaming", 48000, 1)
    assert running_sessions() == ()
    assert everything_in(victim) == before


def test_of_a_stale_session_only_its_own_files_are_removed(runtime: Path, tmp_path: Path) -> None:
    sessions = make_folder("sessions")
    precious = foreign_sessions(sessions.parent)
    (sessions / "not a session").mkdir(mode=0o700)
    os.utime(sessions / "not a session", (1, 1))
    if sys.platform != "win32":
        (tmp_path / "letters-1").mkdir()
        (tmp_path / "letters-1" / "session.json").write_text("mine")
        os.utime(tmp_path / "letters-1", (1, 1))
        (sessions / "letters-1").symlink_to(tmp_path / "letters-1")
    SessionRegistration("gaming", 48000, 1).close()
    left = {path.relative_to(precious).as_posix() for path in everything_in(precious)}
    assert left == {"letter.txt", "photos", "photos/1.jpg"}
    assert (sessions / "not a session").is_dir()
    assert sys.platform == "win32" or (tmp_path / "letters-1" / "session.json").exists()


@pytest.mark.linux("descriptors are limited by POSIX's ulimit")
def test_a_session_that_cannot_be_read_for_now_is_not_cleared_away(
    gaming: SessionRegistration, monkeypatch: pytest.MonkeyPatch
) -> None:
    [session] = running_sessions()
    os.utime(session.folder, (1, 1))

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(OwnFolder, "read", refuse)
        SessionRegistration("other", 48000, 2).close()
    assert running_sessions() == (session,)


def test_a_process_that_only_has_the_same_number_is_not_the_session() -> None:
    registration = SessionRegistration("gaming", 48000, 1)
    [session] = running_sessions()
    file = session.folder / "session.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps(values | {"pid_started": values["pid_started"] - 1}))
    assert running_sessions() == ()
    registration.close()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.linux("Windows opens no folders as files")
def test_a_session_file_that_is_a_folder_leaks_no_descriptor() -> None:
    session = make_folder("sessions", "x-1") / "session.json"
    session.mkdir()
    before = open_descriptors()
    for _ in range(50):
        assert running_sessions() == ()
    assert open_descriptors() <= before


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"name": "x", "pid": 1}', "[" * 100_000, "x" * 10**6]
)
def test_what_is_no_session_is_not_listed(content: str) -> None:
    folder = runtime_folder() / "sessions" / "x-1"
    folder.mkdir(parents=True)
    (folder / "session.json").write_text(content)
    assert running_sessions() == ()


@pytest.mark.parametrize("text", ["", " \n ", "a\x1bb", "x" * 501, "\ud800"])
def test_what_is_no_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a mark has a text"):
        checked_text(text)


# The control API's port ---------------------------------------------------------------------------


def test_the_port_of_the_control_api_is_published(gaming: SessionRegistration) -> None:
    assert [session.control_port for session in running_sessions()] == [None]
    gaming.publish_control(14700)
    assert [session.control_port for session in running_sessions()] == [14700]
    [session] = running_sessions()
    assert sys.platform == "win32" or (session.folder / "session.json").stat().st_mode & 0o77 == 0
    gaming.publish_control(None)
    assert [session.control_port for session in running_sessions()] == [None]


def test_a_session_that_is_closed_publishes_nothing(gaming: SessionRegistration) -> None:
    [session] = running_sessions()
    gaming.close()
    gaming.publish_control(14700)
    assert running_sessions() == ()
    assert not session.folder.exists()


@pytest.mark.parametrize("port", [0, -1, 65536, 10**30, True, 14700.0, "14700", [14700], {}])
def test_what_is_no_port_is_none(gaming: SessionRegistration, port: object) -> None:
    [session] = running_sessions()
    file = session.folder / "session.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"control_port": port}))
    assert running_sessions() == (session,)
    assert session.control_port is None


def test_a_session_of_an_older_version_has_no_port(gaming: SessionRegistration) -> None:
    [session] = running_sessions()
    file = session.folder / "session.json"
    values = json.loads(file.read_text())
    del values["control_port"]
    file.write_text(json.dumps(values))
    assert running_sessions() == (session,)


@pytest.mark.linux("Windows opens no folders as files")
def test_a_full_runtime_folder_leaks_no_descriptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = open_descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(OwnFolder, "write", no_room)
        for _ in range(20):
            with pytest.raises(OSError, match="No space left"):
                SessionRegistration("gaming", 48000, 1)
    assert open_descriptors() <= before


# In a session -------------------------------------------------------------------------------------


def test_marks_of_a_session_are_in_its_manifest(tmp_path: Path) -> None:
    files = {"files": {"folder": str(tmp_path / "rec")}}
    session = Session(Profile.from_dict(PROFILE | {"outputs": files}), name="gaming")
    with session:
        before = session.position
        frame = session.mark(" first\nkill ")
        assert frame >= before
        assert session.mark("second") >= frame
    assert running_sessions() == ()
    manifest = json.loads((tmp_path / "rec" / "session.json").read_text())
    assert [entry["text"] for entry in manifest["markers"]] == ["first kill", "second"]
    assert manifest["markers"][0]["frame"] == frame == session.markers[0].frame
    assert [marker.text for marker in session.markers] == ["first kill", "second"]
    # The same, where the mark came before the first frame was due.
    assert manifest["markers"][0]["time"] >= manifest["start"]["wall"]


def test_only_marks_within_a_take_are_in_its_manifest(tmp_path: Path) -> None:
    files = FollowingFiles(FilesRule(folder=str(tmp_path / "rec")), list)
    profile = Profile.from_dict(PROFILE)
    with Session(profile, name="gaming", outputs=[files]) as session:
        between = session.mark("between")
        until(lambda: session.position > between + 4800)
        now_ns = _core.host_now_ns()
        files.begin(Take("take.mkv", "take", None, now_ns, 0.0))
        until(files.keeps_marks)
        session.mark("within")
        files.end(_core.host_now_ns())
        until(lambda: not files.keeps_marks())
        session.mark("after")
    manifest = json.loads((tmp_path / "rec" / "take session.json").read_text())
    assert [entry["text"] for entry in manifest["markers"]] == ["within"]
    assert len(session.markers) == 3


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_files_that_have_failed_do_not_stop_marks(tmp_path: Path) -> None:
    files = {"files": {"folder": str(tmp_path / "rec")}}
    session = Session(Profile.from_dict(PROFILE | {"outputs": files}), name="gaming")
    with session:
        session.mark("kept")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(split_files.FilesOutput, "write", lambda *_: 1 / 0)
            until(lambda: bool(session.errors))
        session.mark("not kept")
    assert [marker.text for marker in session.markers] == ["kept", "not kept"]


def test_a_session_with_all_its_marks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypac_obs.session.marks.MOST_MARKERS", 1)
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        session.mark("first")
        with pytest.raises(OutputFailed, match="it has 1 marks already, and keeps no more"):
            session.mark("second")
    assert [marker.text for marker in session.markers] == ["first"]


def test_an_offline_session_has_no_moments() -> None:
    session = Session(Profile.from_dict(PROFILE), offline=True)
    with session:
        assert running_sessions() == ()


def test_a_session_runs_where_it_cannot_be_made_known(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_RUNTIME_DIR", "USERPROFILE"):
        monkeypatch.setenv(name, str(runtime / "nowhere"))
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        until(lambda: bool(session.status().warnings))
        [warning] = session.status().warnings
        assert "other programs cannot find the session" in warning
        session.mark("still possible")
    assert len(session.markers) == 1
