#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a genuine CPython for Windows that builds of this project link against and tests run in.

    .ci/windows_python.py FOLDER [WHEEL...]

Nobody offers Windows' CPython by itself to a Linux package manager, but the PyPI wheel of panda3d
carries its DLLs. Their Python part is that of the Python which runs this script: it has to be the
same 3.11. What is made: python.exe, its DLLs and library; include/ and libs/ for a build; and,
where wheels are given, these and what they ask for in Lib/site-packages. What is downloaded stays
in PYPAC_CACHE (~/.cache/pypac-obs).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import locked

LOCK = Path(__file__).with_name("requirements-windows.txt")
DLLS = "panda3d"
FOR_TESTS = ["numpy", "pytest", "pytest-xdist", "hypothesis", "jsonschema", "soxr"]
# Not wanted in the library: big, or for this machine.
LEFT_OUT = ["test", "tests", "idlelib", "turtledemo", "ensurepip", "__pycache__", "site-packages"]
LEFT_OUT += ["dist-packages", "lib-dynload", "config-3.11*", "*.so", "EXTERNALLY-MANAGED"]

PYCONFIG = """\
// What CPython's headers want to know of 64-bit Windows.
#ifndef Py_CONFIG_H
#define Py_CONFIG_H
#define MS_WIN32
#define MS_WIN64
#define MS_WINDOWS
#define NT_THREADS
#define WITH_THREAD
#define HAVE_DECLSPEC_DLL
#define Py_ENABLE_SHARED 1
#define HAVE_PY_SSIZE_T 1
typedef long long Py_ssize_t;
#define PY_SSIZE_T_MAX 0x7fffffffffffffffLL
#define SIZEOF_SHORT 2
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_FLOAT 4
#define SIZEOF_DOUBLE 8
#define SIZEOF_VOID_P 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_FPOS_T 8
#define SIZEOF_HKEY 8
#define SIZEOF_OFF_T 4
#define SIZEOF_PID_T 4
#define SIZEOF_WCHAR_T 2
#define ALIGNOF_SIZE_T 8
#define ALIGNOF_MAX_ALIGN_T 16
#define HAVE_STDDEF_H 1
#define HAVE_STDINT_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_WCHAR_H 1
#define HAVE_INT32_T 1
#define HAVE_INT64_T 1
#define HAVE_UINT32_T 1
#define HAVE_UINT64_T 1
#define PLATFORM "win32"
#endif
"""
PROGRAM = """\
#include <Python.h>
int wmain(int count, wchar_t** words) { return Py_Main(count, words); }
"""
# Windows 10's source of random numbers, which Wine 8 does not have; Rust's library asks it.
BCRYPTPRIMITIVES = """\
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T bytes) {
  return RtlGenRandom(data, (ULONG)bytes);
}
"""


def main() -> None:
    """Makes what is not there yet."""
    if sys.version_info[:2] != (3, 11):
        sys.exit("The Windows build needs Python 3.11: set PYTHON=/path/to/it and remove .venv.")
    folder = Path(sys.argv[1])
    wheels = [Path(name).resolve() for name in sys.argv[2:]]
    cache = Path(os.environ.get("PYPAC_CACHE", Path.home() / ".cache" / "pypac-obs")) / "windows"
    mark = folder / ".made"
    inputs = Path(__file__).read_bytes() + LOCK.read_bytes() + sys.version.encode()
    own = hashlib.sha256(inputs).hexdigest()
    if not mark.exists() or mark.read_text() != own:
        shutil.rmtree(folder, ignore_errors=True)
        make_python(folder, cache)
        mark.write_text(own)
    if wheels:
        install(folder / "Lib" / "site-packages", wheels, cache)


def run(*words: str | Path, **more: object) -> None:
    """Runs a program; one that fails ends this one with its own words."""
    if subprocess.run([str(word) for word in words], check=False, **more).returncode != 0:  # type: ignore[call-overload]
        sys.exit(f"{Path(words[0]).name} failed: {' '.join(str(word) for word in words)}")


def pip(*words: str | Path) -> None:
    """Runs pip as if this were Windows."""
    windows = ["--platform", "win_amd64", "--python-version", "3.11", "--only-binary=:all:"]
    run(
        sys.executable,
        "-m",
        "pip",
        words[0],
        "--quiet",
        "--disable-pip-version-check",
        *windows,
        *words[1:],
    )


