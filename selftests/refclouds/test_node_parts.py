"""The parts of the node that need no namespace: rulesets, command lines, policies, packets, files."""

import asyncio
import json
import socket
import struct
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
import yaml
from golden_images.manifest import GoldenImage
from metadata_shims.instance import Instance
from refclouds import clouds_file, hypervisors, kvm, profile, qemu_command
from refclouds.errors import UsageError
from refclouds.fabric import capture, dhcp, links, relay, rules
from refclouds.faults import NO_FAULTS, Faults
from refclouds.metadata_service import MetadataService
from refclouds.node import OPEN_RULES, GuestSpec, IngressRule, NetworkSpec, NicSpec, PortRules
from refclouds.socks import SocksServer
from refclouds.variants import Variants

NETWORK = NetworkSpec(
    "0123456789abcdef", "private", "10.10.0.0/24", "10.10.0.1", True, ("10.10.0.1",), 1450, metadata=True
)
PORT = rules.FilteredPort("tap1", "fa:16:3e:00:00:01", "10.10.0.10", PortRules(), True)
GUEST = GuestSpec(
    id="11111111-2222-3333-4444-555555555555",
    name="anne",
    ram_mib=256,
    vcpus=1,
    disk=Path("/state,1/disk"),
    disk_format="qcow2",
    disk_bus="ide",
    nics=(NicSpec("p", "fa:16:3e:00:00:01", "n", "10.10.0.10", 24, "e1000"),),
    config_drive=Path("/state/config.iso"),
    machine="pc",
)
WIRING = qemu_command.Wiring(7, ("tap,fd=9,vhost=off",), Path("/state/console"))


# packet filter


def test_a_port_without_port_security_is_not_filtered() -> None:
    assert "tap1" not in rules.port_ruleset(replace(PORT, rules=OPEN_RULES))


def test_the_fault_sg_open_keeps_anti_spoofing() -> None:
    text = rules.port_ruleset(PORT, enforce_groups=False)
    assert "from_tap1" in text
    assert "to_tap1" not in text


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (IngressRule("tcp", 22, 25, "10.0.0.0/8"), "ip saddr 10.0.0.0/8 tcp dport 22-25 accept"),
        (IngressRule("udp", 53, None, None), "udp dport 53-53 accept"),
        (IngressRule("icmp"), "icmp type echo-request accept"),
        (IngressRule(), "accept"),
        (IngressRule("tcp", remote_cidr="0.0.0.0/0"), "ip protocol tcp accept"),
    ],
)
def test_an_allowance_is_one_line(rule: IngressRule, expected: str) -> None:
    text = rules.port_ruleset(replace(PORT, rules=PortRules((rule,))))
    assert expected in [line.strip() for line in text.splitlines()]


def test_an_ipv6_allowance_opens_nothing() -> None:
    text = rules.port_ruleset(replace(PORT, rules=PortRules((IngressRule("tcp", 22, 22, "::/0"),))))
    assert "dport 22" not in text


def lines_of(text: str, chain: str) -> list[str]:
    return text.partition(f"chain {chain} {{")[2].partition("}\n")[0].split("\n")


def test_renewals_are_lost_before_anything_of_the_guest_s_own_is_accepted() -> None:
    text = rules.port_ruleset(PORT, dropped=rules.Dropped(renewals=True))
    first = next(line.strip() for line in lines_of(text, "from_tap1") if line.strip())
    assert first == "ip saddr 10.10.0.10 udp dport 67 drop"
    assert "udp dport 67 drop" not in rules.port_ruleset(PORT)


def test_large_packets_of_the_application_are_lost_both_ways() -> None:
    text = rules.port_ruleset(PORT, dropped=rules.Dropped(large=True))
    assert "meta length > 1280 tcp sport 8080 drop" in text
    assert "meta length > 1280 tcp dport 8080 drop" in text


def test_diverted_traffic_comes_before_floating_addresses() -> None:
    text = rules.floating_ruleset({"172.24.4.5": "10.10.0.10"}, {"172.24.4.0/24": 18080})
    assert text.index("redirect to :18080") < text.index("dnat to 10.10.0.10")


