# SPDX-License-Identifier: MIT
"""Finds what was meant by a name that nothing has: "did you mean Discord?"."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psutil

from pypac_obs import _core
from pypac_obs.audio_system import Capture
from pypac_obs.input_devices import InputDevice, inputs_of
from pypac_obs.profile import Profile
from pypac_obs.profile.names import name_key
from pypac_obs.profile.patterns import NamedIn, loose_slip_of, names_in, slip_of
from pypac_obs.seen_programs import remember, seen

__all__ = ["NamesHere", "likely_names", "running"]

_SHORTEST = 3  # of a name that is part of another's


@dataclass(frozen=True)
class NamesHere:
    """What programs and inputs are called on this computer now, and were called before."""

    playing: tuple[str, ...]
    running: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    inputs: tuple[InputDevice, ...] = ()
    found: frozenset[str] = frozenset()  # sources that match something, by whatever name

    @classmethod
    def of(
        cls, capture: Capture, found: Iterable[str] = (), *, processes: bool = True
    ) -> NamesHere:
        """Looks; ``found`` are the names of sources that match something, by whatever name.

        Without ``processes`` only programs that have audio count.
        """
        playing: dict[str, None] = {}
        for view in capture.streams():
            if view.kind in ("playback", "re_emitter"):
                names = (view.program, view.application_name, view.portal_app_id, view.node_name)
                playing |= dict.fromkeys(filter(None, names))
        before = seen()
        remember(playing)
        return cls(
            playing=tuple(playing),
            running=tuple(running()) if processes else (),
            before=tuple(before),
            inputs=tuple(inputs_of(capture)),
            found=frozenset(found),
        )

    def has(self, named: NamedIn) -> bool:
        """Tells whether something is called that now."""
        if named.is_device:
            names = [n for one in self.inputs for n in (one.description, one.system_name)]
            return named.pattern.casefold() == "default" or any(
                _core.text_matches(named.pattern, name) for name in names
            )
        names = [*self.playing, *self.running]
        # A number is a PID to the core.
        pattern = f"{named.pattern}.exe" if named.pattern.isdecimal() else named.pattern
        return any(_core.name_matches(pattern, name) for name in names)


def running() -> list[str]:
    """The names of all processes; none where the system does not tell: it is only for a hint."""
    try:
        names = [process.info["name"] for process in psutil.process_iter(["name"])]
    except (OSError, psutil.Error):
        return []
    return list(dict.fromkeys(filter(None, names)))


def likely_names(profile: Profile, here: NamesHere) -> tuple[list[str], list[str]]:
    """Says of names that nothing has what was meant, one sentence each.

    And which sentences of `Profile.warnings` do not hold here, for something is called that.
    """
    sentences: list[str] = []
    refuted: list[str] = []
    sources = profile.model_dump()["sources"]
    names = list(names_in(sources))
    alone = {source for source, many in Counter(one.source for one in names).items() if many == 1}
    # All others have something to capture at all times.
    found = {name for name in here.found if sources[name].keys() & {"process", "device"}}
    for named in names:
        slip = slip_of(named)
        # By the title of a window, say, which is not among the names here.
        by_another = named.source in found & alone
        if here.has(named) or by_another:
            refuted += [slip.sentence(named)] if slip else []
        elif slip is None and named.source not in found:
            sentences += filter(None, [_sentence(named, here, names)])
    return list(dict.fromkeys(sentences)), refuted


def _sentence(named: NamedIn, here: NamesHere, others: Sequence[NamedIn]) -> str:
    if not named.is_device and any(_core.name_matches(named.pattern, one) for one in here.before):
        return ""  # it plays here at other times
    if not named.is_device and (slip := loose_slip_of(named.pattern)):
        return slip.sentence(named)
    if set(named.pattern) & set("*?"):
        return ""
    if named.is_device:
        likely = _likely(named.pattern, [one.name for one in here.inputs])
        what = "no input is"
    else:
        # What another name of the profile means is not what this one does.
        patterns = [one.pattern for one in others if not one.is_device]
        playing, before, running = (
            [name for name in some if not any(_core.name_matches(p, name) for p in patterns)]
            for some in (here.playing, here.before, here.running)
        )
        likely = _likely(named.pattern, playing) or _likely(named.pattern, before)
        likely = likely or _likely(named.pattern, running, parts=False)
        what = "nothing here is"
    if not likely:
        return ""
    return f'The source "{named.source}": {what} called "{named.pattern}". Did you mean "{likely}"?'


def _likely(name: str, choices: Sequence[str], *, parts: bool = True) -> str:
    """The choice that comes closest to a name: one that has it in it, or is written alike."""
    wanted = _plain(name)
    by_key = {_plain(choice): choice for choice in reversed(choices)}
    if parts and len(wanted) >= _SHORTEST:
        longer = [key for key in by_key if wanted in key or (len(key) > 3 and key in wanted)]
        if longer:
            return by_key[min(longer, key=lambda key: (abs(len(key) - len(wanted)), key))]
    close = difflib.get_close_matches(wanted, by_key, n=1, cutoff=0.7)
    return by_key[close[0]] if close else ""


def _plain(name: str) -> str:
    return name_key(name).removesuffix(".exe")
