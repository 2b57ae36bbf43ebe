# SPDX-License-Identifier: MIT
"""Runs clang-tidy over the native core, as many files at once as there are cores."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def main() -> int:
    """Returns 1 if any file of cpp/ has a finding."""
    build = Path(sys.argv[1])
    commands = json.loads((build / "compile_commands.json").read_text())
    core = Path("cpp").resolve()
    files = sorted({entry["file"] for entry in commands if core in Path(entry["file"]).parents})
    tidy = Path(sys.executable).with_name("clang-tidy")
    # The libstdc++ of the compiler that builds, not of whichever clang finds newest.
    command = [str(tidy), "-p", str(build), "--quiet"]

    def check(file: str) -> tuple[str, subprocess.CompletedProcess[str]]:
        return file, subprocess.run([*command, file], capture_output=True, text=True, check=False)

    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, result in pool.map(check, files):
            if result.returncode:
                failed += 1
                print(f"{file}\n{result.stdout}{result.stderr}")
    print(f"clang-tidy: {len(files)} files, {failed} with findings")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
