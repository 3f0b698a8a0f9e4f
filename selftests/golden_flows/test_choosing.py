"""What ``--src`` and ``--dst`` stand for: names, lists and ``all``, on this machine and with this clouds.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from golden_flows import reference_clouds
from golden_flows.choosing import ALL, choose
from golden_flows.errors import InteropError, UsageError
from golden_flows.model.cloud import Pair

PLENTY_MIB = 1 << 20

CLOUDS_YAML = """
clouds:
  mine: {auth: {auth_url: 'http://127.0.0.1:9/v3'}, interop: {image: golden}}
  other: {auth: {auth_url: 'http://127.0.0.1:9/v3'}}
"""


@pytest.fixture(autouse=True)
def no_clouds_yaml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's clouds: none in the environment, none in the working folder, none at home."""
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE", raising=False)
    monkeypatch.delenv("OS_AUTH_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def my_clouds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(CLOUDS_YAML)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "mine.yaml"))


def test_all_by_all_is_every_cloud_to_every_cloud() -> None:
    offers = reference_clouds.known_profiles()
    expected = {name for name, one in offers.items() if not one.not_in_all}
    choice = choose([ALL], [ALL], None, PLENTY_MIB)
    assert set(choice.cells) == {Pair(src, dst) for src in expected for dst in expected}
    assert set(choice.reference) == expected
    assert {"private", "public", "public-lite"} <= expected


def test_a_cloud_that_takes_minutes_is_left_out_of_all_by_name_and_comes_when_it_is_named() -> None:
    told = " ".join(choose([ALL], ["private"], None, PLENTY_MIB).notes)
    assert "public-hvm is left out: without KVM each boot of a guest takes minutes" in told
    assert "all,public-hvm" in told
    named = choose([ALL, "public-hvm"], ["private"], None, PLENTY_MIB)
    assert Pair("public-hvm", "private") in named.cells
    assert Pair("private", "private") in named.cells


def test_a_return_trip_needs_room_for_what_comes_home() -> None:
    private = reference_clouds.known_profiles()["private"]
    enough_mib = private.memory_with(3)
    assert choose(["private"], ["private"], None, enough_mib).cells == (Pair("private", "private"),)
    needed_mib = private.memory_with(4)
    assert needed_mib > enough_mib
    with pytest.raises(InteropError, match=rf"{needed_mib} MiB are needed \(private {needed_mib}\)"):
        choose(["private"], ["private"], None, enough_mib, return_trip=True)


def test_all_leaves_out_what_the_machine_has_no_memory_for_and_says_both_figures() -> None:
    needed_mib = reference_clouds.known_profiles()["public"].memory_mib
    choice = choose([ALL], ["private"], None, needed_mib - 1)
    assert "public" not in choice.reference
    assert f"public is left out: it needs {needed_mib} MiB of memory, {needed_mib - 1} MiB are" in " ".join(
        choice.notes
    )


def test_all_leaves_out_a_pair_whose_clouds_fit_one_by_one_only() -> None:
    offers = reference_clouds.known_profiles()
    choice = choose([ALL], [ALL], None, offers["public"].memory_mib)
    assert Pair("public", "public") in choice.cells
    assert Pair("private", "public") not in choice.cells
    assert any(one.startswith("private → public is left out") for one in choice.notes)


def test_a_cloud_that_was_named_and_does_not_fit_is_an_error_with_a_smaller_one() -> None:
    with pytest.raises(InteropError) as caught:
        choose(["private"], ["public"], None, 100)
    assert "not enough memory for private → public" in caught.value.what
    assert "public-lite instead of public" in caught.value.remedy


@pytest.mark.usefixtures("my_clouds")
def test_all_are_the_users_own_clouds_where_there_are_any() -> None:
    choice = choose([ALL], [ALL], None, PLENTY_MIB)
    assert choice.cells == (Pair("mine", "mine"), Pair("mine", "other"))
    assert choice.notes == ("other is left out as a source: it does not say 'interop: image:'",)
    with_image = choose([ALL], ["other"], "golden", PLENTY_MIB)
    assert with_image.cells == (Pair("mine", "other"), Pair("other", "other"))


@pytest.mark.usefixtures("my_clouds")
def test_a_misspelt_name_is_told_the_nearest_and_all_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        choose(["mime"], ["public"], None, PLENTY_MIB)
    assert caught.value.what == "no cloud is called 'mime'"
    assert "did you mean 'mine'?" in caught.value.remedy
    assert "in your clouds.yaml: mine, other" in caught.value.remedy
    assert "public-lite" in caught.value.remedy
