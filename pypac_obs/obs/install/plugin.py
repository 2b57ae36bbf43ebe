# SPDX-License-Identifier: MIT
"""Puts the OBS module into OBS's folder for the user's plugins, and takes it away again.

Nothing but the module's own files is touched there. OBS loads modules when it starts.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from pypac_obs import _core
from pypac_obs.errors import ObsError, OutputFailed, PermissionDenied, Unsupported
from pypac_obs.obs.client.settings import FLATPAK_ID, ObsFolder, obs_folders
from pypac_obs.runtime_folder import make_folder

__all__ = [
    "Installation",
    "built_module",
    "default_folders",
    "install",
    "installation",
    "keep_tracks_folder",
    "needed_permission",
    "obs_runs",
    "uninstall",
]

MODULE = "pypac-obs"
LOCALE = "en-US.ini"
_TMPFILES = f"""\
# PyPAC-OBS: the folder that OBS reads the tracks of sessions from. A Flatpak sees it only if it is
# there when OBS starts. (`pypac-obs obs uninstall` removes this file.)
d %t/{MODULE} 0700
d %t/{MODULE}/tracks 0700
"""
#: OBS's own program, by its names on all systems.
PROGRAMS = ("obs", "obs64.exe", "obs32.exe")


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the module is, or would be, for one installation of OBS.

    ``state`` is "absent", "current" (the one of this package) or "other" (of another version).
    """

    folder: ObsFolder
    module: Path
    locale: Path
    state: str


def built_module(*, platform: str = sys.platform) -> Path | None:
    """Return the module in this package; None if this build has none."""
    module = Path(str(_core.__file__)).parent / "obs_plugin" / _file_name(platform)
    return module if module.is_file() else None


def default_folders(
    environ: Mapping[str, str] = os.environ, *, platform: str = sys.platform
) -> tuple[ObsFolder, ...]:
    """Return the installations of OBS that have been used here; the native one if none has."""
    folders = obs_folders(environ, platform=platform)
    used = tuple(folder for folder in folders if folder.config.is_dir())
    return used or tuple(folder for folder in folders if folder.kind == "native")


def installation(
    folder: ObsFolder, *, built: Path | None = None, platform: str = sys.platform
) -> Installation:
    """Tell where the module is in one installation of OBS.

    ``built`` is the module to compare with, else the one of this package.
    """
    module, locale = _places(folder, _file_name(platform))
    built = built or built_module(platform=platform)
    if not module.is_file():
        state = "absent"
    elif built and _same(module, built) and _same(locale, _texts_of(built)):
        state = "current"
    else:
        state = "other"
    return Installation(folder, module, locale, state)


def install(
    folder: ObsFolder, *, built: Path | None = None, platform: str = sys.platform
) -> Installation:
    """Put the module where this OBS looks for it, and return where that is.

    An older one is replaced in one step; where it is the same already nothing is written. An OBS
    that runs takes it up when it is started again.

    Raises Unsupported if this build has no module, ObsError if OBS runs and so keeps the file from
    being replaced (Windows), PermissionDenied and OutputFailed.
    """
    built = built or built_module(platform=platform)
    if built is None:
        raise Unsupported(
            "this build of PyPAC-OBS has no OBS module",
            remedy=_remedy_without_module(platform),
        )
    there = installation(folder, built=built, platform=platform)
    if there.state == "current":
        return there
    _refuse_while_in_use(platform)
    with _in_words("cannot be installed to", there.module, platform):
        _replace(there.locale, _texts_of(built).read_bytes())
        _replace(there.module, built.read_bytes())
    return installation(folder, built=built, platform=platform)


def uninstall(
    folder: ObsFolder,
    environ: Mapping[str, str] = os.environ,
    *,
    platform: str = sys.platform,
) -> bool:
    """Take the module away, and folders of its own that are empty then. False: it is not there.

    Raises ObsError as install() does, PermissionDenied and OutputFailed.
    """
    there = installation(folder, platform=platform)
    if not there.module.exists() and not there.locale.exists():
        return False
    _refuse_while_in_use(platform)
    with _in_words("cannot be removed from", there.module, platform):
        there.module.unlink(missing_ok=True)
        there.locale.unlink(missing_ok=True)
        file = _tmpfiles(environ)
        if folder.kind == "flatpak" and file.is_file() and file.read_text() == _TMPFILES:
            file.unlink()
    for left in (there.module, there.locale):
        _remove_empty(left.parent, MODULE)
    return True


