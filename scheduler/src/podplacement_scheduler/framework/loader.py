# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins of users are Python files in a folder, or entry points; what is wrong with one is said
before the scheduler starts.

The bytes whose sha256 is compared are the bytes that run: a file is read once.
"""

from __future__ import annotations

import faulthandler
import hashlib
import importlib.metadata
import inspect
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ..config import UserPlugins
from ..errors import ConfigError
from ..watchdog import kept_off, source_file
from .interface import Plugin
from .profile import POINTS
from .registry import ABSENT, BUILT_IN, DEFAULT_BINDER

LOG = logging.getLogger(__name__)
GROUP = "podplacement_scheduler.plugins"
_MODULES = "podplacement_scheduler_plugin_"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_ASYNC = frozenset({"pre_bind", "bind", "post_bind"})
_METHODS = frozenset(method for methods in POINTS.values() for method in methods)
# No file needs longer to be read than a replica may take to start.
_PATIENCE = 30.0


class Loaded(dict[str, type[Plugin]]):
    """The plugins by name; `files` says where each came from, `blocked` which must stay off."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, Path] = {}
        self.blocked: dict[str, str] = {}


def load(settings: UserPlugins) -> Loaded:
    """All plugins that the settings name; raises ConfigError with the file and the reason."""
    found = Loaded()
    for path, source in _sources(settings):
        with _named(f"plugin file {path}"), _in_time():
            for plugin in _plugins_of(_module(path, source)):
                _add(found, plugin, path)
    if settings.entry_points:
        for entry_point in importlib.metadata.entry_points(group=GROUP):
            with _named(f"entry point {entry_point.name} ({entry_point.value})"), _in_time():
                plugin = entry_point.load()
                if not (isinstance(plugin, type) and issubclass(plugin, Plugin)):
                    raise ConfigError("it is not a subclass of Plugin")
                _add(found, plugin, source_file(plugin))
    found.blocked = kept_off(settings.state_directory, found.files)
    return found


def _sources(settings: UserPlugins) -> Iterator[tuple[Path, bytes]]:
    """The files to load and what is in them. In a mounted ConfigMap they are links to links, and
    its own folders begin with two dots."""
    if not settings.directory:
        if settings.digests:
            raise ConfigError("userPlugins: digests without a directory")
        return
    directory = Path(settings.directory)
    if not directory.is_dir():
        raise ConfigError(f"userPlugins.directory: there is no folder {directory}")
    files = {path.name: path for path in directory.glob("[!._]*.py") if path.is_file()}
    missing = sorted(settings.digests.keys() - files.keys())
    if missing:
        raise ConfigError(f"userPlugins.digests: {', '.join(missing)} is not in {directory}")
    for name, path in sorted(files.items()):
        if settings.digests and name not in settings.digests:
            LOG.warning("plugin file %s is not loaded: it has no digest in the configuration", path)
            continue
        try:
            source = path.read_bytes()
        except OSError as err:
            raise ConfigError(f"plugin file {path} cannot be read: {err.strerror}") from err
        _check_digest(path, source, settings.digests.get(name))
        yield path, source


def _check_digest(path: Path, source: bytes, pinned: str | None) -> None:
    actual = hashlib.sha256(source).hexdigest()
    if pinned not in (None, actual):
        raise ConfigError(
            f"plugin file {path} is not the pinned one: its sha256 is {actual}, and {pinned} is "
            "wanted; look at what changed it, then pin it anew"
        )


def _module(path: Path, source: bytes) -> ModuleType:
    module = ModuleType(_MODULES + path.stem)
    module.__file__ = str(path)
    # Dataclasses look their module up by name.
    sys.modules[module.__name__] = module
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


def _plugins_of(module: ModuleType) -> list[type[Plugin]]:
    """The public subclasses of Plugin that the file itself defines."""
    found = [
        item
        for name, item in vars(module).items()
        if isinstance(item, type)
        and issubclass(item, Plugin)
        and item.__module__ == module.__name__
        and not name.startswith("_")
    ]
    if not found:
        raise ConfigError("it defines no subclass of Plugin")
    return found


def _add(found: Loaded, plugin: type[Plugin], path: Path | None) -> None:
    _check(plugin)
    if plugin.name in found:
        raise ConfigError(f"there is another plugin {plugin.name}; give it another name")
    found[plugin.name] = plugin
    if path is not None:
        found.files[plugin.name] = path


def _check(plugin: type[Plugin]) -> None:
    """What would go wrong later, and less clearly."""
    name = getattr(plugin, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"class {plugin.__name__}: `name` is {name!r}, and must be a plain name")
    if name in BUILT_IN or name in ABSENT or name == DEFAULT_BINDER:
        raise ConfigError(f"class {plugin.__name__}: {name} is the name of a built-in plugin")
    methods = sorted(method for method in _METHODS if hasattr(plugin, method))
    if not methods:
        raise ConfigError(f"plugin {name} has no extension point, such as a method `filter`")
    for method in methods:
        is_async = inspect.iscoroutinefunction(getattr(plugin, method))
        if is_async != (method in _ASYNC):
            wanted = "async def" if method in _ASYNC else "a plain def"
            raise ConfigError(f"plugin {name}: {method} must be {wanted}")
    if not isinstance(plugin.weight, int) or plugin.weight < 1:
        raise ConfigError(f"plugin {name}: weight {plugin.weight!r} is not a whole number above 0")


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Whatever goes wrong inside is a ConfigError that says where."""
    try:
        yield
    except ConfigError as err:
        raise ConfigError(f"{what}: {err}") from err
    except SyntaxError as err:
        raise ConfigError(f"{what}: line {err.lineno}: {err.msg}") from err
    except (Exception, SystemExit) as err:
        LOG.error("%s cannot be loaded", what, exc_info=err)
        raise ConfigError(f"{what} cannot be loaded: {type(err).__name__}: {err}") from err


@contextmanager
def _in_time() -> Iterator[None]:
    """A file that never ends ends the process, with the place where it hangs on standard error."""
    faulthandler.dump_traceback_later(_PATIENCE, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
