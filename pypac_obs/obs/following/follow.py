# SPDX-License-Identifier: MIT
"""Follows OBS's recording: tells split files when to begin, pause, split and end."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Protocol

from pypac_obs import _core
from pypac_obs.errors import ObsError, ObsRefused
from pypac_obs.obs.client.connection import ObsConnection
from pypac_obs.obs.client.outputs import (
    STARTED,
    STOPPED,
    Recording,
    recording_path,
    running_recording,
)
from pypac_obs.obs.client.settings import is_here
from pypac_obs.obs.following.record_folders import RecordFolder, is_one_of, record_folders
from pypac_obs.outputs.following import Take
from pypac_obs.profile.checks import printable
from pypac_obs.profile.paths import as_file_name, is_network_path

__all__ = ["RecordFollower", "TakeFiles", "add_chapter"]

_STARTING, _STOPPING = "OBS_WEBSOCKET_OUTPUT_STARTING", "OBS_WEBSOCKET_OUTPUT_STOPPING"
_PAUSED, _RESUMED = "OBS_WEBSOCKET_OUTPUT_PAUSED", "OBS_WEBSOCKET_OUTPUT_RESUMED"
# OBS says that it starts this long before it says that it has started, where we missed the former.
_STARTS_WITHIN_S = 0.1
# OBS's file begins about when OBS says that it has started: docs/obs.md has the measurements.
_SURE_FRAMES = 3
# The encoder holds pictures back, and OBS counts only those that have left it: a recording that was
# running before we came may have begun up to twice this earlier than its count says. x264 holds
# some 20 back, encoders in graphics cards fewer.
_ENCODER_FRAMES = 20
# What is longer ago than this has been written, where it was to be.
_WRITTEN_WITHIN_S = 1.0
# A recording takes longer than this by far; a false OBS could begin hundreds, each with its files.
MAX_TAKES, PER_S = 10, 60.0
# File systems take 255 bytes; the track's name and a number follow.
_LONGEST_STEM = 160


class TakeFiles(Protocol):
    """What a follower tells: `pypac_obs.outputs.following.FollowingFiles` is one."""

    def begin(self, take: Take) -> None:
        """Begins a take; one that runs ends there."""

    def pause(self, host_ns: int) -> None:
        """Leaves out what comes from this moment on."""

    def resume(self, host_ns: int) -> None:
        """Goes on after a pause."""

    def doubt(self, host_ns: int, uncertainty_s: float | None) -> None:
        """Tells how well it is known from now on where frames lie in OBS's file (None: not)."""

    def end(self, host_ns: int) -> None:
        """Ends the take at this moment."""


