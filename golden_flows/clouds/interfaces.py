"""A server's NICs while it is there: attach, detach, list. Source: Compute API ``os-interface``, Networking API."""

from __future__ import annotations

from typing import Any

from golden_flows.clouds.networks import port_facts
from golden_flows.clouds.records import NetworkRef
from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.errors import CloudError
from golden_flows.model.facts import PortFacts

ADDRESSES_ASKED = 2


def create_port(api: ApiSession, network: NetworkRef, full_name: str) -> tuple[str, str]:
    """A port with two IPv4 addresses, or one where that is refused: (id, why it was refused)."""
    subnets = api.read("network", f"/subnets?network_id={network.id}").get("subnets")
    fours = [one for one in subnets or () if isinstance(one, dict) and one.get("ip_version") == 4]
    asked: dict[str, Any] = {"network_id": network.id, "name": full_name, "admin_state_up": True}
    refused = "it has no IPv4 subnet"
    if fours:
        several = {"fixed_ips": [{"subnet_id": fours[0]["id"]}] * ADDRESSES_ASKED}
        response = api.send("network", "POST", "/ports", json={"port": {**asked, **several}})
        if response.status_code == 201:
            return _id_of(api, api.json_of(response, "/ports")), ""
        refused = f"HTTP {response.status_code} {reason_of(response)}".rstrip()
    response = api.ask("network", "POST", "/ports", json={"port": asked}, expect=(201,))
    return _id_of(api, api.json_of(response, "/ports")), refused


def show_port(api: ApiSession, port_id: str, network: NetworkRef) -> PortFacts | None:
    """The port as it is now; None when it is no more."""
    with api.guard("reading a port"):
        found = api.sdk.network.find_port(port_id)
        return None if found is None else port_facts(api, found, {network.id: network})


def attach(api: ApiSession, server_id: str, port_id: str) -> str:
    """Empty when the cloud attached it, else why not. Raises ``CloudError`` for what is no refusal (5xx but 501)."""
    body = {"interfaceAttachment": {"port_id": port_id}}
    response = api.send("compute", "POST", f"/servers/{server_id}/os-interface", json=body, microversion="2.1")
    if response.status_code == 200:
        return ""
    if response.status_code < 500 or response.status_code == 501:
        return f"os-interface: HTTP {response.status_code} {reason_of(response)}".rstrip()
    raise api.refusal(response, f"attaching a port to server {server_id}")


def detach(api: ApiSession, server_id: str, port_id: str) -> str:
    """Empty when the cloud accepted it, else why not."""
    response = api.send("compute", "DELETE", f"/servers/{server_id}/os-interface/{port_id}", microversion="2.1")
    return "" if response.status_code == 202 else f"HTTP {response.status_code} {reason_of(response)}".rstrip()


def attached(api: ApiSession, server_id: str) -> frozenset[str]:
    """Ids of the server's ports."""
    response = api.ask("compute", "GET", f"/servers/{server_id}/os-interface", microversion="2.1")
    listed = api.json_of(response, "os-interface").get("interfaceAttachments")
    return frozenset(str(one.get("port_id")) for one in listed or () if isinstance(one, dict))


def _id_of(api: ApiSession, document: dict[str, Any]) -> str:
    port = document.get("port")
    if not isinstance(port, dict) or not isinstance(port.get("id"), str):
        raise CloudError(f"cloud {api.name!r} made a port and did not say its id")
    return str(port["id"])