# networks


def test_a_bridge_has_an_address_of_its_own() -> None:
    first = links.bridge_commands(NETWORK)[0]
    assert first.startswith("link add brq0123456789a address 02:fe:0a:0a:00:00 type bridge stp_state 0 forward_delay 0")


def test_dhcp_without_a_gateway_gets_the_last_host() -> None:
    assert links.service_address(replace(NETWORK, gateway=None)) == "10.10.0.254"
    assert links.service_address(replace(NETWORK, gateway=None, dhcp=False)) is None


def test_both_dhcp_options_carry_the_default_route() -> None:
    argv = dhcp.arguments(NETWORK, Path("/h"), Path("/l"), dhcp.Offer("10.10.0.1", 1500))
    assert "--dhcp-option=option:router,10.10.0.1" in argv
    assert "--dhcp-option=option:classless-static-route,169.254.169.254/32,10.10.0.1,0.0.0.0/0,10.10.0.1" in argv
    assert "--port=53" in argv


@pytest.mark.parametrize(
    ("fault", "gone"),
    [
        ("opt121_missing", "classless-static-route"),
        ("dhcp_mtu=none", "option:mtu"),
        ("dhcp_options_lost", "option:ntp-server"),
        ("dhcp_options_lost", "option:domain-search"),
        ("dns_dead", "--port=53"),
    ],
)
def test_what_a_fault_keeps_from_guests_is_not_offered(fault: str, gone: str) -> None:
    network = replace(NETWORK, ntp=("10.10.0.1",), search=("a.example", "b.example"))

    def told(faults: Faults) -> str:
        return " ".join(dhcp.arguments(network, Path("/h"), Path("/l"), dhcp.Offer.of(network, faults)))

    assert gone in told(NO_FAULTS)
    assert gone not in told(Faults.parse([fault]))
    assert "option:mtu,9000" in told(Faults.parse(["dhcp_mtu"]))
    assert "option:router,10.10.0.254" in told(Faults.parse(["dhcp_wrong_gw"]))


def test_no_router_is_told_where_there_is_none() -> None:
    argv = dhcp.arguments(
        replace(NETWORK, gateway=None, metadata=False, dns=()), Path("/h"), Path("/l"), dhcp.Offer(None, 1500)
    )
    assert "--dhcp-option=option:router" in argv
    assert not any("classless" in argument for argument in argv)
    assert "--port=0" in argv


@pytest.mark.parametrize(
    ("name", "label"), [("anne.novalocal", "anne"), ("Anne's app,x", "anne-s-app-x"), ("...", "host")]
)
def test_host_labels_cannot_break_the_hosts_file(name: str, label: str) -> None:
    assert dhcp.host_label(name) == label


def test_pcaps_are_merged_in_order_of_time_and_cut_tails_are_dropped(tmp_path: Path) -> None:
    def record(second: int, data: bytes) -> bytes:
        return struct.pack("<IIII", second, 0, len(data), len(data)) + data

    header = bytes(24)
    (tmp_path / "a").write_bytes(header + record(1, b"one") + record(3, b"three"))
    (tmp_path / "b").write_bytes(header + record(2, b"two") + record(4, b"four")[:-1])
    merged = capture.merged([tmp_path / "a", tmp_path / "b", tmp_path / "absent"])
    assert merged[:4] == bytes.fromhex("d4c3b2a1")
    assert merged[24:] == record(1, b"one") + record(2, b"two") + record(3, b"three")


# QEMU


def test_a_guest_says_openstack_and_its_uuid() -> None:
    argv = qemu_command.arguments(GUEST, WIRING)
    smbios = argv[argv.index("-smbios") + 1]
    assert "product=OpenStack Nova" in smbios
    assert f"uuid={GUEST.id}" in smbios


