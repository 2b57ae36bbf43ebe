# SPDX-License-Identifier: MIT
from __future__ import annotations

import doctest
import errno
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import numpy as np
import pytest
from fake_reader import FakeReader, numbered_tracks, session_info
from numpy.typing import NDArray

from pypac_obs.errors import OutputFailed
from pypac_obs.incidents import Incident, describe
from pypac_obs.outputs.driver import OutputThread
from pypac_obs.outputs.failures import output_failure
from pypac_obs.outputs.output import Block, Output, SessionInfo

TRACKS = {"game": 2, "voice": 1}
# As this system writes them.
ROOT, REC = Path("/"), Path("/rec")


class Recorder(Output):
    """Keeps copies of what it gets, and the names and the threads of the calls."""

    def __init__(self, name: str = "recorder") -> None:
        self.name = name
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.blocks: list[tuple[int, dict[str, NDArray[np.float32]]]] = []
        self.incidents: list[Incident] = []
        self.end: int | None = None
        self.info: SessionInfo | None = None

    def called(self, name: str) -> None:
        self.calls.append(name)
        self.threads.add(threading.get_ident())

    def open(self, info: SessionInfo) -> None:
        self.called("open")
        self.info = info

    def write(self, block: Block) -> None:
        self.called("write")
        assert all(len(audio) == block.frames for audio in block.audio.values())
        self.blocks.append((block.start, {k: v.copy() for k, v in block.audio.items()}))

    def close(self, end: int) -> None:
        self.called("close")
        self.end = end

    def abort(self) -> None:
        self.called("abort")

    def on_incident(self, incident: Incident) -> None:
        self.called("on_incident")
        self.incidents.append(incident)

    def on_status(self, status: Mapping[str, object]) -> None:
        self.called("on_status")


@pytest.fixture(autouse=True)
def _leaves_no_thread_behind() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def run(output: Output, seconds: float = 1.0, **options: object) -> tuple[FakeReader, OutputThread]:
    """Sends a numbered session through the output; returns when both have ended."""
    reader = FakeReader(TRACKS)
    thread = OutputThread(output, reader, session_info(TRACKS), **options)  # type: ignore[arg-type]
    thread.start()
    for at in range(0, round(seconds * 48000), 480):
        reader.push_when_free(numbered_tracks(at, at + 480, TRACKS))
    assert thread.stop(reader.end())
    return reader, thread


class Recovering(Recorder):
    """Fails at some of its calls of one kind, and recovers each time."""

    def __init__(self, kind: str, at: tuple[int, ...]) -> None:
        super().__init__("recovering")
        self.kind, self.at = kind, at

    def called(self, name: str) -> None:
        super().called(name)
        if name == self.kind and self.calls.count(name) in self.at:
            raise OSError(errno.ENOSPC, "No space left on device", "/rec/voice.wav")

    def recover(self) -> bool:
        self.called("recover")
        return True


def test_the_example_in_the_docstring_runs() -> None:
    names = {"np": np, "Output": Output}
    (example,) = doctest.DocTestFinder(recurse=False).find(Output, "Output", globs=names)
    assert doctest.DocTestRunner().run(example, clear_globs=False).failed == 0
    loudest = example.globs["Loudest"]()
    run(loudest)
    assert loudest.peak > 0.9


def test_every_frame_arrives_once_in_order_in_blocks_of_the_asked_length() -> None:
    recorder = Recorder()
    reader, thread = run(recorder, 2.0, block_s=0.1)
    for index, (name, channels) in enumerate(TRACKS.items()):
        heard = np.concatenate([audio[name] for _, audio in recorder.blocks])
        expected = numbered_tracks(0, 96000, TRACKS)[index]
        assert heard.shape == (96000, channels)
        assert np.array_equal(heard, expected)
    lengths = [len(audio["game"]) for _, audio in recorder.blocks]
    assert max(lengths) == 4800
    assert lengths.count(4800) >= 15
    assert (recorder.calls[0], recorder.calls[-1], recorder.end) == ("open", "close", 96000)
    assert (thread.error, thread.position, reader.closed) == (None, 96000, True)


def test_all_calls_come_from_the_outputs_own_thread() -> None:
    recorder = Recorder()
    run(recorder, status=dict)
    assert len(recorder.threads) == 1
    assert threading.get_ident() not in recorder.threads


