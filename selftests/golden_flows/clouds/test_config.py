"""Every way in which a clouds.yaml can be wrong gets one clear message, and no secret is in any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from golden_flows.clouds.config import known_cloud_names, load_clouds, read_profile
from golden_flows.errors import UsageError
from golden_flows.guests.jump import JumpHost
from golden_flows.model.evidence import EvidenceLevel

PASSWORD = "correct-horse"
ENTRY = f"""
    auth: {{auth_url: http://127.0.0.1:1/v3, username: anne, password: {PASSWORD}, project_name: demo,
           user_domain_name: Default, project_domain_name: Default}}
    region_name: RegionOne
"""


@pytest.fixture
def users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's clouds.yaml, and nothing else of the user's."""
    for name in ("OS_CLOUD", "OS_USERNAME", "OS_PASSWORD", "OS_AUTH_URL"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "clouds.yaml"
    path.write_text(f"clouds:\n  mine: {ENTRY}\n  other: {ENTRY}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    return path


def error_of(name: str, extra: tuple[Path, ...] = ()) -> str:
    with pytest.raises(UsageError) as caught:
        load_clouds([name], extra)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def test_an_entry_is_found_with_its_file_and_region(users_file: Path) -> None:
    config = load_clouds(["mine"])["mine"]
    assert config.source_file == str(users_file)
    assert config.region == "RegionOne"
    assert config.profile.cloud == "mine"
    assert PASSWORD not in repr(config)


def test_the_users_own_entry_wins_over_a_reference_cloud(users_file: Path, tmp_path: Path) -> None:
    extra = tmp_path / "extra.yaml"
    extra.write_text(f"clouds:\n  mine: {ENTRY}\n  third: {ENTRY}    interop: {{hypervisor: qemu}}\n")
    loaded = load_clouds(["third", "mine"], [extra])
    assert [(one.name, one.source_file) for one in loaded.values()] == [
        ("third", str(extra)),
        ("mine", str(users_file)),
    ]
    assert loaded["third"].profile.hypervisor == "qemu"
    assert known_cloud_names([extra]) == ("mine", "other", "third")


def test_an_unknown_cloud_names_those_that_exist(users_file: Path) -> None:
    text = error_of("mime")
    assert "did you mean 'mine'?" in text
    assert "other" in text


def test_broken_yaml_names_file_and_line(users_file: Path) -> None:
    users_file.write_text(f"clouds:\n  mine: {{password: {PASSWORD}\n  other: ]\n")
    text = error_of("mine")
    assert f"{users_file}, line" in text


@pytest.mark.parametrize("content", ["", "- a\n", "clouds: 5\n", "clouds: {mine: 7}\n"])
def test_a_file_of_another_shape_is_named(users_file: Path, content: str) -> None:
    users_file.write_text(content)
    assert str(users_file) in error_of("mine")


def test_a_config_file_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "none.yaml"))
    assert "none.yaml" in error_of("mine")


def test_a_missing_field_is_named(users_file: Path) -> None:
    users_file.write_text("clouds:\n  mine: {auth: {username: anne}}\n")
    assert "auth_url" in error_of("mine")


@pytest.mark.parametrize("entry", ["{auth: 5}", "{auth: [1]}", "{auth: {auth_url: http://h/}, auth_type: no-such}"])
def test_a_senseless_entry_is_a_usage_error(users_file: Path, entry: str) -> None:
    users_file.write_text(f"clouds:\n  mine: {entry}\n")
    assert "mine" in error_of("mine")


def test_a_wrong_interop_key_names_file_and_nearest_key(users_file: Path) -> None:
    users_file.write_text(f"clouds:\n  mine: {ENTRY}    interop: {{networks_: [a]}}\n")
    text = error_of("mine")
    assert str(users_file) in text
    assert "did you mean 'networks'?" in text


def test_a_profile_has_defaults() -> None:
    profile = read_profile("c", {})
    assert profile.evidence_level is EvidenceLevel.REAL_CLOUD
    assert profile.auth == ("key",)


def test_a_profile_is_read_by_type() -> None:
    profile = read_profile(
        "c",
        {
            "networks": ["a", "b"],
            "auth": "password",
            "access": {"socks": "socks5h://127.0.0.1:1080"},
            "evidence_level": "emulated",
            "boot_timeout_s": 90,
            "flavor": None,
            "legacy_put": False,
        },
    )
    assert profile.networks == ("a", "b")
    assert profile.auth == ("password",)
    assert profile.access == "socks5h://127.0.0.1:1080"
    assert profile.evidence_level is EvidenceLevel.EMULATED
    assert profile.boot_timeout_s == 90.0
    assert profile.legacy_put is False


@pytest.mark.parametrize(
    ("interop", "kind"),
    [
        ({}, "ed25519"),
        ({"auth": ["key", "password-post"]}, "rsa"),
        ({"auth": ["key", "password-post"], "key_type": "ed25519"}, "ed25519"),
        ({"auth": [], "key_type": "rsa"}, "rsa"),
    ],
)
def test_the_key_is_of_the_kind_that_is_needed(interop: dict[str, object], kind: str) -> None:
    assert read_profile("c", interop).key_kind == kind


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("networks", [1]),
        ("auth", ["smartcard"]),
        ("auth", ["password-post"]),
        ("auth", ["key", "password", "password-post"]),
        ("key_type", "dsa"),
        ("channels", ["openstack"]),
        ("access", "http://proxy:1"),
        ("access", {"ssh": "x"}),
        ("evidence_level", "very real"),
        ("console", "yes"),
        ("boot_timeout_s", True),
        ("boot_timeout_s", 0),
        ("hypervisor", 5),
        ("cloud", "c"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=key):
        read_profile("c", {key: value})


def test_a_jump_host_is_read_as_one_url(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("")
    pinned = "SHA256:" + "b/+" * 14 + "c"
    access = read_profile(
        "a", {"access": {"jump": "anne@jump.example.org:2222", "key": str(key), "host_key": pinned}}
    ).access
    assert access is not None
    found = JumpHost.parse(access)
    assert (str(found), found.key_file, found.host_key) == ("anne@jump.example.org:2222", str(key), pinned)
    assert JumpHost.parse(read_profile("a", {"access": {"jump": "anne@jump"}}).access or "").port == 22


@pytest.mark.parametrize(
    "access",
    [
        {"jump": "jump.example.org"},
        {"jump": "anne@jump:ssh"},
        {"jump": "anne@jump", "key": "/nowhere/key"},
        {"jump": "anne@jump", "host_key": "aa:bb"},
        {"jump": "anne@jump", "keys": "x"},
    ],
)
def test_a_jump_host_that_cannot_be_is_named(access: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"interop\.access must be"):
        read_profile("a", {"access": access})
