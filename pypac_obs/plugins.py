# SPDX-License-Identifier: MIT
"""The registry of plugins that others wrote in Python: sources, filters and outputs.

A profile names one by ``use``, in one of three ways:

loudness             an entry point of an installed package, in the group of its `PluginKind`
my_package:Loudness  a class in a module that Python can import
meter.py:Meter       a class in a file; a relative path counts from the profile's folder

`find_plugin` tells where one is and imports nothing. `load_plugin` runs its code, so only a session
calls it. A profile may come from anybody: a file is loaded only if it and the folders above it
belong to the user or to root, and nobody else may write there.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import stat
import sys
import traceback
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypac_obs.errors import OutputFailed, PluginFailed, PypacError

if TYPE_CHECKING:  # the process of a filter has no need of them, and is to be there soon
    from pypac_obs.outputs.output import Output
    from pypac_obs.profile.outputs import PluginRule
    from pypac_obs.source import Source

__all__ = [
    "FILTERS",
    "OUTPUTS",
    "SOURCES",
    "Plugin",
    "PluginKind",
    "file_stamp",
    "find_plugin",
    "in_front",
    "in_words",
    "installed_plugins",
    "load_plugin",
    "make_output",
    "make_source",
    "plugin_file",
]


@dataclass(frozen=True)
class PluginKind:
    """What plugins there are for one purpose."""

    base_name: str
    """The class that they are derived from, a public name of the package."""
    error: type[PypacError]
    """What is raised where one cannot be had."""

    @property
    def base(self) -> type[Any]:
        """That class."""
        found: type[Any] = getattr(importlib.import_module("pypac_obs"), self.base_name)
        return found

    @property
    def word(self) -> str:
        """What such a plugin is."""
        return self.base_name.lower()

    @property
    def group(self) -> str:
        """The group of entry points by which packages make theirs known."""
        return f"pypac_obs.{self.word}s"


SOURCES = PluginKind("Source", PluginFailed)
FILTERS = PluginKind("Filter", PluginFailed)
OUTPUTS = PluginKind("Output", OutputFailed)

_LARGEST_FILE = 1 << 20
_WRITE_IT_SO = "Write `use: file.py:Class`, `use: module:Class`, or an installed plugin's name."


@dataclass(frozen=True)
class Plugin:
    """Where a plugin is. Nothing of it has been imported."""

    use: str
    """How the profile names it."""
    class_name: str
    file: Path | None
    """The file that is loaded, or that its module is in; None: it is a part of Python."""
    module: str = ""
    """The module to import; empty: the file is loaded by itself."""
    kind: PluginKind = OUTPUTS

    def __str__(self) -> str:
        if not self.module:
            return f"{self.class_name} of {self.file}"
        where = f" ({self.file})" if self.file is not None else ""
        return f"{self.class_name} of the module {self.module}{where}"


def installed_plugins(kind: PluginKind = OUTPUTS) -> tuple[str, ...]:
    """The names of the plugins of a kind that installed packages have."""
    found = importlib.metadata.entry_points(group=kind.group)
    return tuple(sorted({one.name for one in found}))


def find_plugin(use: str, folder: Path, kind: PluginKind = OUTPUTS) -> Plugin:
    """Finds what a profile in ``folder`` names. Raises the kind's error where it is not there."""
    target, _, class_name = use.rpartition(":")
    if not target:
        return _entry_point(use, kind)
    if (path := plugin_file(use, folder)) is not None:
        os.close(_open(use, path, kind))
        return Plugin(use, class_name, path, kind=kind)
    return _in_module(use, target, class_name, kind)


def plugin_file(use: str, folder: Path) -> Path | None:
    """The file that ``file.py:Class`` names in ``folder``; None: something else is named."""
    target = use.rpartition(":")[0]
    if not target.endswith(".py"):
        return None
    return Path(os.path.realpath(folder / os.path.expanduser(target)))


def file_stamp(file: Path | None) -> tuple[int, ...]:
    """What changes with a file's content; empty where there is none."""
    if file is None:
        return ()
    try:
        found = file.stat()
    except OSError:  # gone, or in an archive
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _entry_point(use: str, kind: PluginKind) -> Plugin:
    found = list(importlib.metadata.entry_points(group=kind.group, name=use))
    if not found:
        names = installed_plugins(kind)
        meant = _words().nearest(use, names)
        hint = f"Did you mean {meant}? " if meant else ""
        there = f"Installed are {_listed(names, 'and')}. " if names else ""
        raise kind.error(
            f"no installed package has a plugin {_shown(use)} (entry points of {kind.group})",
            remedy=f"{hint or there}{_WRITE_IT_SO}",
        )
    targets = sorted({one.value for one in found})
    if len(targets) > 1:
        raise kind.error(
            f"several installed packages have a plugin {_shown(use)}: {_listed(targets, 'and')}",
            remedy="Write which one: `use: module:Class`.",
        )
    try:
        module, class_name = found[0].module, found[0].attr
    except (AttributeError, ValueError):
        module = class_name = ""
    if not module or not class_name:
        raise kind.error(
            f"the plugin {_shown(use)} is not loaded: its entry point {_shown(found[0].value)} "
            "names no class of a module",
            remedy="Correct its package, or uninstall it: an entry point is `module:Class`.",
        )
    return _in_module(use, module, class_name, kind)


