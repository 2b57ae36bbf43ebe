# SPDX-License-Identifier: MIT
"""Runs clang-tidy over the native core, as many files at once as there are cores.

    .venv/bin/python .ci/tidy.py BUILD_FOLDER

It looks at the files that changed within the last day, and those that include them: the rest was
looked at in the night. With PYPAC_LONG=1 it looks at all. What had no finding as it stands, with
all that it includes of ours, is not looked at again on the same machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORE = Path("cpp").resolve()
NIGHTLY = "26 hours ago"  # a night that took its time included
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def main() -> int:
    """Returns 1 if any of the files has a finding."""
    build = Path(sys.argv[1])
    commands = json.loads((build / "compile_commands.json").read_text())
    every = sorted({file for entry in commands if CORE in (file := Path(entry["file"])).parents})
    if not every:
        sys.exit(f"{build} compiles nothing of {CORE}")
    changed = None if os.environ.get("PYPAC_LONG") else changed_files()
    files = [file for file in every if changed is None or changed & {file, *included(file)}]
    tidy = Path(sys.executable).with_name("clang-tidy")
    # The libstdc++ of the compiler that builds, not of whichever clang finds newest.
    command = [str(tidy), "-p", str(build), "--quiet"]
    flags = {Path(entry["file"]): flags_of(entry, build) for entry in commands}
    with_what = [version_of(str(tidy)), version_of("c++"), Path(".clang-tidy").read_text()]
    clean = folder_of_clean()

    def check(file: Path) -> tuple[Path, subprocess.CompletedProcess[str] | None]:
        mark = clean / digest([*with_what, flags[file]], [file, *sorted(included(file))])
        if mark.exists():
            return file, None
        result = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
        if result.returncode == 0:
            mark.touch()
        return file, result

    failed = known = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, result in pool.map(check, files):
            if result is None:
                known += 1
            elif result.returncode:
                failed += 1
                print(f"{file}\n{result.stdout}{result.stderr}")
    print(
        f"clang-tidy: {len(files)} of {len(every)} files, {known} of them known to be clean, "
        f"{failed} with findings"
    )
    return 1 if failed else 0


def folder_of_clean() -> Path:
    """Where an empty file stands for each file that had no finding, named by its content."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "pypac-obs" / "clang-tidy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def flags_of(entry: dict[str, str], build: Path) -> str:
    """How a file is compiled, wherever the clone lies."""
    return entry["command"].replace(str(build.resolve()), "").replace(str(Path.cwd()), "")


def version_of(program: str) -> str:
    """What a program says of its version."""
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout


def digest(texts: list[str], files: list[Path]) -> str:
    """Names the content of these texts and files."""
    sum_of_all = hashlib.sha256("\0".join(texts).encode())
    for file in files:
        sum_of_all.update(b"\0" + file.read_bytes())
    return sum_of_all.hexdigest()


def changed_files() -> set[Path] | None:
    """What of the core changed since the last nightly run; None where that is not known."""
    base = git("rev-list", "-1", f"--before={NIGHTLY}", "HEAD")
    if not base:  # a shallow clone, or the first day
        return None
    names = git("diff", "--name-only", base[0], "--", "cpp", ".clang-tidy")
    names += git("ls-files", "--others", "--exclude-standard", "--", "cpp")
    return None if ".clang-tidy" in names else {Path(name).resolve() for name in names}


def git(*arguments: str) -> list[str]:
    """The lines that a git command prints; none where it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def included(file: Path, seen: set[Path] | None = None) -> Iterator[Path]:
    """The project's own headers that a file includes, and what these include."""
    seen = {file} if seen is None else seen
    for name in INCLUDE.findall(file.read_text()):
        for header in (file.parent / name, CORE / name):
            header = header.resolve()
            if header.exists() and header not in seen:
                seen.add(header)
                yield header
                yield from included(header, seen)


if __name__ == "__main__":
    sys.exit(main())
