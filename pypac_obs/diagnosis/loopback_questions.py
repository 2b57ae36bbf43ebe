# SPDX-License-Identifier: MIT
"""What is not known of Windows' process loopback, found out by capturing programs of our own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psutil

from pypac_obs import _core
from pypac_obs.diagnosis.loopback_packets import Packets, Spread, measure
from pypac_obs.diagnosis.loopback_program import PlayerError, playing
from pypac_obs.errors import PypacError
from pypac_obs.wording import counted

__all__ = ["Answer", "ask_all"]

# How long packets are looked at, and how long Windows gets to settle before.
_LOOK_S = 2.0
_SETTLE_S = 0.7
# An activation is given up after 5 s.
_OPENS_WITHIN_S = 8.0
_CAPTURES_IN_A_ROW = 6
# Stamps further than that from when a packet was handed over are not of the same clock.
_SAME_CLOCK_MS = 500.0


@dataclass
class Answer:
    """One question, what was done to find out, what was measured, and the answer in a line."""

    question: str
    done: str
    answer: str = ""
    measured: list[str] = field(default_factory=list)


@contextlib.contextmanager
def _probing(pid: int) -> Iterator[_core.LoopbackProbe]:
    probe = _core.LoopbackProbe(pid)
    try:
        probe.wait_until_tried(_OPENS_WITHIN_S)
        yield probe
    finally:
        probe.stop()


def _look(*probes: _core.LoopbackProbe) -> list[Packets]:
    """What each is given in the same while."""
    time.sleep(_SETTLE_S)
    for probe in probes:
        probe.take()
    began = time.perf_counter()
    time.sleep(_LOOK_S)
    seconds = time.perf_counter() - began
    return [measure(probe.take(), seconds) for probe in probes]


def _state(probe: _core.LoopbackProbe) -> list[str]:
    """What went wrong with a capture, for the measurements."""
    if probe.failure:
        again = "; opened again since" if probe.is_open else "; not open"
        return [f"failed: {probe.failure}{again}"]
    return [] if probe.is_open else ["it did not open"]


def _answer(
    answer: Answer,
    probe: _core.LoopbackProbe,
    judge: Callable[[Packets, _core.LoopbackProbe], str],
) -> Packets:
    """Looks at what comes now, and answers by it."""
    (packets,) = _look(probe)
    answer.answer = judge(packets, probe)
    answer.measured = packets.lines() + _state(probe)
    return packets


def ask_all(tell: Callable[[Answer], None]) -> None:
    """Asks every question, and tells each answer as soon as there is one.

    What fails is an answer, too. It takes about half a minute. Raises nothing of its own.
    """
    _ask_while_it_lives(tell)
    _ask_generations(tell)
    _ask_two_clients(tell)
    _ask_to_stop(tell)


@contextlib.contextmanager
def _answering(*answers: Answer) -> Iterator[None]:
    """Makes an answer of what prevents one."""
    try:
        yield
    except PlayerError as error:
        why = f"not found out: the program to be captured: {error}"
    except PypacError as error:
        why = f"not found out: {error.message}"
    else:
        return
    for answer in answers:
        answer.answer = answer.answer or why


def _come(packets: Packets, probe: _core.LoopbackProbe) -> str:
    """Do packets come, and what is in them."""
    if packets.count:
        came = f"{counted(packets.count, 'packet')} in {packets.seconds:.1f} s"
        return f"yes: {came}, with {packets.sound}"
    return "no: " + (_state(probe) or ["the capture is open, and no packet comes"])[0]


def _ask_while_it_lives(tell: Callable[[Answer], None]) -> None:
    tone = Answer(
        "Do packets come while the program plays?", "A program plays a tone and is captured."
    )
    period = Answer("How long are the packets, and what is their period?", "From the same packets.")
    stamps = Answer("Are the packets' stamps of the performance counter?", "From the same packets.")
    zeros = Answer(
        "Do packets come while its stream is open and silent?",
        "The same capture; the program plays zeros.",
    )
    closed = Answer(
        "Do packets come while it has no stream?", "The same capture; the program plays nothing."
    )
    gone = Answer(
        "Do packets come after it has exited?", "The same capture; the program has ended."
    )
    dead = Answer(
        "What does a capture of a dead PID give?",
        "A capture of the PID of a program that has ended.",
    )
    every = (tone, period, stamps, zeros, closed, gone, dead)
    with _answering(*every), playing("tone") as player:
        (pid,) = player.pids
        with _probing(pid) as probe:
            packets = _answer(tone, probe, _come)
            period.answer = _period(packets)
            stamps.answer = _stamps(packets)
            for answer, word in ((zeros, "zeros"), (closed, "nothing")):
                player.do(word)
                _answer(answer, probe, _come)
            player.end()
            _answer(gone, probe, _come)
        with _probing(pid) as probe:
            _answer(dead, probe, _refusal_or)
            if psutil.pid_exists(pid):
                dead.measured.append("the system says that the PID is in use")
    for answer in every:
        tell(answer)


def _refusal_or(packets: Packets, probe: _core.LoopbackProbe) -> str:
    if probe.opened:
        return f"it opens: {packets.sound}"
    return f"it is refused: {probe.failure}" if probe.failure else "it neither opens nor fails"


def _period(packets: Packets) -> str:
    if not packets.count or packets.lengths is None:
        return "not found out: no packet came"
    same = packets.lengths.least == packets.lengths.greatest
    lengths = f"{packets.lengths.median} frames" if same else f"{packets.lengths} frames"
    return f"{lengths}, every {packets.period_ms} ms (least/median/most)"


def _stamps(packets: Packets) -> str:
    if packets.age_ms is None:
        return "not found out: no packet with a stamp came"
    age = packets.age_ms
    if max(abs(age.least), abs(age.greatest)) > _SAME_CLOCK_MS:
        return f"no: they are {age} ms before the packets' delivery (least/median/most)"
    return f"yes: {age} ms before the packets' delivery (least/median/most)"


def _ask_generations(tell: Callable[[Answer], None]) -> None:
    grandchild = Answer(
        "Is a grandchild captured?",
        "A program starts a program that starts one that plays; the first is captured.",
    )
    orphan = Answer(
        "Is it still, after its parent has ended?", "The same capture; the one between has ended."
    )
    late = Answer(
        "Does a capture that is opened after that have it?",
        "A new capture of the first; the one between has ended.",
    )
    with _answering(grandchild, orphan, late), playing("tone", generations=2) as player:
        root, between, _ = player.pids
        with _probing(root) as probe:
            _answer(grandchild, probe, _heard)
            _end_process(between)
            _answer(orphan, probe, _heard)
        with _probing(root) as probe:
            _answer(late, probe, _heard)
    for answer in (grandchild, orphan, late):
        tell(answer)


def _end_process(pid: int) -> None:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        process.kill()
        process.wait(10)


def _heard(packets: Packets, probe: _core.LoopbackProbe) -> str:
    if packets.loud:
        return f"yes: {packets.loud} of {counted(packets.count, 'packet')} with sound"
    return f"no: {packets.sound}" if packets.count else _come(packets, probe)


def _ask_two_clients(tell: Callable[[Answer], None]) -> None:
    answer = Answer(
        "Do two captures of one program both get its sound?",
        "A program plays a tone; it is captured twice by one process.",
    )
    with _answering(answer), playing("tone") as player:
        (pid,) = player.pids
        with _probing(pid) as first, _probing(pid) as second:
            both = list(zip(_look(first, second), (first, second), strict=True))
        for name, (packets, probe) in zip(("first", "second"), both, strict=True):
            answer.measured += [f"{name}: {line}" for line in packets.lines() + _failures(probe)]
        heard = [bool(packets.loud) for packets, _ in both]
        if all(heard):
            answer.answer = "yes"
        elif not any(heard):
            answer.answer = "no: neither gets it"
        else:
            name, (packets, probe) = ("second", both[1]) if heard[0] else ("first", both[0])
            why = f"is refused: {probe.failure}" if not probe.opened else f"gets {packets.sound}"
            answer.answer = f"no: the {name} {why}"
    tell(answer)


def _failures(probe: _core.LoopbackProbe) -> list[str]:
    return [f"failed: {probe.failure}"] if probe.failure else []


def _ask_to_stop(tell: Callable[[Answer], None]) -> None:
    answer = Answer(
        "How long does it take to end a capture, and is anything left?",
        f"{_CAPTURES_IN_A_ROW} captures of one program, one after the other; "
        "this process's handles after each.",
    )
    with _answering(answer), playing("tone") as player:
        (pid,) = player.pids
        times: list[float] = []
        handles: list[int] = []
        opened = 0
        for _ in range(_CAPTURES_IN_A_ROW):
            with _probing(pid) as probe:
                time.sleep(0.2)
                opened += probe.opened
                began = time.perf_counter()
                probe.stop()
                times.append(1000 * (time.perf_counter() - began))
            handles.append(_handles())
        answer.measured = [
            f"opened: {opened} of {_CAPTURES_IN_A_ROW}",
            f"ms to end each, least/median/most: {Spread.of(times)}",
            "handles after each: " + ", ".join(map(str, handles)),
        ]
        # The first one loads what Windows keeps.
        more = handles[-1] - handles[0]
        left = f"{more} more handles" if more > 0 else "no more handles"
        answer.answer = (
            f"{Spread.of(times)} ms (least/median/most); {left} after "
            f"{counted(_CAPTURES_IN_A_ROW - 1, 'capture')} than before"
        )
    tell(answer)


def _handles() -> int:
    # Of Windows only.
    return int(psutil.Process().num_handles())  # type: ignore[attr-defined,unused-ignore]