def _in_module(use: str, module: str, class_name: str, kind: PluginKind) -> Plugin:
    file: Path | None = None
    is_pythons = False
    for name, spec in _specs(module):
        if spec is None:
            raise kind.error(
                f"there is no module {_shown(name)} for the plugin {_shown(use)}",
                remedy=f"Install the package that has it. {_WRITE_IT_SO}",
            )
        file = Path(spec.origin) if spec.has_location and spec.origin else None
        is_pythons = spec.origin in ("built-in", "frozen")
        refused = _refused_module(name, file, spec.submodule_search_locations)
        if refused:
            raise kind.error(
                f"the plugin {_shown(use)} is not loaded: {refused}",
                remedy="Install its package anew, as yourself.",
            )
    if file is None and not is_pythons:
        raise kind.error(
            f"the plugin {_shown(use)} is not loaded: no file has the module {_shown(module)}",
            remedy=_WRITE_IT_SO,
        )
    return Plugin(use, class_name, file, module, kind)


def _specs(module: str) -> Iterator[tuple[str, ModuleSpec | None]]:
    """Finds a module, and before it the packages that it is in, without importing any."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    yield top, spec
    name = top
    for part in rest:
        name = f"{name}.{part}"
        places = spec.submodule_search_locations if spec is not None else None
        spec = PathFinder.find_spec(name, list(places)) if places is not None else None
        yield name, spec


def _words() -> types.ModuleType:
    """For what is said of failures. It takes long to load, and all is well as a rule."""
    return importlib.import_module("pypac_obs.profile.checks")


def _shown(text: str, longest: int = 60) -> str:
    return str(_words().printable(text, longest))


def _listed(names: Iterable[str], last: str = "or") -> str:
    return str(_words().listed(names, last))


# Whose files are loaded --------------------------------------------------------------------------


def _owners() -> tuple[int, ...] | None:
    """Root and the user; None where files have no such owners (Windows)."""
    return (0, os.geteuid()) if hasattr(os, "geteuid") else None


def _refused_module(name: str, file: Path | None, places: Iterable[str] | None) -> str:
    """Says why an installed module is not loaded; empty: it is.

    Also nobody else may lay down another module in its place, so its folders count, up to the one
    in which Python looks for it.
    """
    if file is not None:
        depth = name.count(".") + (2 if places is not None else 1)
        looked_at = [file, *list(file.parents)[:depth]]
    else:  # a package without a file of its own
        looked_at = [one for place in places or () for one in (Path(place), Path(place).parent)]
    return next((refused for one in looked_at if (refused := _refused_installed(one))), "")


def _refused_installed(path: Path) -> str:
    owners = _owners()
    try:
        found, ours = os.stat(path), os.stat(__file__)
    except OSError:  # in an archive, which is looked at as a folder
        return ""
    if owners is None:
        return ""
    if found.st_uid not in (*owners, ours.st_uid):
        return f"{path} belongs to another user (UID {found.st_uid})"
    is_sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    is_open = found.st_mode & stat.S_IWOTH and not is_sticky
    return f"everybody may write in {path}" if is_open else ""


def _refused(path: Path, found: os.stat_result) -> tuple[str, str]:
    """Says why a file, or what is in a folder, is not loaded, and what to do; empty: it is."""
    owners = _owners()
    if owners is None:
        return "", ""
    if found.st_uid not in owners:
        said = f"{path} belongs to another user (UID {found.st_uid})"
        return said, "Copy the plugin to a folder of your own."
    is_sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not is_sticky:
        return f"others may write in {path}", f"chmod go-w '{path}'"
    return "", ""


def _open(use: str, path: Path, kind: PluginKind) -> int:
    """Opens the file of a plugin, which has to be one that nobody else can have changed."""

    def refusal(what: str, remedy: str) -> PypacError:
        return kind.error(f"the plugin {_shown(use)} is not loaded: {what}", remedy=remedy)

    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        # Some devices do something when they are opened.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise refusal(f"{path} is no file", _WRITE_IT_SO)
        file = os.open(path, flags)
    except FileNotFoundError:
        remedy = "Correct the path: a relative one counts from the profile's folder."
        raise refusal(f"there is no file {path}", remedy) from None
    except kind.error:
        raise
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        remedy = "See who may read it."
        raise refusal(f"{path} cannot be read: {said}", remedy) from None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise refusal(f"{path} is no file", _WRITE_IT_SO)
        # From the root on, so that what is said comes first is what has to be mended first.
        for one in (*reversed(path.parents), path):
            refused, remedy = _refused(one, found if one is path else os.stat(one))
            if refused:
                raise refusal(refused, remedy)
    except BaseException:
        os.close(file)
        raise
    return file


# Loading -----------------------------------------------------------------------------------------


def load_plugin(plugin: Plugin) -> type[Any]:
    """Imports a plugin and gives its class. Raises its kind's error with what is wrong with it.

    A file is run anew each time, and cannot import its neighbours: make a package for that.
    """
    base = plugin.kind.base
    try:
        module = importlib.import_module(plugin.module) if plugin.module else _run_file(plugin)
    except PypacError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # what is imported may do anything, such as sys.exit()
        raise plugin.kind.error(
            f"the plugin {plugin} cannot be imported: {in_words(error, plugin.file)}",
            remedy="Install what it needs, or correct it.",
        ) from error
    found: object = module
    for part in plugin.class_name.split("."):
        found = getattr(found, part, None)
    if found is None:
        classes = [name for name, one in vars(module).items() if _is_own(one, base)]
        there = f"It has {_listed(classes, 'and')}." if classes else ""
        raise plugin.kind.error(
            f"the plugin {plugin} is not there: nothing has the name {plugin.class_name}",
            remedy=there or f"Derive a class from pypac_obs.{base.__name__} there.",
        )
    if not _is_own(found, base):
        raise plugin.kind.error(
            f"the plugin {plugin} is no {plugin.kind.word}",
            remedy=f"Derive it from pypac_obs.{base.__name__}.",
        )
    assert isinstance(found, type)
    return found


def _is_own(found: object, base: type[Any]) -> bool:
    return isinstance(found, type) and issubclass(found, base) and found is not base


def _run_file(plugin: Plugin) -> types.ModuleType:
    assert plugin.file is not None
    # What was looked at is what is run, whatever has the name by now.
    with open(_open(plugin.use, plugin.file, plugin.kind), "rb") as file:
        source = file.read(_LARGEST_FILE + 1)
    if len(source) > _LARGEST_FILE:
        raise plugin.kind.error(
            f"the plugin {plugin} is longer than {_LARGEST_FILE >> 20} MiB",
            remedy="Make a package of it.",
        )
    module = types.ModuleType(f"pypac_obs_plugin_{plugin.file.stem}")
    module.__file__ = str(plugin.file)
    sys.modules[module.__name__] = module  # dataclasses look for it there
    exec(compile(source, str(plugin.file), "exec", dont_inherit=True), vars(module))
    return module


def in_words(error: BaseException, file: Path | None) -> str:
    """Says what a plugin has raised, and at which line of its file."""
    said = type(error).__name__
    with contextlib.suppress(Exception):  # its words are the plugin's own code, too
        said = _shown(f"{said}: {error}".removesuffix(": "), 300)
    line = error.lineno if isinstance(error, SyntaxError) else None
    for frame in traceback.extract_tb(error.__traceback__):
        if file is not None and frame.filename == str(file):
            line = frame.lineno
    return f"{said} (line {line})" if line else said


# Objects of them --------------------------------------------------------------------------------


def make_source(name: str, use: str, settings: Mapping[str, object], folder: Path) -> Source:
    """Makes the source of that name, of a profile in ``folder``. Raises PluginFailed."""
    with in_front(name, SOURCES):
        plugin = find_plugin(use, folder, SOURCES)
        made: Source = _make(plugin, load_plugin(plugin), settings)
    return made


def make_output(name: str, rule: PluginRule, folder: Path, tracks: Iterable[str]) -> Output:
    """Makes the output of that name, of a profile in ``folder`` with these ``tracks``.

    Its class is called with the settings; after that it has the profile's name and tracks. Raises
    OutputFailed.
    """
    with in_front(name, OUTPUTS):
        plugin = find_plugin(rule.use, folder)
        made: Output = _make(plugin, load_plugin(plugin), rule.settings)
        try:
            made.name = name
            if rule.tracks is not None:
                made.tracks = rule.tracks
            wants: Any = made.tracks  # whatever somebody wrote there
            if wants is not None:
                wants = made.tracks = (wants,) if isinstance(wants, str) else tuple(wants)
        except Exception as error:
            raise _failed(plugin, "does not take its name and tracks", error) from error
        known = tuple(tracks)
        for track in wants or ():
            if track not in known:
                raise OutputFailed(
                    f"the plugin {plugin} wants the track {_shown(str(track))}, which the "
                    "profile does not have",
                    remedy=f"Write `tracks` beside `use`: {_listed(known)}.",
                )
    return made


def _make(plugin: Plugin, found: type[Any], settings: Mapping[str, object]) -> Any:
    try:
        made: object = found(**settings)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _failed(plugin, "cannot be made", error) from error
    if not isinstance(made, plugin.kind.base):
        other = TypeError(f"its class gives another object, of {type(made).__name__}")
        raise _failed(plugin, "cannot be made", other)
    return made


def _failed(plugin: Plugin, what: str, error: BaseException) -> PypacError:
    return plugin.kind.error(
        f"the plugin {plugin} {what}: {in_words(error, plugin.file)}",
        remedy="Correct its `settings` in the profile, or the plugin.",
    )


@contextlib.contextmanager
def in_front(name: str, kind: PluginKind) -> Iterator[None]:
    """Puts the plugin's name in front of what is wrong with it."""
    try:
        yield
    except kind.error as error:
        message = f"{name}: {error.message}"
        raise kind.error(message, remedy=error.remedy) from error.__cause__
