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
COMMAND = re.compile(r"golden-flows (run|merge|plan|report)\b([^\n|;&]*)")


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


def test_at_least_one_run_and_one_merge_stand_in_each() -> None:
    ids = [one.id for one in commands()]
    for system in ("github-actions.yml", "gitlab-ci.yml", "zuul/playbooks/run.yaml"):
        assert {f"{system}:run", f"{system}:merge"} <= set(ids)


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml", "zuul/playbooks/run.yaml"])
def test_the_packages_are_the_readme_s(name: str) -> None:
    text = (ROOM / name).read_text("utf-8")
    wanted = set(PACKAGES.read_text("utf-8").split()) - {"python3-venv"}
    assert wanted <= set(re.split(r"[\s,\[\]\\]+", text))
