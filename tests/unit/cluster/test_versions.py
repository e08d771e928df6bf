# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pins select what runs, and the committed Go modules say the same as the pins."""

from __future__ import annotations

import re

import pytest

from tests.cluster import gomod
from tests.cluster.gobuild import PACKAGES, ldflags, module_dir
from tests.cluster.versions import BINARIES, HERE, ClusterError, Versions, load

MINORS = tuple(load()["kubernetes"])


def test_the_default_is_the_newest_minor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_VERSION", raising=False)
    assert Versions.select().minor == load()["default"] == max(MINORS)


@pytest.mark.parametrize("minor", MINORS)
def test_one_variable_selects_the_pinned_patch_release(
    minor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_VERSION", minor)
    chosen = Versions.select()
    assert chosen.kubernetes.startswith(f"v{minor}.")
    assert chosen.of("kube-apiserver") == chosen.of("kubectl") == chosen.kubernetes
    assert chosen.of("etcd") == load()["etcd"]
    assert Versions.select(chosen.kubernetes) == chosen


@pytest.mark.parametrize("wanted", ["1.20", "1.36.99", "newest"])
def test_a_version_without_a_pin_is_refused_with_those_there_are(wanted: str) -> None:
    with pytest.raises(ClusterError, match=r"has no pin .*1\.34 \(v1\.34\."):
        Versions.select(wanted)


@pytest.mark.parametrize("name", gomod.modules())
def test_a_go_module_requires_its_pin_and_has_its_checksum(name: str) -> None:
    release, version = gomod.modules()[name]
    folder = HERE / "gomod" / name
    go_mod = (folder / "go.mod").read_text(encoding="utf-8")
    assert f"module podplacement.test/{name}\n" in go_mod
    assert re.search(rf"^require {gomod.ROOTS[release]} {version}$", go_mod, re.MULTILINE)
    go_sum = (folder / "go.sum").read_text(encoding="utf-8")
    assert f"{gomod.ROOTS[release]} {version} h1:" in go_sum


@pytest.mark.parametrize("minor", MINORS)
def test_each_staging_module_is_replaced_by_its_published_version(minor: str) -> None:
    version = load()["kubernetes"][minor]
    go_mod = (HERE / "gomod" / f"kubernetes-{minor}" / "go.mod").read_text(encoding="utf-8")
    replaced = re.findall(r"^replace (\S+) => (\S+) (\S+)$", go_mod, re.MULTILINE)
    assert {"k8s.io/api", "k8s.io/client-go", "k8s.io/kube-scheduler"} <= {r[0] for r in replaced}
    assert {(old == new, at) for old, new, at in replaced} == {(True, gomod.staged(version))}
    # what is generated for these modules is what is committed
    upstream = {
        "Go": re.findall(r"^go (\S+)$", go_mod, re.MULTILINE)[0],
        "Replace": [
            {"Old": {"Path": old}, "New": {"Path": f"./staging/src/{old}"}}
            for old, dummy, dummy in replaced
        ],
    }
    generated = gomod.go_mod(f"kubernetes-{minor}", version, upstream)
    assert [line for line in generated.splitlines() if line not in go_mod] == []


def test_only_folders_of_its_own_repository_count_as_staging() -> None:
    upstream = {
        "Go": "1.26.0",
        "Replace": [
            {"Old": {"Path": "k8s.io/b"}, "New": {"Path": "./staging/src/k8s.io/b"}},
            {"Old": {"Path": "k8s.io/a"}, "New": {"Path": "./staging/src/k8s.io/a"}},
            {
                "Old": {"Path": "example.com/x"},
                "New": {"Path": "example.com/y", "Version": "v1.0.0"},
            },
        ],
    }
    text = gomod.go_mod("kubernetes-1.36", "v1.36.3", upstream)
    assert gomod.staging(upstream) == ["k8s.io/a", "k8s.io/b"]
    assert "replace k8s.io/a => k8s.io/a v0.36.3\n" in text
    assert "example.com" not in text


def test_every_binary_has_a_package_in_a_module_that_is_there() -> None:
    for minor in MINORS:
        versions = Versions.select(minor)
        for binary in BINARIES:
            assert PACKAGES[binary]
            assert (module_dir(binary, versions) / "go.mod").is_file()


def test_kubernetes_reports_the_version_that_was_asked_for() -> None:
    flags = ldflags("kube-apiserver", Versions.select("1.34"))
    version = load()["kubernetes"]["1.34"]
    assert f"component-base/version.gitVersion={version} " in flags
    assert "gitMinor=34 " in flags
    assert "gitVersion" not in ldflags("etcd", Versions.select("1.34"))


def test_the_node_image_of_kind_is_the_default_version() -> None:
    assert load()["kind_node_image"].split(":")[1] == load()["kubernetes"][load()["default"]]
