"""The reference clouds' metadata service for one guest, which asks from 127.0.0.1."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn
from metadata_shims.instance import Instance
from refclouds.faults import Faults
from refclouds.metadata_service import MetadataService

GUEST = "11111111-2222-4333-8444-555555555555"


@contextlib.contextmanager
def metadata_service(*faults: str, channels: tuple[str, ...] = ("openstack",)) -> Iterator[tuple[MetadataService, int]]:
    """The service and its port."""
    service = MetadataService(channels, Faults.parse(faults))
    told = Instance(uuid=GUEST, ec2_id="i-1", name="anne", hostname="anne", project_id="p", fixed_ips=("127.0.0.1",))
    service.publish(told)
    server = uvicorn.Server(uvicorn.Config(service, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield service, server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()
