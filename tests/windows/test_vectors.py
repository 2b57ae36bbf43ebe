# SPDX-License-Identifier: MIT
"""No move of a wide vector wants a stack that is aligned to more than Windows aligns it to.

GCC for Windows may emit such moves (GCC bugs 49001, 54412), Debian's is patched not to. They fault
where the stack happens to lie badly, so that tests that run may never see it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import BUILD, PYTHON

OBJDUMP = "x86_64-w64-mingw32-objdump"
# With two operands, one of which is a memory address: of 32 bytes or more at once.
ALIGNED = re.compile(
    r"^.*\tv(?:movap[sd]|movdqa(?:32|64)?|movnt\w+)\s+(?:[^\n]*\(.*%[yz]mm|%[yz]mm[^\n]*\().*$",
    re.MULTILINE,
)
SPILLS = """
__asm__("vmovaps %ymm0, 32(%rsp)\\n vmovapd (%rbp), %ymm7\\n vmovdqa %ymm15, -64(%rbp,%rcx)\\n"
        "vmovaps %xmm6, (%rsp)\\n vmovups %ymm0, (%rsp)\\n vmovaps %ymm0, %ymm1");
"""


@pytest.fixture(scope="module")
def command() -> list[str]:
    """How the resampler is compiled for Windows and processors with wide vectors."""
    file = BUILD / "compile_commands.json"
    if not file.exists() or shutil.which(OBJDUMP) is None:
        assert not os.environ.get("PYPAC_REQUIRE_ALL"), "the `windows` preset has not been built"
        pytest.skip("the `windows` preset has not been built")
    [line] = [
        one["command"]
        for one in json.loads(file.read_text())
        if one["file"].endswith("/cpp/timeline/resampler_kernel.cpp") and "-mavx2" in one["command"]
    ]
    words = shlex.split(line)
    compiler = next(at for at, word in enumerate(words) if "g++" in Path(word).name)
    return words[compiler:]  # not by way of a cache


def code_of(file: Path) -> str:
    dump = [OBJDUMP, "--disassemble", "--no-show-raw-insn", file]
    return subprocess.run(dump, check=True, capture_output=True, text=True).stdout


def assembled(words: list[str], folder: Path) -> str:
    """The code of SPILLS, compiled by that command."""
    source, target = folder / "spills.cpp", folder / "spills.obj"
    source.write_text(SPILLS)
    words = [*words[: words.index("-o")], "-o", str(target), "-c", str(source)]
    subprocess.run(words, check=True, cwd=BUILD)
    return code_of(target)


def test_moves_that_want_an_aligned_stack_become_moves_that_do_not(
    command: list[str], tmp_path: Path
) -> None:
    """Whatever the compiler emits; and who looks for such moves sees them."""
    careless = [one for one in command if "unaligned-vector-move" not in one]
    assert len(ALIGNED.findall(assembled(careless, tmp_path))) == 3
    kept = assembled(command, tmp_path)
    assert kept.count("%ymm") == 6
    assert ALIGNED.findall(kept) == []


@pytest.mark.parametrize("name", ["_core*.pyd", "obs_plugin/pypac-obs.dll"])
def test_what_is_shipped_has_no_such_moves(command: list[str], name: str) -> None:
    [file] = (PYTHON.parent / "Lib" / "site-packages" / "pypac_obs").glob(name)
    code = code_of(file)
    assert ("%ymm" in code) == name.endswith(".pyd")  # the resampler is in it, and looked at
    assert ALIGNED.findall(code) == []
