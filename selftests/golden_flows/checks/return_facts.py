"""Facts of an instance that has come home again, and ways to bend them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from golden_flows.flows.return_trip import ABROAD_PATH
from golden_flows.flows.story import PAYLOAD_PATH
from golden_flows.model.guest import GuestReport
from golden_flows.model.return_trip import Machine, ReturnTripFacts
from golden_flows.model.second_instance import LaterBoot, MachineIdentity

ROOT = "ext 6f1d2c3b-0000-4000-8000-0000000000f5"


def machine(name: str, *paths: str) -> Machine:
    """A machine with an identity of its own, and files whose content is everywhere the same."""
    identity = MachineIdentity(host_key=f"SHA256:{name}", machine_id=name)
    return Machine(identity=identity, file_systems=(ROOT,), payloads={path: f"digest of {path}" for path in paths})


def return_trip() -> ReturnTripFacts:
    back = LaterBoot(
        server_id="s-back",
        status="ACTIVE",
        sent_sha256="0",
        report=GuestReport(run="run-1", boot_id="boot-back", kernel="", verdict="ok"),
        nonce_expected="nonce-back",
        nonce_found="nonce-back",
    )
    return ReturnTripFacts(
        home=machine("home", PAYLOAD_PATH),
        abroad=machine("abroad", PAYLOAD_PATH, ABROAD_PATH),
        image_status="active",
        back=back,
        machine=machine("back", PAYLOAD_PATH, ABROAD_PATH),
        run_count=1,
        abroad_key_accepted=False,
    )


def lost() -> ReturnTripFacts:
    """The import at home went back to where it began."""
    return replace(return_trip(), image_status="queued", back=None, machine=None, run_count=None)


def with_machine(**changes: Any) -> ReturnTripFacts:
    """At home again, with other contents or another identity."""
    return replace(return_trip(), machine=replace(machine("back", PAYLOAD_PATH, ABROAD_PATH), **changes))
