# SPDX-License-Identifier: MIT
"""A running profile: starts capture, engine and outputs together, watches them, ends them."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from pypac_obs import _core
from pypac_obs.audio_system import Capture, missing_inputs, only_zeros
from pypac_obs.capabilities import versions
from pypac_obs.errors import (
    ChangeRefused,
    NotRunning,
    OutputFailed,
    PypacError,
    SessionClosed,
)
from pypac_obs.forked import leave_to_parent_on_fork
from pypac_obs.incidents import Incident
from pypac_obs.model import ProfileDiff, clean_value, diff, find, value_of
from pypac_obs.model.layers import ProfileLayers, outputs_beyond
from pypac_obs.obs.output import ObsOutput
from pypac_obs.outputs.callback import CallbackOutput
from pypac_obs.outputs.driver import OutputThread
from pypac_obs.outputs.failures import output_failure
from pypac_obs.outputs.files import FilesOutput
from pypac_obs.outputs.following import FollowingFiles
from pypac_obs.outputs.manifest import MOST_MARKERS
from pypac_obs.outputs.output import Block, Marker, Output, SessionInfo, TrackInfo
from pypac_obs.profile import FilesOutput as FilesRule
from pypac_obs.profile import ObsOutput as ObsRule
from pypac_obs.profile import PluginOutput as PluginRule
from pypac_obs.profile import Profile, load_profile
from pypac_obs.profile.model import DeviceSource
from pypac_obs.session.awake import kept_awake
from pypac_obs.session.binding_notes import binding_notes
from pypac_obs.session.blocks import BlockStream, TrackReader
from pypac_obs.session.recent import Recent
from pypac_obs.session.wiring import Wiring
from pypac_obs.session_registry import (
    Mark,
    SessionRegistration,
    TakenMark,
    checked_text,
    frame_at,
)
from pypac_obs.status import (
    BoundProgram,
    Level,
    OutputStatus,
    SessionStatus,
    SourceStatus,
    TrackStatus,
    dbfs,
)
from pypac_obs.undecoded import readable

__all__ = ["Session"]

# From start() to frame 0: longer than any common quantum, so that capture runs before frame 0 and
# nothing is missing at the beginning.
_LEAD_S = 0.1
_WATCH_S = 0.25
_PATIENCE_S = 0.1
# How long start() waits for the audio graph before it begins all the same.
_GRAPH_PATIENCE_S = 3.0
# What iterators and callbacks get at once.
_STREAM_BLOCK_S = 0.02
# How long the end of a session waits for a change of it.
_CHANGE_S = 15.0
# The ledger on the disk has all.
_MOST_INCIDENTS = 10_000
_MOST_NEWS = 1_000
# A program that comes again has another PID, and so a note of its own.
_MOST_BINDING_NOTES = 50
# A second of captured zeros is worth telling the user.
_SILENT_S = 1.0
# When every program that plays has a stream that is known by name.
_NAMED_AFTER_S = 1.0
# How often a status is begun anew because the profile has changed meanwhile.
_STATUS_TRIES = 5


class Session:
    """Runs a profile.

    As a context manager it starts on entry and ends on exit; iterate over it (also ``async for``)
    for blocks of all tracks:

        with Session("game-and-discord.yaml") as session:
            for block in session:
                print(block.start, block.audio["discord"].shape)

    ``outputs`` are added to those of the profile, ``on_block`` is called with each block of 20 ms
    on a thread of its own (its arrays are valid until it returns), and ``duration_s`` ends
    the session after exactly that time. ``offline`` runs synthetic sources as fast as the readers
    take them, on the calling thread, with `run_offline`, and leaves OBS out, which lives in real
    time.

    Raises ProfileError before anything is opened, BackendUnavailable, PermissionDenied or
    Unsupported where there is no audio system, PluginFailed where a source or a filter of the
    profile's cannot be loaded, and OutputFailed where an output cannot be opened or, at once,
    loaded.
    All methods are for any thread. A session runs once, in the process that has started it: in
    a forked child `stop` and the end of a ``with`` block do nothing, and what needs the session
    raises SessionClosed.
    """

    def __init__(
        self,
        profile: Profile | str | Path,
        *,
        outputs: Sequence[Output] = (),
        on_block: Callable[[Block], None] | None = None,
        duration_s: float | None = None,
        name: str | None = None,
        offline: bool = False,
    ) -> None:
        self.profile = profile if isinstance(profile, Profile) else load_profile(profile)
        self.name = readable(name or self.profile.name)
        self.sample_rate = self.profile.session.sample_rate
        self._duration_s = duration_s
        self._offline = offline
        self._outputs = list(outputs)
        self._following: FollowingFiles | None = None
        self._profile_outputs: dict[str, Output] = {}  # those that run now, without OBS
        for output_name, rule in self.profile.outputs.by_name().items():
            if not isinstance(rule, ObsRule):
                self._profile_outputs[output_name] = self._make_output(
                    output_name, rule, self.profile
                )
        self._outputs += self._profile_outputs.values()
        if on_block is not None:
            self._outputs.append(CallbackOutput(on_block))
        self._obs: ObsOutput | None = None
        if self.profile.outputs.obs is not None and not offline:
            self._obs = ObsOutput(
                self.profile,
                self.name,
                following=self._following,
                on_sink=self._name_sink,
                on_news=self._add_news,
            )
        self._wiring: Wiring | None = None
        self._layers = ProfileLayers(self.profile)
        self._changing = threading.Lock()  # one change at a time; taken before _lock
        self._threads: list[OutputThread] = []  # replaced, never changed
        self._past_threads: list[OutputThread] = []  # of outputs that the profile no longer has
        self._closes_outputs = False
        # What the ledger names an output: what the user calls it, and its tracks.
        self._sinks: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._incidents = Recent[Incident](_MOST_INCIDENTS)
        self._warnings: list[str] = []
        self._news = Recent[str](_MOST_NEWS)
        self._last_captured: dict[str, _core.CaptureStatus] = {}
        self._unlisted: dict[str, tuple[int, int]] = {}  # cause: incidents, frames
        self._binding_notes: set[str] = set()
        self._warned_of_priority = False
        self._warned_of_stamps = False
        self._warned_of_inputs: set[str] = set()  # sources
        self._warned_of_names = False
        self._registration: SessionRegistration | None = None
        self._markers: list[Marker] = []
        self._origin: tuple[int, datetime] | None = None  # frame 0, in host time and in wall time
        self._watch: threading.Thread | None = None
        self._started = False
        self._stop_asked = False
        self._ended = threading.Event()
        self._lock = threading.Lock()  # state changes and the ledger; never held while waiting
        self._is_parents = False  # this process was forked from the one that runs it
        leave_to_parent_on_fork(self)

    def _make_output(self, name: str, rule: FilesRule | PluginRule, profile: Profile) -> Output:
        if isinstance(rule, PluginRule):
            from pypac_obs.plugins import make_output  # most profiles have none

            folder = profile.file.parent if profile.file is not None else Path()
            return make_output(name, rule, folder, profile.tracks)
        if rule.follow is not None:
            self._following = FollowingFiles(rule, self._open_incidents, name)
            return self._following
        return FilesOutput(rule, name)

    # Running ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts capture and outputs; returns when frame 0 is fixed.

        Raises SessionClosed if the session has been started or stopped before.
        """
        with self._lock:
            if self._started or self._ended.is_set():
                raise SessionClosed("a session starts only once", remedy="Make a new Session.")
            self._started = True
        try:
            self._wiring = Wiring(self.profile, offline=self._offline)
            self._start(self._wiring)
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        if self._wiring is not None:
            self._wiring.engine.abort()
        if self._watch is not None and self._watch.ident is not None:
            self._watch.join()
        else:
            self._put_away()

    def _start(self, wiring: Wiring) -> None:
        lead_s = 0.0 if self._offline else _LEAD_S
        if wiring.capture is not None:
            if self._offline:
                raise SessionClosed(
                    "only synthetic sources run offline", remedy="Leave `offline` out."
                )
            if not wiring.capture.wait_until_running(_GRAPH_PATIENCE_S):
                self._warnings.append("the audio graph does not run yet; the session waits for it")
            graph = wiring.capture.server_info()
            if graph.rate:
                lead_s = max(lead_s, 2 * graph.quantum / graph.rate)
        if self._duration_s is not None:
            wiring.engine.set_end(round(self._duration_s * self.sample_rate))
        readers = [self._reader(output.tracks, output.name) for output in self._outputs]
        refused: Incident | None = None
        if self._obs is not None:
            refused = self._obs.open(wiring, alone=not self._outputs)
        if self._stop_asked:
            raise SessionClosed("the session was stopped while it was starting")
        # Nothing slow in between: frames that come before the sources are started are not kept.
        origin_ns = _core.host_now_ns() + round(lead_s * 1e9)
        if not self._offline:
            wiring.engine.start(origin_ns)
        ahead_s = (origin_ns - _core.host_now_ns()) / 1e9
        origin_wall = datetime.fromtimestamp(time.time() + ahead_s, UTC).astimezone()
        self._origin = origin_ns, origin_wall
        for output, reader in zip(self._outputs, readers, strict=True):
            thread = self._make_thread(output, reader, self.profile)
            self._threads = [*self._threads, thread]
            thread.start()
        self._register(origin_ns)
        if refused is not None:
            self._note(refused)
        if self._obs is not None:
            self._obs.start()
        self._watch = threading.Thread(target=self._keep_watch, name="session watch")
        self._watch.start()

    def _register(self, origin_ns: int) -> None:
        """Lets other programs know of the session; that they can't is no reason not to run."""
        if self._offline:
            return
        try:
            self._registration = SessionRegistration(self.name, self.sample_rate, origin_ns)
        except (PypacError, OSError) as error:
            remedy = f" {error.remedy}" if isinstance(error, PypacError) else ""
            self._warnings.append(f"`pypac-obs mark` cannot find the session: {error}.{remedy}")

    def _make_thread(
        self, output: Output, reader: TrackReader, profile: Profile, *, late: bool = False
    ) -> OutputThread:
        assert self._origin is not None
        origin_ns, origin_wall = self._origin
        info = SessionInfo(
            session=self.name,
            profile_name=profile.name,
            profile=profile.model_dump(mode="json", exclude={"file", "name"}),
            sample_rate=self.sample_rate,
            tracks=(),  # the thread fills in its reader's
            start_wall=origin_wall,
            start_host_ns=origin_ns,
            versions=versions(),
        )
        ring_s = self.profile.session.rings.output_ms / 1000
        return OutputThread(
            output,
            reader,
            info,
            on_incident=self._note,
            status=self._manifest_status,
            block_s=_STREAM_BLOCK_S
            if isinstance(output, CallbackOutput)
            else min(0.25, ring_s / 4),
            late=late,
        )

    def leave_to_parent(self) -> bool:
        """Makes this the copy of a forked child, for `leave_to_parent_on_fork`."""
        if not self._started or self._ended.is_set():
            return False
        self._is_parents = True
        # What another thread of the parent may have held at that moment is nobody's here.
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._ended.set()
        return True

    def stop(self) -> None:
        """Ends the session now: all that has been heard until this moment is still written.

        Returns when every output is closed; on an output's own thread (in a callback) at once.
        May be called again, and before start(), which then refuses. Outputs that failed are in
        `errors`. In a forked child it does nothing.
        """
        if self._is_parents:
            return
        with self._lock:
            self._stop_asked = True
            if not self._started:
                self._ended.set()
        if self._wiring is not None and not self._ended.is_set():
            self._finish(self._wiring)
        if any(thread.is_current() for thread in self._threads):
            return
        self.wait()
        if self._watch is not None and self._watch.ident is not None:
            self._watch.join()  # it tells of the session's end just before its own

    def _finish(self, wiring: Wiring) -> None:
        if self._offline:
            wiring.engine.finish_offline()
        else:
            wiring.engine.finish()

    def run_offline(self, seconds: float) -> None:
        """Runs ``seconds`` of the timeline here and now, as fast as the outputs take it.

        Raises SessionClosed if the session is not `offline`, or not running. Streams of blocks have
        to be read on other threads meanwhile.
        """
        wiring = self._require_running()
        if not self._offline:
            raise SessionClosed(
                "the session runs in real time", remedy="Make it with `offline=True`."
            )
        rest = round(seconds * self.sample_rate)
        # In pieces, so that the ledger's list is fetched before it is full.
        piece = -(-self.sample_rate // wiring.block_frames) * wiring.block_frames
        while rest > 0:
            wiring.feed_offline(min(rest, piece))
            wiring.engine.run_offline(min(rest, piece))
            self._collect_incidents(wiring)
            rest -= piece

    def mark(self, text: str) -> int:
        """Marks this moment with a text of one line, in ``session.json``, and gives its frame.

        While no files are being written the mark is in `markers` only.

        Raises ValueError for a text that is empty or too long, SessionClosed if the session is not
        running, OutputFailed if it has 10,000 marks already.
        """
        text = checked_text(text)
        if self._require_running() and self._origin is None:
            raise SessionClosed("the session is still starting", remedy="Mark when it runs.")
        return self._add_marker(Mark(_core.host_now_ns(), text))

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the session's end (its duration, or stop()); False: not in time."""
        until = math.inf if timeout_s is None else time.monotonic() + timeout_s
        # In pieces, because on Windows Ctrl-C does not end a wait; it is noticed between them.
        while not self._ended.wait(max(0.0, min(_PATIENCE_S, until - time.monotonic()))):
            if time.monotonic() >= until:
                return False
        return True

    @property
    def running(self) -> bool:
        """True from start() until every output is closed."""
        return self._wiring is not None and not self._ended.is_set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # Changing -----------------------------------------------------------------------------------

    def get(self, address: str) -> bool | float | str | tuple[str, ...] | None:
        """Gives the value at an address, such as ``voice.gain_db``; see `addresses`.

        Raises UnknownAddress.
        """
        return value_of(self.profile, find(self.profile, address))

    def set(self, address: str, value: object) -> None:
        """Sets the value at an address, heard within a block and without a click.

        It holds until the session ends, or another profile that is applied changes it. Raises
        UnknownAddress, InvalidValue, or ChangeRefused where the tracks would steer each other in a
        circle; SessionClosed if the session is not running. Nothing has changed then.
        """
        with self._changing:
            wiring = self._require_changeable()
            target = find(self.profile, address)
            clean = clean_value(target, value)
            with _refusals():
                wiring.set(target, clean)
            self._layers.set(target, clean)
            self.profile = wiring.profile = self._layers.present

    def apply(self, profile: Profile | str | Path) -> ProfileDiff:
        """Has the running session do what another profile says, and tells what that changed.

        What stays loses no frame. Values that were `set` stay, too, where the profile says the same
        of them as before. Files get a track that comes with silence up to now; one that goes, as
        silence to the end. An output that comes begins with silence up to now, too; one that goes
        is closed here; one that is changed is closed, and begun anew. All or nothing: raises
        ProfileError, ChangeRefused for what takes a restart (also of OBS and what follows its
        recording), what opening a source raises (BackendUnavailable, PermissionDenied),
        OutputFailed for an output that cannot be begun, and SessionClosed; nothing has changed
        then.
        """
        self._require_running()
        written = profile if isinstance(profile, Profile) else load_profile(profile)
        with self._changing:
            wiring = self._require_changeable()
            layers = self._layers.applied(written)
            difference = diff(self.profile, layers.present)
            if reasons := [*difference.restart, *outputs_beyond(self.profile, layers.present)]:
                raise ChangeRefused(
                    "; ".join(reasons), remedy="Stop the session, and start it with that profile."
                )
            if self._closes_outputs:
                raise SessionClosed("the session has ended", remedy="Make a new Session.")
            begun = self._begin_outputs(wiring, layers.present, difference)
            try:
                if self._closes_outputs:
                    raise SessionClosed("the session has ended", remedy="Make a new Session.")
                going = self._of_profile({*difference.changed_outputs, *difference.removed_outputs})
                staying = [one for one in self._threads if one.output not in going]
                self._prepare_new_tracks([*staying, *begun], layers.present)
                with _refusals():
                    wiring.apply(layers.present)
            except BaseException:
                self._forget_new_tracks()
                for thread in begun:
                    thread.discard()
                raise
            self._layers = layers
            self.profile = layers.present
            ended = self._replace_outputs(difference, begun)
            try:
                self._give_new_tracks(wiring)
            finally:
                self._close_outputs(ended)
        return difference

    def _begin_outputs(
        self, wiring: Wiring, profile: Profile, difference: ProfileDiff
    ) -> list[OutputThread]:
        """Opens the outputs that the profile brings, with the tracks that are there already.

        Raises what the first one raises that cannot be opened; all are put away then.
        """
        rules = profile.outputs.by_name()
        begun: list[OutputThread] = []
        try:
            for name in (*difference.changed_outputs, *difference.added_outputs):
                rule = rules[name]
                assert not isinstance(rule, ObsRule)
                output = self._make_output(name, rule, profile)
                wanted = profile.tracks if output.tracks is None else output.tracks
                there = [track for track in wanted if track in wiring.track_channels]
                reader = self._reader(there, name)
                thread = self._make_thread(output, reader, profile, late=True)
                thread.start()
                begun.append(thread)
        except BaseException:
            for thread in begun:
                thread.discard()
            raise
        return begun

    def _replace_outputs(
        self, difference: ProfileDiff, begun: Sequence[OutputThread]
    ) -> list[OutputThread]:
        """Puts outputs that were begun in the place of those that go, which it returns."""
        gone = {*difference.changed_outputs, *difference.removed_outputs}
        ended = [thread for thread in self._threads if thread.output in self._of_profile(gone)]
        for thread in ended:
            del self._profile_outputs[thread.output.name]
        self._profile_outputs.update((thread.output.name, thread.output) for thread in begun)
        # In place of the old lists, which other threads may be at.
        self._outputs = [*self._outputs, *(thread.output for thread in begun)]
        self._past_threads = [*self._past_threads, *ended]
        self._threads = [*(one for one in self._threads if one not in ended), *begun]
        return ended

    def _of_profile(self, names: Iterable[str]) -> list[Output]:
        return [self._profile_outputs[name] for name in names if name in self._profile_outputs]

    def _close_outputs(self, threads: Sequence[OutputThread]) -> None:
        end = self.position
        for thread in threads:
            thread.request_stop(end)
        for thread in threads:
            if not thread.is_current():
                thread.stop(end)

    def _require_changeable(self) -> Wiring:
        wiring = self._require_running()
        if self._origin is None or self._watch is None:
            raise SessionClosed("the session is still starting", remedy="Change it when it runs.")
        return wiring

    def _prepare_new_tracks(self, threads: Sequence[OutputThread], profile: Profile) -> None:
        """Has outputs get ready for the tracks that are about to come."""
        channels = {name: rule.channels for name, rule in profile.tracks.items()}
        for thread in threads:
            new = self._new_tracks(thread, channels)
            if new and thread.running:
                try:
                    thread.output.prepare_tracks([TrackInfo(one, channels[one]) for one in new])
                except PypacError:
                    raise
                except Exception as error:
                    raise output_failure(thread.output.name, error) from error

    def _forget_new_tracks(self) -> None:
        for thread in self._threads:
            with contextlib.suppress(Exception):
                thread.output.forget_tracks()

    @staticmethod
    def _new_tracks(thread: OutputThread, channels: Mapping[str, int]) -> tuple[str, ...]:
        """Which of these tracks an output wants, and does not have."""
        wanted, known = thread.output.tracks, thread.reader.tracks
        there = [one for one in channels if wanted is None or one in wanted]
        return tuple(name for name in there if name not in known)

    def _give_new_tracks(self, wiring: Wiring) -> None:
        """Has outputs go on with the tracks that have come, if they want them."""
        for thread in self._threads:
            reader = thread.reader
            wanted = thread.output.tracks
            new = self._new_tracks(thread, wiring.track_channels)
            if not new or not isinstance(reader, TrackReader) or reader.native.closed:
                continue
            names = (*reader.tracks, *new)
            if wanted is not None:
                names = tuple(sorted(names, key=wanted.index))
            channels = {
                **dict(zip(reader.tracks, reader.channels, strict=True)),
                **wiring.track_channels,
            }
            sink = self._new_sink(thread.output.name, names)
            try:
                native = wiring.add_reader(sink, names, reader.native)
            except ValueError:
                continue  # the output has failed just now, and let its reader go
            thread.switch(TrackReader(native, names, [channels[name] for name in names]))

    # Audio --------------------------------------------------------------------------------------

    def blocks(
        self, tracks: Sequence[str] | None = None, *, frames: int | None = None
    ) -> BlockStream:
        """Opens a stream of blocks of these tracks (None: all), from the present moment on.

        ``frames`` is the length of a block (None: 20 ms). Raises ValueError for a track that the
        profile does not have, SessionClosed before start() and after the end.
        """
        self._require_running()
        return BlockStream(
            self._reader(tracks),
            frames or round(_STREAM_BLOCK_S * self.sample_rate),
            self.sample_rate,
        )

    def __iter__(self) -> Iterator[Block]:
        with self.blocks() as stream:
            yield from stream

    async def __aiter__(self) -> AsyncIterator[Block]:
        with self.blocks() as stream:
            async for block in stream:
                yield block

    def _reader(self, tracks: Sequence[str] | None, output: str = "a reader") -> TrackReader:
        wiring = self._require_wiring()
        channels = wiring.track_channels
        names = tuple(tracks) if tracks is not None else tuple(channels)
        if unknown := [name for name in names if name not in channels]:
            raise ValueError(f"there is no track {unknown[0]!r} in {', '.join(channels)}")
        native = wiring.add_reader(self._new_sink(output, names), names)
        return TrackReader(native, names, [channels[name] for name in names])

    def _new_sink(self, output: str, tracks: tuple[str, ...]) -> str:
        """Gives an output its name in the ledger."""
        with self._lock:
            sink = f"{output} {len(self._sinks) + 1}"
            self._sinks[sink] = (output, tracks)
        return sink

    def _add_news(self, sentence: str) -> None:
        with self._lock:
            self._news.append(sentence)

    def _name_sink(self, sink: str, tracks: tuple[str, ...]) -> None:
        with self._lock:
            self._sinks[sink] = (self._obs.name if self._obs is not None else "obs", tracks)

    # State --------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """How far the timeline has come, in frames."""
        return self._wiring.engine.position if self._wiring is not None else 0

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The ledger so far: what has ended, in the order of ending; the latest 10,000."""
        with self._lock:
            return self._incidents.entries

    def incidents_since(self, total: int) -> tuple[tuple[Incident, ...], int]:
        """Gives what has come into the ledger since it had ``total`` lines, and their number now.

        Of more than 10,000 the latest.
        """
        with self._lock:
            return self._incidents.since(total), self._incidents.total

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The moments that were marked so far, by `mark` or by `pypac-obs mark`."""
        with self._lock:
            return tuple(self._markers)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Where its tracks go or went: the outputs that it was given, and those of its profile."""
        return tuple(self._outputs)

    @property
    def errors(self) -> tuple[PypacError, ...]:
        """Why outputs have failed, or OBS gets nothing; empty while all is well.

        An output may go on after a failure (`Output.recover`).
        """
        threads = [*self._past_threads, *self._threads]
        failed = [thread.error or thread.output.failure() for thread in threads]
        if self._obs is not None:
            failed.append(self._obs.error)
        return tuple(error for error in failed if error is not None)

    def status(self) -> SessionStatus:
        """Tells of every source, track and output as it is now; after the end, as it was then."""
        wiring = self._require_wiring()
        for tries in itertools.count(1):
            try:
                return self._status(wiring)
            except NotRunning:
                raise
            except (LookupError, ValueError):
                if tries == _STATUS_TRIES:  # what it looked at went away just then
                    raise
        raise AssertionError

    def _status(self, wiring: Wiring) -> SessionStatus:
        engine = wiring.engine
        frames = engine.position
        with self._lock:
            incidents, warnings = self._incidents.total, tuple(self._warnings)
            news, news_total = self._news.entries, self._news.total
        return SessionStatus(
            session=self.name,
            sample_rate=self.sample_rate,
            frames=frames,
            sources=tuple(self._source_status(wiring, name) for name in wiring.source_names),
            tracks=tuple(
                TrackStatus(name, frames, _level(engine.track_level(name)))
                for name in wiring.track_channels
            ),
            outputs=self._output_states(),
            incidents=incidents,
            warnings=warnings,
            news=news,
            news_total=news_total,
        )

    def _output_states(self) -> tuple[OutputStatus, ...]:
        states = [
            OutputStatus(
                thread.output.name,
                str(thread.error) if thread.error is not None else "",
                thread.lost_frames,
            )
            for thread in self._threads
        ]
        if self._obs is not None:
            states.append(self._obs.status())
        return tuple(states)

    def _source_status(self, wiring: Wiring, name: str) -> SourceStatus:
        progress = wiring.engine.source_progress(name)
        state, reason = "playing", "computed by this program"
        programs: tuple[BoundProgram, ...] = ()
        if name in wiring.captured_sources:
            bound = self._captured(wiring, name)
            state, reason = bound.state, bound.reason
            programs = tuple(map(BoundProgram.of, bound.streams))
        elif (thread := wiring.source_thread(name)) is not None:
            state, reason = thread.status()
        if state == "capturing":
            state = "playing"
            if progress.level.silent_frames > _SILENT_S * self.sample_rate:
                device = isinstance(self.profile.sources[name], DeviceSource)
                state, reason = "silent", only_zeros(device=device)
        return SourceStatus(
            name=name,
            state=state,
            reason=reason,
            programs=programs,
            drift_ppm=progress.drift_ppm,
            bit_exact=progress.locked,
            captured_frames=progress.captured_frames,
            late_frames=progress.late_frames,
            level=_level(progress.level),
        )

    def _captured(self, wiring: Wiring, name: str) -> _core.CaptureStatus:
        """Tells what a source is bound to; once the capture has stopped, what it was bound to."""
        try:
            return wiring.capture_status(name)
        except NotRunning:
            if name not in self._last_captured:
                raise
            return self._last_captured[name]

    def _manifest_status(self) -> Mapping[str, object]:
        status = self.status()
        return {
            "frames": status.frames,
            "warnings": list(status.warnings),
            "filter_delay_frames": self._require_wiring().engine.budget_frames,
            "mixer_worst_lateness_ms": round(self._worst_lateness_ms(), 3),
            "sources": {
                source.name: {
                    "state": source.state,
                    "reason": source.reason,
                    "bindings": [program.to_json() for program in source.programs],
                    "drift_ppm": round(source.drift_ppm, 3),
                    "captured_frames": source.captured_frames,
                    "late_frames": source.late_frames,
                }
                for source in status.sources
            },
        }

    def _worst_lateness_ms(self) -> float:
        return self._require_wiring().engine.worst_lateness_ns / 1e6

    # Watching -----------------------------------------------------------------------------------

    @kept_awake()
    def _keep_watch(self) -> None:
        wiring = self._require_wiring()
        try:
            while not wiring.engine.wait_finished(_WATCH_S):
                self._collect_incidents(wiring)
                self._collect_marks()
                for courtesy in (
                    wiring.collect,
                    partial(self._look_after_filters, wiring),
                    self._look_after_obs,
                    partial(self._warn_of_what_is_captured, wiring),
                    partial(self._warn_of_priority, wiring),
                    partial(self._warn_of_stamps, wiring),
                ):
                    self._try(courtesy)
                if not threading.main_thread().is_alive():
                    # The program has ended and forgot to stop the session.
                    self._finish(wiring)
            self._collect_incidents(wiring)
            self._collect_marks()
        finally:
            wiring.engine.abort()
            self._put_away()

    def _try(self, courtesy: Callable[[], None]) -> None:
        """Does what must not end a recording, whatever goes wrong in it."""
        try:
            courtesy()
        except Exception as error:
            # Sources come and go meanwhile: what was looked at may be gone.
            if not isinstance(error, PypacError | LookupError):
                self._warn_once(f"the session's watch failed: {type(error).__name__}: {error}")

    def _warn_once(self, warning: str) -> None:
        with self._lock:
            if warning not in self._warnings:
                self._warnings.append(warning)

    def _put_away(self) -> None:
        """Closes outputs and capture, whatever goes wrong on the way."""
        with contextlib.ExitStack() as last_first:
            last_first.callback(self._ended.set)
            last_first.callback(self._close_plugins)
            last_first.callback(self._stop_capture)
            # To let go of OBS may take a while: the files are closed before.
            if self._obs is not None:
                last_first.callback(self._obs.close)
            last_first.callback(self._end_outputs)
            if self._obs is not None:
                last_first.callback(self._obs.stop_following)
            if self._registration is not None:
                last_first.callback(self._registration.close)

    def _look_after_filters(self, wiring: Wiring) -> None:
        for sentence in wiring.filter_news():
            self._warn_once(sentence)

    def _close_plugins(self) -> None:
        if self._wiring is not None:
            self._wiring.close_filters()
            for warning in self._wiring.close_sources():
                self._warn_once(warning)

    def _stop_capture(self) -> None:
        capture = self._wiring.capture if self._wiring is not None else None
        if self._wiring is None or capture is None:
            return
        try:
            with contextlib.suppress(PypacError):
                self._last_captured = {
                    name: self._wiring.capture_status(name)
                    for name in self._wiring.captured_sources
                }
        finally:
            capture.stop()

    def _warn_of_what_is_captured(self, wiring: Wiring) -> None:
        """Looks once at all sources, for all that is worth a word of them; it is a courtesy."""
        if wiring.capture is None:
            return
        with contextlib.suppress(PypacError):
            bound = {name: self._captured(wiring, name) for name in wiring.captured_sources}
            self._warn_of_bindings(bound)
            self._warn_of_inputs(bound)
            self._warn_of_names(wiring.capture, bound)

    def _warn_of_bindings(self, bound: Mapping[str, _core.CaptureStatus]) -> None:
        for note in binding_notes(bound, self.profile.sources):
            if note in self._binding_notes or len(self._binding_notes) >= _MOST_BINDING_NOTES:
                continue
            self._binding_notes.add(note)
            with self._lock:
                self._warnings.append(note)

    def _warn_of_priority(self, wiring: Wiring) -> None:
        refusal = wiring.engine.priority_refusal
        if refusal and not self._warned_of_priority:
            self._warned_of_priority = True
            with self._lock:
                self._warnings.append(f"the mixer has no real-time priority: {refusal}")

    def _warn_of_inputs(self, bound: Mapping[str, _core.CaptureStatus]) -> None:
        for name, rule in self.profile.sources.items():
            if not isinstance(rule, DeviceSource) or not rule.channels:
                continue
            if name in self._warned_of_inputs:
                continue
            if missing := missing_inputs(name, bound[name].streams):
                self._warned_of_inputs.add(name)
                with self._lock:
                    self._warnings += missing

    def _warn_of_stamps(self, wiring: Wiring) -> None:
        capture = wiring.capture
        if not isinstance(capture, _core.WasapiCapture) or self._warned_of_stamps:
            return
        if capture.server_info().own_clock:
            self._warned_of_stamps = True
            with self._lock:
                self._warnings.append(
                    "Windows' time stamps of a capture are lastingly wrong: the time at which its "
                    "packets come is taken instead, so its track may be a little late"
                )

    def _warn_of_names(self, capture: Capture, bound: Mapping[str, _core.CaptureStatus]) -> None:
        """Says once what may be meant by names that nothing has, before hours of silence."""
        if self._warned_of_names or self.position < _NAMED_AFTER_S * self.sample_rate:
            return
        self._warned_of_names = True
        from pypac_obs.likely_names import NamesHere, likely_names  # once, and not at the start

        found = [name for name, one in bound.items() if one.state != "not_running"]
        # Not all processes of the computer: this is beside a recording.
        here = NamesHere.of(capture, found, processes=False)
        sentences, _ = likely_names(self.profile, here)
        with self._lock:
            self._warnings += sentences

    def _look_after_obs(self) -> None:
        if self._obs is not None:
            for incident in self._obs.look_after_tracks():
                self._note(incident)

    def _collect_marks(self) -> None:
        if self._registration is None:
            return
        for mark in self._registration.take_marks():
            in_file = self._keeps_marks()
            try:
                frame = self._add_marker(mark)
            except PypacError as refusal:
                self._registration.refuse(mark, str(refusal))
            else:
                self._registration.answer(mark, TakenMark(frame, in_file))
        with self._lock:
            self._warnings += self._registration.take_trouble()

    def _keeps_marks(self) -> bool:
        return any(thread.running and thread.output.keeps_marks() for thread in self._threads)

    def _add_marker(self, mark: Mark) -> int:
        assert self._origin is not None
        origin_ns, origin_wall = self._origin
        frame = frame_at(mark.host_ns, origin_ns, self.sample_rate)
        wall = origin_wall + timedelta(seconds=frame / self.sample_rate)
        marker = Marker(frame, wall, mark.text)
        with self._lock:
            if len(self._markers) >= MOST_MARKERS:
                raise OutputFailed(f"it has {MOST_MARKERS} marks already, and keeps no more")
            self._markers.append(marker)
        for thread in self._threads:
            thread.post_marker(marker)
        if self._obs is not None:
            self._obs.add_chapter(mark.text)
        return frame

    def _collect_incidents(self, wiring: Wiring) -> None:
        for entry in wiring.engine.pop_incidents():
            self._note(self._named(wiring, entry))
        for cause, (count, frames) in wiring.engine.unlisted_incidents().items():
            known_count, known_frames = self._unlisted.get(cause, (0, 0))
            if count > known_count:
                self._unlisted[cause] = (count, frames)
                detail = f"{count - known_count} incidents, too many to list one by one"
                begin = wiring.engine.position
                missing = frames - known_frames
                self._note(Incident(cause, None, None, (), begin, missing, detail))

    def _open_incidents(self) -> list[Incident]:
        """What sources are in now: it comes into the ledger when it is over."""
        wiring = self._require_wiring()
        return [self._named(wiring, entry) for entry in wiring.engine.open_incidents()]

    def _named(self, wiring: Wiring, entry: _core.NamedIncident) -> Incident:
        source = output = None
        if entry.kind == "output":
            output, tracks = self._sinks[entry.subject]
        elif entry.kind == "source":
            source, tracks = entry.subject, wiring.tracks_of_source.get(entry.subject, ())
        else:
            tracks = (entry.subject,)
        return Incident(entry.cause, source, output, tracks, entry.begin, entry.frames)

    def _note(self, incident: Incident) -> None:
        with self._lock:
            self._incidents.append(incident)
        for thread in self._threads:
            thread.post_incident(incident)

    def _end_outputs(self) -> None:
        # A change that is being made brings its outputs first, unless it hangs.
        alone = self._changing.acquire(timeout=_CHANGE_S)
        self._closes_outputs = True
        if alone:
            self._changing.release()
        end = self.position
        for thread in self._threads:
            thread.request_stop(end)
        for thread in self._threads:
            thread.stop(end)

    def _require_wiring(self) -> Wiring:
        if self._is_parents:
            raise SessionClosed(
                "the session runs in the process that this one was forked from",
                remedy="Use it there, or make a new Session here.",
            )
        if self._wiring is None:
            raise SessionClosed("the session has not been started", remedy="Call start() first.")
        return self._wiring

    def _require_running(self) -> Wiring:
        wiring = self._require_wiring()
        if self._ended.is_set():
            raise SessionClosed("the session has ended", remedy="Make a new Session.")
        return wiring


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Says of what the engine refuses that it is refused."""
    try:
        yield
    except PypacError:
        raise
    except ValueError as error:
        message, _, remedy = str(error).partition(": ")
        raise ChangeRefused(message, remedy=remedy) from None


def _level(native: _core.Level) -> Level:
    return Level(dbfs(native.peak), dbfs(native.rms), dbfs(native.max_peak))
