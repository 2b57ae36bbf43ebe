# SPDX-License-Identifier: MIT
"""The demo's pictures.

The waveform of each track under the other, and one moment close up; and a game that gets quieter
while a voice speaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pypac_obs.cli.demo_ducking import AS_PLAYED, DUCKED, Ducking, levels_db
from pypac_obs.cli.demo_signals import Alignment

__all__ = ["draw", "draw_ducking"]

Mono = NDArray[np.float64]

_COLORS = {"game": "#1f77b4", "voice": "#d95f02", "everything": "#555555"}
_COLUMNS = 2000  # of the waveforms: more than the picture has pixels
_CLOSE_UP_S = 0.003


def draw(
    path: Path,
    tracks: Mapping[str, Mono],
    rate: int,
    alignments: Sequence[Alignment],
    headline: str,
) -> None:
    """Draws the tracks "game", "voice" and "everything" into a PNG file.

    Raises ImportError without matplotlib, the extra `demo`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(headline, fontsize=11)
    grid = figure.add_gridspec(len(tracks) + 1, 1, height_ratios=[1] * len(tracks) + [1.25])
    close_up = _loud_moment(tracks["game"], tracks["voice"], rate)
    first: Any = None
    for row, (name, mono) in enumerate(tracks.items()):
        axes = figure.add_subplot(grid[row], sharex=first, sharey=first)
        first = first if first is not None else axes
        _waveform(axes, name, mono, rate)
        for alignment in alignments:
            _mark(axes, alignment, rate, labelled=alignment.track == name)
        axes.axvline(close_up / rate, color="black", linewidth=1.2)
        axes.tick_params(labelbottom=row == len(tracks) - 1)
    axes.set_xlabel(
        "seconds since frame 0; dashed: seconds found in “everything”, and their offset in frames"
    )
    _close_up(figure.add_subplot(grid[len(tracks)]), tracks, rate, close_up)
    figure.savefig(path)


def _waveform(axes: Any, name: str, mono: Mono, rate: int) -> None:
    step = max(1, len(mono) // _COLUMNS)
    columns = mono[: len(mono) // step * step].reshape(-1, step)
    seconds = np.arange(len(columns)) * step / rate
    axes.fill_between(
        seconds, columns.min(axis=1), columns.max(axis=1), color=_COLORS[name], linewidth=0.3
    )
    axes.set_ylabel(name, fontsize=12, color=_COLORS[name])
    axes.set_xlim(0, len(mono) / rate)
    axes.set_ylim(-0.45, 0.45)
    axes.grid(alpha=0.25)


def _mark(axes: Any, alignment: Alignment, rate: int, *, labelled: bool) -> None:
    for begin, offset in zip(alignment.begins, alignment.offsets, strict=True):
        axes.axvline(begin / rate, color="black", linestyle="--", linewidth=0.5, alpha=0.5)
        if labelled:
            axes.text(
                (begin + rate / 2) / rate,
                0.36,
                f"{offset:+d}" if offset else "0",
                ha="center",
                fontsize=9,
                bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "#999999", "lw": 0.5},
            )


def _loud_moment(game: Mono, voice: Mono, rate: int) -> int:
    """Finds a frame around which both programs are loud."""
    step = max(1, round(_CLOSE_UP_S * rate))
    frames = len(game) // step * step
    loudness = [np.abs(one[:frames]).reshape(-1, step).mean(axis=1) for one in (game, voice)]
    return int(np.argmax(loudness[0] * loudness[1])) * step


def _close_up(axes: Any, tracks: Mapping[str, Mono], rate: int, begin: int) -> None:
    part = slice(begin, begin + round(_CLOSE_UP_S * rate))
    milliseconds = np.arange(part.start, part.stop) / rate * 1000 - begin / rate * 1000
    game, voice, everything = (tracks[name][part] for name in ("game", "voice", "everything"))
    axes.plot(milliseconds, game, color=_COLORS["game"], label="game")
    axes.plot(milliseconds, voice, color=_COLORS["voice"], label="voice")
    axes.plot(milliseconds, game + voice, color="#2ca02c", label="game + voice, computed")
    axes.plot(
        milliseconds,
        everything,
        linestyle="none",
        marker="o",
        markersize=4,
        markerfacecolor="none",
        color="black",
        label="everything, as recorded (one circle a frame)",
    )
    axes.set_xlabel(f"close up: milliseconds since {begin / rate:.3f} s (the black line above)")
    axes.set_xlim(milliseconds[0], milliseconds[-1])
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=9, ncols=4, frameon=False)


def draw_ducking(path: Path, tracks: Mapping[str, Mono], rate: int, found: Ducking) -> None:
    """Draws the tracks "voice", "game" and "game as it plays" into a PNG file.

    Raises ImportError without matplotlib, the extra `demo`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"The game while the voice speaks: {found.speaks_db:+.1f} dB;  "
        f"while it is silent: {found.silent_db:+.1f} dB",
        fontsize=11,
    )
    voice, game, gain = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1.4, 1.2])
    _waveform(voice, "voice", tracks["voice"], rate)
    game.plot(*levels_db(tracks[AS_PLAYED], rate), color=_COLORS["everything"], label=AS_PLAYED)
    game.plot(*levels_db(tracks[DUCKED], rate), color=_COLORS["game"], label="game, ducked")
    loudest = float(levels_db(tracks[AS_PLAYED], rate)[1].max())
    game.set_ylim(loudest - 30, loudest + 6)
    game.set_ylabel("game, dBFS (RMS of 10 ms)")
    game.legend(loc="upper right", ncols=2, frameon=False, fontsize=9)
    gain.plot(found.seconds, found.gain_db, color=_COLORS["game"])
    gain.set_ylim(min(-15.0, found.speaks_db - 3), 3)
    gain.set_ylabel("gain of the game, dB")
    gain.set_xlabel("seconds; shaded: the voice speaks")
    for axes in (voice, game, gain):
        axes.grid(alpha=0.25)
        for begin, end in found.speaking:
            axes.axvspan(begin, end, color=_COLORS["voice"], alpha=0.12, linewidth=0)
    figure.savefig(path)
