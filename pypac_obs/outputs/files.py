# SPDX-License-Identifier: MIT
"""Split files: one per track, all of one length, that outlive a crash, a kill and a full disk."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import stat
import struct
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from pypac_obs.errors import OutputFailed, PypacError
from pypac_obs.incidents import CLIPPED, DISK_FULL, FILE_GONE, OUTPUT_FAILED, Incident
from pypac_obs.outputs import sndfile_commands
from pypac_obs.outputs.clipping import ClippedStretch, Clipping
from pypac_obs.outputs.failures import output_failure
from pypac_obs.outputs.manifest import Ledger, Manifest, TrackFile
from pypac_obs.outputs.output import Block, Marker, Output, SessionInfo, TrackInfo
from pypac_obs.outputs.place import Place, find
from pypac_obs.own_folder import is_own_folder
from pypac_obs.profile.names import name_key
from pypac_obs.profile.paths import expand_path, placeholders

__all__ = ["FileSettings", "FilesOutput"]

_SUBTYPES = {"float32": "FLOAT", "pcm24": "PCM_24", "pcm16": "PCM_16"}
_BITS = {"PCM_24": 24, "PCM_16": 16}
# Beyond it libsndfile makes the file RF64.
_LONGEST_RIFF = 0xFFFF_FFFF
# Placeholders that make a folder a session's own.
_SESSION_PLACEHOLDERS = {"date", "time", "session"}
# How often it looks for its files, and tells in session.json what has happened.
_LOOK_S = 1.0
# How old lengths and levels in session.json may be. To write it costs as much as a second's audio
# of 32 tracks, and the audio files tell their own lengths.
_MANIFEST_S = 10.0
# A recording is the user's alone, unless its folder was there and says otherwise.
_OWN_FOLDER = 0o700
_OWN_FILE = 0o600


class FileSettings(Protocol):
    """What `FilesOutput` reads of a profile: ``pypac_obs.profile.FileSettings`` is one."""

    @property
    def folder(self) -> str:
        """A template: ~, $VARIABLE and {date} {time} {profile} {session} are filled in."""

    @property
    def name(self) -> str:
        """A file's name without its ending, a template too, with {track}."""

    @property
    def format(self) -> str:
        """Either wav or flac."""

    @property
    def encoding(self) -> str | None:
        """Either float32 (wav only), pcm24 or pcm16; None: float32 for wav, pcm24 for flac."""

    @property
    def tracks(self) -> Sequence[str] | None:
        """The tracks to write; None: all."""


@dataclass(frozen=True)
class _Naming:
    """How the files of a session are named and made."""

    info: SessionInfo
    prefix: str
    suffix: str
    mode: int


