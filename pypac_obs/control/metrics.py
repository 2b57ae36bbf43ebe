# SPDX-License-Identifier: MIT
"""The status as Prometheus reads it. Names are those of the profile: no window's title is here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["METRICS_TYPE", "metrics_text"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Sample = tuple[Mapping[str, str], float]


def metrics_text(status: Mapping[str, Any]) -> str:
    """Writes the metrics of a session's status, as `SessionStatus.to_json` gives it.

    >>> status = {"sample_rate": 48000, "frames": 96000, "incidents": 1, "warnings": []}
    >>> text = metrics_text(status | {"sources": [], "tracks": [], "outputs": []})
    >>> print(text.splitlines()[2])
    pypac_session_seconds 2
    """
    return "".join(_lines(status))


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    seconds = status["frames"] / status["sample_rate"]
    yield from _family("session_seconds", "gauge", "Length of the session so far.", [({}, seconds)])
    incidents = status["incidents"]
    yield from _family("incidents_total", "counter", "Lines of the ledger.", [({}, incidents)])
    warnings = len(status["warnings"])
    yield from _family("warnings", "gauge", "Warnings that hold now.", [({}, warnings)])
    outputs = status["outputs"]
    yield from _family(
        "output_lost_frames_total",
        "counter",
        "Frames that an output was too slow for.",
        [({"output": one["name"]}, one["lost_frames"]) for one in outputs],
    )
    yield from _family(
        "output_failed",
        "gauge",
        "1 where an output has failed.",
        [({"output": one["name"]}, float(bool(one["error"]))) for one in outputs],
    )
    sources = status["sources"]
    yield from _family(
        "source_state",
        "gauge",
        "1 for the state that a source is in.",
        [({"source": one["name"], "state": one["state"]}, 1) for one in sources],
    )
    yield from _family(
        "source_late_frames_total",
        "counter",
        "Frames of a source that came too late.",
        [({"source": one["name"]}, one["late_frames"]) for one in sources],
    )
    for what, plural in (("source", sources), ("track", status["tracks"])):
        for level, said in (("peak", "Peak"), ("rms", "RMS")):
            yield from _family(
                f"{what}_{level}_dbfs",
                "gauge",
                f"{said} of a {what}; -Inf is silence.",
                [({what: one["name"]}, _level(one["level"][level])) for one in plural],
            )
    yield from _loudness(status["tracks"])


_OF_LOUDNESS = (
    ("true_peak", "true_peak_dbtp", "True peak of a track; -Inf is silence."),
    ("max_true_peak", "max_true_peak_dbtp", "Highest true peak of a track."),
    ("momentary", "momentary_lufs", "Loudness of a track over 400 ms; -Inf is silence."),
    ("short_term", "short_term_lufs", "Loudness of a track over 3 s; -Inf is silence."),
    ("integrated", "integrated_lufs", "Gated loudness of a track since its start or reset."),
    ("range", "loudness_range_lu", "Loudness range of a track since its start or reset."),
)


def _loudness(tracks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for key, name, text in _OF_LOUDNESS:
        samples = [({"track": one["name"]}, _level(one["loudness"][key])) for one in tracks]
        yield from _family(f"track_{name}", "gauge", text, samples)
    yield from _family(
        "filter_reduction_db",
        "gauge",
        "By how many dB a filter makes its track quieter now.",
        [
            ({"track": one["name"], "filter": name}, db)
            for one in tracks
            for name, db in one["reduction_db"].items()
        ],
    )


def _level(value: float | None) -> float:
    return float("-inf") if value is None else value


def _family(name: str, kind: str, text: str, samples: Sequence[_Sample]) -> Iterator[str]:
    yield f"# HELP pypac_{name} {text}\n# TYPE pypac_{name} {kind}\n"
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(one)}"' for key, one in labels.items())
        number = "-Inf" if value == float("-inf") else f"{value:.15g}"
        yield f"pypac_{name}{{{inside}}} {number}\n" if inside else f"pypac_{name} {number}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
