# SPDX-License-Identifier: MIT
"""Writes the tables and pictures of docs/filters.md: `.venv/bin/python docs/make_filters.py`.

The tables come from the filters' descriptors, the pictures from the filters themselves: each is
what came out of the code. `tables` is what a test compares with the file; it needs no matplotlib.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pypac_obs import _core
from pypac_obs.profile.filters import FilterInfo, ParamInfo, filter_infos

DOCS = Path(__file__).parent
PAGE = DOCS / "filters.md"
# Pages with tables, and how each links to that one.
PAGES = {PAGE: "", DOCS / "profile.md": "filters.md"}
PICTURES = DOCS / "pictures" / "filters"

RATE = 48_000
Audio = NDArray[np.float64]
Values = Mapping[str, Any]

# The tables --------------------------------------------------------------------------------------


def tables(text: str, link: str = "") -> str:
    """Gives a page with each table as the descriptors have it now; ``link`` leads to PAGE."""

    def made(match: re.Match[str]) -> str:
        kind = match[1]
        rows = overview(link) if kind == "all" else table(filter_infos()[kind])
        return f"<!-- table: {kind} -->\n" + "".join(f"{row}\n" for row in rows) + "<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", made, text, flags=re.DOTALL)


def overview(link: str) -> Iterable[str]:
    """The rows of the table of all filters."""
    yield "| Filter | What it does |"
    yield "|---|---|"
    for info in filter_infos().values():
        yield f"| [`{info.kind}`]({link}#{info.kind}) | {info.help} |"


def table(info: FilterInfo) -> Iterable[str]:
    """The rows of a filter's table; settings that differ by their number are in one."""
    if not info.params:
        yield "It has no settings of its own."
        return
    yield "| Setting | Unit | Range | Default | Meaning |"
    yield "|---|---|---|---|---|"
    by_band = sorted(info.params, key=lambda param: _without_number(param.id))
    alike = {name: list(found) for name, found in groupby(by_band, lambda p: _without_number(p.id))}
    for name in dict.fromkeys(_without_number(param.id) for param in info.params):
        yield row(alike[name])


def row(params: list[ParamInfo]) -> str:
    """One row, of one setting or of several that are alike."""
    first = params[0]
    if first.type in ("number", "integer"):
        span = f"{first.min:g} to {first.max:g}"
    elif first.type == "boolean":
        span = "true or false"
    elif first.type == "choice":
        span = ", ".join(f"`{one}`" for one in first.choices)
    else:
        span = "a track" if first.type == "track" else "tracks"
    defaults = list(dict.fromkeys(default_words(param) for param in params))
    live = "" if first.live else " Another value takes a new filter."
    cells = (
        " ".join(f"`{param.id}`" for param in params),
        first.unit,
        span,
        ", ".join(defaults),
        re.sub(r"^(\w+ )?[Bb]and 1\b", "The band", first.help) + live,
    )
    return "| " + " | ".join(cells).replace("|  |", "| |") + " |"


def default_words(param: ParamInfo) -> str:
    """A parameter's default, as the page writes it."""
    if param.default is None:
        return "required"
    if isinstance(param.default, bool):
        return str(param.default).lower()
    if isinstance(param.default, float | int):
        return f"{param.default:g}"
    if not param.default:
        return "none"
    return f"`{param.default}`" if isinstance(param.default, str) else ", ".join(param.default)


def _without_number(name: str) -> str:
    return re.sub(r"^band\d+_", "band_", name)


# What the filters do -----------------------------------------------------------------------------


def run(kind: str, values: Values, audio: Audio, *keys: Audio) -> Audio:
    """Gives what a filter makes of stereo frames, its latency taken out."""
    chain = _core.OfflineChain([(kind, dict(values), False)], sample_rate=RATE)
    late = chain.latency_frames
    padded = [np.pad(one, ((0, late), (0, 0))).astype(np.float32) for one in (audio, *keys)]
    out: Audio = chain.process(padded[0], padded[1:])[late:].astype(np.float64)
    return out


def response(kind: str, values: Values, frames: int = 1 << 16) -> tuple[Audio, Audio]:
    """A linear filter's frequencies in Hz, and its gain at each in dB."""
    impulse = np.zeros((frames, 2))
    impulse[0] = 0.5
    out = run(kind, values, impulse)[:, 0]
    gain = np.abs(np.fft.rfft(out)) / 0.5
    return np.fft.rfftfreq(frames, 1 / RATE), 20 * np.log10(np.maximum(gain, 1e-6))