def test_the_fault_smbios_hides_openstack() -> None:
    argv = qemu_command.arguments(GUEST, WIRING, faults=Faults.parse(["smbios"]))
    assert "OpenStack" not in " ".join(argv)
    assert f"uuid={GUEST.id}" in argv[argv.index("-smbios") + 1]


def test_no_guest_gets_user_networking() -> None:
    argv = qemu_command.arguments(GUEST, WIRING)
    assert "-nodefaults" in argv
    assert not any(argument.startswith("user") for argument in argv)


def test_commas_in_paths_are_doubled() -> None:
    assert any("file=/state,,1/disk," in argument for argument in qemu_command.arguments(GUEST, WIRING))


@pytest.mark.parametrize(
    ("bus", "form", "device", "read_only"),
    [
        ("ide", "iso9660", "ide-cd,drive=config,bus=ide.1", "on"),
        ("virtio", "iso9660", "ide-cd,drive=config,bus=ide.1", "on"),
        ("virtio", "vfat", "virtio-blk-pci,drive=config", "on"),
        ("ide", "vfat", "ide-hd,drive=config,bus=ide.1", "off"),
        ("sata", "iso9660", "ide-cd,drive=config,bus=ide.1", "on"),
    ],
)
def test_a_config_drive_is_a_disc_or_the_last_disk(bus: str, form: str, device: str, read_only: str) -> None:
    argv = qemu_command.arguments(replace(GUEST, disk_bus=bus, config_drive_format=form), WIRING)
    assert argv.index(device) > next(at for at, one in enumerate(argv) if "drive=disk" in one)
    assert any("id=config" in one and f"readonly={read_only}" in one for one in argv)


def test_every_hypervisor_can_be_found() -> None:
    assert hypervisors.names() == ["qemu", "xen"]
    with pytest.raises(UsageError, match="qemu"):
        hypervisors.find("qem")


def test_a_closed_kvm_is_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm, "DEVICE", tmp_path / "kvm")
    image = GoldenImage("pocket", tmp_path / "image", "", "6.1", (), "")
    verdict = kvm.probe(image, tmp_path)
    assert not verdict.usable
    assert "there is no" in verdict.detail


# metadata service

INSTANCE = Instance(
    uuid="u-1", ec2_id="i-00000001", name="a", hostname="a.novalocal", project_id="p", fixed_ips=("10.10.0.10",)
)


def _get(
    service: MetadataService, path: str, *, client: str = "10.10.0.10", method: str = "GET", body: bytes = b""
) -> tuple[int, bytes]:
    async def call() -> list[dict[str, object]]:
        sent: list[dict[str, object]] = []
        forged = [(b"x-forwarded-for", b"10.10.0.10"), (b"x-instance-id", b"u-1")]
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
        scope |= {"headers": forged, "client": (client, 1), "server": ("x", 80), "scheme": "http", "root_path": ""}

        asked: list[bool] = []

        async def receive() -> dict[str, object]:
            if asked:
                await asyncio.Event().wait()  # the client stays connected and says nothing more
            asked.append(True)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            sent.append(message)

        await service(scope, receive, send)
        return sent

    sent = asyncio.run(call())
    status = sent[0]["status"]
    assert isinstance(status, int)
    return status, b"".join(part for message in sent[1:] if isinstance(part := message.get("body"), bytes))


def _service(
    *faults: str, channels: tuple[str, ...] = ("openstack", "ec2"), bundle: Path | None = None
) -> MetadataService:
    service = MetadataService(channels, Faults.parse(faults), {"d.tar": bundle} if bundle else None)
    service.publish(INSTANCE)
    return service


def test_an_unknown_address_is_404_whatever_its_headers_say() -> None:
    assert _get(_service(), "/openstack/latest/meta_data.json", client="10.10.0.99")[0] == 404


def test_a_guest_gets_its_own_uuid() -> None:
    status, body = _get(_service(), "/openstack/latest/meta_data.json")
    assert (status, json.loads(body)["uuid"]) == (200, "u-1")


