"""Anne's side of the shim ``pushed-metadata``: what nova would have told, pushed into the guest over her own way in.

The guest's side, and the words that both speak, are in ``golden_flows/shims/in_guest/pushed.py``.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from ipaddress import ip_network

from golden_flows.errors import GuestError, shorten
from golden_flows.guests.socket_path import connect
from golden_flows.model.facts import PortFacts
from golden_flows.shims.in_guest.pushed import PORT, proof, sign

TIMEOUT_S = 5.0
LINE_LIMIT_BYTES = 200


def document(
    *,
    server_id: str,
    hostname: str,
    meta: Mapping[str, str],
    ports: Sequence[PortFacts],
    key: str | None,
    password: str | None,
    user_data: bytes,
) -> bytes:
    """What is pushed: the server's uuid, and files of ``/openstack/latest`` in base64. As nova renders them.

    Source: nova/api/metadata/base.py; for IPv6, which the guest has from its routers, nothing is told.
    """
    told: dict[str, object] = {"uuid": server_id, "name": hostname, "hostname": hostname, "launch_index": 0}
    told |= {"availability_zone": "", "meta": dict(meta)}
    if key:
        told["public_keys"] = {"anne": key}
    if password:
        told["admin_pass"] = password
    files = {"meta_data.json": json.dumps(told).encode(), "network_data.json": json.dumps(network_data(ports)).encode()}
    if user_data:
        files["user_data"] = user_data
    encoded = {name: base64.b64encode(content).decode("ascii") for name, content in files.items()}
    return json.dumps({"uuid": server_id, "files": encoded}).encode()


def network_data(ports: Sequence[PortFacts]) -> dict[str, object]:
    """By what the Network API says of the ports: DHCP where their subnet has it, else the address itself."""
    links, networks = [], []
    for number, port in enumerate(ports):
        link = f"tap{port.port_id[:11]}"
        mtu = None if port.dhcp else port.mtu  # else by option 26
        links.append({"id": link, "type": "phy", "ethernet_mac_address": port.mac, "vif_id": port.port_id, "mtu": mtu})
        network: dict[str, object] = {"id": f"network{number}", "link": link, "network_id": port.network}
        if port.dhcp:
            network["type"] = "ipv4_dhcp"
        elif port.fixed_ip and port.cidr and not port.is_ipv6_alone:
            default = [(ip_network("0.0.0.0/0"), port.gateway_ip)] if port.gateway_ip and not number else []
            routes = [*default, *((ip_network(cidr), gateway) for cidr, gateway in port.host_routes)]
            network |= {
                "type": "ipv4",
                "ip_address": port.fixed_ip,
                "netmask": str(ip_network(port.cidr).netmask),
                "routes": [
                    {"network": str(one.network_address), "netmask": str(one.netmask), "gateway": gateway}
                    for one, gateway in routes
                ],
            }
        else:
            continue
        networks.append(network)
    dns = dict.fromkeys(one for port in ports for one in port.dns)
    return {"links": links, "networks": networks, "services": [{"type": "dns", "address": one} for one in dns]}


def push(address: str, access: str | None, key: bytes, body: bytes, port: int = PORT) -> bool:
    """Whether the guest has taken it; False while it does not listen. Raises ``GuestError`` where it refuses.

    Whoever answers there and does not know the key is not the guest, and is told nothing.
    """
    try:
        with connect(address, port, access, TIMEOUT_S) as way, way.makefile("rb") as stream:
            nonce = secrets.token_hex(16)
            way.sendall(f"{nonce}\n".encode("ascii"))
            challenge, _, shown = stream.readline(LINE_LIMIT_BYTES).decode("ascii", "replace").strip().partition(" ")
            if not secrets.compare_digest(shown.encode(), proof(key, nonce, challenge).encode("ascii")):
                return False
            way.sendall(f"{sign(key, challenge, body)} {len(body)}\n".encode("ascii") + body)
            answer = stream.readline(LINE_LIMIT_BYTES).decode("ascii", "replace").strip()
    except (OSError, UnicodeEncodeError):
        return False
    if answer.startswith("refused"):
        raise GuestError(f"the shim at {address}:{port} did not take the metadata: {shorten(answer, 80)}")
    return answer == "taken"
