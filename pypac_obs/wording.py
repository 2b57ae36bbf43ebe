# SPDX-License-Identifier: MIT
"""How sentences are made of words and numbers."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["counted", "ended", "listed", "milliseconds_text", "sentence"]


def ended(text: str) -> str:
    """Ends with a full stop, unless it has an end already.

    >>> ended("discord was not running"), ended("Really?")
    ('discord was not running.', 'Really?')
    """
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def sentence(text: str) -> str:
    """Begins with a capital and ends with a full stop.

    >>> sentence("the disk is full")
    'The disk is full.'
    """
    text = text.strip()
    return ended(text[0].upper() + text[1:]) if text else ""


def listed(words: Sequence[str]) -> str:
    """Joins words as one says them.

    >>> listed(["game"]), listed(["game", "voice", "music"])
    ('game', 'game, voice and music')
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def counted(number: int, noun: str) -> str:
    """Counts things.

    >>> counted(1, "frame"), counted(2, "frame")
    ('1 frame', '2 frames')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def milliseconds_text(milliseconds: float) -> str:
    """Says a length of time with three digits, and from a second on to the millisecond.

    >>> milliseconds_text(0.02083), milliseconds_text(42.6667), milliseconds_text(2000)
    ('0.0208 ms', '42.7 ms', '2000 ms')
    """
    return f"{milliseconds:.0f} ms" if abs(milliseconds) >= 999.5 else f"{milliseconds:.3g} ms"
