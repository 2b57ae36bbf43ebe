# SPDX-License-Identifier: MIT
"""`pypac-obs doctor`: what of the system is present, and what to install or change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import IO

import click

from pypac_obs.capabilities import capabilities, versions
from pypac_obs.cli import DONE, NO_AUDIO_SYSTEM
from pypac_obs.cli.console import column_table, make_console, plain, print_json, say, sentence
from pypac_obs.diagnosis.examination import examine
from pypac_obs.diagnosis.finding import Finding, State
from pypac_obs.diagnosis.loopback_questions import Answer, ask_all
from pypac_obs.diagnosis.report import WORDS, line_of, report_text
from pypac_obs.diagnosis.windows import AUDIO_SERVICE

__all__ = ["command"]

_STYLES: dict[State, str] = {"good": "green", "note": "yellow", "bad": "red"}
_DEFAULT_NAME = "pypac-obs-report.md"
_MOST_FILES = 1000


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="The findings as one JSON object.")
@click.option(
    "--report",
    "report",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help=f"Write a report to send in ({_DEFAULT_NAME} unless named; never over another file). On "
    "Windows it also measures what captures of programs do there: for half a minute or so, with a "
    "quiet tone.",
)
def command(as_json: bool, report: str | None) -> int:
    """Tell what of the system is present, its versions, and what to install or change.

    The exit code is 0 when recording can work, and 3 when it cannot.
    """
    if report is not None:
        if as_json:
            raise click.UsageError("--json and --report cannot be given together.")
        return _report(report)
    findings = list(examine())
    works = all(finding.state != "bad" for finding in findings)
    if as_json:
        plain_findings = [asdict(finding) for finding in findings]
        print_json({"works": works, "versions": versions(), "findings": plain_findings})
    else:
        _print(findings, works)
    return DONE if works else NO_AUDIO_SYSTEM


def _report(wanted: str) -> int:
    # First of all, so that nobody waits for what then cannot be written.
    path, file = _new_file(wanted)
    try:
        with file:
            findings = list(examine())
            works = all(finding.state != "bad" for finding in findings)
            _print(findings, works)
            answers: list[Answer] = []
            unasked = _why_unasked(findings)
            if not unasked:
                say("")
                say("Now small programs of its own play, and are captured: a quiet tone.")
                ask_all(lambda answer: _tell(answers, answer))
            lines = [line_of(finding) for finding in findings]
            file.write(report_text(lines, answers, unasked))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    say("")
    say(f"Written to {path}: look through it before you send it in.")
    return DONE if works else NO_AUDIO_SYSTEM


def _tell(answers: list[Answer], answer: Answer) -> None:
    answers.append(answer)
    say(f"{len(answers)}. {answer.question}")
    say(f"   {answer.answer}")


def _why_unasked(findings: list[Finding]) -> str:
    """Why there is nothing to measure on this system; empty: there is."""
    ability = capabilities()["wasapi"]
    if not ability.built_in:
        return "Not measured: the open questions are those of Windows' process loopback."
    if not ability.present:
        return sentence(f"not measured: {ability.reason}")
    for finding in findings:
        if finding.part == AUDIO_SERVICE and finding.state == "bad":
            return sentence(f"not measured: {finding.found}")
    return ""


def _new_file(wanted: str) -> tuple[Path, IO[str]]:
    """Opens a file that was not there: ``wanted``, or one of the default name in this folder.

    Raises UsageError where it is there, or cannot be made.
    """
    names = [wanted] if wanted else [_DEFAULT_NAME, *_numbered(_DEFAULT_NAME)]
    for name in names:
        path = Path(name)
        try:
            return path, path.open("x", encoding="utf-8")
        except FileExistsError:
            continue
        except OSError as error:
            raise click.UsageError(
                f"{path} cannot be written: {error.strerror}. Name another file: --report FILE."
            ) from error
    raise click.UsageError(f"{names[0]} is there already, and is left as it is. Name another file.")


def _numbered(name: str) -> Iterable[str]:
    stem, dot, ending = name.rpartition(".")
    return (f"{stem}-{number}{dot}{ending}" for number in range(2, _MOST_FILES))


def _print(findings: list[Finding], works: bool) -> None:
    table = column_table(("Part", "State", "Found"))
    for finding in findings:
        word = plain(WORDS[finding.state], _STYLES[finding.state])
        table.add_row(plain(finding.part), word, plain(finding.found))
    make_console().print(table)
    for finding in findings:
        if finding.remedy:
            say(f"{finding.part}: {finding.remedy}")
    say("Recording can work." if works else "Recording cannot work yet.")
