"""The least metadata that a guest comes up with, served as fixed bytes, so that a bare boot waits for nothing."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pycdlib

from benchmarks.machine import Form

ADDRESS = "169.254.169.254"
LATEST = "/openstack/latest"
BUNDLE_PATH = "/drivers/bundle.tar"


def documents(
    form: Form, uuid: str, public_key: str, bundle: Mapping[str, str] | None, host: int = 10
) -> dict[str, bytes]:
    """meta_data, network_data and vendor_data of one guest. ``bundle`` has ``kernel`` and ``sha256``.

    ``host``: the last number of its address on the second network.
    """
    links = [{"id": nic.tap, "type": "bridge", "ethernet_mac_address": nic.mac, "mtu": 1500} for nic in form.nics]
    networks: list[dict[str, object]] = [{"id": "network0", "link": "tap0", "type": "ipv4_dhcp", "network_id": "n0"}]
    if len(form.nics) > 1:
        networks.append(
            {"id": "network1", "link": "tap1", "type": "ipv4", "ip_address": f"192.168.200.{host}"}
            | {"netmask": "255.255.255.0", "routes": [], "network_id": "n1"}
        )
    meta = {"uuid": uuid, "hostname": "bare.novalocal", "name": "bare", "public_keys": {"key": public_key}}
    drivers = [
        {**bundle, "url": f"http://{ADDRESS}{BUNDLE_PATH}", "modules": list(form.drivers)}
        for bundle in ([bundle] if bundle and form.drivers else [])
    ]
    parts = {
        "meta_data.json": {**meta, "launch_index": 0, "availability_zone": "nova", "meta": {}},
        "network_data.json": {"links": links, "networks": networks, "services": []},
        "vendor_data.json": {"drivers": drivers} if drivers else {},
    }
    return {name: json.dumps(document).encode() for name, document in parts.items()}


def serve(files_of: Callable[[str], Mapping[str, bytes]], bundle: bytes) -> None:
    """Answer on the real metadata address, in the background, until the process ends.

    ``files_of``: the documents of the guest with this address.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = _pages(files_of(self.client_address[0]), bundle).get(self.path.rstrip("/"))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((ADDRESS, 80), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _pages(files: Mapping[str, bytes], bundle: bytes) -> dict[str, bytes]:
    pages = {f"{LATEST}/{name}": content for name, content in files.items()}
    listing = "\n".join(files).encode()
    return pages | {"": b"1.0\nlatest", "/openstack": b"latest", LATEST: listing, BUNDLE_PATH: bundle}


def write_config_drive(files: Mapping[str, bytes], path: Path) -> None:
    """The same documents as an ISO 9660 image labelled ``config-2``, as the public cloud attaches one."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident="config-2", joliet=3, rock_ridge="1.09")
    for folder in ("/openstack", LATEST):
        iso.add_directory(folder.upper(), joliet_path=folder, rr_name=folder.rpartition("/")[2])
    for number, (name, content) in enumerate(files.items()):
        short = f"{LATEST.upper()}/FILE{number}.;1"
        iso.add_fp(io.BytesIO(content), len(content), short, joliet_path=f"{LATEST}/{name}", rr_name=name)
    iso.write(str(path))
    iso.close()