def test_a_channel_that_the_cloud_lacks_is_404() -> None:
    service = _service(channels=("openstack", "config-drive"))
    assert _get(service, "/latest/meta-data/instance-id")[0] == 404
    assert _get(service, "/")[0] == 200


def test_withdrawn_is_404() -> None:
    service = _service()
    service.withdraw("u-1")
    assert _get(service, "/openstack")[0] == 404


def test_a_posted_password_outlives_publish_and_can_be_cleared() -> None:
    service, path = _service(), "/openstack/latest/password"
    assert _get(service, path, method="POST", body=b"c2VjcmV0")[0] == 200
    service.publish(INSTANCE)
    assert service.posted_password("u-1") == "c2VjcmV0"
    assert _get(service, path) == (200, b"c2VjcmV0")
    assert _get(service, path, method="POST", body=b"again")[0] == 409
    assert _get(service, path, method="PUT")[0] == 400
    service.clear_password("u-1")
    assert _get(service, path, method="POST", body=b"again")[0] == 200


def test_the_fault_swap_identity_keeps_the_guest_apart() -> None:
    service = MetadataService(("openstack",))
    service.publish(replace(INSTANCE, uuid="other"), guest_id="u-1")
    assert json.loads(_get(service, "/openstack/latest/meta_data.json")[1])["uuid"] == "other"
    service.withdraw("u-1")
    assert _get(service, "/openstack")[0] == 404


def test_the_ec2_tree_can_be_told_otherwise() -> None:
    service = _service()
    service.publish(INSTANCE, ec2=replace(INSTANCE, hostname="stale"))
    assert _get(service, "/latest/meta-data/hostname") == (200, b"stale")
    assert json.loads(_get(service, "/openstack/latest/meta_data.json")[1])["hostname"] == "a.novalocal"


def test_the_fault_md_listing_html() -> None:
    assert b"<html>" in _get(_service("md_listing_html"), "/openstack")[1]


def test_the_fault_error_200() -> None:
    assert _get(_service("error_200"), "/openstack/latest/nothing")[0] == 200


@pytest.mark.parametrize(("faults", "same"), [((), True), (("bad_bundle",), False)])
def test_a_bundle_is_served_whole_unless_told_otherwise(tmp_path: Path, faults: tuple[str, ...], same: bool) -> None:
    (tmp_path / "d.tar").write_bytes(b"bundle")
    status, body = _get(_service(*faults, bundle=tmp_path / "d.tar"), "/drivers/d.tar")
    assert (status, body == b"bundle", len(body)) == (200, same, 6)


def test_only_known_bundles_are_served(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    assert _get(_service(bundle=tmp_path / "d.tar"), "/drivers/../secret")[0] == 404


# SOCKS

Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


def _socks(destination: bytes, *, own: tuple[str, ...] = (), reachable: str = "127.0.0.0/8") -> bytes:
    """What follows the greeting: the reply, and what an echo server behind it says to "hello"."""

    async def talk() -> bytes:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read(100))
            writer.close()

        target = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = target.sockets[0].getsockname()[1]
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        server = SocksServer([IPv4Network(reachable)], [IPv4Address(one) for one in own])
        await server.start(listener)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"\x05\x01\x00" + b"\x05\x01\x00" + destination + struct.pack("!H", port) + b"hello")
        answer = await asyncio.wait_for(reader.read(-1), 5)
        writer.close()
        server.close()
        target.close()
        return answer[2:]

    return asyncio.run(talk())


LOOPBACK = b"\x01\x7f\x00\x00\x01"


def test_socks_connects_to_what_is_reachable() -> None:
    answer = _socks(LOOPBACK)
    assert answer[1] == 0
    assert answer.endswith(b"hello")


def test_socks_takes_an_address_written_as_a_name() -> None:
    assert _socks(b"\x03\x09127.0.0.1")[1] == 0


