"""What the console of a guest with cloud-init tells."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import cast

import pytest

from golden_flows.agents import NAMES, cloud_init, load_agent, whose_console
from golden_flows.errors import GuestError, UsageError
from golden_flows.flows.story import user_data_abroad
from golden_flows.guests.ssh import CommandResult, GuestShell
from golden_flows.model.cloud import Profile
from golden_flows.model.guest import MACHINE_IDS, RUNS_PATH, SETTING_PASSWORDS

KEY = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)).decode()
FINGERPRINT = "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(KEY)).digest()).decode().rstrip("=")
CONSOLE = f"""\
[   21.5] cloud-init[301]: Cloud-init v. 22.4.2 running 'init-local' at Wed, 25 Nov 2026 16:00:00 +0000.
-----BEGIN SSH HOST KEY KEYS-----
ssh-ed25519 {KEY} root@anne
-----END SSH HOST KEY KEYS-----
"""
MAC = "fa:16:3e:d2:7f:58"
FINISHED = (
    "Cloud-init v. 22.4.2 finished at Wed, 25 Nov 2026 16:00:40 +0000. Datasource DataSourceOpenStackLocal"
    " [net,ver=2].  Up 61.03 seconds\n"
)


def test_a_console_at_work_is_not_done() -> None:
    assert not cloud_init.says_done(CONSOLE)


def test_the_final_message_says_that_it_is_done() -> None:
    assert cloud_init.says_done(CONSOLE + FINISHED)


NICS = """\
[   88.0] cloud-init[358]: ci-info: ++++++++++++++++++++++++++++++Net device info++++++++++++++++++++++++++++++
[   88.0] cloud-init[358]: ci-info: | Device |  Up   |      Address      |      Mask     | Scope  |     Hw-Address    |
[   88.0] cloud-init[358]: ci-info: |  ens2  |  True |   192.168.110.10  | 255.255.255.0 | global | fa:16:3e:d2:7f:58 |
[   88.0] cloud-init[358]: ci-info: |  ens2  |  True | fe80::f816:1/64   |       .       |  link  | fa:16:3e:d2:7f:58 |
[   88.0] cloud-init[358]: ci-info: |  ens3  | False |         .         |       .       |   .    | fa:16:3e:1f:44:76 |
[   88.0] cloud-init[358]: ci-info: |   lo   |  True |     127.0.0.1     |   255.0.0.0   |  host  |         .         |
[   88.0] cloud-init[358]: ci-info: ++++++++++++++++++Route IPv4 info+++++++++++++++++++
"""


def test_nics_are_those_of_the_table_that_was_printed_last() -> None:
    first, second = cloud_init.links_on(NICS.replace("fa:16", "00:00") + NICS)
    assert (first.name, first.mac, first.addresses) == ("ens2", MAC, ("192.168.110.10/24", "fe80::f816:1/64"))
    assert (second.name, second.addresses) == ("ens3", ())
    assert cloud_init.links_on(CONSOLE) == ()


def test_who_waits_is_told_the_stage_that_began_last() -> None:
    assert cloud_init.progress("GRUB\n") == ""
    assert cloud_init.progress(CONSOLE).endswith("init-local")
    later = CONSOLE + "[ 40.1] cloud-init[400]: Cloud-init v. 22.4.2 running 'modules:final' at Wed, 25 Nov 2026\n"
    assert cloud_init.progress(later).endswith("modules:final")
    assert cloud_init.progress(later + FINISHED) == ""


def test_a_console_is_the_agent_s_whose_work_is_done_on_it() -> None:
    assert whose_console("") == (None, False)
    assert whose_console(CONSOLE) == ("cloud_init", False)
    assert whose_console(CONSOLE + FINISHED) == ("cloud_init", True)
    assert whose_console(CONSOLE + FINISHED + load_agent("reference").CONSOLE_MARKER) == (None, False)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_that_of_an_agent(name: str) -> None:
    assert load_agent(name).CONSOLE_MARKER


def test_host_keys_are_those_that_cloud_init_printed() -> None:
    assert cloud_init.host_keys(CONSOLE) == (FINGERPRINT,)


def test_a_key_outside_of_the_block_is_nobody_s() -> None:
    assert cloud_init.host_keys(f"ssh-ed25519 {KEY} root@anne\n") == ()


def test_no_text_of_a_console_is_a_report() -> None:
    assert cloud_init.from_console(CONSOLE + FINISHED, "run") == ()


class Guest:
    """A shell in which the probe answers; the console goes on while it does."""

    def __init__(self, *, is_over: bool = True) -> None:
        self.console, self._is_over = CONSOLE.partition("-----BEGIN")[0], is_over

    def read_file(self, path: str, limit_bytes: int) -> bytes | None:
        return b"{" if self._is_over else None

    def run(self, command: str, *, timeout_s: float, stdin: bytes) -> CommandResult:
        self.console = CONSOLE + FINISHED
        return CommandResult(0, json.dumps({"schema": 1, "boot_id": "b", "verdict": "ok"}).encode(), b"")


def test_host_keys_are_read_when_the_report_is_there() -> None:
    guest = Guest()
    report = cloud_init.read(cast(GuestShell, guest), lambda: guest.console)
    assert report.host_key_fingerprints == (FINGERPRINT,)


def test_there_is_no_report_while_cloud_init_is_at_work() -> None:
    with pytest.raises(GuestError, match=r"result\.json"):
        cloud_init.read(cast(GuestShell, Guest(is_over=False)), lambda: "")


def test_cloud_init_cannot_set_a_cloud_s_password() -> None:
    assert "admin_pass" in cloud_init.CANNOT[SETTING_PASSWORDS]
    assert "/etc/machine-id" in cloud_init.CANNOT[MACHINE_IDS]


def test_an_image_says_who_reads_its_guests() -> None:
    told = {"interop_agent": "cloud_init", "os_admin_user": "debian", "interop_boot_timeout_s": "420"}
    profile = Profile(cloud="c").running(told)
    assert (profile.agent, profile.user, profile.boot_timeout_s) == ("cloud_init", "debian", 420.0)


def test_an_image_that_says_nothing_leaves_the_profile_as_it_is() -> None:
    profile = Profile(cloud="c", agent="reference", user="root", boot_timeout_s=90.0)
    assert profile.running({"os_distro": "debian"}) == profile


def test_a_time_that_is_none_is_an_error_that_names_the_property() -> None:
    with pytest.raises(UsageError, match="interop_boot_timeout_s"):
        Profile(cloud="c").running({"interop_boot_timeout_s": "soon"})


@pytest.mark.parametrize("name", ["nobody", "..os", "os.path"])
def test_an_agent_that_there_is_not_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match="no guest agent"):
        load_agent(name)


def test_user_data_for_cloud_init_is_a_packed_script_of_plain_text_that_notes_its_runs() -> None:
    sent = user_data_abroad()
    noted = sent.noted()
    script = gzip.decompress(noted.content).decode("utf-8")
    assert script.startswith("#!/bin/sh\n")
    assert f'"{sent.nonce} began ' in script
    assert RUNS_PATH in script
    with pytest.raises(UnicodeDecodeError):
        noted.content.decode("utf-8")
