# SPDX-License-Identifier: MIT
"""Incidents: every missing or moved frame, with its place, its length and its cause.

An incident is data, never an exception. The native ledger makes most of them; the outputs add
``late_start``, ``output_added``, ``shared_track_lost``, ``clipped``, ``file_gone``,
``output_failed`` and ``disk_full``.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CAUSES",
    "CLIPPED",
    "DISK_FULL",
    "FILE_GONE",
    "LATE_START",
    "OUTPUT_ADDED",
    "OUTPUT_FAILED",
    "SHARED_TRACK_LOST",
    "Incident",
    "describe",
    "timeline_text",
]

LATE_START = "late_start"
TRACK_MUTED = "track_muted"
OUTPUT_ADDED = "output_added"
SHARED_TRACK_LOST = "shared_track_lost"
CLIPPED = "clipped"
FILE_GONE = "file_gone"
OUTPUT_FAILED = "output_failed"
DISK_FULL = "disk_full"

# One sentence per cause, in the order of `Cause` in cpp/timeline/packet.hpp; the last seven are
# made in Python. {who}: the source, else the tracks. {at}: the first frame. {span}: "from ... to
# ...".
_SENTENCES = {
    "not_running": "{who} was not running {span}",
    "no_stream": "{who} was running without an audio stream {span}",
    "paused": "{who} had paused its audio {span}",
    "starting": "{who} was starting {span}: its stream was found, its first frame had not come",
    "refused": "{who} was not captured {span}: it cannot be had without what must not be captured",
    "stalled": "{who} gave nothing {span}: it was frozen, the machine was overloaded, or the "
    "system refused the capture",
    "underrun": "{who} gave nothing for a moment, {span}: its program skipped, or was too slow",
    "late": "{frames} of {who} came too late at {at}: that time had been played already; "
    "a longer latency would wait for them",
    "lost_cycles": "the audio system lost {frames} of {who} {span}",
    "clock_changed": "{who} was given another clock or rate at {at}, which cost {frames}",
    "clock_stepped": "the clock of {who} jumped at {at}, which cost {frames}",
    "overlap": "{who} gave {frames} twice at {at}: the second ones were dropped",
    "restamped": "a wrong time stamp of {who} was corrected at {at}: nothing is missing",
    "capture_overrun": "{frames} of {who} were dropped {span}: the capture ring was full",
    "output_overrun": "the output {output} was too slow {span}: {frames} of {tracks} were dropped",
    "backend_lost": "the audio system was gone {span}: {who} gave nothing",
    TRACK_MUTED: "{tracks} was muted {span}",
    "no_sources": "{tracks} had no source {span}",
    "track_removed": "{tracks} was not in the profile {span}",
    "source_failed": "{who} had failed {span}: the plugin that it is read from gave no audio",
    "filter_late": "a filter of {tracks} was not in time {span}: its process was too slow, or not "
    "there, and the track went by it",
    LATE_START: "the output {output} was told too late to begin: {frames} of {tracks} are missing "
    "{span}",
    OUTPUT_ADDED: "the output {output} was not in the profile {span}: {tracks} begins with silence",
    SHARED_TRACK_LOST: "the output {output} lost {frames} of {tracks} {span}: another program cut "
    "off, overwrote or deleted the shared file, and it was made anew",
    CLIPPED: "the output {output} clipped {frames} of {tracks} from {at} on: they were too loud "
    "for its encoding",
    FILE_GONE: "the output {output} keeps nothing of {tracks}: somebody deleted or replaced its "
    "file before {at}",
    OUTPUT_FAILED: "the output {output} stopped at {at}",
    DISK_FULL: "the output {output} stopped at {at}: the disk is full",
}

CAUSES = tuple(_SENTENCES)

# Frames that came twice, were moved or were clipped are all there; the silence in the place of
# late ones has an incident of its own; from where an output stopped, its files end.
_NOTHING_MISSING = ("late", "overlap", "restamped", CLIPPED, FILE_GONE, OUTPUT_FAILED, DISK_FULL)


@dataclass(frozen=True)
class Incident:
    """Frames of some tracks that are missing, or were moved, for one cause.

    ``begin`` is the first of them on the timeline and ``frames`` how many there are; 0 where the
    end is not known yet (``output_failed``, ``disk_full``). `missing` leaves out what is silent
    nowhere because of it: ``overlap``, frames that came twice; ``restamped``, frames that were
    moved; ``late``, frames whose silence had been played and listed already; ``clipped``, frames
    whose peaks were cut off (``begin`` is the first, and not all after it are). ``source`` and
    ``output`` are None where the cause has nothing to do with one.

    >>> gap = Incident("not_running", "discord", None, ("voice",), begin=0, frames=245760)
    >>> describe(gap, sample_rate=48000)
    'discord was not running from 0:00.000 to 0:05.120'
    """

    cause: str
    source: str | None
    output: str | None
    tracks: tuple[str, ...]
    begin: int
    frames: int
    detail: str = ""

    @property
    def missing(self) -> int:
        """How many frames are silence, or not there at all, because of it."""
        return 0 if self.cause in _NOTHING_MISSING else self.frames

    @property
    def lost(self) -> int:
        """How many frames are missing or damaged because of it."""
        return self.frames if self.cause == CLIPPED else self.missing

    def to_json(self) -> dict[str, object]:
        """Gives the fields under their own names, as every line of ``ledger.jsonl`` begins."""
        return {
            "cause": self.cause,
            "source": self.source,
            "output": self.output,
            "tracks": list(self.tracks),
            "begin": self.begin,
            "frames": self.frames,
            "detail": self.detail,
        }


def describe(incident: Incident, sample_rate: int) -> str:
    """Says in one plain sentence, without a full stop, what happened and when.

    ``sample_rate`` is the session's, in Hz. A cause that this version does not know is named as it
    is. ``detail`` follows after a colon.
    """
    tracks = " and ".join(incident.tracks) or "no track"
    begin = timeline_text(incident.begin, sample_rate)
    end = timeline_text(incident.begin + incident.frames, sample_rate)
    fallback = f"{incident.cause.replace('_', ' ')}: {{who}} {{span}}"
    sentence = _SENTENCES.get(incident.cause, fallback).format(
        who=incident.source or tracks,
        output=incident.output or "of " + tracks,
        tracks=tracks,
        at=begin,
        span=f"from {begin} to {end}",
        frames="1 frame" if incident.frames == 1 else f"{incident.frames} frames",
    )
    return f"{sentence}: {incident.detail}" if incident.detail else sentence


def timeline_text(frame: int, sample_rate: int) -> str:
    """Writes a place on the timeline as m:ss.mmm, or h:mm:ss.mmm from an hour on.

    >>> timeline_text(245760, 48000), timeline_text(48000 * 3661, 48000)
    ('0:05.120', '1:01:01.000')
    """
    milliseconds = (frame * 1000 + sample_rate // 2) // sample_rate
    minutes, milliseconds = divmod(milliseconds, 60_000)
    seconds = f"{milliseconds // 1000:02}.{milliseconds % 1000:03}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds}" if hours else f"{minutes}:{seconds}"
