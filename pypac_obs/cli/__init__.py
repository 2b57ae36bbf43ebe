# SPDX-License-Identifier: MIT
"""The command `pypac-obs`: one file per command, loaded only when it is called."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from pypac_obs.cli.detached_output import is_closed_pipe, silence
from pypac_obs.errors import PypacError
from pypac_obs.host_time import now_ns

__all__ = ["DONE", "FAILED", "commands", "main"]

DONE, FAILED, USAGE, NO_AUDIO_SYSTEM = 0, 1, 2, 3

# Set it to see where an unexpected error comes from.
TRACEBACK = "PYPAC_OBS_TRACEBACK"

EPILOG = """\b
Exit codes:
  0  done
  1  failed while running
  2  wrong profile or usage
  3  the audio system is missing or refused
"""

# What --help says of each command; the command itself is loaded when it is called.
COMMANDS = {
    "ps": "List the programs that can be captured now.",
    "devices": "List the inputs that can be captured now.",
    "check": "Check a profile, and show what it would do now.",
    "run": "Run a profile.",
    "record": "Record programs without a profile, one track each.",
    "status": "Show what a running session does now.",
    "get": "Show values of a running session.",
    "set": "Change a value of a running session.",
    "toggle": "Turn a switch of a running session on or off.",
    "fade": "Fade a value of a running session to another one.",
    "mark": "Mark this moment in the sessions that run.",
    "reset-loudness": "Begin the measured loudness of a running session anew.",
    "reload": "Apply the changes in a profile's file to the running session.",
    "stop": "End a running session.",
    "control": "Show how other programs reach a running session.",
    "plugins": "List the filters, and what each can be set to.",
    "render": "Run a track's filters over a file, to try settings.",
    "schema": "Print the JSON Schema of a profile, for editors.",
    "obs": "See and control OBS Studio.",
    "doctor": "Tell what of the system is present, and what to change.",
    "demo": "Record two programs of its own, and measure how well.",
}

# Files that are not named like their command: a module `set` here would hide Python's own.
_FILES = {
    "set": "set_command",
    "import-filters": "import_filters",
    "reset-loudness": "reset_loudness",
}


class ReaderGoneError(Exception):
    """Standard output was closed by whoever read it, as by `head`."""


class _UnsaidError(Exception):
    """An error cannot be written to standard error; ``code`` tells it all the same."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@contextlib.contextmanager
def _exit_code_kept(code: int) -> Iterator[None]:
    try:
        yield
    except OSError:
        raise _UnsaidError(code) from None


@contextlib.contextmanager
def _telling_a_closed_pipe() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_closed_pipe(error):
            raise ReaderGoneError from error
        raise


class LazyGroup(click.Group):
    """Loads a command's file when it is called: ``files`` followed by the command's name.

    ``summaries`` is what --help says of each, in the order of their use.
    """

    def __init__(self, *args: Any, files: str, summaries: Mapping[str, str], **extra: Any) -> None:
        super().__init__(*args, **extra)
        self._files = files
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Gives the commands in the order of their use."""
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Loads the command; None if there is none of this name."""
        if cmd_name not in self._summaries:
            return None
        try:
            command = importlib.import_module(self._files + _FILES.get(cmd_name, cmd_name)).command
        except (ImportError, OSError) as error:
            from pypac_obs.native_files import explain

            if explained := explain(error):
                raise explained from error
            raise
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list for --help without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))