class RecordFollower:
    """Watches one OBS's recording through an ObsLink, and tells split files of it.

    What OBS says is the only thing that ends a take. When OBS is gone, because it crashed or the
    network did, the files go on, so that nothing is lost; once it is back, its state counts: a take
    that it does not record any more ends then, and another recording begins another take. OBS's own
    count tells then how much was left out by pauses that were not heard of.

    The files lie beside OBS's only where its own settings have it record, which ``folders`` tells,
    and where its file is there; ``report`` gets a sentence where the folder is another one. Of
    recordings that follow one another too fast the first ones are followed, and that is an error;
    ``later`` calls back after some seconds, on the link's thread, to join what is recorded then.

    All methods belong to the link's thread.
    """

    def __init__(
        self,
        files: TakeFiles,
        *,
        folders: Callable[[], Iterable[RecordFolder]] = record_folders,
        report: Callable[[str], None] = lambda sentence: None,
        later: Callable[[float, Callable[[ObsConnection], None]], None] = lambda s, call: None,
    ) -> None:
        self._files = files
        self._folders = folders
        self._report = report
        self._later = later
        self._begun: deque[float] = deque(maxlen=MAX_TAKES)  # when the last takes began
        self._refuses = False  # the last one was one too many
        self._file: str | None = None  # that OBS records into; None while it does not record
        self._first_file = ""  # that the recording began with, before it was split
        self._zero_ns = 0  # the host time of the recording's beginning
        self._unsure_s = 0.0  # how well that is known
        self._take_unsure_s: float | None = 0.0  # and the beginning of the take's file
        self._paused = False
        self._paused_at_ns = 0
        self._left_out_ns = 0  # by pauses
        self._left_out_unsure_s = 0.0
        self._frame_s = 1 / 60
        self._starts_at_ns: int | None = None  # OBS has been starting since then
        self._ended = False  # the take has; OBS is still writing the last of its file

    def connected(self, obs: ObsConnection) -> None:
        """Takes up what OBS is doing now. Raises ObsError."""
        self._frame_s = _frame_s(obs.request("GetVideoSettings"))
        self._starts_at_ns = None
        asked_ns = _core.host_now_ns()
        status = obs.request("GetRecordStatus")
        late_ns = (_core.host_now_ns() - asked_ns) // 2
        now_ns = asked_ns + late_ns
        if status.get("outputActive") is not True:
            if self._file is not None:
                self._end(now_ns)
                self._file = None
            return
        recording = running_recording(obs)
        if self._file is None or recording.file != self._first_file:
            self._join(obs, recording, status, now_ns, late_ns / 1e9)
        elif not self._ended:
            self._catch_up(recording, status, now_ns, late_ns / 1e9)

    def _join(
        self,
        obs: ObsConnection,
        recording: Recording,
        status: Mapping[str, Any],
        now_ns: int,
        late_s: float,
    ) -> None:
        """Takes up a recording that began unseen."""
        counted_s, paused = _duration_s(status), status.get("outputPaused") is True
        lag_s = _ENCODER_FRAMES * self._frame_s
        zero_ns = now_ns - round(((counted_s or 0.0) + lag_s) * 1e9)
        self._take_up(recording.file, zero_ns, lag_s + self._frame_s + late_s)
        # The count goes on over a split, and so tells of the first file only.
        known = counted_s is not None and not recording.splits
        self._begin(
            obs,
            recording.file,
            zero_ns,
            self._unsure_s if known else None,
            seen=False,
            since_ns=now_ns if paused else None,
        )
        if paused:
            self._pause(now_ns)

    def _catch_up(
        self, recording: Recording, status: Mapping[str, Any], now_ns: int, late_s: float
    ) -> None:
        """Makes up for what was not heard of a recording, from OBS's count of it."""
        counted_s, paused = _duration_s(status), status.get("outputPaused") is True
        lag_s = _ENCODER_FRAMES * self._frame_s
        # What lies between the count and now beside the pauses that are known: what the encoder
        # holds back, and what we have not heard of.
        apart_s = lag_s
        if counted_s is not None:
            pauses_ns = self._left_out_ns + (now_ns - self._paused_at_ns if self._paused else 0)
            apart_s = (now_ns - self._zero_ns - pauses_ns) / 1e9 - counted_s
        margin_s = self._unsure_s + self._frame_s + late_s
        unsure_s = lag_s + margin_s
        if self._paused and not paused:
            resumed_ns = now_ns + round((apart_s - lag_s) * 1e9)
            self._resume(min(max(resumed_ns, self._paused_at_ns), now_ns))
        elif self._paused:
            if apart_s < -margin_s:  # it has recorded meanwhile
                resumed_ns = now_ns + round((apart_s - lag_s) * 1e9)
                self._resume(max(resumed_ns, self._paused_at_ns))
                self._pause(now_ns)
            else:
                unsure_s = max(0.0, 2 * lag_s - apart_s) + margin_s
        elif paused:
            self._pause(now_ns - round(max(0.0, apart_s - lag_s) * 1e9))
        elif apart_s > 2 * lag_s + margin_s:  # there was a pause
            # Where is not known. Not where frames are not written yet: OBS has those.
            resumed_ns = now_ns - round(_WRITTEN_WITHIN_S * 1e9)
            self._pause(resumed_ns - round((apart_s - lag_s) * 1e9))
            self._resume(resumed_ns)
        else:  # if there was one, it was no longer than this
            unsure_s = max(0.0, apart_s) + self._frame_s + late_s
        self._left_out_unsure_s = max(self._left_out_unsure_s, unsure_s)
        if self._take_unsure_s is not None:
            # It may have been split meanwhile, too.
            known = counted_s is not None and not recording.splits
            total_s = self._take_unsure_s + self._left_out_unsure_s
            self._files.doubt(now_ns, total_s if known else None)

    def heed(self, obs: ObsConnection, kind: str, data: Mapping[str, Any], arrived_ns: int) -> None:
        """Takes an event that arrived at this host time. Raises ObsError."""
        if kind == "RecordStateChanged":
            self._heed_state(obs, data, arrived_ns)
        elif kind == "RecordFileChanged" and self._file is not None:
            file = data.get("newOutputPath")
            if isinstance(file, str) and file != self._file:
                self._split(obs, file, arrived_ns)

    def _heed_state(self, obs: ObsConnection, data: Mapping[str, Any], arrived_ns: int) -> None:
        state, file = data.get("outputState"), data.get("outputPath")
        if state == _STARTING:
            self._starts_at_ns = arrived_ns
        elif state == STARTED and self._file is None:
            since_ns = arrived_ns - round(_STARTS_WITHIN_S * 1e9)
            if self._starts_at_ns is not None:
                since_ns, self._starts_at_ns = self._starts_at_ns, None
            known = file if isinstance(file, str) and file else recording_path(obs)
            uncertainty_s = (arrived_ns - since_ns) / 2e9 + _SURE_FRAMES * self._frame_s
            self._take_up(known, arrived_ns, uncertainty_s)
            self._begin(obs, known, arrived_ns, uncertainty_s, seen=True)
        elif state == STOPPED and self._file is None:
            self._starts_at_ns = None  # it could not start
        elif self._file is None:
            return
        elif state == _PAUSED and not self._paused:
            self._pause(arrived_ns)
        elif state == _RESUMED and self._paused:
            self._resume(arrived_ns)
        elif state in (_STOPPING, STOPPED):
            self._end(arrived_ns)
            if state == STOPPED:
                self._file = None

    def _take_up(self, first_file: str, zero_ns: int, unsure_s: float) -> None:
        self._first_file, self._zero_ns, self._unsure_s = first_file, zero_ns, unsure_s
        self._left_out_ns, self._left_out_unsure_s = 0, 0.0

    def _begin(
        self,
        obs: ObsConnection,
        file: str,
        zero_ns: int,
        uncertainty_s: float | None,
        *,
        seen: bool,
        since_ns: int | None = None,
    ) -> None:
        self._refuse_too_many()
        stem, folder = _place(file, here=is_here(obs.address.host))
        if folder is not None and not is_one_of(folder, self._folders()):
            place = printable(str(folder), longest=300)
            self._report(
                f"OBS records into {place}, which is none of the folders of its own settings on "
                "this computer: the split files go to the profile's folder."
            )
            folder = None
        proof = Path(file) if folder is not None else None
        self._file, self._ended, self._paused = file, False, False
        self._take_unsure_s = uncertainty_s
        self._files.begin(Take(file, stem, folder, zero_ns, uncertainty_s, seen, since_ns, proof))

    def _refuse_too_many(self) -> None:
        now = time.monotonic()
        if len(self._begun) == MAX_TAKES and (age_s := now - self._begun[0]) < PER_S:
            self._later(PER_S - age_s, self.connected)
            error = ObsError(
                f"OBS has begun more than {MAX_TAKES} recordings within {PER_S:g} s: split files "
                "begin again when these are over",
                remedy="If it was not you: see which program listens at OBS's port.",
            )
            if not self._refuses:
                self._report(f"{error.message}. {error.remedy}")
            self._refuses = True
            raise error
        self._refuses = False
        self._begun.append(now)

    def _split(self, obs: ObsConnection, file: str, arrived_ns: int) -> None:
        """OBS goes on in another file: what has left the encoder by now is in the one before."""
        asked_ns = _core.host_now_ns()
        counted_s = _duration_s(obs.request("GetRecordStatus"))
        late_ns = _core.host_now_ns() - arrived_ns
        lag_s = _ENCODER_FRAMES * self._frame_s
        zero_ns, uncertainty_s = arrived_ns - round(lag_s * 1e9), lag_s + self._frame_s
        if counted_s is not None:
            # The count goes on over the split, so the first file's beginning tells when this is.
            counted_ns = self._zero_ns + self._left_out_ns + round(counted_s * 1e9)
            if arrived_ns - 10e9 < counted_ns <= _core.host_now_ns():
                zero_ns = counted_ns - (asked_ns - arrived_ns)
                unsure_s = self._unsure_s + self._left_out_unsure_s
                uncertainty_s = unsure_s + self._frame_s + late_ns / 1e9
        self._begin(obs, file, zero_ns, uncertainty_s, seen=True)

    def _pause(self, at_ns: int) -> None:
        self._paused, self._paused_at_ns = True, at_ns
        self._files.pause(at_ns)

    def _resume(self, at_ns: int) -> None:
        self._paused = False
        self._left_out_ns += at_ns - self._paused_at_ns
        self._files.resume(at_ns)

    def _end(self, at_ns: int) -> None:
        if not self._ended:
            self._ended = True
            self._files.end(at_ns)