class FilesOutput(Output):
    """Writes a WAV or FLAC file per track, with ``session.json`` and ``ledger.jsonl`` beside them.

    - All files of a session end with the same length: gaps of the reader and what is missing at
      the end become silence; frames that come twice are left out. So does the file of a track that
      comes while the session runs, with silence up to there, and that of one that is removed.
    - A WAV file is a plain RIFF WAV, and becomes RF64 where it would pass 4 GiB. Mono and stereo
      have the plain format tags (1 for integers, 3 for float), which every program reads.
    - Headers tell the length written so far after every block: a killed program costs the audio
      that had not been handed over yet, and a FLAC file one more encoder block (4096 frames).
    - On failure, `abort` cuts all files to the last block that fitted into every one of them; one
      block more on a full disk, to have room for the last lines of the ledger and session.json.
    - In pcm24 and pcm16, what is out of range is clipped; it is counted for each track, and an
      incident tells where, and what to do about it.

    Folders that are made, and files in them, are the user's alone (0700, 0600). In a folder that is
    there, whoever may read or write in it may do so with the files, as far as the umask goes.

    Nothing is ever overwritten. A folder whose template has {date}, {time} or {session} belongs to
    one session: if it exists and holds anything, "<folder> (2)" is taken, or the next free number.
    Any other folder is shared: there the session's files get the number, all of them the same, as
    in "voice (2).wav", "game (2).wav", "session (2).json" and "ledger (2).jsonl".

    With ``stem`` the rule's name does not count: "take" gives "take voice.wav", "take game.wav" and
    "take session.json", in ``folder``, or in the rule's where that is None.
    """

    def __init__(
        self,
        rule: FileSettings,
        name: str = "files",
        *,
        stem: str | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self._stem = stem
        self._given_folder = folder
        self.tracks = tuple(rule.tracks) if rule.tracks is not None else None
        self._rule = rule
        self._folder: Path | None = None
        self._place: Place | None = None
        self._gone: frozenset[str] = frozenset()  # tracks whose files were deleted
        self._own_incidents: list[Incident] = []  # not told to the session yet
        self._files: list[_TrackFile] = []
        self._manifest: Manifest | None = None
        self._ledger: Ledger | None = None
        self._naming: _Naming | None = None
        self._prepared: dict[str, _TrackFile] = {}  # files of tracks that are about to come
        self._created: list[Path] = []  # with the folder, if it was made
        self._position = 0  # what every file holds, in frames
        self._next_look = 0.0
        self._next_manifest = 0.0
        self._previous = 0  # the same, one block before
        self._uneven = False  # some files hold more than _position, or a part of a frame
        self._full = False  # the disk is

    @property
    def folder(self) -> Path | None:
        """Where the files of this session are, or were at its end; None before ``open``."""
        return self._folder

    @property
    def manifest_path(self) -> Path | None:
        """Where session.json is, or was at the end; None before ``open``."""
        if self._manifest is None or self._folder is None:
            return None
        return self._folder / self._manifest.name

    @property
    def paths(self) -> Mapping[str, Path]:
        """The file of each track; empty before ``open``."""
        return {file.track: file.path for file in self._files}

    @property
    def gone(self) -> frozenset[str]:
        """The tracks whose files somebody has deleted."""
        return self._gone

    @property
    def lengths(self) -> Mapping[str, int]:
        """How many frames the file of each track holds."""
        return {file.track: file.frames for file in self._files}

    def failure(self) -> OutputFailed | None:
        """Tells which files were deleted while it goes on with the others."""
        if not self._gone:
            return None
        names = [file.path.name for file in self._files if file.track in self._gone]
        were = "was" if len(names) == 1 else "were"
        return OutputFailed(
            f"{self.name}: {' and '.join(names)} {were} deleted or replaced while recording",
            remedy="Keep the files of a recording until it has ended.",
        )

    def open(self, info: SessionInfo) -> None:
        """Creates the folder and the files. Raises OutputFailed, and leaves no file behind then."""
        tracks = [t for t in info.tracks if self.tracks is None or t.name in self.tracks]
        with self._errors_in_plain_words():
            for number in count(1):
                created: list[Path] = []
                try:
                    self._create(info, tracks, number, created)
                    self._created = created
                    break
                except BaseException as error:
                    self._discard(created)
                    # Somebody has just taken this name: the next one, then.
                    if not isinstance(error, FileExistsError):
                        raise

    def write(self, block: Block) -> None:
        """Appends the block to every file. Raises OutputFailed."""
        with self._errors_in_plain_words():
            if block.start > self._position:
                self._pad(block.start)
            known = self._position - block.start  # frames that came twice
            if known < block.frames:
                self._uneven = True
                for file in self._files:
                    audio = block.audio[file.track]
                    file.check(audio, block.frames)
                    file.write(audio[known:] if known else audio)
                self._commit(block.start + block.frames)
            self._update_manifest()

    def skip_to(self, frame: int) -> None:
        """Fills every file with silence up to there. Raises OutputFailed."""
        with self._errors_in_plain_words():
            if frame > self._position:
                self._pad(frame)

    def prepare_tracks(self, tracks: Sequence[TrackInfo]) -> None:
        """Creates the files of tracks that are about to come, with silence up to now. [any-thread]

        Not on the output's own thread, which has no time to encode hours of silence. Raises
        OutputFailed.
        """
        with self._errors_in_plain_words(of_new_files=True):
            for track in tracks:
                file = self._begin_later(track)
                self._prepared[track.name] = file
                if self._position:
                    file.silence(self._position)
                file.commit()

    def forget_tracks(self) -> None:
        """Removes what `prepare_tracks` has made. [any-thread]"""
        while self._prepared:
            _, file = self._prepared.popitem()
            with contextlib.suppress(OSError, soundfile.SoundFileError):
                file.close()
            with contextlib.suppress(OSError):
                file.path.unlink()

    def tracks_changed(self, tracks: Sequence[TrackInfo]) -> None:
        """Goes on with the files that were prepared. Raises OutputFailed."""
        assert self._manifest is not None
        with self._errors_in_plain_words():
            for track in tracks:
                if (file := self._prepared.pop(track.name, None)) is None:
                    continue
                self._files.append(file)
                self._manifest.add_track(self._manifest_entry(file))
                self._uneven = True
                if self._position > file.written:
                    file.silence(self._position - file.written)
                file.commit()
                self._uneven = False

    def close(self, end: int) -> None:
        """Fills every file up to ``end`` frames and closes it. Raises OutputFailed."""
        self.forget_tracks()
        with self._errors_in_plain_words():
            if end > self._position:
                self._pad(end)
            self._look_for_files()
            self._uneven = True
            for file in self._files:
                file.close()
            self._uneven = False
            self._finish("failed" if self._gone else "complete")

    def abort(self) -> None:
        """Saves what every file holds, and closes them. Raises nothing."""
        self.forget_tracks()
        cut, kept = self._cut(), self.kept()
        for file in self._files:
            with contextlib.suppress(OSError, soundfile.SoundFileError):
                if cut is None:
                    file.close()
                else:
                    file.cut(cut)
        self._position = kept
        with contextlib.suppress(OSError):
            self._finish("failed")
        self._leave()

    def discard(self) -> None:
        """Removes everything that it has made. Raises nothing."""
        self.forget_tracks()
        self._discard(self._created)

    def kept(self) -> int:
        """Tells how many frames each file holds once `abort` has cut it."""
        cut = self._cut()
        if cut is None:
            return self._position
        return min((file.held(cut) for file in self._files), default=cut)

    def on_incident(self, incident: Incident) -> None:
        """Appends it to the ledger, at once. Raises OutputFailed."""
        assert self._ledger is not None
        assert self._manifest is not None
        self._manifest.add_incident(incident)
        own_end = incident.output == self.name and incident.cause in (DISK_FULL, OUTPUT_FAILED)
        if own_end:
            self._manifest.error = incident.detail
        # From its own end on the disk may be full: abort() makes room and tries again.
        failed = self._manifest.error is not None
        with contextlib.suppress(OSError) if failed else self._errors_in_plain_words():
            self._ledger.add(incident)

    def on_marker(self, marker: Marker) -> None:
        """Takes the mark over into session.json."""
        assert self._manifest is not None
        self._manifest.add_marker(marker)

    def add_note(self, key: str, value: object) -> None:
        """Says something more in session.json, under a key of its own. After ``open``."""
        assert self._manifest is not None
        self._manifest.add_note(key, value)

    def on_status(self, status: Mapping[str, object]) -> None:
        """Takes the status over into session.json."""
        assert self._manifest is not None
        self._set_frames()
        self._manifest.add_status(status)
        with self._errors_in_plain_words():
            self._update_manifest()

    def new_incidents(self, *, ends: bool = False) -> Sequence[Incident]:
        """Tells what was clipped; it is in the ledger already. Raises OutputFailed."""
        told, self._own_incidents = self._own_incidents, []
        found = []
        for file in self._files:
            stretch = file.clipping.take(self._position, ends=ends)
            if stretch is not None:
                found.append(self._clipped(file, stretch))
        for incident in found:
            self.on_incident(incident)
        return told + found

    def _clipped(self, file: _TrackFile, stretch: ClippedStretch) -> Incident:
        peak_db = 20 * math.log10(stretch.peak)
        lower_db = math.floor(-peak_db)
        encoding = " in `encoding: float32`" if self._rule.format == "wav" else ""
        detail = (
            f"the peak was {peak_db:+.1f} dBFS. Lower the track (a filter `gain: {{gain_db: "
            f"{lower_db}}}`) or what it is mixed from, or write `format: wav`{encoding}, "
            "which holds any level"
        )
        return Incident(
            CLIPPED, None, self.name, (file.track,), stretch.begin, stretch.frames, detail
        )

    def _cut(self) -> int | None:
        """To how many frames `abort` has to cut the files; None: they are fine as they are."""
        if self._full:
            return self._previous
        return self._position if self._uneven else None

    def _create(
        self, info: SessionInfo, tracks: list[TrackInfo], number: int, created: list[Path]
    ) -> None:
        """Creates everything under the names of this number. FileExistsError: try the next."""
        rule = self._rule
        suffix = f" ({number})" if number > 1 else ""
        prefix = f"{self._stem} " if self._stem is not None else ""
        own_folder = False
        folder = self._given_folder
        if folder is None:
            own_folder = bool(placeholders(rule.folder) & _SESSION_PLACEHOLDERS)
            folder = self._expand(rule.folder, info, track="")
        if own_folder:
            folder = folder.with_name(folder.name + suffix)
            suffix = ""
        self._folder = folder
        mode = _OWN_FILE
        self._create_folder(folder.parent)
        if own_folder and os.path.lexists(folder):
            # Where others may write, a link or a folder of theirs may lie in wait under the name.
            if not is_own_folder(folder.lstat()) or any(folder.iterdir()):
                raise FileExistsError
            mode = _mode_in(folder)
        elif not folder.exists():
            # Exclusive: of two sessions, one gets it and the other a number.
            folder.mkdir(mode=_OWN_FOLDER)
            created.append(folder)
        else:
            mode = _mode_in(folder)
        self._place = Place(folder)
        manifest = folder / f"{prefix}session{suffix}.json"
        ledger = folder / f"{prefix}ledger{suffix}.jsonl"
        names = self._file_names(info, tracks, prefix, suffix)
        # "x" is exclusive: of two sessions that want the name, one gets it; and it follows no link.
        os.close(os.open(manifest, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        created.append(manifest)
        self._ledger = Ledger(self._place, ledger.name, info.sample_rate, mode)
        created.append(ledger)
        self._naming = _Naming(info, prefix, suffix, mode)
        for track, name in zip(tracks, names, strict=True):
            self._files.append(self._begin_file(track, folder / name))
            created.append(folder / name)
        self._manifest = Manifest(
            self._place,
            manifest.name,
            info,
            self.name,
            [self._manifest_entry(file) for file in self._files],
            ledger.name,
            mode,
        )
        self._manifest.write()

    def _begin_file(self, track: TrackInfo, path: Path) -> _TrackFile:
        """Creates the file of a track. FileExistsError: the name is taken."""
        assert self._naming is not None
        mode, rate = self._naming.mode, self._naming.info.sample_rate
        kind = _FlacFile if self._rule.format == "flac" else _WavFile
        raw = FileIO(path, "x+", opener=lambda name, flags: os.open(name, flags, mode))
        try:
            file = kind(track, path, raw, rate, _SUBTYPES[self._encoding])
            file.begin()
        except BaseException:
            raw.close()
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        return file

    def _begin_later(self, track: TrackInfo) -> _TrackFile:
        """Creates the file of a track that has come while the others are written."""
        assert self._naming is not None
        assert self._place is not None
        naming = self._naming
        self._place.look()  # somebody may have renamed the folder
        for number in count(1):
            suffix = naming.suffix + (f" ({number})" if number > 1 else "")
            [name] = self._file_names(naming.info, [track], naming.prefix, suffix)
            with contextlib.suppress(FileExistsError):
                file = self._begin_file(track, self._place.folder / name)
                break
        return file

    @property
    def _encoding(self) -> str:
        return self._rule.encoding or ("pcm24" if self._rule.format == "flac" else "float32")

    def _manifest_entry(self, file: _TrackFile) -> TrackFile:
        return TrackFile(
            file.track, file.path.name, file.channels, self._rule.format, self._encoding
        )

    @staticmethod
    def _create_folder(folder: Path) -> None:
        try:
            # Not `parents`, which gives those the mode that is the default.
            missing = [one for one in (folder, *folder.parents) if not one.exists()]
            for one in reversed(missing):
                one.mkdir(mode=_OWN_FOLDER, exist_ok=True)
            folder.mkdir(exist_ok=True)
        except FileExistsError as error:  # a file: another number is no way out
            raise NotADirectoryError(errno.ENOTDIR, str(error), str(folder / "*")) from error

    def _file_names(
        self, info: SessionInfo, tracks: list[TrackInfo], prefix: str, suffix: str
    ) -> list[str]:
        names: list[str] = []
        taken: dict[str, str] = {}  # as Windows and macOS compare them
        for track in tracks:
            stem = track.name
            if self._stem is None:
                stem = self._expand(self._rule.name, info, track=track.name).name
            name = f"{prefix}{stem}{suffix}.{self._rule.format}"
            other = taken.setdefault(name_key(name), track.name)
            if other != track.name:
                raise OutputFailed(
                    f"{self.name}: the tracks {other} and {track.name} would both be {name}",
                    remedy="Put {track} into the name of the files, and name the tracks apart.",
                )
            if self._rule.format == "flac" and track.channels > 8:
                raise OutputFailed(
                    f"{self.name}: the track {track.name} has {track.channels} channels, and FLAC "
                    "takes 8 at most",
                    remedy="Write it as `format: wav`.",
                )
            names.append(name)
        return names

    def _expand(self, template: str, info: SessionInfo, *, track: str) -> Path:
        return expand_path(
            template,
            track=track,
            profile=info.profile_name,
            session=info.session,
            start=info.start_wall,
        )

    def _discard(self, created: list[Path]) -> None:
        """Removes what `_create` has made before it failed."""
        for file in self._files:
            with contextlib.suppress(OSError, soundfile.SoundFileError):
                file.close()
        if self._ledger is not None:
            self._ledger.close()
        if self._place is not None:
            self._place.close()
        self._files, self._ledger, self._manifest, self._place = [], None, None, None
        for path in reversed(created):
            with contextlib.suppress(OSError):
                path.rmdir() if path == self._folder else path.unlink()

    def _pad(self, end: int) -> None:
        self._uneven = True
        for file in self._files:
            file.silence(end - self._position)
        self._commit(end)

    def _commit(self, position: int) -> None:
        """Every file holds ``position`` frames: says so in their headers."""
        for file in self._files:
            file.commit()
        self._previous, self._position = self._position, position
        self._uneven = False

    def _update_manifest(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_S
        self._look_for_files()
        assert self._manifest is not None
        if now < self._next_manifest and not self._manifest.changed and self._manifest.is_there():
            return
        # The sound has its open files: that a new one is refused costs no frame of it. If it still
        # is at the end, that is said.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            self._write_manifest("running")

    def _look_for_files(self) -> None:
        """Looks whether anybody has renamed the folder, or moved or deleted a file.

        Raises OutputFailed where none is left.
        """
        assert self._place is not None
        assert self._manifest is not None
        if self._place.fd is None:
            return
        self._place.look()
        self._folder = self._place.folder
        lost = []
        for file in self._files:
            if file.track in self._gone:
                continue
            path = file.find()
            if path is None:
                lost.append(file)
            elif path != file.path:
                file.path = path
                moved = path.parent != self._folder
                self._manifest.set_file(file.track, str(path) if moved else path.name)
        if lost and len(self._gone) + len(lost) == len(self._files):
            self._gone |= {file.track for file in lost}
            if not os.path.isdir(self._folder):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            raise OutputFailed(
                f"{self.name}: all of its files were deleted while recording",
                remedy="Keep the files of a recording until it has ended.",
            )
        for file in lost:
            self._lose(file)
        with contextlib.suppress(FileNotFoundError, PermissionError, FileExistsError):
            assert self._ledger is not None
            self._ledger.restore()

    def _lose(self, file: _TrackFile) -> None:
        assert self._manifest is not None
        self._gone |= {file.track}
        incident = Incident(
            FILE_GONE, None, self.name, (file.track,), self._position, 0, file.path.name
        )
        self.on_incident(incident)
        self._own_incidents.append(incident)
        if (failure := self.failure()) is not None:
            self._manifest.error = str(failure).removeprefix(f"{self.name}: ")
            self._manifest.changed = True

    def _write_manifest(self, state: str) -> None:
        assert self._manifest is not None
        self._next_manifest = time.monotonic() + _MANIFEST_S
        self._manifest.state = state
        self._set_frames()
        self._manifest.write()

    def _set_frames(self) -> None:
        assert self._manifest is not None
        self._manifest.set_frames(
            self._position,
            [0 if file.track in self._gone else file.frames for file in self._files],
            [f.clipping.total for f in self._files],
        )

    def _finish(self, state: str) -> None:
        assert self._ledger is not None
        try:
            self._ledger.flush()
        finally:
            self._write_manifest(state)
        self._leave()

    def _leave(self) -> None:
        """Closes the ledger, and notes where everything is at the end."""
        if self._ledger is not None:
            self._ledger.close()
        if self._place is None or self._folder is None:
            return
        self._place.look()
        self._place.close()
        for file in self._files:
            if file.path.parent == self._folder:
                file.path = self._place.folder / file.path.name
        self._folder = self._place.folder

    @contextlib.contextmanager
    def _errors_in_plain_words(self, *, of_new_files: bool = False) -> Iterator[None]:
        """Turns what the system and libsndfile raise into OutputFailed.

        ``of_new_files``: on another thread, and those that are being written have no fault.
        """
        try:
            yield
        except PypacError:
            raise
        except (OSError, soundfile.SoundFileError, AssertionError) as error:
            code = sndfile_commands.system_errno(error)
            cause = OSError(code, os.strerror(code)) if code is not None else error
            failure = output_failure(self.name, cause, self._folder)
            if not of_new_files:
                self._full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
            raise failure from error


def _mode_in(folder: Path) -> int:
    """The mode of files in a folder that was there: its own, without the right to enter."""
    return _OWN_FILE | (stat.S_IMODE(folder.stat().st_mode) & 0o066)


class _TrackFile(ABC):
    """One file: ``raw``, created empty, which this closes.

    libsndfile and `raw` share the descriptor and its position.
    """

    _container: str

    def __init__(
        self, track: TrackInfo, path: Path, raw: FileIO, sample_rate: int, subtype: str
    ) -> None:
        self.track = track.name
        self.path = path
        self.channels = track.channels
        self.frames = 0  # that any reader of the file finds in it
        self.clipping = Clipping(sample_rate, counts=subtype != "FLOAT")
        self._written = 0
        self._raw = raw
        # The descriptor, because in a shared folder the name may have become a link to another file
        # by now. On Windows the name: the C library of libsndfile has descriptors of its own there.
        target = str(path) if os.name == "nt" else raw.fileno()
        try:
            self._file: Any = soundfile.SoundFile(
                target,
                "w",
                sample_rate,
                track.channels,
                subtype,
                format=self._container,
                closefd=False,
            )
        except BaseException:
            raw.close()
            raise

    @abstractmethod
    def begin(self) -> None:
        """Makes it a file of 0 frames that opens."""

    def check(self, audio: NDArray[np.float32], frames: int) -> None:
        """Raises ValueError for an array that would be written as something else."""
        if audio.shape != (frames, self.channels) or audio.dtype != np.float32:
            raise ValueError(
                f"track {self.track}: expected float32 of shape ({frames}, {self.channels}), "
                f"got {audio.dtype} of shape {audio.shape}"
            )

    def write(self, audio: NDArray[np.float32]) -> None:
        """Appends frames, straight from the array's memory."""
        self.clipping.look_at(self._written, audio)
        sndfile_commands.write_frames(self._file, audio)
        self._written += len(audio)

    @abstractmethod
    def silence(self, frames: int) -> None:
        """Appends frames of silence."""

    @abstractmethod
    def commit(self) -> None:
        """Makes the header tell what was written so far."""

    @property
    def written(self) -> int:
        """How many frames were handed over so far."""
        return self._written

    def held(self, frames: int) -> int:
        """Tells how much of the first ``frames`` frames `cut` leaves."""
        return frames

    @abstractmethod
    def cut(self, frames: int) -> None:
        """Closes the file with the first ``frames`` frames: one of the last two commits."""

    def close(self) -> None:
        """Closes the file with all that was written. May be called again."""
        if not self._file.closed:
            self._file.close()
            self._header_on_close()
            self.frames = self._written
        self._raw.close()

    def find(self) -> Path | None:
        """Tells where the file is now; None: somebody has deleted or replaced it."""
        return self.path if self._raw.closed else find(self._raw.fileno(), self.path)

    def _header_on_close(self) -> None:  # noqa: B027 - optional
        """Writes what libsndfile's own closing leaves to be written."""

    def _put(self, at: int, data: bytes) -> None:
        if sys.platform == "win32":
            with self._at(at):
                self._raw.write(data)
        else:
            os.pwrite(self._raw.fileno(), data, at)

    def _get(self, at: int, size: int) -> bytes:
        with self._at(at):
            return self._raw.read(size)

    @contextlib.contextmanager
    def _at(self, at: int) -> Iterator[None]:
        # libsndfile goes on where it was.
        before = self._raw.tell()
        self._raw.seek(at)
        try:
            yield
        finally:
            self._raw.seek(before)


def _plain_format(channels: int, sample_rate: int, subtype: str) -> bytes:
    """A WAV file's format with the tag 1 (integers) or 3 (float, which has an empty extension)."""
    bits = _BITS.get(subtype, 32)
    frame_bytes = channels * bits // 8
    tag, extension = (3, b"\0\0") if subtype == "FLOAT" else (1, b"")
    fields = (tag, channels, sample_rate, sample_rate * frame_bytes, frame_bytes, bits)
    return struct.pack("<HHIIHH", *fields) + extension


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content


class _WavFile(_TrackFile):
    """A WAV file that libsndfile begins as an RF64 file, to be able to go on beyond 4 GiB.

    libsndfile's header has the extensible format tag then, which Python's `wave` and old editors
    refuse or warn of. Up to two channels and 4 GiB the header is one of ours, of the same length.
    """

    _container = "RF64"
    _DATA_AT = 104  # the chunk "data", whose length the header ends with
    _HEADER_SIZE = _DATA_AT + 8

    def __init__(
        self, track: TrackInfo, path: Path, raw: FileIO, sample_rate: int, subtype: str
    ) -> None:
        super().__init__(track, path, raw, sample_rate, subtype)
        self._format = _plain_format(track.channels, sample_rate, subtype)
        self._is_float = subtype == "FLOAT"
        self._header = self._plain_header()
        self._frame_bytes = track.channels * _BITS.get(subtype, 32) // 8
        self._is_plain = False

    def begin(self) -> None:
        sndfile_commands.begin_as_riff(self._file)
        sndfile_commands.update_header(self._file)
        header = self._get(0, self._HEADER_SIZE)
        is_known = len(header) == self._HEADER_SIZE and header[self._DATA_AT :] == b"data\0\0\0\0"
        self._is_plain = is_known and self.channels <= 2
        self._put_header()

    def silence(self, frames: int) -> None:
        # A hole up to the last frame: an output that was too slow for the disk does not have to
        # write the silence too. Zero bytes are silence in every encoding used here.
        self._file.seek(self._written + frames - 1)
        self._file.buffer_write(np.zeros((1, self.channels), np.float32), "float32")
        self._written += frames

    def commit(self) -> None:
        if not self._put_header():
            sndfile_commands.update_header(self._file)
        self.frames = self._written

    def _plain_header(self) -> bytearray:
        """A header in which only the lengths are missing."""
        behind = _chunk(b"fmt ", self._format) + (
            _chunk(b"fact", bytes(4)) if self._is_float else b""
        )
        # Empty space, as long as it takes: libsndfile's own header has to fit again.
        junk = _chunk(b"JUNK", bytes(self._DATA_AT - 12 - 8 - len(behind)))
        return bytearray(b"RIFF" + bytes(4) + b"WAVE" + junk + behind + b"data" + bytes(4))

    def _put_header(self, size: int | None = None) -> bool:
        """Writes the plain header; False where the file has another one.

        ``size`` is the file's; None: nothing is behind the frames.
        """
        data_bytes = self._written * self._frame_bytes
        whole = self._HEADER_SIZE + data_bytes
        if not self._is_plain or whole > _LONGEST_RIFF:
            return False
        header = self._header
        struct.pack_into("<I", header, 4, (whole if size is None else size) - 8)
        struct.pack_into("<I", header, self._DATA_AT + 4, data_bytes)
        if self._is_float:
            struct.pack_into("<I", header, self._DATA_AT - 4, self._written)
        self._put(0, bytes(header))
        return True

    def _header_on_close(self) -> None:
        # libsndfile has just written its own, and maybe a byte more, to make the length even.
        self._put_header(os.fstat(self._raw.fileno()).st_size)

    def cut(self, frames: int) -> None:
        try:
            if not self._file.closed:
                self._file.truncate(frames)
                self._written = frames
        finally:
            self.close()


class _FlacFile(_TrackFile):
    """A FLAC file, whose STREAMINFO is kept up to date behind the encoder's back.

    The encoder hands on whole blocks, each once the first frame of the next has come, and fills
    STREAMINFO in only at the end.
    """

    _container = "FLAC"
    _BLOCK_AT = 8  # the encoder's block length, after "fLaC" and the header of STREAMINFO
    _TOTAL_AT = 21  # 4 bits of the samples' width, then 36 bits of total samples
    _MD5_AT = 26

    def __init__(
        self, track: TrackInfo, path: Path, raw: FileIO, sample_rate: int, subtype: str
    ) -> None:
        super().__init__(track, path, raw, sample_rate, subtype)
        self._sample_rate = sample_rate
        self._bits = _BITS[subtype]
        self._block_frames = 0  # of the encoder; known once it has begun
        # The last commits: frames written, frames that the file holds, and its size.
        self._commits = deque([(0, 0, 0)], maxlen=3)

    def begin(self) -> None:
        # libsndfile writes nothing before the first frame, and so would leave an empty file.
        self._put(0, self._empty_stream())

    def silence(self, frames: int) -> None:
        zeros = np.zeros((min(frames, self._sample_rate), self.channels), np.float32)
        for at in range(0, frames, len(zeros)):
            self.write(zeros[: frames - at])

    def commit(self) -> None:
        if not self._block_frames:
            self._block_frames = int.from_bytes(self._get(self._BLOCK_AT, 2), "big")
        self.frames = (self._written - 1) // self._block_frames * self._block_frames
        self._put_total(self.frames)
        self._commits.append((self._written, self.frames, os.fstat(self._raw.fileno()).st_size))

    def held(self, frames: int) -> int:
        return self._commit_at(frames)[1]

    def cut(self, frames: int) -> None:
        if self._raw.closed:
            return
        with contextlib.suppress(soundfile.SoundFileError):
            self._file.close()
        _, self.frames, size = self._commit_at(frames)
        self._raw.truncate(size)
        if size:
            self._put_total(self.frames)
            self._put(self._MD5_AT, bytes(16))  # "unknown": the encoder's would be of more
        else:
            self._put(0, self._empty_stream())
        self.close()

    def _commit_at(self, frames: int) -> tuple[int, int, int]:
        return max(commit for commit in self._commits if commit[0] <= frames)

    def _put_total(self, frames: int) -> None:
        # 36 bits, which is 16 days at 48 kHz; 0 stands for "unknown".
        total = frames if frames < 1 << 36 else 0
        value = ((self._bits - 1) & 0xF) << 36 | total
        self._put(self._TOTAL_AT, value.to_bytes(5, "big"))

    def _empty_stream(self) -> bytes:
        """Gives a FLAC file of 0 frames: "fLaC" and STREAMINFO as the only metadata block."""
        packed = self._sample_rate << 44 | (self.channels - 1) << 41 | (self._bits - 1) << 36
        lengths = (4096).to_bytes(2, "big") * 2 + bytes(6)
        return b"fLaC\x80\x00\x00\x22" + lengths + packed.to_bytes(8, "big") + bytes(16)