class ProgramCommands(LazyGroup):
    """The whole command line, which turns every error into sentences."""

    # A closed pipe is told apart before click takes it for a failure.

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Reads the arguments, which is when --help and --version answer."""
        with _telling_a_closed_pipe():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        with _telling_a_closed_pipe():
            return super().invoke(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Runs the command line and exits with one of the documented codes."""
        try:
            code = self._exit_code(args, prog_name, complete_var, extra)
        except _UnsaidError as error:
            silence(sys.stderr)
            code = error.code
        sys.exit(code)

    def _exit_code(
        self,
        args: Sequence[str] | None,
        prog_name: str | None,
        complete_var: str | None,
        extra: dict[str, Any],
    ) -> int:
        try:
            code = super().main(
                args,
                prog_name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=False,  # names of programs are patterns, but not for files
                **extra,
            )
            sys.stdout.flush()
        except PypacError as error:
            with _exit_code_kept(error.exit_code):
                return _say(error)
        except click.ClickException as error:
            with _exit_code_kept(error.exit_code):
                error.show()
                return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            with _exit_code_kept(FAILED):
                click.echo("Interrupted.", err=True)
                return FAILED
        except (ReaderGoneError, BrokenPipeError):
            silence(sys.stdout)
            return DONE
        except OSError as error:
            if is_closed_pipe(error):
                silence(sys.stdout)
                return DONE
            if os.environ.get(TRACEBACK):
                raise
            with _exit_code_kept(FAILED):
                click.echo(_limit_trouble(error) or f"Error: {error}.", err=True)
                silence(sys.stdout)
                return FAILED
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            with _exit_code_kept(FAILED):
                if words := _limit_trouble(error):
                    click.echo(words, err=True)
                else:
                    _say_bug(error)
                return FAILED
        return code if isinstance(code, int) else DONE


def _say(error: PypacError) -> int:
    """Writes the error and what to do about it, and gives its exit code."""
    from pypac_obs.cli.console import say_error

    if os.environ.get(TRACEBACK):
        raise error
    say_error(error)
    return error.exit_code


def _limit_trouble(error: BaseException | None) -> str:
    """What to say where it happened for want of what the system limits; empty: it did not."""
    lacking = (errno.EMFILE, errno.ENFILE)
    while error is not None:
        # An import says it in words only.
        if getattr(error, "errno", None) in lacking or os.strerror(errno.EMFILE) in str(error):
            return (
                "Error: too few file descriptors: no more files can be opened.\n"
                "Raise their number: ulimit -n 1024"
            )
        if isinstance(error, MemoryError) or "can't start new thread" in str(error):
            return (
                "Error: the system gives no more memory, or no more threads.\n"
                "Close other programs, or raise the limits: ulimit -v unlimited; ulimit -u 4096"
            )
        error = error.__cause__ or error.__context__
    return ""


def _say_bug(error: BaseException) -> None:
    text = " ".join(str(error).split()) or "no message"
    click.echo(
        f"Error: {type(error).__name__}: {text}. "
        f"This is a bug; run with {TRACEBACK}=1 to see where, and report it.",
        err=True,
    )


@click.group(
    cls=ProgramCommands,
    files="pypac_obs.cli.",
    summaries=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="pypac-obs", message="%(prog)s %(version)s")
def commands() -> None:
    """Capture each program's audio apart, on one clock, into split files.

    `pypac-obs ps` shows what plays, `pypac-obs record NAME` records it, and `pypac-obs run PROFILE`
    does what a profile says.
    """


def _say_bug_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        _say_bug(args.exc_value)


def main() -> None:
    """Is the program `pypac-obs`."""
    if not os.environ.get(TRACEBACK):
        threading.excepthook = _say_bug_in_thread
    # Both are None where they were closed before the start, as by `>&-`.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # Names of programs and files may hold what the terminal's encoding does not know.
        if callable(reconfigure := getattr(stream, "reconfigure", None)):
            reconfigure(errors="replace")
    commands(prog_name="pypac-obs", obj=_called_at_ns())


def _called_at_ns() -> int:
    """The host time at which this program was started; now, where the system does not tell."""
    if sys.platform == "win32":
        import psutil  # only here: on Linux no command that is quick needs it

        age_s = time.time() - psutil.Process().create_time()
        return now_ns() - max(0, round(age_s * 1e9))
    now = now_ns()
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        # Field 22 of proc(5), after a name that may hold anything: in ticks since the boot.
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        started_ns = started * 10**9 // os.sysconf("SC_CLK_TCK")
        return now - max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - started_ns)
    return now
