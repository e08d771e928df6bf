# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a plugin file is said before the scheduler starts, by file and reason."""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path

import msgspec
import pytest

from podplacement_scheduler.config import UserPlugins
from podplacement_scheduler.errors import ConfigError
from podplacement_scheduler.framework.loader import Loaded, load
from podplacement_scheduler.watchdog import Blocked

GOOD = """
from podplacement_scheduler.framework.interface import SUCCESS, Plugin

class Good(Plugin):
    name = "Good"

    def filter(self, state, pod, node):
        return SUCCESS
"""


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def plugin(name: str, body: str = "def filter(self, state, pod, node): return None") -> str:
    base = "from podplacement_scheduler.framework.interface import Plugin\n"
    return f"{base}class Any{name}(Plugin):\n    name = {name!r}\n    {body}\n"


class Folder:
    """A folder of plugin files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def load(self, **settings: object) -> Loaded:
        return load(msgspec.convert({"directory": str(self.path), **settings}, UserPlugins))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_file_with_a_class_is_a_plugin(folder: Folder) -> None:
    folder.write("good.py", GOOD)
    folder.write("notes.txt", "no plugin")
    folder.write("_helper.py", "raise SystemExit")
    found = folder.load()
    assert list(found) == ["Good"]
    assert found.files == {"Good": folder.path / "good.py"}
    assert found.blocked == {}
    assert found["Good"].weight == 1


def test_without_a_folder_there_is_none() -> None:
    assert load(UserPlugins()) == {}


def test_a_mounted_config_map_is_links_to_links(folder: Folder) -> None:
    data = folder.path / "..2026_11_22"
    data.mkdir()
    (data / "good.py").write_text(GOOD, encoding="utf-8")
    (folder.path / "..data").symlink_to(data.name)
    (folder.path / "good.py").symlink_to("..data/good.py")
    assert list(folder.load()) == ["Good"]


def test_only_pinned_files_run(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    folder.write("good.py", GOOD)
    folder.write("other.py", "raise RuntimeError('this file must not run')")
    with caplog.at_level(logging.WARNING):
        assert list(folder.load(digests={"good.py": sha256(GOOD)})) == ["Good"]
    assert "other.py is not loaded" in caplog.text


def test_a_file_that_is_not_the_pinned_one_does_not_run(folder: Folder) -> None:
    folder.write("good.py", "raise RuntimeError('this file must not run')")
    with pytest.raises(ConfigError, match=r"good\.py is not the pinned one: its sha256 is"):
        folder.load(digests={"good.py": sha256(GOOD)})


def test_a_pinned_file_must_be_there(folder: Folder) -> None:
    with pytest.raises(ConfigError, match=r"digests: good\.py is not in"):
        folder.load(digests={"good.py": sha256(GOOD)})


def test_pins_need_a_folder() -> None:
    with pytest.raises(ConfigError, match="digests without a directory"):
        load(UserPlugins(digests={"good.py": sha256(GOOD)}))


def test_a_folder_that_is_not_there_is_an_error(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        load(UserPlugins(directory=str(folder.path / "nowhere")))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("raise ValueError('no pool')", "cannot be loaded: ValueError: no pool"),
        ("import nowhere_to_be_found", "cannot be loaded: ModuleNotFoundError"),
        ("raise SystemExit(1)", "cannot be loaded: SystemExit: 1"),
        ("x = 1\ndef broken(:\n", "line 2: "),
        ("x = 1", "it defines no subclass of Plugin"),
        ("from podplacement_scheduler.framework.interface import Plugin", "defines no subclass"),
        (GOOD.replace('name = "Good"', ""), "class Good: `name` is None"),
        (GOOD.replace('"Good"', '"two words"'), "`name` is 'two words'"),
        (plugin("NodePorts"), "class AnyNodePorts: NodePorts is the name of a built-in plugin"),
        (plugin("InterPodAffinity"), "is the name of a built-in plugin"),
        (plugin("DefaultBinder"), "is the name of a built-in plugin"),
        (plugin("Empty", "pass"), "plugin Empty has no extension point"),
        (plugin("Slow", "async def filter(self, *a): pass"), "Slow: filter must be a plain def"),
        (plugin("Late", "def pre_bind(self, *a): pass"), "Late: pre_bind must be async def"),
        (plugin("Light", "weight = 0; score = print"), "Light: weight 0 is not a whole number"),
        (plugin("A") + plugin("A").replace("AnyA", "AnyB"), "there is another plugin A"),
    ],
)
def test_what_is_wrong_is_one_clear_error(folder: Folder, text: str, problem: str) -> None:
    folder.write("bad.py", text)
    with pytest.raises(ConfigError, match=r"plugin file .*bad\.py") as caught:
        folder.load()
    assert problem in str(caught.value)


def test_two_files_cannot_have_one_name(folder: Folder) -> None:
    folder.write("a.py", GOOD)
    folder.write("b.py", GOOD)
    with pytest.raises(ConfigError, match=r"b\.py: there is another plugin Good"):
        folder.load()


def test_a_derived_class_needs_a_name_of_its_own(folder: Folder) -> None:
    module = "from podplacement_scheduler.plugins.ports import NodePorts\n"
    folder.write("bad.py", f"{module}class Mine(NodePorts): pass\n")
    with pytest.raises(ConfigError, match="class Mine: NodePorts is the name of a built-in"):
        folder.load()


def test_dataclasses_and_private_bases_work_in_a_plugin_file(folder: Folder) -> None:
    folder.write(
        "good.py",
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\n"
        + GOOD.replace("class Good(Plugin)", "class _Base(Plugin): pass\n\nclass Good(_Base)")
        + "\n@dataclass\nclass Seen:\n    names: list[str] = field(default_factory=list)\n",
    )
    assert list(folder.load()) == ["Good"]


def test_a_plugin_that_blocked_the_process_stays_off_until_its_file_changes(
    folder: Folder, tmp_path: Path
) -> None:
    folder.write("good.py", GOOD)
    state = tmp_path / "state"
    state.mkdir()
    record = Blocked("Good", "filter", "good.py", sha256(GOOD), "2026-11-22T14:00:00Z")
    (state / "blocked.json").write_bytes(msgspec.json.encode([record]))
    found = folder.load(stateDirectory=str(state))
    assert list(found) == ["Good"]
    assert "blocked the process in filter" in found.blocked["Good"]
    folder.write("good.py", GOOD + "# mended\n")
    assert folder.load(stateDirectory=str(state)).blocked == {}


def offer(folder: Folder, target: str) -> None:
    """As if a package were installed that offers a plugin."""
    info = folder.path / "offered-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1\n")
    entry = f"[podplacement_scheduler.plugins]\ngood = {target}\n"
    (info / "entry_points.txt").write_text(entry)
    (folder.path / "offered_plugins.py").write_text(GOOD, encoding="utf-8")


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("offered_plugins:Good", ""),
        ("offered_plugins:Nope", "cannot be loaded: AttributeError"),
        ("offered_plugins:SUCCESS", "it is not a subclass of Plugin"),
    ],
)
def test_installed_packages_offer_plugins(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, target: str, problem: str
) -> None:
    offer(folder, target)
    monkeypatch.syspath_prepend(str(folder.path))
    monkeypatch.delitem(sys.modules, "offered_plugins", raising=False)
    assert load(UserPlugins()) == {}
    if problem:
        with pytest.raises(ConfigError, match=f"entry point good .*{problem}"):
            load(UserPlugins(entry_points=True))
        return
    found = load(UserPlugins(entry_points=True))
    assert list(found) == ["Good"]
    assert found.files["Good"].name == "offered_plugins.py"