def sine(level_dbfs: float, seconds: float, hertz: float = 1000.0) -> Audio:
    """A stereo sine; its peak is the level."""
    time = np.arange(round(seconds * RATE)) / RATE
    mono = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hertz * time)
    return np.column_stack([mono, mono])


def curve(kind: str, values: Values, levels_db: Audio, hertz: float = 1000.0) -> Audio:
    """What a sine of each level comes out at, once it has settled."""
    out = []
    for level_db in levels_db:
        heard = run(kind, values, sine(float(level_db), 1.5, hertz))[-RATE // 4 :, 0]
        out.append(10 * np.log10(2 * np.mean(heard**2) + 1e-20))
    return np.array(out)


def loudness_of(audio: Audio, window_s: float = 0.02) -> tuple[Audio, Audio]:
    """Seconds, and the level of a sine that is as strong there, in dBFS."""
    size = round(window_s * RATE)
    pieces = audio[: len(audio) // size * size, 0].reshape(-1, size)
    level = 10 * np.log10(2 * np.mean(pieces**2, axis=1) + 1e-10)
    return (np.arange(len(pieces)) + 0.5) * window_s, level


# The pictures ------------------------------------------------------------------------------------

# Readable on white and on black.
GREY, BLUE, ORANGE, GREEN, VIOLET = "#808080", "#3b82c4", "#d9730d", "#2e9e5b", "#a259c4"
COLORS = (BLUE, ORANGE, GREEN, VIOLET)


def frequencies(axes: Any, low_db: float, high_db: float) -> None:
    """Makes these the axes of a response."""
    axes.set_xscale("log")
    axes.set_xlim(20, 20_000)
    axes.set_ylim(low_db, high_db)
    axes.set_xticks([20, 100, 1000, 10_000], ["20", "100", "1k", "10k"])
    axes.minorticks_off()
    axes.set_xlabel("Hz")
    axes.set_ylabel("dB")


def responses(axes: Any, kind: str, cases: Mapping[str, Values]) -> None:
    """Draws a response for each case."""
    for color, (label, values) in zip(COLORS, cases.items(), strict=False):
        hertz, gain_db = response(kind, values)
        some = np.unique(np.searchsorted(hertz, np.geomspace(20, 20_000, 300)))
        axes.plot(hertz[some], gain_db[some], color=color, label=label)


def curves(axes: Any, kind: str, cases: Mapping[str, Values], low_db: float = -60) -> None:
    """Draws a static curve for each case: what comes out by what goes in."""
    levels = np.arange(low_db, 0.01, 1.0)
    axes.plot([low_db, 0], [low_db, 0], color=GREY, linewidth=0.8, linestyle=":")
    for color, (label, values) in zip(COLORS, cases.items(), strict=False):
        axes.plot(levels, curve(kind, values, levels), color=color, label=label)
    axes.set_xlim(low_db, 0)
    axes.set_xlabel("in, dBFS")
    axes.set_ylabel("out, dBFS")


def over_time(axes: Any, parts: Mapping[str, Audio], low_db: float, window_s: float = 0.02) -> None:
    """Draws the level of each over time."""
    for color, (label, audio) in zip((GREY, *COLORS), parts.items(), strict=False):
        axes.plot(*loudness_of(audio, window_s), color=color, label=label)
    axes.set_ylim(low_db, 0)
    axes.set_xlabel("s")
    axes.set_ylabel("dBFS")


def draw_high_pass(axes: Any) -> None:
    """Its slopes."""
    slopes = ("12", "24", "36", "48")
    responses(axes, "high_pass", {f"{one} dB/oct": {"slope_db": one} for one in slopes})
    frequencies(axes, -60, 6)


def draw_low_pass(axes: Any) -> None:
    """Its slopes, at a frequency that shows them."""
    slopes = ("12", "24", "36", "48")
    cases = {f"{one} dB/oct": {"frequency_hz": 4000, "slope_db": one} for one in slopes}
    responses(axes, "low_pass", cases)
    frequencies(axes, -60, 6)


def draw_eq(axes: Any) -> None:
    """One band of each type that one uses for a voice."""
    cases: dict[str, Values] = {
        "peak 400 Hz, -6 dB, q 1.4": {"band3_type": "peak", "band3_db": -6, "band3_q": 1.4},
        "low shelf 150 Hz, +4 dB": {"band2_type": "low_shelf", "band2_db": 4},
        "high shelf 6 kHz, +6 dB": {"band6_type": "high_shelf", "band6_db": 6},
        "notch 1 kHz, q 8": {"band4_type": "notch", "band4_q": 8},
    }
    responses(axes, "eq", cases)
    frequencies(axes, -24, 12)


def draw_gain(axes: Any) -> None:
    """A change while a sine plays: it glides."""
    chain = _core.OfflineChain([("gain", {"gain_db": 0.0}, False)], sample_rate=RATE)
    audio = sine(-3, 0.1, 200).astype(np.float32)
    before = chain.process(audio[:1920])
    chain.set(0, "gain_db", -20.0)
    out = np.concatenate([before, chain.process(audio[1920:])])
    axes.plot(np.arange(len(out)) / RATE * 1000, out[:, 0], color=BLUE, label="gain_db: 0 to -20")
    axes.axvline(40, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("ms")
    axes.set_ylabel("sample")


def phrase(*parts: tuple[float, float], hertz: float = 1000.0) -> Audio:
    """A sine at level after level: (dBFS, seconds)."""
    level = np.concatenate([np.full(round(s * RATE), 10 ** (db / 20)) for db, s in parts])
    mono = level * np.sin(2 * np.pi * hertz / RATE * np.arange(len(level)))
    return np.column_stack([mono, mono])


def draw_gate(axes: Any) -> None:
    """It opens for what is loud, holds, and closes."""
    audio = phrase((-50, 0.3), (-12, 0.4), (-50, 0.8), (-20, 0.3), (-50, 0.7))
    parts = {
        "in": audio,
        "out": run("gate", {}, audio),
        "out, range_db: -20": run("gate", {"range_db": -20}, audio),
    }
    over_time(axes, parts, -90, 0.01)
    axes.axhline(-26, color=GREY, linewidth=0.8, linestyle=":")
    axes.axhline(-32, color=GREY, linewidth=0.8, linestyle=":")


def draw_expander(axes: Any) -> None:
    """Ratios."""
    cases = {f"ratio: {one}": {"ratio": one, "detector": "peak"} for one in (1.5, 2, 4)}
    curves(axes, "expander", cases, -80)
    axes.set_ylim(-100, 0)


def draw_upward_compressor(axes: Any) -> None:
    """Ratios."""
    curves(
        axes, "upward_compressor", {f"ratio: {one}": {"ratio": one} for one in (0.25, 0.5, 0.75)}
    )


def draw_compressor(axes: Any) -> None:
    """Ratios and a knee."""
    cases: dict[str, Values] = {
        "ratio: 2": {"ratio": 2},
        "ratio: 4": {"ratio": 4},
        "ratio: 4, knee_db: 18": {"ratio": 4, "knee_db": 18},
        "ratio: 10": {"ratio": 10},
    }
    curves(axes, "compressor", cases, -40)


def draw_limiter(axes: Any) -> None:
    """Peaks of a sine that is much too loud for a moment."""
    audio = phrase((-9, 0.01), (3, 0.01), (-9, 0.02), hertz=800)
    milliseconds = np.arange(len(audio)) / RATE * 1000
    axes.plot(milliseconds, audio[:, 0], color=GREY, label="in")
    axes.plot(
        milliseconds,
        run("limiter", {"ceiling_db": -6}, audio)[:, 0],
        color=BLUE,
        label="out, ceiling_db: -6",
    )
    for side in (1, -1):
        axes.axhline(side * 10 ** (-6 / 20), color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("ms")
    axes.set_ylabel("sample")


def draw_duck(axes: Any) -> None:
    """A game under a voice that speaks twice."""
    voice = phrase((-120, 0.5), (-15, 0.8), (-120, 1.2), (-15, 0.4), (-120, 1.1))
    game = sine(-12, 4.0, 300)
    parts = {
        "the key: a voice": voice,
        "the track: a game": run("duck", {"key": ["voice"]}, game, voice),
    }
    over_time(axes, parts, -60)


def draw_de_esser(axes: Any) -> None:
    """What a sine of each frequency loses, quiet and loud."""
    hertz = np.geomspace(200, 18_000, 45)
    for color, level_db in zip(COLORS, (-30, -12, -6), strict=False):
        for mode, style in (("split", "-"), ("wide", "--")):
            gains = [
                float(curve("de_esser", {"mode": mode}, np.array([level_db]), one)[0]) - level_db
                for one in hertz
            ]
            axes.plot(hertz, gains, color=color, linestyle=style, label=f"{level_db} dBFS, {mode}")
    frequencies(axes, -10, 2)
    axes.set_xlim(200, 18_000)
    axes.set_xticks([200, 1000, 10_000], ["200", "1k", "10k"])


def draw_leveller(axes: Any) -> None:
    """Somebody who speaks too softly, pauses, and then too loudly."""
    audio = phrase((-26, 14.0), (-70, 6.0), (-13, 20.0))
    over_time(axes, {"in": audio, "out": run("leveller", {}, audio)}, -75, 0.1)


def draw_delay(axes: Any) -> None:
    """A click, and where it comes out."""
    click = np.zeros((4800, 2))
    click[480] = 1
    milliseconds = np.arange(len(click)) / RATE * 1000
    axes.plot(milliseconds, click[:, 0], color=GREY, label="in")
    out = run("delay", {"delay_ms": 40}, click)
    axes.plot(milliseconds, out[:, 0], color=BLUE, label="out, delay_ms: 40")
    axes.set_xlabel("ms")
    axes.set_ylabel("sample")


def sides(axes: Any, kind: str, param: str, places: Audio, audio: Audio, labels: Values) -> None:
    """Draws the level of some sums of both sides by a parameter."""
    out = [run(kind, {param: float(one)}, audio)[-RATE // 4 :] for one in places]
    for color, (label, weights) in zip(COLORS, labels.items(), strict=False):
        levels = [float(np.sqrt(2 * np.mean((one @ np.array(weights)) ** 2))) for one in out]
        axes.plot(places, levels, color=color, label=label)
    axes.set_xlabel(param)
    axes.set_ylabel("gain")


def draw_pan(axes: Any) -> None:
    """The gain of each side."""
    weights = {"left": (1, 0), "right": (0, 1)}
    sides(axes, "pan", "pan", np.linspace(-1, 1, 41), sine(0, 0.5), weights)


def draw_width(axes: Any) -> None:
    """What is the same on both sides, and what differs."""
    both = sine(0, 0.5)
    other = sine(0, 0.5, 1500)
    audio = both / 2 + other / 2 * np.array([1, -1])
    weights = {"middle (left + right)": (1, 1), "side (left - right)": (1, -1)}
    sides(axes, "width", "width", np.linspace(0, 2, 41), audio, weights)


def two_sides(axes: Any, kind: str, values: Values) -> None:
    """Draws both sides of what goes in, and of what comes out."""
    left, right = sine(-6, 0.012, 200)[:, 0], sine(-12, 0.012, 600)[:, 0]
    audio = np.column_stack([left, right])
    out = run(kind, values, np.concatenate([audio] * 4))[-len(audio) :]
    milliseconds = np.arange(len(audio)) / RATE * 1000
    for side, name in enumerate(("left", "right")):
        axes.plot(milliseconds, audio[:, side] + 1.2, color=COLORS[side], linewidth=1)
        axes.plot(
            milliseconds,
            out[:, side] - 0.9,
            color=COLORS[side],
            label=name,
            linestyle="--" if side else "-",
        )
    axes.set_yticks([1.2, -0.9], ["in", "out"])
    axes.set_xlabel("ms")


def draw_mono(axes: Any) -> None:
    """Both sides become the same."""
    two_sides(axes, "mono", {})


def draw_invert(axes: Any) -> None:
    """One side is turned over."""
    two_sides(axes, "invert", {"channels": "right"})


def draw_channel_map(axes: Any) -> None:
    """Left and right change places."""
    two_sides(axes, "channel_map", {"left": "right", "right": "left"})


DRAWN: dict[str, Callable[[Any], None]] = {
    name.removeprefix("draw_"): function
    for name, function in list(globals().items())
    if name.startswith("draw_")
}


def draw(kind: str, to: Path, background: str = "none") -> None:
    """Draws a filter's picture."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = {
        "axes.edgecolor": GREY,
        "axes.facecolor": "none",
        "axes.labelcolor": GREY,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "font.size": 9,
        "grid.alpha": 0.25,
        "grid.color": GREY,
        "legend.frameon": False,
        "legend.labelcolor": GREY,
        "lines.linewidth": 1.6,
        "path.simplify_threshold": 0.3,
        "svg.fonttype": "none",
        "svg.hashsalt": "pypac-obs",
        "xtick.color": GREY,
        "ytick.color": GREY,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.4, 2.8), dpi=100, layout="constrained", facecolor=background)
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.grid(visible=True)
        axes.margins(x=0.01)
        DRAWN[kind](axes)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
        figure.savefig(to, metadata={"Date": None} if to.suffix == ".svg" else None)


def main() -> None:
    """Writes all of them."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for kind in filter_infos():
        draw(kind, PICTURES / f"{kind}.svg")
    for page, link in PAGES.items():
        text = tables(page.read_text(encoding="utf-8"), link)
        page.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