def needed_permission(folder: ObsFolder) -> str:
    """Return the command that lets this OBS see the tracks of sessions; "" where it does anyway."""
    if folder.kind != "flatpak":
        return ""
    # The tracks alone, and to read: a program in the sandbox has no business with marks, and none
    # with what a session writes.
    return f"flatpak override --user --filesystem=xdg-run/{MODULE}/tracks:ro {FLATPAK_ID}"


def keep_tracks_folder(folder: ObsFolder, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Has the folder of the tracks be there before a Flatpak starts, now and after each login.

    A Flatpak sees a folder only if it was there when it started, and may not make it where it may
    only read. Gives the file for systemd that does it; None for other installations of OBS.
    Raises PermissionDenied and OutputFailed.
    """
    if folder.kind != "flatpak":
        return None
    file = _tmpfiles(environ)
    with _in_words("needs its tracks' folder kept, but nothing can be written to", file, "linux"):
        if not file.is_file() or file.read_text() != _TMPFILES:
            _replace(file, _TMPFILES.encode())
    make_folder("tracks", environ=environ)
    return file


def _tmpfiles(environ: Mapping[str, str]) -> Path:
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return config / "user-tmpfiles.d" / f"{MODULE}.conf"


def obs_runs() -> bool:
    """Return whether an OBS of this user runs on this computer."""
    own = psutil.Process().username()
    for process in psutil.process_iter():
        # One that nothing can be told of: another user's, or one that has just ended.
        with contextlib.suppress(psutil.Error, OSError):
            if process.name().lower() in PROGRAMS and process.username() == own:
                return True
    return False


# Inside --------------------------------------------------------------------------------------


def _file_name(platform: str) -> str:
    return f"{MODULE}.dll" if platform == "win32" else f"{MODULE}.so"


def _texts_of(built: Path) -> Path:
    return built.parent / "locale" / LOCALE


def _places(folder: ObsFolder, file_name: str) -> tuple[Path, Path]:
    """The module's file, and that of its texts."""
    if folder.kind == "portable":
        # As OBS's own modules: the texts lie in its data.
        obs = folder.plugins.parent
        data = obs / "data" / "obs-plugins" / MODULE
        return folder.plugins / "64bit" / file_name, data / "locale" / LOCALE
    own = folder.plugins / MODULE
    return own / "bin" / "64bit" / file_name, own / "data" / "locale" / LOCALE


def _refuse_while_in_use(platform: str) -> None:
    if platform == "win32" and obs_runs():
        raise ObsError(
            "OBS is running, and Windows lets nobody change a module that is in use",
            remedy="Close OBS, then try again.",
        )


def _remedy_without_module(platform: str) -> str:
    if platform == "win32":
        return "Install the wheel of pypac-obs for Windows: it has the module."
    return "Install libobs-dev (29 or newer), then install pypac-obs from its source."


def _same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # OBS loads what ends in .so or .dll, so what is half written must not.
    handle, name = tempfile.mkstemp(prefix=f".{MODULE}-", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_empty(folder: Path, top: str) -> None:
    """Removes this folder and those above it, up to the one of that name, while they are empty."""
    chain: list[Path] = []
    for one in (folder, *folder.parents):
        chain.append(one)
        if one.name == top:
            break
    else:
        return
    for one in chain:
        with contextlib.suppress(OSError):
            one.rmdir()


@contextlib.contextmanager
def _in_words(what: str, path: Path, platform: str) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        # Windows hides who runs a program as administrator, and says the same of a file in use.
        remedy = (
            "Close every OBS, also another user's and one that runs as administrator, then try "
            "again; if that does not help, try as administrator."
        )
        raise PermissionDenied(
            f"the OBS module {what} {path}: {error.strerror}",
            native_code=error.errno,
            remedy=remedy if platform == "win32" else "",
        ) from error
    except OSError as error:
        raise OutputFailed(
            f"the OBS module {what} {path}: {error.strerror}", native_code=error.errno
        ) from error
