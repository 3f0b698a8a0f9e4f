"""The operator's services answer for each instance, and a dead one costs nothing but its own part."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
import requests
import uvicorn
from metadata_shims import config_drive, openstack
from refclouds import operator_service
from refclouds.compute.instances import Told, with_vendor_data
from refclouds.faults import NO_FAULTS, Faults
from refclouds.vendor_data import VendorServices, question

from selftests.metadata_shims.test_channels import INSTANCE

SERVER: dict[str, Any] = {
    "id": INSTANCE.uuid,
    "project_id": "p",
    "image": "i",
    "metadata": {"role": "web"},
    "_user_data": "IyEvYmluL3NoCg==",
    "_boot_roles": "member,reader",
}
TOLD = Told(openstack=INSTANCE, ec2=None, config_drive=INSTANCE)


@contextmanager
def running() -> Iterator[int]:
    """The service in earnest, on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(operator_service.app, lifespan="off", log_config=None))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def test_each_target_answers_and_a_dead_one_is_empty() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = closed.getsockname()[1]
        with running() as port:
            urls = {"inventory": f"http://127.0.0.1:{port}/inventory", "billing": f"http://127.0.0.1:{dead}/billing"}
            answers = asyncio.run(VendorServices(urls).ask(SERVER, "anne.novalocal"))
    assert answers["inventory"]["registered_as"] == "anne.novalocal"
    assert answers["billing"] == {}


def test_a_service_is_asked_with_nova_s_words() -> None:
    assert set(question(SERVER, "anne")) == set(operator_service.WANTED)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{}", 400), (b"no JSON", 400), (b"[]", 400), (b" " * (operator_service.BODY_LIMIT_BYTES + 1), 413)],
)
def test_what_is_no_question_of_nova_s_is_refused(body: bytes, status: int) -> None:
    with running() as port:
        assert requests.post(f"http://127.0.0.1:{port}/inventory", body, timeout=10).status_code == status
        assert requests.get(f"http://127.0.0.1:{port}/inventory", timeout=10).status_code == 405


@pytest.mark.parametrize("version", ["2016-10-06", "latest"])
def test_the_answers_are_parts_of_vendor_data2_in_both_channels(version: str) -> None:
    told = with_vendor_data(TOLD, {"inventory": {"asset": "1"}, "billing": {}}, NO_FAULTS)
    expected = {"static": {}, "inventory": {"asset": "1"}, "billing": {}}
    assert json.loads(openstack.answer(told.openstack, f"/openstack/{version}/vendor_data2.json").body) == expected
    drive = dict(config_drive.files(told.config_drive))
    assert json.loads(drive[f"openstack/{version}/vendor_data2.json"]) == expected


def test_the_fault_takes_the_whole_document_down() -> None:
    told = with_vendor_data(TOLD, {"inventory": {}}, Faults.parse(["vd_dead"]))
    assert openstack.answer(told.openstack, "/openstack/latest/vendor_data2.json").status == 404
    assert b"vendor_data2" not in openstack.answer(told.openstack, "/openstack/latest").body
    assert "openstack/latest/vendor_data2.json" not in dict(config_drive.files(told.config_drive))
