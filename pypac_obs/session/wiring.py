# SPDX-License-Identifier: MIT
"""Builds the native engine that a profile describes: sources, tracks, sends, filters."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pypac_obs import _core
from pypac_obs.audio_system import Capture, open_capture
from pypac_obs.errors import PypacError
from pypac_obs.model.addresses import Target
from pypac_obs.model.diff import captured_by
from pypac_obs.profile import Profile
from pypac_obs.profile.filters import note_plugin
from pypac_obs.profile.latency import block_frames
from pypac_obs.profile.model import (
    AnySource,
    DeviceSource,
    EverythingExceptSource,
    FilterRule,
    PluginSource,
    ProcessSource,
    SyntheticSource,
    SystemSource,
    TrackRule,
)
from pypac_obs.profile.native_values import native_value, native_values
from pypac_obs.session.filter_settings import native_parameters
from pypac_obs.session.source_threads import SourceThread, close_all
from pypac_obs.source import SourceInfo

if TYPE_CHECKING:
    from pypac_obs.session.filter_processes import DescribedFilter, FilterProcesses

__all__ = ["Prepared", "Wiring", "plugin_filters", "selector_of", "track_spec"]

# Stereo: what programs play and OBS takes. Other layouts are brought to it at capture.
SOURCE_CHANNELS = 2

# How far a reader of a shared track may fall behind: much more than OBS ever does.
SHARED_TRACK_MS = 2000.0


# Longer than what is taken out is faded for.
_LEAVES_WITHIN_S = 0.5

# How far sources that are written in Python may be ahead in a session that runs offline.
_OFFLINE_AHEAD_S = 4


@dataclass(frozen=True)
class _WiredSource:
    native: _core.Source
    captures: tuple[object, ...]  # what it captures depends on
    capture_id: str | None  # None: it comes from no audio system
    thread: SourceThread | None = None  # what fills one that is written in Python


@dataclass(frozen=True)
class Prepared:
    """What a profile takes of plugins, ready to be applied."""

    filters: dict[tuple[str, str], tuple[FilterRule, DescribedFilter]] = field(default_factory=dict)
    """By track and name."""
    sources: dict[str, _WiredSource] = field(default_factory=dict)
    """All that are written in Python; those that stay are the same ones."""


class Wiring:
    """The native objects of one session, by the names of its profile.

    Raises PluginFailed for a plugin that cannot be had; BackendUnavailable, PermissionDenied or
    Unsupported where the profile needs an audio system that is not there.
    """

    def __init__(self, profile: Profile, *, offline: bool = False) -> None:
        settings = profile.session
        self._offline = offline
        self._source_threads: list[SourceThread] = []  # that have not ended
        self._filters: FilterProcesses | None = None  # of those that are written in Python
        self._is_wired = False
        self.sample_rate = settings.sample_rate
        self.latency_frames = round(settings.latency_ms * self.sample_rate / 1000)
        self.capture: Capture | None = None
        self.profile = profile
        #: Also of sources that were removed: the ledger may still tell of them.
        self.tracks_of_source: dict[str, tuple[str, ...]] = {}
        #: By track, the frame at which its loudness was begun anew last; replaced, never changed.
        self.loudness_since: dict[str, int] = {}
        self._sources: dict[str, _WiredSource] = {}
        self._captured: tuple[str, ...] = ()
        self._leaving: list[tuple[str, int]] = []  # captures, and since when they are not needed
        self.output_frames = self._frames(settings.rings.output_ms)
        # What the mixer waits for lies in the ring meanwhile.
        self._capture_frames = self._frames(settings.rings.capture_ms + settings.latency_ms)
        self.block_frames = block_frames(settings)
        self.engine = _core.Engine(
            sample_rate=self.sample_rate,
            block_frames=self.block_frames,
            latency_frames=self.latency_frames,
            headroom_frames=self._frames(settings.filter_headroom_ms),
        )
        try:
            self.apply(profile)
        except BaseException:
            self.close_sources()
            self.close_filters()
            self._stop_capture()
            raise

    @property
    def source_names(self) -> tuple[str, ...]:
        """The sources, in the profile's order."""
        return tuple(self.profile.sources)

    @property
    def captured_sources(self) -> tuple[str, ...]:
        """The sources that come from the audio system."""
        return self._captured

    @property
    def track_channels(self) -> dict[str, int]:
        """The tracks in the profile's order, with their numbers of channels."""
        return {name: rule.channels for name, rule in self.profile.tracks.items()}

    @property
    def has_microphone(self) -> bool:
        """False where it is known that there is none."""
        return self.capture is None or bool(self.capture.server_info().default_source)

    def prepare(self, profile: Profile) -> Prepared:
        """Does of `apply` what takes long and changes nothing: has plugins described and opened.

        Raises PluginFailed. What is not applied has to be given to `roll_back`.
        """
        prepared = Prepared()
        folder = profile.folder
        for track, name, rule in plugin_filters(profile):
            if self._filters is None:
                from pypac_obs.session.filter_processes import FilterProcesses  # seldom needed

                self._filters = FilterProcesses(offline=self._offline)
            assert rule.use is not None
            found = self._filters.describe(
                f"{track}.filter.{name}", rule.use, folder, rule.settings
            )
            prepared.filters[track, name] = rule, found
        try:
            for name, source in profile.sources.items():
                if isinstance(source, PluginSource):
                    captures = captured_by(profile, name)
                    known = self._sources.get(name)
                    if known is None or known.captures != captures:
                        known = self._make_plugin_source(name, source, profile, captures)
                    prepared.sources[name] = known
        except BaseException:
            self.roll_back(prepared)
            raise
        return prepared

    def roll_back(self, prepared: Prepared) -> None:
        """Closes sources that were opened and are not wanted. Never waits."""
        for name, one in prepared.sources.items():
            if one.thread is not None and one is not self._sources.get(name):
                one.thread.stop()

    def apply(self, profile: Profile, prepared: Prepared | None = None) -> _core.PlanDiff:
        """Makes sources and tracks those of this profile, also while the session runs.

        ``prepared`` is what `prepare` gave for the same sources, tracks and filters; where this
        raises, the caller rolls it back. What stays loses no frame. Raises ValueError for what the
        engine refuses, and what opening a source raises; nothing has changed then.
        """
        if prepared is None:
            prepared = self.prepare(profile)
        sources: dict[str, _WiredSource] = {}
        made: list[str] = []
        had_capture = self.capture is not None
        try:
            for name, rule in profile.sources.items():
                if isinstance(rule, PluginSource):
                    sources[name] = prepared.sources[name]
                    continue
                captures = captured_by(profile, name)
                known = self._sources.get(name)
                if known is None or known.captures != captures:
                    known = self._make(name, rule, profile, captures, made)
                sources[name] = known
            kinds = self._add_filters(prepared)
            diff = self.engine.apply(
                [(name, one.native) for name, one in sources.items()],
                [track_spec(name, rule, kinds) for name, rule in profile.tracks.items()],
            )
        except BaseException:
            for capture_id in made:
                self._remove_capture(capture_id)
            self.engine.take_lanes()  # of filters that nobody will hear
            if not had_capture:
                self._stop_capture()
            raise
        for name, old in self._sources.items():
            if old is not sources.get(name) and old.capture_id is not None:
                self._leaving.append((old.capture_id, self.engine.position))
        self._sources, self.profile = sources, profile
        if (lanes := self.engine.take_lanes()) and self._filters is not None:
            self._filters.adopt(lanes, wait=not self._is_wired)
        self._is_wired = True
        self._captured = tuple(name for name, one in sources.items() if one.capture_id is not None)
        for name in sources:
            self.tracks_of_source[name] = tuple(
                track
                for track, rule in profile.tracks.items()
                if any(send.source == name for send in rule.sends)
            )
        return diff

    def set(self, target: Target, value: object, rule: TrackRule) -> None:
        """Sets a value that was checked. ``rule`` is the track's, with that value and all others.

        Raises ValueError for what the engine refuses.
        """
        native = native_value(value)
        if target.part == "send":
            self.engine.set_send_gain(target.track, target.item, float(str(value)))
        elif target.part == "filter" and target.param == "bypass":
            bypassed = rule.bypasses()[target.item]
            self.engine.set_filter_bypassed(target.track, target.item, bypassed)
        elif target.part == "track" and target.param == "chain":
            for name, bypassed in rule.bypasses().items():
                self.engine.set_filter_bypassed(target.track, name, bypassed)
        elif target.part == "filter":
            self.engine.set_filter(target.track, target.item, target.param, native)
        elif target.param == "mute":
            self.engine.set_track_muted(target.track, bool(value))
        else:
            self.engine.set_track_gain(target.track, float(str(value)))

    def collect(self) -> None:
        """Frees what has been faded out; to be called a few times a second."""
        self.engine.collect()
        for entry in [one for one in self._leaving if self._has_faded(one[1])]:
            self._leaving.remove(entry)
            self._remove_capture(entry[0])

    def _add_filters(self, prepared: Prepared) -> dict[tuple[str, str], str]:
        """Makes filters that are written in Python known to the engine, and gives their kinds."""
        kinds = {}
        for (track, name), (rule, found) in prepared.filters.items():
            assert self._filters is not None
            # Each has a kind of its own, and another one once its file is another one.
            kind = f"{track}.filter.{name} ({' '.join(map(str, (found.use, *found.code)))})"
            self._filters.add_kind(kind, found)
            latency = self._frames(float(found.about["latency_ms"]))
            self.engine.add_lane_filter(kind, native_parameters(found.info), latency)
            note_plugin(rule.identity, found.info)
            kinds[track, name] = kind
        return kinds

    def filter_news(self) -> list[str]:
        """Looks after the processes of filters, and tells what became of them."""
        return self._filters.look_after() if self._filters is not None else []

    def close_filters(self) -> None:
        """Ends the processes of filters."""
        if self._filters is not None:
            self._filters.close()

    def source_thread(self, source: str) -> SourceThread | None:
        """Gives what runs a source that is written in Python; None: it is another one."""
        return self._sources[source].thread

    def restart_loudness(self, track: str | None) -> None:
        """Begins the integrated loudness anew, of one track or of all, and notes from where on."""
        names = list(self.track_channels) if track is None else [track]
        frame = self.engine.position
        self.engine.restart_loudness(track)
        self.loudness_since = {**self.loudness_since, **dict.fromkeys(names, frame)}

    def feed_offline(self, frames: int) -> None:
        """Has sources that are written in Python give what the next frames are made of."""
        if not self._source_threads:
            return
        self.engine.run_offline(0)  # starts them
        until = self.engine.position + self.engine.budget_frames + frames
        for thread in self._source_threads:
            thread.pull(until)

    def close_sources(self) -> list[str]:
        """Ends sources that are written in Python, and says which hang."""
        return close_all(self._source_threads)

    def _stop_capture(self) -> None:
        capture, self.capture = self.capture, None
        if capture is not None:
            capture.stop()

    def _remove_capture(self, capture_id: str) -> None:
        assert self.capture is not None
        # Where the capture was stopped, so was the source.
        with contextlib.suppress(PypacError, ValueError):
            self.capture.remove_source(capture_id)

    def _has_faded(self, since: int) -> bool:
        return self.engine.position - since > self.sample_rate * _LEAVES_WITHIN_S

    def capture_status(self, source: str) -> _core.CaptureStatus:
        """Tells what a source is bound to. Raises NotRunning once the capture has stopped."""
        capture_id = self._sources[source].capture_id
        assert self.capture is not None
        assert capture_id is not None
        return self.capture.source_status(capture_id)

    def add_reader(
        self, output: str, tracks: Sequence[str], replaces: _core.Reader | None = None
    ) -> _core.Reader:
        """Adds an output for these tracks, also while the session runs.

        One that ``replaces`` another one goes on where that ends, to the frame.
        """
        return _core.Reader(self.engine, output, list(tracks), self.output_frames, replaces)

    def add_shared_tracks(
        self, output: str, session: str, tracks: Sequence[str]
    ) -> _core.SharedTracks:
        """Adds an output that other programs of this user read, also while the session runs.

        Raises OutputFailed where another living session of that name has such a track, or memory
        is short; ValueError where a name is no file's.
        """
        frames = self._frames(SHARED_TRACK_MS)
        return _core.SharedTracks(self.engine, output, session, list(tracks), frames)

    def add_virtual_sources(
        self, output: str, session: str, tracks: Sequence[str]
    ) -> _core.VirtualSources:
        """Adds a virtual microphone for each of these tracks, also while the session runs.

        Raises BackendUnavailable or PermissionDenied where PipeWire is not there; Unsupported where
        this build has none.
        """
        return _core.VirtualSources(self.engine, output, session, list(tracks))

    def _frames(self, milliseconds: float) -> int:
        return round(milliseconds * self.sample_rate / 1000)

    def _make(
        self,
        name: str,
        rule: AnySource,
        profile: Profile,
        captures: tuple[object, ...],
        made: list[str],
    ) -> _WiredSource:
        """Opens a source; its capture is noted in ``made``."""
        if isinstance(rule, SyntheticSource):
            signal = rule.synthetic
            native: _core.Source = _core.SyntheticSource(
                sample_rate=self.sample_rate,
                channels=SOURCE_CHANNELS,
                capacity_frames=self._capture_frames,
                kind=signal.kind,
                frequency_hz=signal.frequency_hz,
                level_dbfs=signal.level_dbfs,
                seed=signal.seed,
                skew_ppm=signal.skew_ppm,
                jitter_ms=signal.jitter_ms,
                dropouts=[(dropout.at_s, dropout.length_ms) for dropout in signal.dropouts],
                quantum=signal.quantum,
            )
            return _WiredSource(native, captures, None)
        if self.capture is None:
            self.capture = open_capture(
                timeline_rate=self.sample_rate, capacity_frames=self._capture_frames
            )
        # One that captures something else runs beside the old one until that is faded out.
        taken = {one.capture_id for one in self._sources.values()}
        taken.update(capture_id for capture_id, _ in self._leaving)
        taken.update(made, profile.sources.keys() - {name})
        capture_id = next(
            one
            for n in itertools.count(1)
            if (one := name if n == 1 else f"{name} {n}") not in taken
        )
        native = self.capture.add_source(capture_id, selector_of(rule, profile), SOURCE_CHANNELS)
        made.append(capture_id)
        return _WiredSource(native, captures, capture_id)

    def _make_plugin_source(
        self, name: str, rule: PluginSource, profile: Profile, captures: tuple[object, ...]
    ) -> _WiredSource:
        """Loads its code, and opens it. Raises PluginFailed."""
        from pypac_obs.plugins import make_source  # most profiles have none

        native = _core.PushedSource(
            sample_rate=self.sample_rate,
            channels=SOURCE_CHANNELS,
            capacity_frames=_OFFLINE_AHEAD_S * self.sample_rate
            if self._offline
            else self._capture_frames,
        )
        folder = profile.folder
        source = make_source(name, rule.use, rule.settings, folder)
        info = SourceInfo(name, self.sample_rate, SOURCE_CHANNELS, rule.settings)
        ring_s = self.profile.session.rings.capture_ms / 1000
        thread = SourceThread(
            source, native, info, self.latency_frames, ring_s, offline=self._offline
        )
        self._source_threads = [one for one in self._source_threads if not one.join(0)]
        self._source_threads.append(thread)
        thread.start()
        return _WiredSource(native, captures, None, thread)


