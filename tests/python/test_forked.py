# SPDX-License-Identifier: MIT
"""Children that are forked while a session records."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.linux("Windows has no fork")

PARENT = """
import multiprocessing, os, sys, time
from pypac_obs import Profile, Session, SessionClosed

def waited_for(child):
    # A child that hangs is a failure of this test, not of the run.
    until = time.monotonic() + 20
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hangs"

session = Session(Profile.from_dict({
    "version": 1,
    "sources": {"a": {"synthetic": {"kind": "numbered"}}},
    "tracks": {"a": {"from": "a"}},
    "outputs": {"files": {"folder": sys.argv[1], "format": FORMAT}},
}))
session.start()
stream = session.blocks()
while session.position < 24_000:
    time.sleep(0.01)
before = session.position
child = os.fork()
if child == 0:
    CHILD
print(waited_for(child))
while session.position < before + 24_000:
    time.sleep(0.01)
session.mark("after the child")
session.stop()
print(session.position, session.incidents, session.errors)
"""

CHILDREN = {
    "exit": "sys.exit(0)",
    "stop": "session.stop(); sys.exit(0)",
    "delete": "del session, stream; import gc; gc.collect(); sys.exit(0)",
    "with": """
        with stream:
            pass
        session.__exit__(None, None, None)
        sys.exit(0)
    """,
    "multiprocessing": """
        process = multiprocessing.get_context("fork").Process(target=session.stop)
        process.start()
        process.join(20)
        os._exit(process.exitcode if process.exitcode is not None else 9)
    """,
    "calls": """
        assert session.wait(5) and not session.running
        for call in (session.status, session.blocks, lambda: session.mark("x"), stream.read):
            try:
                call()
            except SessionClosed as error:
                assert "forked" in str(error)
            else:
                os._exit(7)
        sys.exit(0)
    """,
    "another": """
        other = Session(Profile.from_dict({
            "version": 1,
            "sources": {"b": {"synthetic": {"kind": "numbered"}}},
            "tracks": {"b": {"from": "b"}},
        }), duration_s=0.2)
        with other:
            other.wait()
        sys.exit(0 if other.position == 9600 else 8)
    """,
}


@pytest.mark.parametrize("file_format", ["wav", "flac"])
@pytest.mark.parametrize("kind", CHILDREN)
def test_a_forked_child_leaves_the_session_to_its_parent(
    tmp_path: Path, kind: str, file_format: str
) -> None:
    child = textwrap.indent(textwrap.dedent(CHILDREN[kind]).strip(), "    ").strip()
    script = PARENT.replace("CHILD", child).replace("FORMAT", repr(file_format))
    (tmp_path / "parent.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "-I", tmp_path / "parent.py", tmp_path / "out"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == "0"
    frames = int(second.split()[0])
    assert second == f"{frames} () ()"
    manifest = json.loads((tmp_path / "out" / "session.json").read_text())
    assert (manifest["state"], manifest["frames"]) == ("complete", frames)
    assert [marker["text"] for marker in manifest["markers"]] == ["after the child"]
    audio, _ = soundfile.read(tmp_path / "out" / f"a.{file_format}", dtype="float32")
    numbers = np.rint(audio[:, 0].astype(np.float64) * 2**24)
    if file_format == "flac":  # of 24 bits
        numbers = np.rint(audio[:, 0].astype(np.float64) * 2**23) * 2
        assert np.abs(numbers - np.arange(frames)).max() <= 1
    else:
        assert np.array_equal(numbers, np.arange(frames))
