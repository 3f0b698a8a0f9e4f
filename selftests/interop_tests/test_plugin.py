"""The suite's face, without any cloud: what it refuses, how it says so, and with which exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from selftests.refclouds.api.conftest import golden, serve

__all__ = ["golden"]


def run_suite(*arguments: str, folder: Path, clouds_yaml: str = "") -> subprocess.CompletedProcess[str]:
    """The suite as a user runs it, in an empty folder and with nothing but the given clouds.yaml."""
    (folder / "clouds.yaml").write_text(clouds_yaml or "clouds: {}\n", "utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment |= {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder / "config")}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--pyargs",
            "interop_tests.test_golden_flow",
            "-p",
            "no:cacheprovider",
            *arguments,
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_unknown_cloud_is_named_with_those_that_exist_and_exit_2(tmp_path: Path) -> None:
    done = run_suite("--src", "privat", "--dst", "public", folder=tmp_path)
    assert done.returncode == 2
    assert "no cloud is called 'privat'" in done.stdout + done.stderr
    assert "did you mean 'private'?" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_one_end_of_a_pair_is_not_enough(tmp_path: Path) -> None:
    done = run_suite("--src", "private", folder=tmp_path)
    assert done.returncode == 2
    assert "both --src and --dst are needed" in done.stdout + done.stderr


def test_a_cloud_that_takes_no_part_cannot_be_called_one_s_own(tmp_path: Path) -> None:
    done = run_suite("--src", "private", "--dst", "private", "--i-own-this-cloud", "public", folder=tmp_path)
    assert done.returncode == 2
    assert "--i-own-this-cloud public: this run has no such cloud" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("option", "text", "told"),
    [
        ("--variant", "public:slow", "is no reference cloud that this run starts"),
        ("--variant", "private:slwo", "unknown variant 'slwo'"),
        ("--variant", "slow", "is not CLOUD:VARIANT"),
        ("--waivers", "none.toml", "cannot read the waivers none.toml"),
    ],
)
def test_what_the_run_cannot_be_told_is_refused(option: str, text: str, told: str, tmp_path: Path) -> None:
    done = run_suite("--src", "private", "--dst", "private", option, text, folder=tmp_path)
    assert done.returncode == 2
    assert told in done.stdout + done.stderr
    assert not (tmp_path / "interop-results").exists()


def test_a_fault_for_a_cloud_that_is_not_started_is_refused(tmp_path: Path) -> None:
    done = run_suite("--src", "private", "--dst", "private", "--fault", "public:nd_empty", folder=tmp_path)
    assert done.returncode == 2
    assert "public" in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [(), ("-k", "nothing_matches")])
def test_a_run_without_a_pair_never_ends_in_0(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert run_suite(*arguments, folder=tmp_path).returncode != 0


def test_a_cloud_whose_api_is_down_is_incomplete_not_failed(tmp_path: Path) -> None:
    dead = """
clouds:
  dead:
    auth: {auth_url: "http://127.0.0.1:9/v3", username: anne, password: not-a-secret, project_name: demo,
           user_domain_name: Default, project_domain_name: Default}
    region_name: RegionOne
"""
    done = run_suite("--src", "dead", "--dst", "dead", folder=tmp_path, clouds_yaml=dead)
    assert done.returncode == 3
    assert "dead" in done.stdout + done.stderr
    assert "not-a-secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_broken_clouds_yaml_is_named(tmp_path: Path) -> None:
    done = run_suite("--src", "a", "--dst", "b", folder=tmp_path, clouds_yaml="clouds: [unclosed\n")
    assert done.returncode == 2
    assert "clouds.yaml" in done.stdout + done.stderr


def test_results_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    yaml = """
clouds:
  dead:
    auth: {auth_url: "http://127.0.0.1:9/v3", username: anne, password: not-a-secret, project_name: demo,
           user_domain_name: Default, project_domain_name: Default}
"""
    done = run_suite("--src", "dead", "--dst", "dead", "--results", "file/x", folder=tmp_path, clouds_yaml=yaml)
    assert done.returncode == 3
    assert "--results" in done.stdout + done.stderr


def test_an_unknown_image_is_named_with_those_that_exist_before_anything_is_made(tmp_path: Path, golden: Path) -> None:
    cloud = serve("private", (), tmp_path / "state", golden)
    try:
        entry = {**cloud.auth("anne"), "region_name": "RegionOne", "interop": {"networks": ["private"]}}
        text = yaml.safe_dump({"clouds": {"mine": entry}})
        done = run_suite("--src", "mine", "--dst", "mine", "--image", "golden-poket", folder=tmp_path, clouds_yaml=text)
    finally:
        cloud.stop()
    told = done.stdout + done.stderr
    assert done.returncode == 2, told
    assert "no active image 'golden-poket'" in told
    assert "active images: golden-pocket" in told
    assert not list((tmp_path / "interop-results").glob("*/journal.jsonl"))
