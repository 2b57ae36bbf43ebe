# SPDX-License-Identifier: MIT
"""The process in which a filter that is written in Python runs: ``python -m`` this module.

Its standard input has one line of JSON that says which filter and where its frames come from; when
that ends, so does the process. Its standard output has lines of JSON: what the filter has to set,
that it is ready, its state about once a second, and why it failed.
"""

from __future__ import annotations

import contextlib
import json
import math
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
from pypac_obs.errors import PluginFailed, PypacError
from pypac_obs.filter import Filter, Parameter
from pypac_obs.plugins import FILTERS, find_plugin, in_words, load_plugin

__all__ = ["described", "main"]

_TELL_S = 1.0
_WAIT_S = 0.05
_LONGEST_STATE = 1 << 20
_RESERVED = ("name", "bypass")
_RESERVED_BEGINNINGS = ("_", "model_")
_MOST_PARAMETERS = 64
_MOST_LATENCY_MS = 1000

Tell = Callable[[Mapping[str, object]], None]


def main() -> None:
    """Does what the line on the standard input says."""
    # An interrupt on the terminal is the session's, which lets go of this process when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = _take_standard_input()
    request: dict[str, Any] = json.loads(parent.readline())
    _end_with_parents_thread(request["parent"])
    tell = _take_standard_output()
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    sys.path[:] = request["path"]
    file: Path | None = None
    try:
        plugin = find_plugin(request["use"], Path(request["folder"]), FILTERS)
        file = plugin.file
        found = load_plugin(plugin)
        about = described(found)
        tell(about)
        if _meanings(request.get("about", about)) != _meanings(about):
            raise PluginFailed(
                "it has other parameters or another latency than when it was added to the session",
                remedy="Apply the profile anew.",
            )
        if request.get("lane") is not None:
            handle, size = request["lane"]
            _run(found, _core.LaneEnd(handle, size), request.get("state"), tell)
    except PypacError as error:
        tell({"failed": error.message, "remedy": error.remedy})
        sys.exit(1)
    except BaseException as error:
        tell({"failed": in_words(error, file), "remedy": ""})
        sys.exit(1)


def _take_standard_input() -> TextIO:
    """Keeps it for the parent: for the filter it is empty.

    What asks Windows about a pipe waits for whoever reads from it, and libraries ask while they are
    loaded.
    """
    stream: TextIO = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        standard_input = -10
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(0))
        ctypes.WinDLL("kernel32").SetStdHandle(standard_input, handle)
    return stream


def _take_standard_output() -> Tell:
    """Keeps it for what is told: what the filter prints goes nowhere."""
    stream: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(what: Mapping[str, object]) -> None:
        stream.write(json.dumps(what) + "\n")
        stream.flush()

    return tell


def _end_with_parents_thread(parent: int) -> None:
    """Has Linux end this process with the thread that has started it, which waits for its end.

    Even where the filter holds the interpreter's lock, so that no other thread gets to run.
    """
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it has ended before
            os._exit(0)


def _end_with_parent(parent: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        parent.read()
    os._exit(0)


def described(found: type[Filter]) -> dict[str, Any]:
    """Gives a filter's parameters and latency as plain values. Raises TypeError or ValueError."""
    latency_ms = found.latency_ms
    if not isinstance(latency_ms, int | float):
        raise TypeError(f"its latency_ms is {type(latency_ms).__name__}, not a number")
    if not 0 <= latency_ms <= _MOST_LATENCY_MS:
        raise ValueError(f"its latency_ms is {latency_ms}, not 0 to {_MOST_LATENCY_MS}")
    return {"parameters": _parameters(found), "latency_ms": float(latency_ms)}


def _parameters(found: type[Filter]) -> list[dict[str, object]]:
    plain: list[dict[str, object]] = []
    if len(found.parameters) > _MOST_PARAMETERS:
        raise ValueError(f"it has over {_MOST_PARAMETERS} parameters")
    for one in found.parameters:
        if not isinstance(one, Parameter):
            raise TypeError(f"its parameters are Parameters, not {type(one).__name__}")
        name, default = one.name, one.default
        if (
            not isinstance(name, str)
            or not name.isidentifier()
            or name.startswith(_RESERVED_BEGINNINGS)
            or name in (*_RESERVED, *(p["id"] for p in plain))
        ):
            raise ValueError(f"{name!r} cannot be the name of a parameter, or is one already")
        if not all(isinstance(text, str) for text in (one.unit, one.help, *one.choices)):
            raise TypeError(f"the parameter {name} has a unit, help or choice that is no text")
        if not (math.isfinite(one.min) and math.isfinite(one.max)) or (
            one.type == "number" and not one.min < one.max
        ):
            raise ValueError(f"the parameter {name} has no range from {one.min} to {one.max}")
        if default is not None and not _can_be(one, default):
            raise ValueError(f"the parameter {name} cannot be {default!r}, its default")
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


def _can_be(one: Parameter, value: object) -> bool:
    if one.type == "choice":
        return value in one.choices
    if one.type == "boolean":
        return isinstance(value, bool)
    return isinstance(value, int | float) and one.min <= value <= one.max


def _meanings(about: dict[str, Any]) -> list[object]:
    """What the numbers and the frames of a lane stand for."""
    parameters = [[one["id"], one["type"], one["choices"]] for one in about["parameters"]]
    return [about["latency_ms"], *parameters]


def _run(found: type[Filter], end: _core.LaneEnd, state: object, tell: Tell) -> None:
    made = found()
    made.activate(end.sample_rate, end.channels, end.max_frames)
    values = _Values(found.parameters)
    values.bring(end, made)
    if state is not None:
        made.restore(state)
    tell({"ready": True})
    told_at, told = time.monotonic(), json.dumps(state)
    while not end.closed:
        audio = end.take(_WAIT_S)
        values.bring(end, made)
        if audio is not None:
            if end.take_reset():
                made.reset()
            end.give(_checked(made.process(audio), len(audio), end.channels))
        if (now := time.monotonic()) - told_at > _TELL_S:
            told_at, state = now, made.state()
            text = json.dumps(state)
            if len(text) > _LONGEST_STATE:
                raise ValueError(f"its state() has {len(text)} letters, over {_LONGEST_STATE}")
            # As text, because it may be the same object that has changed.
            tell({"state": state} if text != told else {"alive": True})
            told = text


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
