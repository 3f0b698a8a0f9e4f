"""The CI files that users are given: valid for their systems, and speaking of commands and options that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from interop_tests.cli import cli

ROOM = Path(__file__).parent.parent / "docs/ci"
FILES = sorted(ROOM.rglob("*.y*ml"))
PACKAGES = Path(__file__).parent.parent / ".ci/debian-packages"
COMMAND = re.compile(r"golden-flows (run|merge|compare|plan|report)\b([^\n|;&]*)")


class GitLab(yaml.SafeLoader):
    """With GitLab's own tags, which are none here."""


def documents() -> Iterator[tuple[str, str]]:
    for path in FILES:
        yield str(path.relative_to(ROOM)), path.read_text("utf-8")


def test_every_system_has_its_files() -> None:
    names = {name for name, _ in documents()}
    assert names == {
        "github-actions.yml",
        "gitlab-ci.yml",
        "zuul/interop.yaml",
        "zuul/playbooks/run.yaml",
        "zuul/playbooks/post.yaml",
    }


@pytest.mark.parametrize(
    ("name", "schema"), [("github-actions.yml", "vendor.github-workflows"), ("gitlab-ci.yml", "vendor.gitlab-ci")]
)
def test_it_is_valid_by_the_system_s_own_schema(name: str, schema: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(ROOM / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_it_is_clean_yaml(path: Path) -> None:
    rules = "{extends: default, rules: {line-length: {max: 120}, document-start: disable, truthy: {check-keys: false}, "
    rules += "comments: {min-spaces-from-content: 1}, indentation: {indent-sequences: consistent}}}"
    done = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "-d", rules, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def commands() -> list[Any]:
    found = []
    for name, text in documents():
        joined = re.sub(r"\\\n\s*|(?<=\S)\n\s+(?=--)", " ", text)
        for one in COMMAND.finditer(joined):
            found.append(pytest.param(one[1], one[2], id=f"{name}:{one[1]}"))
    return found


@pytest.mark.parametrize(("command", "rest"), commands())
def test_its_commands_and_options_exist(command: str, rest: str, pytestconfig: pytest.Config) -> None:
    words = shlex.split(re.sub(r"\$?\{\{.*?\}\}", "x", rest.replace('"', " ").replace("'", " ")), comments=True)
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    if command == "run":
        known = {text for one in pytestconfig._parser._anonymous.options for text in one.names()}
        known |= {text for group in pytestconfig._parser._groups for one in group.options for text in one.names()}
    else:
        known = {text for one in cli.commands[command].params for text in one.opts}
    assert options <= known
    assert command != "run" or {"--src", "--dst", "--shard", "--results"} <= options


def test_a_run_a_merge_and_a_comparison_stand_in_each() -> None:
    ids = [one.id for one in commands()]
    for system in ("github-actions.yml", "gitlab-ci.yml", "zuul/playbooks/run.yaml"):
        assert {f"{system}:{command}" for command in ("run", "merge", "compare")} <= set(ids)


def _gates() -> dict[str, str]:
    """The shell of the last step, as GitHub and GitLab run it."""
    github = yaml.safe_load((ROOM / "github-actions.yml").read_text("utf-8"))["jobs"]["matrix"]["steps"]
    gitlab = yaml.safe_load((ROOM / "gitlab-ci.yml").read_text("utf-8"))["matrix"]["script"]
    return {"github": next(one["run"] for one in github if "merge" in one.get("run", "")), "gitlab": gitlab[-1]}


FAKE = """#!/bin/sh
case $1 in
merge) [ $MERGED = 2 ] || { mkdir -p merged/20261128-1; echo new > merged/20261128-1/journal.jsonl; }; exit $MERGED;;
compare) echo "$@" > asked; exit $COMPARED;;
esac
"""


@pytest.mark.parametrize("system", ["github", "gitlab"])
@pytest.mark.parametrize(
    ("gate", "last", "merged", "compared", "ends", "kept"),
    [
        ("matrix", "old", 1, 0, 1, "new"),
        ("matrix", "old", 0, 1, 0, "new"),
        ("changes", "old", 1, 0, 0, "new"),
        ("changes", "old", 0, 1, 1, "old"),
        ("changes", "old", 0, 3, 3, "old"),
        ("changes", "", 1, 0, 1, "new"),
        ("matrix", "", 3, 1, 3, "new"),
        ("changes", "old", 2, 0, 2, "old"),
    ],
)
def test_a_comparison_fails_a_job_only_where_that_was_asked(
    tmp_path: Path, system: str, gate: str, last: str, merged: int, compared: int, ends: int, kept: str
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/golden-flows").write_text(FAKE)
    (tmp_path / "bin/golden-flows").chmod(0o755)
    if last:
        (tmp_path / "last").mkdir()
        (tmp_path / "last/journal.jsonl").write_text(f"{last}\n")
    path = f"{tmp_path}/bin:/usr/bin:/bin"
    told = {"PATH": path, "GATE": gate, "MERGED": str(merged), "COMPARED": str(compared)}
    done = subprocess.run(["bash", "-e", "-c", _gates()[system]], cwd=tmp_path, env=told, check=False)
    assert done.returncode == ends
    assert (tmp_path / "last/journal.jsonl").read_text().strip() == kept
    assert (tmp_path / "asked").exists() == (bool(last) and merged != 2)


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml", "zuul/playbooks/run.yaml"])
def test_the_packages_are_the_readme_s(name: str) -> None:
    text = (ROOM / name).read_text("utf-8")
    wanted = set(PACKAGES.read_text("utf-8").split()) - {"python3-venv"}
    assert wanted <= set(re.split(r"[\s,\[\]\\]+", text))