def make_python(folder: Path, cache: Path) -> None:
    """Puts a CPython into an empty folder."""
    downloads = cache / "python"
    downloads.mkdir(parents=True, exist_ok=True)
    if not list(downloads.glob("panda3d-*.whl")):
        dlls = downloads / "requirements.txt"
        dlls.write_text(locked.wanted(LOCK, [DLLS], alone=True))
        pip("download", "--no-deps", "--dest", downloads, "--require-hashes", "-r", dlls)
    (wheel,) = downloads.glob("panda3d-*.whl")
    (folder / "DLLs").mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            file = Path(name)
            # Wine has the C library's own (api-ms-win-*); of Tcl nothing is wanted.
            if file.parent.name != "deploy_libs" or file.name.startswith(
                ("api-ms-", "tcl", "tk", "_tk")
            ):
                continue
            beside = file.name.lower() in ("python311.dll", "vcruntime140.dll")
            (folder / ("" if beside else "DLLs") / file.name).write_bytes(archive.read(name))
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, folder / "Lib", ignore=shutil.ignore_patterns(*LEFT_OUT))
    (folder / "Lib" / "site-packages").mkdir()

    headers = Path(sysconfig.get_path("include"))
    shutil.copytree(headers, folder / "include", ignore=shutil.ignore_patterns("pyconfig*.h"))
    (folder / "include" / "pyconfig.h").write_text(PYCONFIG)
    libs = folder / "libs"
    libs.mkdir()
    library_file = libs / "python311.lib"
    run("gendef", folder.resolve() / "python311.dll", cwd=libs, stderr=subprocess.DEVNULL)
    run(
        "x86_64-w64-mingw32-dlltool",
        *("--dllname", "python311.dll", "--def", libs / "python311.def"),
        *("--output-lib", library_file),
    )
    compile_c(PROGRAM, folder / "python.exe", "-municode", f"-I{folder / 'include'}", library_file)
    compile_c(BCRYPTPRIMITIVES, folder / "bcryptprimitives.dll", "-shared", "-ladvapi32")
    # The DLL of the stable ABI: it leads to this version's.
    names = (
        line.split()[0] for line in (libs / "python311.def").read_text().splitlines()[3:] if line
    )
    exports = "".join(
        f"{name} = python311.{name}\n" for name in names if name.startswith(("Py", "_Py"))
    )
    (libs / "python3.def").write_text("LIBRARY python3.dll\nEXPORTS\n" + exports)
    compile_c(
        "", folder / "python3.dll", "-shared", "-nostdlib", "-Wl,--entry=0", libs / "python3.def"
    )


def compile_c(source: str, file: Path, *options: str | Path) -> None:
    """Makes a program or a DLL of a C source."""
    code = file.with_name(f"{file.stem}.c")
    code.write_text(source)
    run("x86_64-w64-mingw32-gcc-posix", "-static", code, "-o", file, *options)
    code.unlink()


def install(site: Path, wheels: list[Path], cache: Path) -> None:
    """Puts wheels, and what the lock file has for them and their tests, into a folder."""
    downloads = cache / "wheels"
    downloads.mkdir(parents=True, exist_ok=True)
    project = tomllib.loads((locked.ROOT / "pyproject.toml").read_text())["project"]
    names = [*FOR_TESTS, *locked.names_of(["package"], project)]
    requirements = downloads / "requirements.txt"
    requirements.write_text(locked.wanted(LOCK, names))
    have = ["--find-links", downloads, "--require-hashes", "-r", requirements]
    # First without the network: what was downloaded for an earlier build serves.
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-index", "--no-deps"]
    words += ["--platform", "win_amd64", "--python-version", "3.11", "--only-binary=:all:"]
    words += [str(word) for word in ("--dest", downloads, *have)]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        pip("download", "--no-deps", "--dest", downloads, *have)
    shutil.rmtree(site)
    pip("install", "--no-deps", "--no-index", "--target", site, *have)
    pip("install", "--no-deps", "--no-index", "--target", site, *wheels)


if __name__ == "__main__":
    main()