def test_the_output_is_told_the_tracks_of_its_reader() -> None:
    recorder = Recorder()
    reader = FakeReader({"voice": 1})
    thread = OutputThread(recorder, reader, session_info(TRACKS))
    thread.start()
    assert thread.stop(reader.end())
    assert recorder.info is not None
    assert [(t.name, t.channels) for t in recorder.info.tracks] == [("voice", 1)]


def test_a_loss_of_the_reader_shows_as_a_jump_of_the_start() -> None:
    recorder = Recorder()
    reader = FakeReader(TRACKS)
    thread = OutputThread(recorder, reader, session_info(TRACKS))
    thread.start()
    reader.push(numbered_tracks(0, 1000, TRACKS))
    reader.lose(500)
    reader.push(numbered_tracks(1500, 2000, TRACKS))
    assert thread.stop(reader.end())
    assert [(start, len(audio["game"])) for start, audio in recorder.blocks] == [
        (0, 1000),
        (1500, 500),
    ]
    assert np.array_equal(recorder.blocks[1][1]["game"], numbered_tracks(1500, 2000, TRACKS)[0])
    assert (recorder.end, thread.lost_frames) == (2000, 500)


def test_frames_past_the_end_of_the_session_are_left_out() -> None:
    recorder = Recorder()
    reader = FakeReader(TRACKS)
    thread = OutputThread(recorder, reader, session_info(TRACKS))
    thread.start()
    reader.push(numbered_tracks(0, 5000, TRACKS))
    assert thread.stop(3000)  # the reader has not been told that the session has ended
    assert sum(len(audio["game"]) for _, audio in recorder.blocks) == 3000
    assert recorder.end == 3000


def test_less_than_a_block_arrives_when_the_timeline_stands_still() -> None:
    recorder = Recorder()
    reader = FakeReader(TRACKS)
    thread = OutputThread(recorder, reader, session_info(TRACKS), block_s=0.1)
    thread.start()
    reader.push(numbered_tracks(0, 100, TRACKS))
    deadline = time.monotonic() + 30
    while thread.position < 100 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert thread.position == 100
    assert thread.stop(reader.end())


def fails_at(where: str, error: BaseException, after_writes: int = 0) -> Recorder:
    class Fails(Recorder):
        def called(self, name: str) -> None:
            super().called(name)
            if name == where and self.calls.count("write") >= after_writes:
                raise error

    return Fails("fails")


