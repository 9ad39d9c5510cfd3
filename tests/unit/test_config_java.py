"""Finding Java 17 among others."""

from __future__ import annotations

from pathlib import Path

import pytest

from skewless.config.java import find_java_home


def java(home: Path, version: str, *, release: bool = True) -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


def test_java_home_of_17_is_taken_first(tmp_path: Path) -> None:
    stated, other = java(tmp_path / "a", "17.0.1"), java(tmp_path / "b", "17.0.2")
    assert find_java_home({"JAVA_HOME": str(stated), "PATH": str(other / "bin")}, system=tmp_path) == stated


@pytest.mark.parametrize("release", [True, False])
def test_java_home_of_another_version_is_passed_over(tmp_path: Path, *, release: bool) -> None:
    stated, other = java(tmp_path / "a", "25.0.1", release=release), java(tmp_path / "b", "17.0.2", release=release)
    assert find_java_home({"JAVA_HOME": str(stated), "PATH": str(other / "bin")}, system=tmp_path) == other


def test_java_on_path_only_in_the_system_folder_is_found(tmp_path: Path) -> None:
    java(tmp_path / "jvm" / "java-25", "25.0.1")
    wanted = java(tmp_path / "jvm" / "java-17-x", "17.0.2")
    assert find_java_home({"PATH": ""}, system=tmp_path / "jvm") == wanted


def test_java_named_17_of_another_version_is_passed_over(tmp_path: Path) -> None:
    java(tmp_path / "java-17", "11.0.17")
    assert find_java_home({"PATH": ""}, system=tmp_path) is None


def test_java_home_without_a_program_is_passed_over(tmp_path: Path) -> None:
    assert find_java_home({"JAVA_HOME": str(tmp_path / "gone"), "PATH": ""}, system=tmp_path / "none") is None
