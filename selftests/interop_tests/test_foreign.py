"""What a deployer got wrong about a cloud of theirs is one message, exit 2, before anything is made there."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from selftests.interop_tests.test_plugin import run_suite
from selftests.refclouds.api.conftest import Running, golden, serve

__all__ = ["golden"]


@pytest.fixture
def cloud(tmp_path: Path, golden: Path) -> Iterator[Running]:
    running = serve("private", (), tmp_path / "state", golden)
    yield running
    running.stop()


def run_with(cloud: Running, folder: Path, entry: dict[str, Any]) -> str:
    """What the suite says to this entry of clouds.yaml; it must refuse to begin."""
    whole = {**cloud.auth("anne"), "region_name": "RegionOne", **entry}
    done = run_suite(
        "--src", "mine", "--dst", "mine", folder=folder, clouds_yaml=yaml.safe_dump({"clouds": {"mine": whole}})
    )
    told = done.stdout + done.stderr
    assert done.returncode == 2, told
    assert "Traceback" not in told
    assert not list((folder / "interop-results").glob("*/journal.jsonl"))
    assert not cloud.cloud.store.list("server")
    return told


def test_a_proxy_that_is_not_there_is_seen_before_guests_are_booted_behind_it(cloud: Running, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    interop = {"image": "golden-pocket", "access": {"socks": f"socks5h://127.0.0.1:{port}"}}
    told = run_with(cloud, tmp_path, {"interop": interop})
    assert f"cloud 'mine': nothing speaks SOCKS5 at 127.0.0.1:{port}" in told
    assert f"ssh -D {port} JUMPHOST" in told


def test_a_jump_host_that_is_not_there_is_seen_too(cloud: Running, tmp_path: Path) -> None:
    interop = {"image": "golden-pocket", "access": {"jump": "anne@127.0.0.1:1"}}
    assert "jump host anne@127.0.0.1:1 does not answer" in run_with(cloud, tmp_path, {"interop": interop})


def test_an_image_that_no_flavor_holds_is_refused_with_those_that_do(cloud: Running, tmp_path: Path) -> None:
    store = cloud.cloud.store
    image = next(one for one in store.list("image") if one["name"] == "golden-pocket")
    store.patch("image", image["id"], virtual_size=3 << 30)
    told = run_with(cloud, tmp_path, {"interop": {"image": "golden-pocket", "flavor": "small"}})
    assert "flavor 'small' of cloud 'mine' has a disk of 1073741824 bytes, and the image needs 3221225472" in told
    assert "flavors that it fits: pocket" in told


def test_a_floating_network_that_gives_out_none_is_named_with_those_that_do(cloud: Running, tmp_path: Path) -> None:
    interop = {"image": "golden-pocket", "floating_network": "private"}
    told = run_with(cloud, tmp_path, {"interop": interop})
    assert "no external network 'private' to take floating IPs from" in told
    assert "external networks: public" in told


def test_interop_itself_misspelt_is_not_passed_over(cloud: Running, tmp_path: Path) -> None:
    told = run_with(cloud, tmp_path, {"interopp": {"image": "golden-pocket"}})
    assert "cloud 'mine' has a key 'interopp'" in told
    assert "did you mean 'interop'?" in told


def test_the_command_that_plans_says_the_same_and_exits_2(
    cloud: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {**cloud.auth("anne"), "region_name": "RegionOne"}
    refused = plan_of(entry, tmp_path, monkeypatch)
    assert (refused.returncode, "which image Anne starts from" in refused.stdout) == (2, True), refused.stderr
    drawn = plan_of(entry, tmp_path, monkeypatch, "--image", "golden-pocket", "--json")
    assert drawn.returncode == 0, drawn.stderr
    document = json.loads(drawn.stdout)
    assert document["can_begin"] is True
    assert document["clouds"]["mine"]["makes"]["server"] == 5
    assert not cloud.cloud.store.list("server")


HOSTILE, SEEN = "\x1b[2J\x1b]0;owned\x07", "␛[2J␛]0;owned␇"
"""Clears a terminal and renames its window."""


def test_a_name_of_a_cloud_s_does_nothing_to_the_terminal(
    cloud: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a plan, where it is told, and in the errors of a plan and of a run."""
    store = cloud.cloud.store
    inner = next(one for one in store.list("network") if one["name"] == "private")
    store.patch("network", inner["id"], name=f"private{HOSTILE}")
    entry = {**cloud.auth("anne"), "region_name": "RegionOne", "interop": {"image": "golden-pocket"}}
    drawn = plan_of(entry, tmp_path, monkeypatch)
    assert drawn.returncode == 0, drawn.stderr
    typo = {"image": "golden-pocket", "networks": ["privat"]}
    refused = plan_of({**entry, "interop": typo}, tmp_path, monkeypatch)
    told = run_with(cloud, tmp_path, {"interop": typo})
    for shown in (drawn.stdout, refused.stdout, told):
        assert f"private{SEEN}" in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown


class _Down(BaseHTTPRequestHandler):
    """An API that is down, and says so in a way of its own."""

    def do_GET(self) -> None:
        body = json.dumps({"error": {"message": f"down {HOSTILE}", "code": 400, "title": "Bad Request"}}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_an_error_message_of_a_cloud_s_does_nothing_to_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Down) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        auth = {"auth_url": f"http://127.0.0.1:{server.server_port}/v3", "username": "anne", "password": "x"}
        auth |= {"project_name": "anne", "user_domain_name": "Default", "project_domain_name": "Default"}
        entry = {"auth": auth, "interop": {"image": "golden-pocket"}}
        planned = plan_of(entry, tmp_path, monkeypatch)
        yaml_text = yaml.safe_dump({"clouds": {"mine": entry}})
        run = run_suite("--src", "mine", "--dst", "mine", folder=tmp_path, clouds_yaml=yaml_text)
        server.shutdown()
    for shown in (planned.stdout + planned.stderr, run.stdout + run.stderr):
        assert f"down {SEEN}" in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown


def plan_of(
    entry: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """`golden-flows plan` over this entry of clouds.yaml, to itself."""
    file = folder / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": {"mine": entry}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    monkeypatch.setenv("COLUMNS", "80")
    argv = ["golden-flows", "plan", "--src", "mine", "--dst", "mine", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