@pytest.mark.parametrize(
    ("destination", "code"),
    [
        (b"\x01\xa9\xfe\xa9\xfe", 2),  # the metadata service
        (b"\x01\x08\x08\x08\x08", 2),
        (b"\x03\x09localhost", 4),
        (b"\x04" + bytes.fromhex("fe80") + bytes(10) + bytes.fromhex("a9fea9fe"), 2),
        (b"\x05" + bytes(16), 8),
    ],
)
def test_socks_refuses_all_else(destination: bytes, code: int) -> None:
    assert _socks(destination)[1] == code


def test_socks_refuses_the_clouds_own_addresses() -> None:
    assert _socks(LOOPBACK, own=("127.0.0.1",))[1] == 2


# clouds.yaml


def test_clouds_yaml_is_private_and_holds_three_users(tmp_path: Path) -> None:
    chosen = profile.find("private")
    entries = clouds_file.new_entries("private")
    access = clouds_file.Access("http://127.0.0.1:1", "socks5h://127.0.0.1:2")
    path = clouds_file.write(tmp_path, entries, chosen, access, {"active_faults": ["nd_empty"]})
    clouds = yaml.safe_load(path.read_text())["clouds"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(clouds) == ["private", "private-admin", "private-reader"]
    assert len({cloud["auth"]["password"] for cloud in clouds.values()}) == 3
    assert clouds["private"]["interop"]["access"] == {"socks": "socks5h://127.0.0.1:2"}
    assert clouds["private"]["interop"]["active_faults"] == ["nd_empty"]
    assert entries[0].account.password not in repr(entries)


def test_nics_plugged_last_first_keep_their_macs_and_wires() -> None:
    nics = (*GUEST.nics, NicSpec("q", "fa:16:3e:00:00:02", "n", None, 24, "vmxnet3"))
    wiring = replace(WIRING, netdevs=("tap,fd=9", "tap,fd=10"))
    argv = qemu_command.arguments(replace(GUEST, nics=nics), wiring, variants=Variants.parse(["nic_order"]))
    devices = [one for one in argv if "mac=" in one]
    assert [one.partition(",")[0] for one in devices] == ["vmxnet3", "e1000"]
    assert "netdev=net-portq" in devices[0]
    assert "tap,id=net-portq,fd=10" in argv


# VLANs


def test_a_tag_is_put_on_and_taken_off() -> None:
    frame = bytes(range(12)) + b"\x08\x00payload"
    assert relay.tagged(frame, 42) == bytes(range(12)) + b"\x81\x00\x00\x2a\x08\x00payload"
    assert relay.untagged(relay.tagged(frame, 42)) == (42, frame)
    assert relay.untagged(frame) == (0, frame)


def test_bits_of_priority_are_no_number() -> None:
    frame = bytes(12) + b"\x81\x00\xe0\x2a\x08\x00payload"
    assert relay.untagged(frame)[0] == 42
    assert relay.untagged(bytes(12) + b"\x81\x00")[0] == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [({"vlan": 4095}, "4095"), ({"vlan": -1}, "-1")],
)
def test_a_tag_out_of_range_is_a_mistake(change: dict[str, int], told: str) -> None:
    raw = tomllib.loads((profile.PROFILES_DIR / "vlan.toml").read_text())
    raw["networks"][1] |= change
    with pytest.raises(UsageError, match=told):
        profile.parse(raw, "vlan.toml")


def test_tags_ride_on_the_first_network_of_a_cloud_of_qemu() -> None:
    raw = tomllib.loads((profile.PROFILES_DIR / "vlan.toml").read_text())
    raw["networks"].reverse()
    with pytest.raises(UsageError, match="the first network has a tag"):
        profile.parse(raw, "vlan.toml")


@pytest.mark.parametrize(
    ("part", "key", "told"),
    [("guest", "boots_at_once", r"boots_at_once is -2"), ("quota", "instances", r"\[quota\] instances is -2")],
)
def test_a_limit_below_no_limit_is_a_mistake(part: str, key: str, told: str) -> None:
    raw = tomllib.loads((profile.PROFILES_DIR / "private.toml").read_text())
    raw[part] = {**raw.get(part, {}), key: -2}
    with pytest.raises(UsageError, match=told):
        profile.parse(raw, "private.toml")