def track_spec(name: str, rule: TrackRule, kinds: Mapping[tuple[str, str], str]) -> _core.TrackSpec:
    """Turns a track's rule into what the engine runs.

    ``kinds`` has those of filters that are written in Python. Two chains that are compared are one
    here, in which the audio goes by the filters of one of them.
    """
    bypasses = rule.bypasses()
    return _core.TrackSpec(
        name,
        channels=rule.channels,
        gain_db=rule.gain_db,
        muted=rule.mute,
        sends=[_core.SendSpec(send.source, send.gain_db) for send in rule.sends],
        filters=[
            _core.FilterSpec(
                filter_name,
                kinds.get((name, filter_name), one.kind),
                native_values(one.settings),
                bypasses[filter_name],
            )
            for filter_name, one in rule.named_filters()
        ],
    )


def plugin_filters(profile: Profile) -> Iterator[tuple[str, str, FilterRule]]:
    """The track, the name and the rule of each filter that is written in Python."""
    for track, rule in profile.tracks.items():
        for name, one in rule.named_filters():
            if one.use is not None:
                yield track, name, one


def selector_of(rule: AnySource, profile: Profile) -> _core.Selector:
    """Turns a source's rule into the native selector that is applied at every event."""
    if isinstance(rule, ProcessSource):
        return _core.Selector(
            kind="process",
            patterns=list(map(_pattern, rule.process)),
            except_=list(map(_pattern, rule.except_)),
            pick=rule.pick,
        )
    if isinstance(rule, EverythingExceptSource):
        named = [entry for entry in rule.everything_except if isinstance(entry, str)]
        programs = [
            _pattern(process)
            for entry in rule.everything_except
            if not isinstance(entry, str)
            for process in entry.process
        ]
        excluded = [selector_of(profile.sources[name], profile) for name in named]
        if programs:
            # As a source, for its guard: by PID, a stream of unknown process may be just that one.
            excluded.append(_core.Selector(kind="process", patterns=programs))
        return _core.Selector(kind="everything_except", except_sources=excluded)
    if isinstance(rule, SystemSource):
        return _core.Selector(kind="system")
    assert isinstance(rule, DeviceSource)
    device = "default" if rule.device.casefold() == "default" else _pattern(rule.device)
    return _core.Selector(kind="device", patterns=[device], channels=list(rule.channels))


def _pattern(name_or_pid: str | int) -> str:
    """Writes it as the core reads it, where digits alone are a PID: as a name they get ``.exe``.

    Which plays no part in matching.
    """
    is_name = isinstance(name_or_pid, str)
    return f"{name_or_pid}.exe" if is_name and str(name_or_pid).isdecimal() else str(name_or_pid)
