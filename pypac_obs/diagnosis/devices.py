# SPDX-License-Identifier: MIT
"""The default devices, and the inputs by their names."""

from __future__ import annotations

from collections.abc import Iterator

from pypac_obs.diagnosis.finding import Finding
from pypac_obs.input_devices import InputDevice, inputs_in_words

__all__ = ["GRAPH_PATIENCE_S", "INPUTS", "default_output", "inputs_found"]

INPUTS = "inputs"
# How long the audio system gets to begin.
GRAPH_PATIENCE_S = 2.0


def inputs_found(inputs: list[InputDevice]) -> Iterator[Finding]:
    """The default input, and all of them by the names that a profile takes."""
    # Without a microphone PipeWire's session manager names an output as the default, and means its
    # monitor. That is no input, and `device: default` does not take it.
    default = next((one.system_name for one in inputs if one.is_default), "")
    nothing = "none: there is no microphone" if not inputs else "none"
    yield Finding("default input", "good", default or nothing)
    if inputs:
        yield Finding(INPUTS, "good", inputs_in_words(inputs))


def default_output(name: str, settings: str) -> Finding:
    """Says where programs play by default; ``settings`` is where that is chosen."""
    if name:
        return Finding("default output", "good", name)
    return Finding(
        "default output",
        "note",
        "none: programs have nowhere to play, and so may have no audio stream",
        f"Connect a sound device, or choose one in {settings}.",
    )