def test_an_output_that_fails_stops_alone_and_the_others_go_on() -> None:
    incidents: list[Incident] = []
    bad = fails_at("write", RuntimeError("the plug was pulled"), after_writes=3)
    good = Recorder()
    readers = [FakeReader(TRACKS), FakeReader(TRACKS)]
    threads = [
        OutputThread(
            output, reader, session_info(TRACKS), on_incident=incidents.append, block_s=0.1
        )
        for output, reader in zip((bad, good), readers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for at in range(0, 96000, 480):
        for reader in readers:
            reader.push_when_free(numbered_tracks(at, at + 480, TRACKS))
    for thread, reader in zip(threads, readers, strict=True):
        assert thread.stop(reader.end())

    assert (threads[1].error, good.end) == (None, 96000)
    assert sum(len(audio["game"]) for _, audio in good.blocks) == 96000
    assert str(threads[0].error) == "fails: RuntimeError: the plug was pulled"
    assert isinstance(threads[0].error, OutputFailed)
    assert bad.calls[-1] == "abort"
    assert "close" not in bad.calls
    assert readers[0].closed
    (incident,) = incidents
    assert (incident.cause, incident.output) == ("output_failed", "fails")
    assert incident.tracks == ("game", "voice")
    assert incident.begin == threads[0].position == sum(len(a["game"]) for _, a in bad.blocks)
    assert incident in bad.incidents


@pytest.mark.parametrize(
    ("code", "cause", "sentence"),
    [
        (errno.ENOSPC, "disk_full", "the disk is full: "),
        (errno.EDQUOT, "disk_full", "your share of the disk is used up"),
        (errno.EACCES, "output_failed", f"no permission to write in {ROOT}"),
        (errno.EROFS, "output_failed", f"{ROOT} is on a disk that can only be read"),
        (errno.EIO, "output_failed", f"the disk fails to write in {ROOT}"),
        (errno.EPIPE, "output_failed", "Broken pipe"),
    ],
)
def test_errors_of_the_system_are_told_in_plain_words(code: int, cause: str, sentence: str) -> None:
    incidents: list[Incident] = []
    output = fails_at("write", OSError(code, "native words", "/take.wav"))
    _, thread = run(output, on_incident=incidents.append)
    assert thread.error is not None
    assert str(thread.error).startswith(f"fails: {sentence}")
    assert thread.error.native_code == code
    assert thread.error.remedy or code == errno.EPIPE
    assert [incident.cause for incident in incidents] == [cause]


@pytest.mark.parametrize("asked", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("way", ["is_dir", "disk_usage"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_an_output_whose_folder_cannot_be_looked_at_any_more_ends_as_any_other(
    code: int, way: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> NoReturn:
        raise OSError(asked, "a parent is out of reach")

    monkeypatch.setattr(Path if way == "is_dir" else shutil, way, refuse)
    incidents: list[Incident] = []
    output = fails_at("write", OSError(code, "native words", "/rec/take.wav"))
    _, thread = run(output, on_incident=incidents.append)
    sentences = {
        errno.ENOSPC: f"fails: the disk is full: an unknown amount free in {REC}",
        errno.EACCES: f"fails: no permission to write in {REC}",
        errno.EIO: f"fails: the disk fails to write in {REC}",
    }
    assert str(thread.error) == sentences[code]
    assert output.calls[-1] == "abort"
    assert [incident.output for incident in incidents] == ["fails"]


@pytest.mark.parametrize("where", ["open", "write"])
def test_an_error_that_cannot_even_be_told_is_named(where: str) -> None:
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    incidents: list[Incident] = []
    output = fails_at(where, UnspeakableError())
    if where == "open":
        with pytest.raises(OutputFailed, match="fails: UnspeakableError"):
            run(output)
        return
    _, thread = run(output, on_incident=incidents.append)
    assert str(thread.error) == "fails: UnspeakableError"
    assert output.calls[-1] == "abort"
    assert [incident.cause for incident in incidents] == ["output_failed"]


def test_an_output_that_does_not_open_is_refused_by_start() -> None:
    incidents: list[Incident] = []
    output = fails_at("open", PermissionError(errno.EACCES, "no", "/rec/take.wav"))
    reader = FakeReader(TRACKS)
    thread = OutputThread(output, reader, session_info(TRACKS), on_incident=incidents.append)
    with pytest.raises(OutputFailed, match=re.escape(f"no permission to write in {REC}")):
        thread.start()
    assert (output.calls, reader.closed, incidents) == (["open"], True, [])
    assert thread.join(0)


@pytest.mark.parametrize("where", ["close", "on_status", "on_incident"])
def test_a_failure_in_any_other_call_aborts_too(where: str) -> None:
    output = fails_at(where, ValueError("no"))
    reader = FakeReader(TRACKS)
    thread = OutputThread(output, reader, session_info(TRACKS), status=dict)
    thread.start()
    thread.post_incident(Incident("late", "game", None, ("game",), 0, 1))
    reader.push(numbered_tracks(0, 480, TRACKS))
    assert thread.stop(reader.end())
    assert str(thread.error) == "fails: ValueError: no"
    assert output.calls.count("abort") == 1


def test_an_abort_that_fails_hides_nothing() -> None:
    class Worse(Recorder):
        def write(self, block: Block) -> None:
            raise ValueError("first")

        def abort(self) -> None:
            raise ValueError("second")

    _, thread = run(Worse())
    assert str(thread.error) == "recorder: ValueError: first"


def test_incidents_reach_the_output_in_order_before_it_closes() -> None:
    recorder = Recorder()
    reader = FakeReader(TRACKS)
    thread = OutputThread(recorder, reader, session_info(TRACKS))
    thread.start()
    sent = [Incident("late", "game", None, ("game",), n, 1) for n in range(100)]
    for incident in sent:
        thread.post_incident(incident)
    assert thread.stop(reader.end())
    assert recorder.incidents == sent
    assert recorder.calls[-1] == "close"


def test_status_comes_at_the_start_at_the_end_and_as_often_as_asked() -> None:
    recorder = Recorder()
    reader = FakeReader(TRACKS)
    thread = OutputThread(
        recorder, reader, session_info(TRACKS), status=dict, block_s=0.02, status_s=0.2
    )
    begun = time.monotonic()
    thread.start()
    for _ in range(50):
        reader.push(numbered_tracks(0, 960, TRACKS))
        time.sleep(0.02)  # a block, in real time: it is asked by the clock
    assert thread.stop(reader.end())
    most = (time.monotonic() - begun) / 0.2
    assert recorder.calls[1] == "on_status"
    assert recorder.calls[-2:] == ["on_status", "close"]
    assert most / 2 <= recorder.calls.count("on_status") <= most + 3


def test_a_status_that_cannot_be_had_is_left_out_and_the_output_goes_on() -> None:
    asked: list[int] = []

    def status() -> Mapping[str, object]:
        asked.append(len(asked))
        if len(asked) == 1:
            raise RuntimeError("the session is between two states")
        return {}

    recorder = Recorder()
    _, thread = run(recorder, status=status)
    assert (thread.error, recorder.end) == (None, 48000)
    assert recorder.calls.count("on_status") == len(asked) - 1 > 0


def test_an_output_that_never_finishes_is_given_up_and_aborted() -> None:
    class Slow(Recorder):
        def write(self, block: Block) -> None:
            super().write(block)
            time.sleep(0.3)  # longer than there is for its end

    slow = Slow()
    reader = FakeReader(TRACKS)
    thread = OutputThread(slow, reader, session_info(TRACKS), block_s=0.01)
    thread.start()
    reader.push(numbered_tracks(0, 48000, TRACKS))
    assert thread.stop(reader.end(), timeout_s=0.1)
    assert "too slow to finish" in str(thread.error)
    assert slow.calls[-1] == "abort"


def test_an_output_that_hangs_is_told_of_once_and_left_behind() -> None:
    free = threading.Event()

    class Hangs(Recorder):
        def write(self, block: Block) -> None:
            super().write(block)
            free.wait()

    incidents: list[Incident] = []
    hangs = Hangs("hangs")
    reader = FakeReader(TRACKS)
    thread = OutputThread(hangs, reader, session_info(TRACKS), on_incident=incidents.append)
    thread.start()
    reader.push(numbered_tracks(0, 24_000, TRACKS))
    assert not thread.stop(reader.end(), timeout_s=0.1)
    assert not thread.running
    error = thread.error
    assert isinstance(error, OutputFailed)
    assert str(error) == "hangs hangs: given up at frame 0, it does not come back"
    assert error.remedy
    (incident,) = incidents
    assert (incident.cause, incident.output, incident.begin) == ("output_failed", "hangs", 0)
    assert describe(incident, 48000).startswith("the output hangs stopped at 0:00.000: hangs")

    # When it comes back after all, it is put away, and nothing else is told.
    free.set()
    assert thread.join(5)
    assert (thread.error, hangs.calls[-1]) == (error, "abort")
    assert incidents == [incident]


def test_a_failure_is_told_before_the_output_is_put_away_which_may_hang() -> None:
    free = threading.Event()

    class HangsInAbort(Recorder):
        def write(self, block: Block) -> None:
            raise ValueError("first")

        def abort(self) -> None:
            free.wait()

    incidents: list[Incident] = []
    reader = FakeReader(TRACKS)
    thread = OutputThread(
        HangsInAbort(), reader, session_info(TRACKS), on_incident=incidents.append
    )
    thread.start()
    reader.push(numbered_tracks(0, 24_000, TRACKS))
    assert not thread.stop(reader.end(), timeout_s=0.1)
    assert str(thread.error) == "recorder: ValueError: first"
    assert [incident.detail for incident in incidents] == ["ValueError: first"]
    free.set()
    assert thread.join(5)


def test_a_process_with_an_output_that_hangs_ends() -> None:
    program = """
import threading
from fake_reader import FakeReader, numbered_tracks, session_info
from pypac_obs.outputs.driver import OutputThread
from pypac_obs.outputs.callback import CallbackOutput

tracks = {"voice": 1}
reader = FakeReader(tracks)
hangs = CallbackOutput(lambda block: threading.Event().wait())
thread = OutputThread(hangs, reader, session_info(tracks))
thread.start()
reader.push(numbered_tracks(0, 24_000, tracks))
print(thread.stop(reader.end(), timeout_s=0.1), flush=True)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, timeout=20
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"False" + os.linesep.encode(), b"")


def test_a_caller_on_the_outputs_own_thread_is_told_apart() -> None:
    answers: list[bool] = []

    class Asks(Recorder):
        def write(self, block: Block) -> None:
            answers.append(thread.is_current())

    reader = FakeReader(TRACKS)
    thread = OutputThread(Asks(), reader, session_info(TRACKS))
    assert not thread.is_current()
    thread.start()
    reader.push(numbered_tracks(0, 480, TRACKS))
    assert not thread.is_current()
    assert thread.stop(reader.end())
    assert answers == [True]


def test_a_failed_outputs_error_keeps_no_view_of_the_ring() -> None:
    class Grabs(Recorder):
        def write(self, block: Block) -> None:
            mine = block.audio["game"]
            raise ValueError(mine.shape)

    _, thread = run(Grabs())
    assert thread.error is not None
    assert thread.error.__cause__ is not None
    held: list[object] = []
    trace = thread.error.__cause__.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name != "_run":
            held += trace.tb_frame.f_locals.values()
        trace = trace.tb_next
    assert not any(isinstance(value, np.ndarray | Block | dict) for value in held)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes free"),
        (1500, "1.5 kB free"),
        (2_000_000, "2.0 MB free"),
        (3_200_000_000, "3.2 GB free"),
    ],
)
def test_a_full_disk_is_told_with_its_folder_and_what_is_free(
    size: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=size))
    error = output_failure("files", OSError(errno.ENOSPC, "full", "/x.wav"))
    assert str(error) == f"files: the disk is full: {text} in {ROOT}"


def test_an_output_that_recovers_goes_on_with_the_next_block() -> None:
    output, incidents = Recovering("write", (2, 3)), list[Incident]()
    thread: OutputThread | None = None

    def note(incident: Incident) -> None:
        incidents.append(incident)
        assert thread is not None
        thread.post_incident(incident)  # as a session does

    reader = FakeReader(TRACKS)
    thread = OutputThread(output, reader, session_info(TRACKS), on_incident=note, block_s=0.1)
    thread.start()
    for at in range(0, 96000, 4800):
        reader.push_when_free(numbered_tracks(at, at + 4800, TRACKS))
    assert thread.stop(reader.end())
    # The second and the third block are lost, and nothing else.
    starts = [start for start, _ in output.blocks]
    assert starts[:2] == [0, 3 * 4800]
    heard = np.concatenate([audio["game"] for _, audio in output.blocks[1:]])
    assert np.array_equal(heard, numbered_tracks(3 * 4800, 96000, TRACKS)[0])
    assert (output.calls.count("recover"), output.end) == (2, 96000)
    assert "abort" not in output.calls
    assert [incident.cause for incident in incidents] == ["disk_full", "disk_full"]
    assert [incident.begin for incident in incidents] == [4800, 2 * 4800]
    assert output.incidents == incidents  # each once
    assert thread.error is not None
    assert "the disk is full" in str(thread.error)
    assert thread.position == 96000


def test_an_output_that_recovers_runs_all_the_while() -> None:
    output = Recovering("on_status", (1,))
    reader = FakeReader(TRACKS)
    thread = OutputThread(output, reader, session_info(TRACKS), status=dict)
    thread.start()
    while "recover" not in output.calls or not thread.running:
        time.sleep(0.01)
    assert thread.error is not None
    assert thread.stop(reader.end())
    assert output.calls[-1] == "close"


def test_an_output_that_cannot_close_is_aborted_even_if_it_recovers() -> None:
    output = Recovering("close", (1,))
    run(output)
    assert output.calls[-2:] == ["on_incident", "abort"]


def test_an_output_that_fails_to_recover_is_aborted() -> None:
    class Unable(Recovering):
        def recover(self) -> bool:
            raise OSError(errno.EIO, "Input/output error")

    output = Unable("write", (2,))
    _, thread = run(output)
    assert output.calls[-1] == "abort"
    assert (len(output.blocks), thread.running) == (1, False)
