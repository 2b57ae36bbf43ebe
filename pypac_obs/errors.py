# SPDX-License-Identifier: MIT
# ruff: noqa: N818 - the classes are named by what happened, as PermissionDenied is
"""What can go wrong, named by what the caller can do about it.

::

    PypacError                               catches everything below              exit 1
    ├── ProfileError      (ValueError)       correct the profile                   exit 2
    ├── NotRunning        (LookupError)      start the program, or wait for it     exit 1
    ├── PermissionDenied  (PermissionError)  grant what the remedy names           exit 3
    ├── Unsupported                          ask for what this system can do       exit 3
    ├── BackendUnavailable                   install or start the audio system     exit 3
    ├── DeviceGone                           plug it in again, or pick another     exit 1
    ├── OutputFailed      (OSError)          make room, or write somewhere else    exit 1
    ├── PluginFailed                         correct it, or what it is given       exit 1
    ├── SessionClosed                        open a new session                    exit 1
    ├── ChangeRefused     (ValueError)       make it while no session runs         exit 1
    │   └── RevisionConflict                 see what changed, and do it again      exit 1
    ├── ControlUnavailable                   free the port, or name another        exit 1
    ├── UnknownAddress    (LookupError)      use one that the profile has          exit 2
    ├── InvalidValue      (ValueError)       give what the message says            exit 2
    ├── InvalidFile       (ValueError)       give another file                     exit 2
    └── ObsError                             catches everything about OBS          exit 1
        ├── ObsNotRunning   (ConnectionError)  start OBS, or wait for it           exit 1
        ├── ObsDisabled                        switch its websocket server on      exit 1
        ├── ObsWrongPassword (PermissionError) give the right password             exit 1
        ├── ObsUntrusted    (PermissionError)  see whose program answers there     exit 1
        ├── ObsTooOld                          update OBS                          exit 1
        ├── ObsNotAnswering (TimeoutError)     wait, or see what holds OBS up      exit 1
        ├── ObsProtocolError                   see what listens there instead      exit 1
        └── ObsRefused                         do what its comment says            exit 1

``exit_code`` is what the command line ends with. Events of the stream (a gap, an xrun, a program
that went away) are no errors: they are data, in the ledger and on the block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "BackendUnavailable",
    "ChangeRefused",
    "ControlUnavailable",
    "DeviceGone",
    "InvalidFile",
    "InvalidValue",
    "NotRunning",
    "ObsDisabled",
    "ObsError",
    "ObsNotAnswering",
    "ObsNotRunning",
    "ObsProtocolError",
    "ObsRefused",
    "ObsTooOld",
    "ObsUntrusted",
    "ObsWrongPassword",
    "OutputFailed",
    "PermissionDenied",
    "PluginFailed",
    "ProfileError",
    "ProfileMistake",
    "PypacError",
    "RevisionConflict",
    "SessionClosed",
    "UnknownAddress",
    "Unsupported",
]


class PypacError(Exception):
    """Anything that PyPAC-OBS raises on purpose.

    ``message`` says what happened, ``remedy`` what the user can do about it ("" where nothing is
    known), and ``native_code`` is the operating system's own number for it, where there is one.
    The remedy is also shown below the message in a traceback.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "", native_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.native_code = native_code
        if remedy:
            self.add_note(remedy)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class ProfileMistake:
    """One mistake in a profile: where it is, what was expected there and what was found.

    ``line`` and ``column`` count from 1; both are 0 where there is no text to point into (a
    missing file, a profile built from Python objects). ``path`` is written like
    ``tracks.voice.from[1]`` and is empty for the file as a whole. ``nearest`` is the valid name
    that comes closest to what was found, or None.

    >>> print(ProfileMistake("a.yaml", 7, 11, "tracks.game.from", "a source", '"gane"', "game"))
    a.yaml:7:11: tracks.game.from: expected a source, found "gane"; did you mean "game"?
    """

    file: str
    line: int
    column: int
    path: str
    expected: str
    found: str
    nearest: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        path = f" {self.path}:" if self.path else ""
        hint = f'; did you mean "{self.nearest}"?' if self.nearest is not None else ""
        return f"{where}:{path} expected {self.expected}, found {self.found}{hint}"


class ProfileError(PypacError, ValueError):
    """The profile is wrong: ``mistakes`` holds every mistake, and ``str()`` prints one per line."""

    exit_code = 2

    def __init__(self, mistakes: Iterable[ProfileMistake]) -> None:
        self.mistakes: tuple[ProfileMistake, ...] = tuple(mistakes)
        super().__init__(
            "\n".join(map(str, self.mistakes)),
            remedy=f"Correct the profile; {_where_keys_are(self.mistakes)}.",
        )
        self.args = (self.mistakes,)  # what pickle calls the class with


