# SPDX-License-Identifier: MIT
"""Brings numbers to other values within a time, in steps that the engine glides over."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pypac_obs.errors import InvalidValue, PypacError
from pypac_obs.model.ranges import Range
from pypac_obs.profile.checks import describe

__all__ = ["LONGEST_S", "FadeThread", "Fades"]

#: The longest fade, in seconds.
LONGEST_S = 3600.0

# The engine glides over each step for 10 ms, so a fade has no steps that are heard.
_STEP_S = 0.02
# A step that hangs does not hold up the session's end.
_PATIENCE_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Fade:
    begin: float
    end: float
    begins_s: float
    seconds: float
    range: Range

    def value_at(self, now: float) -> tuple[float, bool]:
        """Gives the value then, and whether it is the last one."""
        passed = max(0.0, now - self.begins_s)
        if passed >= self.seconds:
            return self.end, True
        return self.range.between(self.begin, self.end, passed / self.seconds), False


class Fades:
    """The fades that are under way, at most one an address. [any-thread]

    ``set_value`` is called with an address and a number by `step`, without any lock held. Let it
    ask `is_fading` under the lock under which others set values and `cancel`: then a fade never
    overwrites what was set after it. Where it raises, that fade ends.

    >>> fades = Fades(lambda address, value: print(address, value), clock=lambda: 100.0)
    >>> fades.start("voice.gain_db", 0.0, -30.0, seconds=2)
    >>> fades.step(101)
    voice.gain_db -15.0
    True
    >>> fades.step(102.5)
    voice.gain_db -30.0
    False
    """

    def __init__(
        self,
        set_value: Callable[[str, float], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._set_value = set_value
        self._clock = clock
        self._lock = threading.Lock()
        self._fades: dict[str, _Fade] = {}

    def start(
        self,
        address: str,
        from_value: float,
        to_value: float,
        seconds: float,
        range: Range | None = None,
    ) -> None:
        """Begins a fade in place of the one that is under way there.

        ``range`` (`range_of`) says how its scale is gone; None: linearly, as decibels are. Raises
        InvalidValue for the time.
        """
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not number or not 0 <= seconds <= LONGEST_S:  # NaN compares false
            found = describe(seconds)
            raise InvalidValue(f"seconds must be a number from 0 to {LONGEST_S:g}, not {found}")
        scale = range or Range("", -math.inf, math.inf)
        fade = _Fade(from_value, to_value, self._clock(), seconds, scale)
        with self._lock:
            self._fades[address] = fade

    def cancel(self, address: str) -> bool:
        """Ends a fade where it is; tells whether there was one."""
        with self._lock:
            return self._fades.pop(address, None) is not None

    def cancel_all(self) -> None:
        """Ends all fades where they are."""
        with self._lock:
            self._fades = {}

    def is_fading(self, address: str) -> bool:
        """Tells whether a fade is under way there, its last step included."""
        with self._lock:
            return address in self._fades

    def __bool__(self) -> bool:
        """True while any fade is under way."""
        with self._lock:
            return bool(self._fades)

    def step(self, now: float) -> bool:
        """Sets what each fade has come to; tells whether any goes on.

        A fade ends with exactly its last value. ``now`` is a time of the clock, in seconds.
        """
        with self._lock:
            fades = list(self._fades.items())
        for address, fade in fades:
            value, ends = fade.value_at(now)
            with self._lock:
                if self._fades.get(address) is not fade:
                    continue
            try:
                self._set_value(address, value)
            except PypacError:
                ends = True  # what it fades is not there any more
            except Exception:
                _log.exception("the fade of %s failed", address)
                ends = True
            with self._lock:
                if ends and self._fades.get(address) is fade:
                    del self._fades[address]
        return bool(self)


class FadeThread:
    """Steps fades every 20 ms, on a thread that lives only while something fades. [any-thread]"""

    def __init__(self, fades: Fades, clock: Callable[[], float] = time.monotonic) -> None:
        self._fades = fades
        self._clock = clock
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def running(self) -> bool:
        """True while its thread lives."""
        with self._changed:
            return self._thread is not None

    def wake(self) -> None:
        """Has the thread step what was begun (`Fades.start`). Does nothing after `close`."""
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="fades", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Ends all fades where they are, at once. May be called again.

        The caller holds no lock that ``set_value`` waits for.
        """
        self._fades.cancel_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while True:
            self._fades.step(self._clock())
            with self._changed:
                if self._closed or not self._fades:
                    self._thread = None
                    return
                self._changed.wait(_STEP_S)
