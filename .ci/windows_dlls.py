#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails if something in a Windows wheel needs a DLL that is neither Windows' own nor Python's."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Of every Windows 10, or loaded by every Python. msvcrt is the C library that mingw-w64 uses.
WINDOWS = {"advapi32", "kernel32", "mmdevapi", "msvcrt", "ole32", "oleaut32", "propsys"}
WINDOWS |= {"python311", "user32"}
# OBS's own, which has loaded it when it loads the module.
OBS_MODULE = "pypac-obs.dll"


def main() -> None:
    """Looks at each wheel that the command line names."""
    for wheel in sys.argv[1:]:
        with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
            names = archive.namelist()
            native = [name for name in names if name.endswith((".pyd", ".dll", ".exe"))]
            if not native:
                sys.exit(f"{wheel}: there is nothing native in it")
            for name in native:
                needed = dlls(Path(archive.extract(name, folder)))
                print(f"{name} needs {', '.join(sorted(needed))}")
                known = WINDOWS | {"obs"} if name.endswith(OBS_MODULE) else WINDOWS
                if foreign := needed - known:
                    sys.exit(f"{wheel}: {name} needs {', '.join(sorted(foreign))}")


def dlls(file: Path) -> set[str]:
    """Names the DLLs that a file is linked to, without their ending."""
    told = subprocess.run(
        ["x86_64-w64-mingw32-objdump", "--private-headers", str(file)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = (line.strip() for line in told.splitlines())
    names = (line.removeprefix("DLL Name:") for line in lines if line.startswith("DLL Name:"))
    return {name.strip().lower().removesuffix(".dll") for name in names}


if __name__ == "__main__":
    main()