# A place within a filter, and its kind where that is one.
_IN_FILTER = re.compile(
    r"(?:tracks\..+\.(?:filters|compare)|presets\..+)\[[0-9]+\]\.(?:(?!plugin\.)([a-z_]+)\.)?"
)


def _where_keys_are(mistakes: Iterable[ProfileMistake]) -> str:
    """Says which page lists the keys that are meant, and which command those of a filter."""
    found = [_IN_FILTER.match(one.path) for one in mistakes]
    if not any(found):
        return "docs/profile.md lists every key"
    kinds = {one[1] for one in found if one}
    kind = f" {kind}" if len(kinds) == 1 and (kind := kinds.pop()) else ""
    of_filters = f"docs/filters.md and `pypac-obs plugins{kind}` list those of filters"
    if all(found):
        return of_filters.replace("those of filters", "the settings of filters")
    return f"docs/profile.md lists every key, {of_filters}"


class NotRunning(PypacError, LookupError):
    """No running program matches. In a profile this is a normal state, never an error."""


class PermissionDenied(PypacError, PermissionError):
    """The system refuses what was asked: the audio server, a process, a port, a priority."""

    exit_code = 3


class Unsupported(PypacError):
    """This system, this build or this version cannot do what was asked."""

    exit_code = 3


class BackendUnavailable(PypacError):
    """The audio system is missing, not running, or too old."""

    exit_code = 3


class DeviceGone(PypacError):
    """A device that was in use has been unplugged or switched off."""


class OutputFailed(PypacError, OSError):
    """An output can take no more (the disk is full, the folder unwritable). The others go on.

    ``errno`` equals ``native_code``.
    """

    def __init__(self, message: str, *, remedy: str = "", native_code: int | None = None) -> None:
        super().__init__(message, remedy=remedy, native_code=native_code)
        self.errno = native_code


class PluginFailed(PypacError):
    """A source or a filter that somebody else wrote cannot be loaded, made or opened."""


class SessionClosed(PypacError):
    """The session has ended: it has no more audio to give, and cannot be changed any more."""


class ChangeRefused(PypacError, ValueError):
    """A running session cannot follow this change; nothing has changed."""


class RevisionConflict(ChangeRefused):
    """Somebody else has changed it meanwhile; nothing has changed."""


class ControlUnavailable(PypacError):
    """The session runs, and nobody can control it from outside."""


class UnknownAddress(PypacError, LookupError):
    """The profile has nothing at this address."""

    exit_code: ClassVar[int] = 2


class InvalidValue(PypacError, ValueError):
    """The value cannot be had at this address."""

    exit_code: ClassVar[int] = 2


class InvalidFile(PypacError, ValueError):
    """A file cannot be read, has what nobody can use, or would be overwritten."""

    exit_code: ClassVar[int] = 2


class ObsError(PypacError):
    """Something between us and OBS Studio went wrong. Passwords are in none of these."""


class ObsNotRunning(ObsError, ConnectionError):
    """Nothing listens there, or it has gone: OBS is not running, or not at this address."""


class ObsDisabled(ObsError):
    """Nothing listens there, and OBS's own settings say that its websocket server is off."""


class ObsWrongPassword(ObsError, PermissionError):
    """OBS does not take the password, or asks for one and none is known."""


class ObsUntrusted(ObsError, PermissionError):
    """What answers there may not be the user's own OBS: another user's, or one without password."""


class ObsTooOld(ObsError):
    """An OBS before 28, whose websocket server speaks another protocol."""


class ObsNotAnswering(ObsError, TimeoutError):
    """OBS is connected, or listens, but does not answer in time."""


class ObsProtocolError(ObsError):
    """What answers there does not keep to the protocol; it may be another program."""


class ObsRefused(ObsError):
    """OBS cannot do what it was asked to.

    ``request`` is what it was asked for, ``code`` obs-websocket's number for the reason (such as
    600, there is none of this name) and ``comment`` OBS's own words, "" if it has none.
    """

    def __init__(self, request: str, code: int, comment: str = "") -> None:
        self.request = request
        self.code = code
        self.comment = comment
        words = f": {comment.rstrip('.')}" if comment else ""
        super().__init__(f"OBS refused {request}{words} (code {code})", native_code=code)
        self.args = (request, code, comment)  # what pickle calls the class with
