# SPDX-License-Identifier: MIT
"""The one writer of a running session: commands come in, and the graph and the outputs follow."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from pypac_obs.errors import (
    ChangeRefused,
    InvalidValue,
    ProfileError,
    PypacError,
    RevisionConflict,
    SessionClosed,
    UnknownAddress,
)
from pypac_obs.events import EventBus, ProfileApplied, ProfileRefused, ValuesChanged
from pypac_obs.model import (
    Layer,
    ProfileDiff,
    Value,
    clean_value,
    diff,
    find,
    turned_over,
    value_of,
)
from pypac_obs.model.layers import ProfileLayers
from pypac_obs.model.ranges import range_of
from pypac_obs.profile import Profile, load_profile
from pypac_obs.profile.latency import latencies
from pypac_obs.session.fades import Fades, FadeThread
from pypac_obs.session.output_set import OutputChange, OutputSet
from pypac_obs.session.profile_outputs import ProfileOutputs
from pypac_obs.session.wiring import Wiring
from pypac_obs.wording import milliseconds_text

__all__ = ["Controller"]


class Controller:
    """Changes values and the profile of a running session. [any-thread]

    Values take effect within a block, one after the other; another profile is built beside what
    runs, and swapped in between two blocks. What is refused has changed nothing. The last writer
    wins, and all are told by events.
    """

    def __init__(
        self,
        layers: ProfileLayers,
        wiring: Wiring,
        outputs: OutputSet,
        profile_outputs: ProfileOutputs,
        events: EventBus,
        *,
        on_layers: Callable[[ProfileLayers], None],
    ) -> None:
        self._layers = layers
        self._wiring = wiring
        self._outputs = outputs
        self._profile_outputs = profile_outputs
        self._events = events
        self._on_layers = on_layers
        self._revision = 1
        # Layers and revision; held for the length of a swap, never while an output is opened.
        self._lock = threading.RLock()
        self._fades = Fades(self._fade_to)
        self._fade_origins: dict[str, str] = {}
        self._fade_thread = FadeThread(self._fades)
        self._closed = False
        self._muted_by: dict[str, str] = {}  # tracks, and who muted them last

    @property
    def revision(self) -> int:
        """Counts the changes of values and of the profile."""
        return self._revision

    @property
    def present(self) -> tuple[int, ProfileLayers]:
        """The revision, and the layers that it is of; not to be changed."""
        with self._lock:
            return self._revision, self._layers

    def close(self) -> None:
        """Ends the fades, and takes no more commands. May be called again."""
        self._closed = True
        self._fade_thread.close()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise SessionClosed("the session has ended", remedy="Make a new Session.")

    # Values -------------------------------------------------------------------------------------

    def get(self, address: str) -> Value:
        """Gives what is heard at an address. Raises UnknownAddress."""
        return self._layers.value(address)

    def layer_of(self, address: str) -> Layer:
        """Tells where that value comes from. Raises UnknownAddress."""
        layers = self._layers
        return layers.layer_of(find(layers.present, address).address)

    def set(self, address: str, value: object, *, origin: str = "") -> Value:
        """Sets the live value, and gives it in the profile's form; see `Controls.set`."""
        with self._lock:
            clean = self._set(address, value, origin)
            self._fades.cancel(address)
        return clean

    def _set(self, address: str, value: object, origin: str) -> Value:
        with self._lock:
            target = find(self._layers.present, address)
            clean = clean_value(target, value)
            layers = copy.copy(self._layers)
            heard = layers.set(target, clean)
            self._take(layers, heard, "live", origin, {address: clean})
        return clean

    def adjust(self, address: str, by: float, *, origin: str = "") -> Value:
        """Adds to a number, as far as its range goes; see `Controls.adjust`."""
        with self._lock:
            target = find(self._layers.present, address)
            before = value_of(self._layers.kept, target)
            numbers = range_of(target)
            if numbers is None or not isinstance(before, int | float):
                raise InvalidValue(f"{address} is no number", remedy="Set it instead.")
            return self.set(address, numbers.clamp(before + by), origin=origin)

    def toggle(self, address: str, *, origin: str = "") -> Value:
        """Turns a switch over; see `Controls.toggle`."""
        with self._lock:
            target = find(self._layers.present, address)
            other = turned_over(target, value_of(self._layers.kept, target))
            if other is None:
                raise InvalidValue(f"{address} is no switch", remedy="Set it to a value instead.")
            return self.set(address, other, origin=origin)

    def fade(self, address: str, value: object, seconds: float, *, origin: str = "") -> None:
        """Brings a number to a value within that time; see `Controls.fade`."""
        with self._lock:
            target = find(self._layers.present, address)
            goal = clean_value(target, value)
            before = value_of(self._layers.kept, target)
            numbers = range_of(target)
            if numbers is None or not isinstance(before, int | float):
                raise InvalidValue(f"{address} cannot be faded", remedy="Set it instead.")
            assert isinstance(goal, int | float)
            self._fades.start(address, before, goal, seconds, numbers)
            self._fade_origins[address] = origin
        self._fade_thread.wake()

    def _fade_to(self, address: str, value: float) -> None:
        with self._lock:
            if self._fades.is_fading(address):
                self._set(address, value, self._fade_origins.get(address, ""))

    def hold(self, address: str, value: object, *, client: str) -> Value:
        """Has another value for as long as the client holds it; see `Controls.hold`."""
        with self._lock:
            target = find(self._layers.present, address)
            clean = clean_value(target, value)
            layers = copy.copy(self._layers)
            heard = layers.hold(target, clean, client)
            self._take(layers, heard, "held", client, {address: clean})
        return clean

    def release(self, address: str, *, client: str) -> Value:
        """Ends a hold, and gives what is heard then; see `Controls.release`."""
        with self._lock:
            find(self._layers.present, address)
            layers = copy.copy(self._layers)
            heard = layers.release(address, client)
            self._take(layers, heard, "held", client, heard)
            return layers.value(address)

    def release_all(self, client: str) -> None:
        """Ends all holds of a client that has gone. Raises nothing."""
        with self._lock, contextlib.suppress(PypacError):
            layers = copy.copy(self._layers)
            heard = layers.release_all(client)
            self._take(layers, heard, "held", client, heard)

    def _take(
        self,
        layers: ProfileLayers,
        heard: dict[str, Value],
        layer: Layer,
        origin: str,
        told: dict[str, Value],
    ) -> None:
        """Lets the engine have what is heard now, and then keeps the layers."""
        self._refuse_if_closed()
        with _refusals():
            for address, value in heard.items():
                target = find(layers.present, address)
                self._wiring.set(target, value, layers.present.tracks[target.track])
        self._keep(layers)
        for address in told:
            target = find(layers.present, address)
            if target.part == "track" and target.param == "mute" and layers.value(address):
                self._muted_by[target.track] = origin
        if told:
            values = {address: layers.value(address) for address in told}
            self._events.publish(ValuesChanged(values, layer, origin, self._revision))

    def reset_loudness(self, track: str | None = None) -> None:
        """Begins integrated loudness and what goes with it anew; see `Controls.reset_loudness`."""
        with self._lock:
            self._refuse_if_closed()
            tracks = self._layers.present.tracks
            if track is not None and track not in tracks:
                raise UnknownAddress(
                    f"there is no track {track!r}", remedy=f"There are: {', '.join(tracks)}."
                )
            self._wiring.restart_loudness(track)

    def _keep(self, layers: ProfileLayers) -> None:
        self._layers = layers
        self._wiring.profile = layers.present
        self._revision += 1
        self._on_layers(layers)

    def who_muted(self, track: str) -> str:
        """Tells who has muted a track last; empty: nobody who has a name."""
        return self._muted_by.get(track, "")

    # The profile --------------------------------------------------------------------------------

    def apply(
        self,
        profile: Profile | str | Path,
        *,
        origin: str = "",
        expect_revision: int | None = None,
    ) -> ProfileDiff:
        """Has the session do what another profile says; see `Session.apply`."""
        written = profile if isinstance(profile, Profile) else self._loaded(Path(profile), origin)
        with self._telling_refusals(origin), self._outputs.changing():
            return self._swap(lambda now: now.applied(written), origin, expect_revision)

    @contextlib.contextmanager
    def _telling_refusals(self, origin: str) -> Iterator[None]:
        try:
            yield
        except SessionClosed:
            raise
        except PypacError as refusal:
            self._events.publish(ProfileRefused((str(refusal),), origin))
            raise

    def undo(self, *, origin: str = "") -> ProfileDiff:
        """Goes back to the profile before the last one; see `Controls.undo`."""
        with self._telling_refusals(origin), self._outputs.changing():
            if self._layers.before is None:
                raise ChangeRefused(
                    "there is nothing to undo", remedy="Only the last reload can be undone."
                )
            return self._swap(lambda now: now.undone() or now, origin, None)

    def plan(self) -> ProfileDiff:
        """Tells what `reload` would change; see `Controls.plan`."""
        written = load_profile(self._file())
        profile = self._layers.applied(written).present
        difference = diff(self._layers.present, profile)
        restart = (*difference.restart, *self._too_late(profile))
        return dataclasses.replace(difference, restart=restart)

    def _too_late(self, profile: Profile) -> Iterator[str]:
        """Says which tracks' filters take longer than all tracks are delayed for them.

        What those take that are written in Python shows only when they run.
        """
        ms = 1000 / profile.session.sample_rate
        budget = self._wiring.engine.budget_frames
        for name, late in latencies(profile).tracks.items():
            if late.frames > budget:
                yield (
                    f"tracks.{name}.filters take {milliseconds_text(late.frames * ms)}, and this "
                    f"session has {milliseconds_text(budget * ms)} for filters: a restart, or "
                    "session.filter_headroom_ms"
                )

    def reload(self, *, origin: str = "", expect_revision: int | None = None) -> ProfileDiff:
        """Follows the profile's file as it is now; see `Controls.reload`."""
        return self.apply(self._file(), origin=origin, expect_revision=expect_revision)

    def _file(self) -> Path:
        file = self._layers.written.file
        if file is None:
            raise ChangeRefused(
                "the session's profile comes from no file", remedy="Use Session.apply(profile)."
            )
        return file

    def _loaded(self, file: Path, origin: str) -> Profile:
        try:
            return load_profile(file)
        except ProfileError as error:
            problems = tuple(str(mistake) for mistake in error.mistakes)
            self._events.publish(ProfileRefused(problems, origin))
            raise

    def _swap(
        self,
        change_layers: Callable[[ProfileLayers], ProfileLayers],
        origin: str,
        expect_revision: int | None,
    ) -> ProfileDiff:
        """Builds what other layers bring, and swaps it in. One at a time."""
        if expect_revision is not None and expect_revision != self._revision:
            raise RevisionConflict(
                f"the session is at revision {self._revision}, not {expect_revision}",
                remedy="Look at what has changed, then do it again.",
            )
        before = self._layers
        layers = change_layers(before)
        is_same_file = layers.written.file == before.written.file
        if is_same_file and layers.written == before.written:
            return ProfileDiff()
        difference = diff(before.present, layers.present)
        if difference.restart:
            raise ChangeRefused(
                "; ".join(difference.restart),
                remedy="Stop the session, and start it with that profile.",
            )
        # What takes long comes before the lock.
        with _refusals():
            prepared = self._wiring.prepare(layers.present)
        change = OutputChange()
        try:
            self._profile_outputs.prepare(
                difference, layers.present, self._wiring, self._outputs, change
            )
            self._outputs.prepare_tracks(change, layers.present)
            with self._lock:
                if self._layers is not before:  # values have been set since
                    layers = change_layers(self._layers)
                    difference = diff(self._layers.present, layers.present)
                with _refusals():
                    self._wiring.apply(layers.present, prepared)
                self._keep(layers)
        except BaseException:
            self._wiring.roll_back(prepared)
            self._outputs.roll_back(change)
            raise
        self._profile_outputs.commit()
        self._outputs.commit(change)
        self._events.publish(ProfileApplied(tuple(difference.lines()), origin, self._revision))
        values = {one.address: layers.value(one.address) for one, _, _ in difference.values}
        if values:
            self._events.publish(ValuesChanged(values, "profile", origin, self._revision))
        return difference


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
