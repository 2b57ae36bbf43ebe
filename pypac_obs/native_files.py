# SPDX-License-Identifier: MIT
"""Why a compiled file of this program, or of a library that it uses, cannot be loaded.

Virus protection and Windows' policies take such files away or refuse them. Python's "DLL load
failed" then tells neither who did it nor what to do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from pypac_obs.errors import BackendUnavailable

__all__ = ["BlockedFile", "blocked_files", "explain"]

# Those without which no command works, and whose files are compiled.
_DISTRIBUTIONS = ("pypac-obs", "numpy", "pydantic-core", "soundfile", "cffi", "psutil")
_SUFFIXES = (".pyd", ".dll", ".so", ".dylib")

_PROTECTION = (
    "Look into your virus protection's history (Windows Security > Virus & threat protection > "
    "Protection history): restore the file, and exclude its folder."
)
_MANAGED = "Whoever administers this computer can allow the file."
# What Windows' error numbers mean here, and what helps; installing anew helps against the others.
_SAID = {
    2: ("is not there: virus protection may have taken it away", _PROTECTION),
    5: (
        "cannot be loaded: virus protection or its own rights deny access",
        _PROTECTION,
    ),
    126: (
        "cannot be loaded: a DLL that it needs is missing, or was taken away by virus protection",
        _PROTECTION,
    ),
    193: ("is damaged, or made for another kind of processor", ""),
    225: ("is blocked: Windows takes it for a virus", _PROTECTION),
    226: ("was taken away: Windows took it for a virus", _PROTECTION),
    577: ("is blocked: Windows does not accept its signature", _MANAGED),
    1260: ("is blocked by a policy of this computer (such as AppLocker)", _MANAGED),
    4551: (
        "is blocked by Smart App Control or another policy for programs",
        "Smart App Control knows no exceptions: it is switched off in Windows Security > App & "
        f"browser control. On a managed computer: {_MANAGED[0].lower()}{_MANAGED[1:]}",
    ),
}
_MISSING = 2


@dataclass(frozen=True)
class BlockedFile:
    """A compiled file that is not there or is refused; ``code`` is Windows' number for it."""

    path: Path
    package: str
    code: int
    detail: str = ""
    """The system's own words, for a code that is not known here."""

    @property
    def found(self) -> str:
        """What is the matter with it, to be put behind its name."""
        known = _SAID.get(self.code)
        if known is None:
            return f"cannot be loaded: {self.detail or 'no reason is given'}"
        return f"{known[0]} ({self.code})" if sys.platform == "win32" else known[0].split(":")[0]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        again = f"python -m pip install --force-reinstall --no-deps {self.package}"
        helps = _SAID.get(self.code, ("", ""))[1] if sys.platform == "win32" else ""
        return f"{helps} Then install it again: {again}" if helps else f"Install it again: {again}"


def blocked_files(load: Callable[[Path], int] | None = None) -> Iterator[BlockedFile]:
    """Looks at each compiled file that was installed with this program and its libraries.

    ``load`` tells what Windows says when it maps a file, 0 for nothing; elsewhere files are only
    looked for.
    """
    if load is None and sys.platform == "win32":
        load = _mapping_error
    for package in _DISTRIBUTIONS:
        for path in _compiled_files(package):
            code = (load(path) if load else 0) if path.exists() else _MISSING
            if code:
                yield BlockedFile(path, package, code, _words(code))


def explain(error: BaseException) -> BackendUnavailable | None:
    """Says in a sentence which compiled file kept something from being loaded; None: it was none.

    ``error`` is what an import has raised.
    """
    blocked = _blamed(error) or next(blocked_files(), None) or _without_core(error)
    if blocked is None:
        return None
    return BackendUnavailable(
        f"{blocked.path} {blocked.found}", remedy=blocked.remedy, native_code=blocked.code
    )


def _blamed(error: BaseException) -> BlockedFile | None:
    """The file that the error names, or what it was raised from: libraries wrap such errors."""
    seen: BaseException | None = error
    while seen is not None:
        path = Path(seen.path) if isinstance(seen, ImportError) and seen.path else None
        if path and path.suffix in _SUFFIXES:
            code = _loading_error(path)
            return BlockedFile(path, _package_of(path), code, _words(code) or str(seen))
        seen = seen.__cause__ or seen.__context__
    return None


def _without_core(error: BaseException) -> BlockedFile | None:
    """Where nobody wrote down what was installed, as in a folder of sources that was not built."""
    own = sys.modules["pypac_obs"].__file__
    if own and isinstance(error, ImportError) and error.path == own and "_core" in str(error):
        return BlockedFile(Path(own).parent / "_core", "pypac-obs", _MISSING)
    return None


def _compiled_files(package: str) -> Iterator[Path]:
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        return
    for file in files:
        if file.suffix in _SUFFIXES:
            yield Path(str(file.locate()))


def _package_of(path: Path) -> str:
    for package in _DISTRIBUTIONS:
        if any(os.path.normcase(one) == os.path.normcase(path) for one in _compiled_files(package)):
            return package
    return "pypac-obs"


if sys.platform == "win32":
    import ctypes

    # As Python loads an extension: what it needs is looked for beside it and in system folders.
    _AS_PYTHON_DOES = 0x1000 | 0x100
    # Maps the file as a program's, and looks for nothing that it needs: obs.dll is not here.
    _ALONE = 0x1

    def _load(path: Path, flags: int) -> int:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.LoadLibraryExW.restype = ctypes.c_void_p
        kernel.LoadLibraryExW.argtypes = (ctypes.c_wchar_p, ctypes.c_void_p, ctypes.c_uint32)
        kernel.FreeLibrary.argtypes = (ctypes.c_void_p,)
        module = kernel.LoadLibraryExW(str(path), None, flags)
        if module:
            kernel.FreeLibrary(module)
            return 0
        return ctypes.get_last_error()

    def _mapping_error(path: Path) -> int:
        return _load(path, _ALONE)

    def _loading_error(path: Path) -> int:
        return _load(path, _AS_PYTHON_DOES)

    def _words(code: int) -> str:
        return f"{ctypes.FormatError(code).rstrip('.')} ({code})" if code else ""

else:

    def _loading_error(path: Path) -> int:
        return 0

    def _words(code: int) -> str:
        return os.strerror(code) if code else ""
