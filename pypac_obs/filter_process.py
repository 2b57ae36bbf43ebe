# SPDX-License-Identifier: MIT
"""The process in which a filter that is written in Python runs: ``python -m`` this module.

Its standard input has one line of JSON that says which filter and where its frames come from; when
that ends, so does the process. Its standard output has lines of JSON: what the filter has to set,
that it is ready, its state about once a second, and why it failed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from pypac_obs import _core
from pypac_obs.errors import PypacError
from pypac_obs.filter import Filter, Parameter
from pypac_obs.plugins import FILTERS, find_plugin, in_words, load_plugin

__all__ = ["described", "main"]

_TELL_S = 1.0
_WAIT_S = 0.05
_LONGEST_STATE = 1 << 20
_RESERVED = ("name", "bypass")

Tell = Callable[[Mapping[str, object]], None]


def main() -> None:
    """Does what the line on the standard input says."""
    # An interrupt on the terminal is the session's, which lets go of this process when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    tell = _take_standard_output()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.path[:] = request["path"]
    file: Path | None = None
    try:
        plugin = find_plugin(request["use"], Path(request["folder"]), FILTERS)
        file = plugin.file
        found = load_plugin(plugin)
        tell({"parameters": described(found)})
        if request.get("lane") is not None:
            handle, size = request["lane"]
            _run(found, _core.LaneEnd(handle, size), request.get("state"), tell)
    except PypacError as error:
        tell({"failed": error.message, "remedy": error.remedy})
        sys.exit(1)
    except BaseException as error:
        tell({"failed": in_words(error, file), "remedy": ""})
        sys.exit(1)


def _take_standard_output() -> Tell:
    """Keeps it for what is told: what the filter prints goes nowhere."""
    stream: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(what: Mapping[str, object]) -> None:
        stream.write(json.dumps(what) + "\n")
        stream.flush()

    return tell


def _end_with_parent() -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdin.read()
    os._exit(0)


def described(found: type[Filter]) -> list[dict[str, object]]:
    """Gives a filter's parameters as plain values. Raises TypeError or ValueError."""
    plain: list[dict[str, object]] = []
    for one in found.parameters:
        if not isinstance(one, Parameter):
            raise TypeError(f"its parameters are Parameters, not {type(one).__name__}")
        if not one.name.isidentifier() or one.name in (*_RESERVED, *(p["id"] for p in plain)):
            raise ValueError(f"{one.name!r} cannot be the name of a parameter, or is one already")
        if one.type == "number" and not one.min < one.max:
            raise ValueError(f"the parameter {one.name} has no range from {one.min} to {one.max}")
        default = one.default
        plain.append(
            {
                "id": one.name,
                "type": one.type,
                "unit": one.unit,
                "min": float(one.min),
                "max": float(one.max),
                "default": float(default)
                if isinstance(default, int | float) and not isinstance(default, bool)
                else default,
                "choices": list(one.choices),
                "help": one.help,
            }
        )
    return plain


def _run(found: type[Filter], end: _core.LaneEnd, state: object, tell: Tell) -> None:
    made = found()
    made.activate(end.sample_rate, end.channels, end.max_frames)
    values = _Values(found.parameters)
    values.bring(end, made)
    if state is not None:
        made.restore(state)
    tell({"ready": True})
    told_at, told = time.monotonic(), state
    while not end.closed:
        audio = end.take(_WAIT_S)
        values.bring(end, made)
        if audio is not None:
            if end.take_reset():
                made.reset()
            end.give(_checked(made.process(audio), len(audio), end.channels))
        if (now := time.monotonic()) - told_at > _TELL_S:
            told_at, before, told = now, told, made.state()
            text = json.dumps(told)
            if len(text) > _LONGEST_STATE:
                raise ValueError(f"its state() has {len(text)} letters, over {_LONGEST_STATE}")
            tell({"state": told} if told != before else {"alive": True})


def _checked(audio: object, frames: int, channels: int) -> NDArray[np.float32]:
    if not isinstance(audio, np.ndarray):
        raise TypeError(f"its process() gave {type(audio).__name__}, not an array")
    if audio.dtype != np.float32:
        raise TypeError(f"its process() gave {audio.dtype} samples, not float32")
    if audio.shape != (frames, channels):
        raise ValueError(f"its process() gave the shape {audio.shape}, not ({frames}, {channels})")
    if not np.isfinite(audio).all():
        raise ValueError("its process() gave samples that are no numbers (NaN or infinity)")
    return np.ascontiguousarray(audio)


class _Values:
    """Brings parameters to a filter when they have changed."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = tuple(parameters)
        self._known: list[float] | None = None

    def bring(self, end: _core.LaneEnd, made: Filter) -> None:
        values = end.values(len(self._parameters))
        if values == self._known:
            return
        for index, (one, value) in enumerate(zip(self._parameters, values, strict=True)):
            if self._known is None or self._known[index] != value:
                made.set(one.name, _of_type(one, value))
        self._known = values


def _of_type(one: Parameter, value: float) -> float | bool | str:
    if one.type == "choice":
        return one.choices[int(value)]
    return bool(value) if one.type == "boolean" else value


if __name__ == "__main__":
    main()
