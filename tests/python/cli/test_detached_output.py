# SPDX-License-Identifier: MIT
"""Standard output and error that cannot stop a recording."""

import io
import sys
import threading
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner

from pypac_obs.cli import commands, running
from pypac_obs.cli.detached_output import detached_output


class Stream(io.StringIO):
    """Takes text, or fails, or blocks until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.open = threading.Event()
        self.open.set()

    def write(self, text: str) -> int:
        self.open.wait(30)
        if self.error is not None:
            raise self.error
        return super().write(text)


def streams_of(monkeypatch: pytest.MonkeyPatch) -> tuple[Stream, Stream]:
    # In the test, not in a fixture: pytest's own streams come back in between.
    out, err = Stream(), Stream()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return out, err


def test_text_arrives_whole_and_the_streams_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams_of(monkeypatch)
    with detached_output():
        for number in range(1000):
            print(number)
            print(-number, file=sys.stderr)
        with detached_output():  # as `run` does around its session
            print("last")
    assert (sys.stdout, sys.stderr) == (out, err)
    assert out.getvalue().splitlines() == [*map(str, range(1000)), "last"]
    assert len(err.getvalue().splitlines()) == 1000


def test_a_stream_that_fails_is_said_once_on_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams_of(monkeypatch)
    out.error = OSError(28, "No space left on device")
    with detached_output():
        for _ in range(10):
            print("lost", flush=True)
        print("told", file=sys.stderr)
    assert out.getvalue() == ""
    assert sorted(err.getvalue().splitlines()) == [
        "Standard output takes no more text (No space left on device). The recording goes on.",
        "told",
    ]


def test_both_streams_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in streams_of(monkeypatch):
        stream.error = BrokenPipeError(32, "Broken pipe")
    with detached_output():
        print("lost", flush=True)
        print("lost", file=sys.stderr, flush=True)


def test_a_reader_that_takes_nothing_holds_nobody_up_and_gets_it_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, _ = streams_of(monkeypatch)
    out.open.clear()
    with detached_output():
        # 20 seconds if each one waited.
        for number in range(80):
            print(number, flush=True)
        assert out.getvalue() == ""
        out.open.set()
    assert out.getvalue().splitlines() == [*map(str, range(80))]


def test_what_nobody_takes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = streams_of(monkeypatch)
    out.open.clear()
    line = "x" * 99_999
    with detached_output():
        for _ in range(30):
            print(line)
        out.open.set()
    lines = out.getvalue().splitlines()
    assert 5 <= len(lines) <= 11
    assert set(lines) == {line}  # and none is cut


def test_a_fault_in_what_is_shown_ends_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(running._EventLines, "show", fail)
    path = tmp_path / "tone.yaml"
    path.write_text(
        "version: 1\nsources: {tone: {synthetic: {kind: tone}}}\ntracks: {tone: {from: tone}}\n"
        f"outputs: {{files: {{folder: '{(tmp_path / 'out').as_posix()}'}}}}\n"
    )
    done = CliRunner().invoke(commands, ["run", str(path), "--duration", "1"])
    assert done.exit_code == 0
    said = "Error: the session cannot be shown (ValueError: a bug); it goes on."
    assert done.output.count(said) == 1
    assert soundfile.info(tmp_path / "out" / "tone.wav").frames == 48_000
