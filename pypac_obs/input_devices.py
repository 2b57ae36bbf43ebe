# SPDX-License-Identifier: MIT
"""Lists the inputs that can be captured: microphones, line inputs, virtual sources."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from pypac_obs import _core
from pypac_obs.audio_system import Capture, open_capture, service_trouble

__all__ = ["InputDevice", "inputs_in_words", "inputs_of", "list_inputs"]

_PATIENCE_S = 2.0


@dataclass(frozen=True)
class InputDevice:
    """An input.

    ``name`` is what a profile's ``device`` takes, and no other input has it: what people call it,
    or where two are called alike what the audio system does (``system_name``). ``description`` is
    what people call it, ``is_default`` what ``device: default`` means now.
    """

    name: str
    description: str
    system_name: str
    is_default: bool
    muted: bool
    channels: int
    sample_rate: int

    def to_json(self) -> dict[str, object]:
        """Gives plain values; what is not known is 0."""
        return asdict(self)


def list_inputs() -> list[InputDevice]:
    """Lists the inputs that are there now, sorted by name.

    Raises BackendUnavailable, PermissionDenied or Unsupported where there is no audio system.
    """
    capture = open_capture()
    try:
        capture.wait_until_running(_PATIENCE_S)
        server = capture.server_info()
        # On Linux there is no capture without an audio system to begin with.
        trouble = service_trouble(server) if isinstance(server, _core.WasapiServer) else None
        if trouble is not None:
            raise trouble
        return inputs_of(capture)
    finally:
        capture.stop()


def inputs_of(capture: Capture) -> list[InputDevice]:
    """Lists the inputs that a capture sees, as `list_inputs` does."""
    views = [view for view in capture.streams() if view.kind == "input"]
    default = capture.server_info().default_source
    called = Counter(view.description or view.node_name for view in views)
    inputs = []
    for view in views:
        description = view.description or view.node_name
        inputs.append(
            InputDevice(
                name=description if called[description] == 1 else view.node_name,
                description=description,
                system_name=view.node_name,
                is_default=bool(default) and default in (view.node_name, view.description),
                muted=view.muted,
                channels=view.channels,
                sample_rate=view.sample_rate,
            )
        )
    return sorted(inputs, key=lambda one: (one.name.casefold(), one.system_name))


def inputs_in_words(inputs: list[InputDevice]) -> str:
    """Names all inputs in a line, the default one marked; empty where there is none.

    >>> inputs_in_words([InputDevice("Headset", "Headset", "alsa_input.usb", True, False, 1, 0)])
    '"Headset" (default)'
    """
    return ", ".join(f'"{one.name}"{" (default)" if one.is_default else ""}' for one in inputs)