def add_chapter(obs: ObsConnection, text: str) -> bool:
    """Makes a chapter in OBS's recording; False where OBS can't (before 30.2, or another format).

    Raises ObsError, save ObsRefused.
    """
    if "CreateRecordChapter" not in obs.version.requests:
        return False
    try:
        obs.request("CreateRecordChapter", chapterName=text)
    except ObsRefused:  # it does not record, or not into a Hybrid MP4
        return False
    return True


def _duration_s(status: Mapping[str, Any]) -> float | None:
    """How much OBS has recorded, by its own count, which leaves pauses out."""
    value = status.get("outputDuration")
    return value / 1000 if isinstance(value, int | float) and 0 <= value < 1e12 else None


def _frame_s(settings: Mapping[str, Any]) -> float:
    numerator, denominator = settings.get("fpsNumerator"), settings.get("fpsDenominator")
    if not isinstance(numerator, int | float) or not isinstance(denominator, int | float):
        return 1 / 30
    rate = numerator / denominator if denominator > 0 else 0.0
    return 1 / rate if 1 <= rate <= 1000 else 1 / 30


def _place(file: str, *, here: bool) -> tuple[str, Path | None]:
    """Tells how files beside OBS's are named, and in which folder; None: not on this computer.

    >>> _place("/home/u/Videos/2026-11-25 20-00-00.mkv", here=False)
    ('2026-11-25 20-00-00', None)
    >>> _place(r"C:\\\\Users\\\\u\\\\Videos\\\\take 1.mp4", here=False)[0]
    'take 1'
    """
    windows = "\\" in file and os.name != "nt"
    path: PurePath = PureWindowsPath(file) if windows else PurePosixPath(file)
    if os.name == "nt":
        path = PureWindowsPath(file)
    stem = path.stem.strip(" .")
    stem = as_file_name(stem) if stem else ""
    while len(stem.encode(errors="surrogatepass")) > _LONGEST_STEM:
        stem = stem[:-1]
    stem = stem.strip(" .") or time.strftime("%Y-%m-%d %H-%M-%S")
    folder = None
    # Windows would log on to a computer that is only asked whether it has the folder.
    if here and not windows and path.is_absolute() and not is_network_path(file):
        folder = Path(path).parent
        try:
            folder = folder if folder.is_dir() else None
        except (OSError, ValueError):
            folder = None
    return stem, folder
