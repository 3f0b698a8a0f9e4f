"""Facts of a healthy cell, private → public, as small values that tests bend one at a time."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from golden_flows.guideline import load_checks
from golden_flows.model.account import AccountFacts, AuthorizedKeys, KeyLine
from golden_flows.model.agent_channels import AgentChannels
from golden_flows.model.cloud import Pair, Profile
from golden_flows.model.config_drive import TREE, ConfigDriveSeen
from golden_flows.model.discovery import CloudSeen, Discovery, DiscoveryFacts, NetworkFound, SubnetFound
from golden_flows.model.facts import (
    ApplicationFacts,
    AuthFacts,
    BootFacts,
    Facts,
    GuestFiles,
    KernelLog,
    LifecycleFacts,
    LoginAttempt,
    PasswordChange,
    PortFacts,
    PowerFacts,
    UserDataFacts,
)
from golden_flows.model.file_system import ExportedDisk, FileSystemSeen
from golden_flows.model.files import Answer, FileFacts, InjectedFile, LimitFacts
from golden_flows.model.finding import Said
from golden_flows.model.guest import (
    AgentPhase,
    Block,
    Channel,
    Consoles,
    DhcpLease,
    Getty,
    GuestIdentity,
    GuestReport,
    Link,
    MetadataRequest,
    Route,
    UserDataRun,
)
from golden_flows.model.image_facts import (
    ConversionFacts,
    ExportFacts,
    ImportFacts,
    PutProbe,
    ShimFacts,
    SizeProbe,
    TokenDeath,
)
from golden_flows.model.ipv6 import Ipv6Facts
from golden_flows.model.metadata_seen import MetadataAnswer, MetadataChange, MetadataSeen
from golden_flows.model.network_seen import NetworkSeen, Ping, Renewal, Resolver
from golden_flows.model.nics import NicSeen
from golden_flows.model.nova_metadata import EC2_RULES, EC2_VERSIONS, OPENSTACK_RULES, OPENSTACK_VERSIONS, Rule
from golden_flows.model.platform_seen import QGA_PORT, PlatformSeen, RootDisk
from golden_flows.model.residue import Residue
from golden_flows.model.second_instance import LaterBoot, MachineIdentity, Neighbour, SecondInstanceFacts
from golden_flows.model.transfer import DataMap, RangeProbe, Resume, TransferFacts
from golden_flows.model.xen import HypervisorSeen
from selftests.golden_flows.checks import nic_facts
from selftests.golden_flows.checks.burst_facts import burst
from selftests.golden_flows.checks.import_facts import import_probes
from selftests.golden_flows.checks.return_facts import return_trip

MIB = 1 << 20
HOST_KEY = "SHA256:host"
SIZE_BYTES = 256 * MIB
SERVER = "6f1d2c3b-0000-4000-8000-00000000abcd"
MAC1, MAC2, MAC_HOME = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "fa:16:3e:00:00:99"
IP_HOME = "10.10.0.20"
SHA256 = hashlib.sha256(b"disk").hexdigest()
SHA512 = hashlib.sha512(b"disk").hexdigest()
MD5 = "9e107d9d372bb6826bd81d3542a419d6"
USER_DATA_SHA256 = hashlib.sha256(b"#!/bin/sh\0\xff").hexdigest()
DIGEST = hashlib.sha256(b"anne").hexdigest()


def vhd_footer(
    *,
    size_bytes: int = SIZE_BYTES,
    disk_type: int = 3,
    checksum_off: int = 0,
    creator: bytes = b"qem2",
    geometry: tuple[int, int, int] = (65535, 16, 255),
) -> bytes:
    fixed = (b"conectix", 2, 0x10000, 512, 0, creator, 0x50003, b"Wi2k", size_bytes, size_bytes, *geometry, disk_type)
    block = struct.pack(">8sIIQI4sI4sQQHBBI", *fixed).ljust(512, b"\0")
    checksum = (~sum(block) + checksum_off) & 0xFFFFFFFF
    return block[:64] + struct.pack(">I", checksum) + block[68:]


def qcow2_head(*, version: int = 3, backing: int = 0, incompatible: int = 0, compression: int = 0) -> bytes:
    start = struct.pack(">4sIQIIQ", b"QFI\xfb", version, backing, 0, 16, 1 << 20)
    head = start.ljust(72, b"\0") + struct.pack(">Q", incompatible)
    return (head.ljust(100, b"\0") + struct.pack(">IB", 112, compression)).ljust(4096, b"\0")


def src_profile() -> Profile:
    return Profile(
        cloud="private", channels=("openstack-http", "ec2-http"), auth=("key",), import_methods=("glance-direct",)
    )


def dst_profile() -> Profile:
    return Profile(
        cloud="public",
        networks=("flat", "multi"),
        auth=("password",),
        channels=("openstack-http", "config-drive"),
        vendor_data_targets=("inventory",),
        image_format="vhd",
        disk_drivers=("ata_piix",),
        nic_drivers=("e1000", "vmxnet3"),
        driver_bundle=True,
        ntp_servers=("192.168.100.1",),
        search_domains=("anne.example",),
    )


def export() -> ExportFacts:
    return ExportFacts(
        image_id="export-1",
        disk_format="raw",
        container_format="bare",
        size_bytes=SIZE_BYTES,
        content_length=SIZE_BYTES,
        downloaded_bytes=SIZE_BYTES,
        checksum=MD5,
        os_hash_algo="sha512",
        os_hash_value=SHA512,
        computed_md5=MD5,
        computed_hash=SHA512,
        sha256=SHA256,
        head=b"\xeb\x63\x90".ljust(4096, b"\0"),
        tail=bytes(512),
        virtual_size_bytes=None,
        wire_bytes=SIZE_BYTES + 64 * 1024,
        range_probe=range_probe(),
        resume=resume(),
        properties={"os_distro": "debian", "os_type": "linux", "hw_disk_bus": "virtio"},
        started_from={"os_distro": "debian", "os_type": "linux"},
        residue=(Residue("machine-id", "/etc/machine-id"),),
    )


def range_probe(**changes: Any) -> RangeProbe:
    healthy = RangeProbe(
        asked="bytes=1-65536",
        asked_bytes=64 * 1024,
        status=206,
        content_range=f"bytes 1-65536/{SIZE_BYTES}",
        expected_content_range=f"bytes 1-65536/{SIZE_BYTES}",
        received_bytes=64 * 1024,
        is_right=True,
        content_md5_is_whole=True,
    )
    return replace(healthy, **changes)


def resume(**changes: Any) -> Resume:
    healthy = Resume(cut_at_bytes=SIZE_BYTES * 37 // 100, by_us=True, cuts=1, continued_by="range", is_whole=True)
    return replace(healthy, **changes)


def exported_disk() -> ExportedDisk:
    """As of a guest that ran when its snapshot was taken."""
    root = FileSystemSeen(
        start_bytes=1 << 20,
        uuid="1c5a3d9e-0000-4000-8000-000000000001",
        is_valid=True,
        has_errors=False,
        has_journal=True,
        needs_recovery=True,
    )
    return ExportedDisk(file_systems=(root,), partitions=1)


def imported() -> ImportFacts:
    return ImportFacts(
        image_id="import-1",
        methods_offered=("glance-direct",),
        method_used="glance-direct",
        create_status=201,
        stage_status=204,
        import_status=202,
        statuses_seen=("queued", "uploading", "importing", "active"),
        final_status="active",
        message="",
        seconds=3.0,
        sent_bytes=SIZE_BYTES,
        sent_sha512=SHA512,
        stored_hash_algo="sha512",
        stored_hash_value="another, of the converted form",
        stored_disk_format="vhd",
        probe=PutProbe(
            put_status=204,
            message="",
            image_status="active",
            sent_bytes=MIB,
            sent_sha512=SHA512,
            size_bytes=MIB,
            os_hash_algo="sha512",
            os_hash_value=SHA512,
            disk_format="raw",
        ),
    )


def conversion() -> ConversionFacts:
    return ConversionFacts(
        asked_format="raw",
        disk_format="vhd",
        downloaded_bytes=90 * MIB,
        head=vhd_footer().ljust(4096, b"\0"),
        footer=vhd_footer(),
        api_virtual_size_bytes=SIZE_BYTES,
        original_bytes=SIZE_BYTES,
        original_sha256=SHA256,
        expanded_bytes=SIZE_BYTES,
        expanded_sha256=SHA256,
        extra_tail_is_zero=None,
        size_probe=size_probe(),
    )


def size_probe() -> SizeProbe:
    return SizeProbe(
        asked_bytes=2041 << 30,
        status="queued",
        message="Image has a disk of 2041 GiB, and a VHD holds 2040 GiB at most",
        control_status="active",
    )


def answer(rule: Rule) -> MetadataRequest:
    return MetadataRequest(
        path=rule.path,
        status=rule.statuses[0],
        content_type=rule.content_type or "text/plain; charset=UTF-8",
        json_ok=True if rule.json else None,
    )


def network_data(*, mac: str = MAC2, routes: tuple[dict[str, str], ...] = ()) -> dict[str, object]:
    """As the public cloud serves it; ``mac`` is that of the link with the static address."""
    other = MAC1 if mac == MAC2 else MAC2
    static = {
        "id": "network1",
        "link": "tap2",
        "network_id": "n-2",
        "type": "ipv4",
        "ip_address": "192.168.200.20",
        "netmask": "255.255.255.0",
    }
    return {
        "links": [
            {"id": "tap1", "type": "tap", "ethernet_mac_address": other},
            {"id": "tap2", "vif_id": "port-1", "type": "tap", "ethernet_mac_address": mac, "mtu": 1500},
        ],
        "networks": [
            {"id": "network0", "link": "tap1", "network_id": "n-1", "type": "ipv4_dhcp"},
            {**static, "routes": list(routes)},
        ],
        "services": [],
    }


def config_drive() -> ConfigDriveSeen:
    return ConfigDriveSeen(
        device="/dev/sr0",
        filesystem="iso9660",
        label="config-2",
        extensions=("joliet", "rock-ridge"),
        names=("openstack/", "openstack/latest/", "openstack/latest/user_data", *TREE),
        mode="0600",
        admin_pass=True,
        kept={"/etc/shadow": "0600"},
    )


def report() -> GuestReport:
    channel = {"hostname": DIGEST, "user_data": USER_DATA_SHA256}
    vendor = {"static": 1, "inventory": 3}
    return GuestReport(
        run="run-1",
        boot_id="boot-1",
        kernel="6.1.0-18-amd64",
        verdict="ok",
        identity=GuestIdentity(
            uuid=SERVER, hostname="anne", name="anne", smbios_uuid=SERVER.upper(), smbios_product="OpenStack Nova"
        ),
        channels=(
            Channel(name="config-drive", present=True, used=True, keys=channel, vendor_parts=vendor),
            Channel(
                name="openstack-http",
                present=True,
                keys={**channel, "uuid": DIGEST},
                vendor_parts={**vendor, "static": 0},
            ),
            Channel(name="ec2-http", present=False),
        ),
        listing={"/": None, "/openstack": "\n".join((*OPENSTACK_VERSIONS, "latest"))},
        requests=tuple(answer(rule) for rule in OPENSTACK_RULES),
        config_drive=config_drive(),
        network_data=network_data(),
        leases=(
            DhcpLease(
                interface="eth0",
                mac=MAC1,
                ip="192.168.100.20",
                prefixlen=24,
                routers=("192.168.100.1",),
                dns=("192.168.100.1",),
                mtu=1500,
                server_id="192.168.100.1",
                ntp=("192.168.100.1",),
                search=("anne.example",),
            ),
        ),
        links=(
            Link(name="eth0", mac=MAC1, driver="e1000", state="up", addresses=("192.168.100.20/24",)),
            Link(name="eth1", mac=MAC2, driver="vmxnet3", state="up", addresses=("192.168.200.20/24",), mtu=1500),
        ),
        routes=(
            Route(family=4, destination="default", gateway="192.168.100.1", interface="eth0"),
            Route(family=4, destination="192.168.200.0/24", gateway=None, interface="eth1"),
        ),
        phases=(AgentPhase(name="detect", verdict="ok", began_s=4.0, ended_s=4.6),),
        block=Block(root_device="/dev/sda1", root_driver="ata_piix", cmdline_root="UUID=1-2", fstab_root="UUID=1-2"),
        user_data=UserDataRun(
            present=True,
            bytes=11,
            sha256=USER_DATA_SHA256,
            ran_this_boot=True,
            run_count=1,
            exit_code=0,
            uid=0,
            network_up=True,
        ),
        hypervisor=HypervisorSeen(),
        host_key_fingerprints=(HOST_KEY,),
        services=(),
    )


def port(at: int) -> PortFacts:
    network, net, mac = (("flat", 100, MAC1), ("multi", 200, MAC2))[at]
    return PortFacts(
        port_id=f"port-{at}",
        network=network,
        mac=mac,
        fixed_ip=f"192.168.{net}.20",
        cidr=f"192.168.{net}.0/24",
        gateway_ip=None if at else "192.168.100.1",
        dns=() if at else ("192.168.100.1",),
        dhcp=not at,
        mtu=1500,
    )


def boot() -> BootFacts:
    return BootFacts(
        server_id=SERVER,
        name="anne",
        status="ACTIVE",
        statuses_seen=("BUILD", "ACTIVE"),
        fault="",
        console="Linux version 6.1.0\n@ICT1 run-1 0 1/1 abc 01234567\n",
        console_marker="@ICT1",
        report=report(),
        ports=(port(0), port(1)),
        seconds_to_active=2.0,
        seconds_to_report=9.0,
    )


def source_boot() -> BootFacts:
    link = Link(name="eth0", mac=MAC_HOME, driver="virtio_net", addresses=("10.10.0.20/24",))
    at_home = replace(
        report(),
        links=(link,),
        host_key_fingerprints=("SHA256:home",),
        block=replace(report().block, root_driver="virtio_blk"),
    )
    nic = replace(
        port(0), mac=MAC_HOME, network="private", fixed_ip=IP_HOME, cidr="10.10.0.0/24", gateway_ip="10.10.0.1"
    )
    return replace(boot(), report=at_home, ports=(nic,))


def attempt(method: str, accepted: bool | None) -> LoginAttempt:
    return LoginAttempt(method=method, user="anne", accepted=accepted, host_key_fingerprint=HOST_KEY)


def auth() -> AuthFacts:
    return AuthFacts(
        asked=("password",),
        attempts=(attempt("password", True), attempt("other-key", False), attempt("wrong-password", False)),
        files=GuestFiles(
            fstab="UUID=1-2 / ext4",
            cmdline="root=UUID=1-2 console=ttyS0",
            initramfs_modules=("virtio_blk", "ata_piix", "ext4"),
            modules_on_disk=("virtio_blk", "virtio_net", "ata_piix", "e1000", "vmxnet3"),
            consoles=Consoles(
                active=("ttyS0",),
                gettys=(
                    Getty(line="ttyS0", exists=True, respawns=0),
                    Getty(line="hvc0", exists=False, respawns=0, started=False),
                ),
            ),
        ),
        password_change=PasswordChange(status=501, message="the hypervisor has no agent in the guest"),
    )


def files() -> FileFacts:
    file = InjectedFile(
        path="/srv/file", sent_bytes=4, sent_sha256=DIGEST, found_sha256=DIGEST, owner=0, group=0, mode=0o600
    )
    return FileFacts(carriers=("config-drive",), allowed=5, files=(file,))


def limits() -> LimitFacts:
    return LimitFacts(
        longest=Answer(asked="65535 characters", status=202, server_status="BUILD"),
        too_long=Answer(asked="65536 characters", status=400, message="user_data is too long"),
        hostile_files=(),
    )


def key_line(kind: str, comment: str = "") -> KeyLine:
    """A well-formed line; its key differs with the comment."""
    blob = len(kind).to_bytes(4, "big") + kind.encode() + hashlib.sha256(comment.encode()).digest()
    return KeyLine(1, f"{kind} {base64.b64encode(blob).decode()} {comment}".rstrip())


OWNER = key_line("ssh-ed25519", "owner")


def account() -> AccountFacts:
    """Only the key of the image's owner is there: the server was launched with a password."""
    return AccountFacts(
        authorized_keys=AuthorizedKeys("root", (OWNER,)),
        home_keys=AuthorizedKeys("root", (key_line("ssh-ed25519", "of home"), OWNER), ends_in_newline=False),
        owner_fingerprint=OWNER.fingerprint,
    )


def own(what: str, **changes: Any) -> MetadataAnswer:
    return replace(MetadataAnswer(what=what, status=200, identity=SERVER, elapsed_s=0.02), **changes)


def metadata_seen() -> MetadataSeen:
    meta = {"interop_unicode": "Zürich", "interop_lines": "one\ntwo"}
    return MetadataSeen(
        tree="openstack-http",
        own=own("/openstack/latest/meta_data.json"),
        meta_asked=meta,
        meta_read={**meta, "interop_run": "run-1"},
        missing=(own("/openstack/latest/interop-no-such-file", status=404, identity=None),),
        owned=True,
        forged=(own("X-Instance-ID"), own("X-Forwarded-For")),
        second=(own("from 192.168.200.20", status=None, identity=None, error="TimeoutError: timed out"),),
        in_turn=(own("/openstack/latest/meta_data.json"),) * 3,
        at_once=(own("/openstack/latest/meta_data.json"),) * 2,
        change=MetadataChange(status=200, asked="new", seen="new", waited_s=0.6),
    )


def user_data() -> UserDataFacts:
    first = report()
    again = replace(first, boot_id="boot-2", user_data=replace(first.user_data, ran_this_boot=False))
    return UserDataFacts(sent_sha256=USER_DATA_SHA256, sent_bytes=11, first=first, after_reboot=again)


def power() -> PowerFacts:
    ports = (port(0), port(1))
    return PowerFacts(last_status="SHUTOFF", seconds_to_shutoff=2.5, waited_s=2.5, app_before=True, ports=ports)


def network_seen() -> NetworkSeen:
    return NetworkSeen(
        nics=(NicSeen(name="eth0", mac=MAC1, mtu=1500, mtu6=1500), NicSeen(name="eth1", mac=MAC2, mtu=1500)),
        pings=(
            Ping(size_bytes=84, outcome="answered"),
            Ping(size_bytes=1500, outcome="answered"),
            Ping(size_bytes=1501, outcome="too-long"),
        ),
        renewal=Renewal(answer="ack", ip="192.168.100.20", lease_s=86400),
        resolvers=(Resolver(address="192.168.100.1", answers=("NOERROR", "NXDOMAIN")),),
        nameservers=("192.168.100.1",),
        search=("anne.example",),
        home=(MAC_HOME, IP_HOME),
    )


def kernel_log() -> KernelLog:
    line = "[    2.1] EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none."
    return KernelLog(boot_id="boot-2", lines=(line,))


def application() -> ApplicationFacts:
    return ApplicationFacts(
        address="192.168.100.20",
        port=8080,
        status=200,
        nonce_expected="nonce-1",
        nonce_found="nonce-1",
        payload_expected_sha256=SHA256,
        payload_guest_sha256=SHA256,
        payload_served_sha256=SHA256,
        closed_port=8081,
        closed_port_open=False,
        closed_port_listening=True,
        kernel_log=kernel_log(),
        sent_sha256=DIGEST,
        sent_found_sha256=DIGEST,
    )


def later_boot(server_id: str = SERVER, **run: Any) -> LaterBoot:
    told = replace(report(), user_data=replace(report().user_data, **run))
    return LaterBoot(
        server_id=server_id,
        status="ACTIVE",
        sent_sha256=USER_DATA_SHA256,
        report=told,
        nonce_expected="nonce-2",
        nonce_found="nonce-2" if told.user_data.run_count else "nonce-1",
    )


def second_instance() -> SecondInstanceFacts:
    return SecondInstanceFacts(
        first_uuid=SERVER,
        first=MachineIdentity(host_key="SHA256:first", machine_id="first"),
        twin=later_boot("twin"),
        twin_identity=MachineIdentity(host_key="SHA256:twin", machine_id="twin"),
        rebuilt=later_boot(failed_parts=1),
        neighbour=Neighbour(own="192.168.100.20", peer="192.168.100.22", seen_as="192.168.100.20"),
    )


def lifecycle() -> LifecycleFacts:
    counts = {"private": {"server": 1, "image": 2}, "public": {"server": 0, "image": 0}}
    return LifecycleFacts(before=counts, after=counts, made=9, leftovers=())


def token_death() -> TokenDeath:
    return TokenDeath(
        way="PUT /file",
        sent_bytes=MIB,
        upload_status=204,
        image_status="active",
        disk_format="raw",
        size_bytes=MIB,
    )


def discovered() -> DiscoveryFacts:
    subnets = (SubnetFound(cidr="10.10.0.0/24", dhcp=True), SubnetFound(cidr="10.11.0.0/24", dhcp=False))
    found = Discovery(
        compute_microversion="2.96",
        import_methods=("glance-direct",),
        disk_formats=("raw", "qcow2", "vhd"),
        networks=tuple(
            NetworkFound(name=name, id=f"id-of-{name}", subnets=(one,))
            for name, one in zip(("flat", "multi"), subnets, strict=True)
        ),
    )
    return DiscoveryFacts(
        src=CloudSeen(discovery=found, console_status=200, config_drive=False, network="flat"),
        dst=CloudSeen(discovery=found, console_status=200, config_drive=True, network="flat"),
    )


def platform() -> PlatformSeen:
    return PlatformSeen(
        image={"hw_firmware_type": "bios", "hw_qemu_guest_agent": "yes"},
        has_efi=False,
        clock_offset_s=0.4,
        clock_uncertainty_s=1.1,
        root=RootDisk(
            disk_bytes=SIZE_BYTES,
            end_bytes=SIZE_BYTES,
            file_system_bytes=SIZE_BYTES - 20 * MIB,
            grower="/usr/bin/growpart",
            discard_max_bytes=2 * MIB,
        ),
        crng_ready_s=0.9,
        kernel_log_is_whole=True,
        ports=(QGA_PORT,),
        cpus=1,
        queues={"eth0": 1, "eth1": 1},
    )


def with_platform(**changes: Any) -> Facts:
    return replace(healthy_facts(), platform=replace(platform(), **changes))


def with_src_seen(**changes: Any) -> Facts:
    found = discovered()
    return replace(healthy_facts(), discovered=replace(found, src=replace(found.src, **changes)))


def healthy_facts() -> Facts:
    return Facts(
        pair=Pair("private", "public"),
        src=src_profile(),
        dst=dst_profile(),
        source_boot=source_boot(),
        export=export(),
        exported_disk=exported_disk(),
        transfer=TransferFacts(
            moved_bytes=SIZE_BYTES,
            received_wire_bytes=SIZE_BYTES + 64 * 1024,
            sent_wire_bytes=SIZE_BYTES,
            data=DataMap(data_bytes=80 * MIB, blocks_bytes=100 * MIB),
            seconds=2.0,
            chunk_bytes=MIB,
            workers=2,
            rss_before_bytes=60 * MIB,
            rss_peak_bytes=80 * MIB,
        ),
        imported=imported(),
        token_death=token_death(),
        import_probes=import_probes(),
        conversion=conversion(),
        boot=boot(),
        agent_channels=AgentChannels(),
        auth=auth(),
        files=files(),
        ipv6=Ipv6Facts(),
        account=account(),
        metadata_seen=metadata_seen(),
        network_seen=network_seen(),
        platform=platform(),
        user_data=user_data(),
        hotplug=nic_facts.hotplug(),
        limits=limits(),
        power=power(),
        application=application(),
        second_instance=second_instance(),
        return_trip=return_trip(),
        burst=burst(),
        discovered=discovered(),
        lifecycle=lifecycle(),
    )


# Each of these bends one part of the healthy cell. The keyword names are fields of that part; dataclasses.replace
# raises TypeError for any other, so Any costs nothing here.


def with_export(**changes: Any) -> Facts:
    return replace(healthy_facts(), export=replace(export(), **changes))


def with_shim(error: str = "") -> Facts:
    """The source exports as XenServer packs, and the shim made RAW of it, or could not."""
    shim = ShimFacts(name="tgz-vhd-to-raw", chain=("0.vhd: differencing", "1.vhd: dynamic"), error=error)
    if not error:
        shim = replace(shim, raw_bytes=SIZE_BYTES, raw_sha256=SHA256, head=bytes(4096), tail=bytes(512))
    return with_export(
        disk_format="vhd", container_format="ovf", head=b"\x1f\x8b\x08".ljust(4096, b"\0"), shim=shim, sha256="packed"
    )


def with_import(**changes: Any) -> Facts:
    return replace(healthy_facts(), imported=replace(imported(), **changes))


def with_probe(**changes: Any) -> Facts:
    probe = imported().probe
    if probe is None:
        raise ValueError("the healthy import has a probe")
    return with_import(probe=replace(probe, **changes))


def with_conversion(**changes: Any) -> Facts:
    return replace(healthy_facts(), conversion=replace(conversion(), **changes))


def with_size_probe(**changes: Any) -> Facts:
    return with_conversion(size_probe=replace(size_probe(), **changes))


def with_boot(**changes: Any) -> Facts:
    return replace(healthy_facts(), boot=replace(boot(), **changes))


def with_report(**changes: Any) -> Facts:
    return with_boot(report=replace(report(), **changes))


def with_config_drive(**changes: Any) -> Facts:
    return with_report(config_drive=replace(config_drive(), **changes))


def with_vendor_parts(parts: Mapping[str, int | None] | None) -> Facts:
    """``vendor_data2.json`` in every channel that carries it."""
    drive, http, ec2 = report().channels
    return with_report(channels=(replace(drive, vendor_parts=parts), replace(http, vendor_parts=parts), ec2))


def with_identity(**changes: Any) -> Facts:
    return with_report(identity=replace(report().identity, **changes))


def with_block(**changes: Any) -> Facts:
    return with_report(block=replace(report().block, **changes))


def with_lease(**changes: Any) -> Facts:
    return with_report(leases=(replace(report().leases[0], **changes),))


def with_links(*links: Link) -> Facts:
    return with_report(links=links)


def with_answer(path: str, **changes: Any) -> Facts:
    requests = tuple(replace(one, **changes) if one.path == path else one for one in report().requests)
    return with_report(requests=requests)


def with_auth(**changes: Any) -> Facts:
    return replace(healthy_facts(), auth=replace(auth(), **changes))


def with_account(**changes: Any) -> Facts:
    return replace(healthy_facts(), account=replace(account(), **changes))


def with_metadata_seen(**changes: Any) -> Facts:
    return replace(healthy_facts(), metadata_seen=replace(metadata_seen(), **changes))


def with_network_seen(**changes: Any) -> Facts:
    return replace(healthy_facts(), network_seen=replace(network_seen(), **changes))


def with_files(**changes: Any) -> Facts:
    return with_auth(files=replace(auth().files, **changes))


def with_user_data_run(**changes: Any) -> Facts:
    first = replace(report(), user_data=replace(report().user_data, **changes))
    return replace(healthy_facts(), user_data=replace(user_data(), first=first))


def with_file(**changes: Any) -> Facts:
    return replace(healthy_facts(), files=replace(files(), files=(replace(files().files[0], **changes),)))


def with_limits(**changes: Any) -> Facts:
    return replace(healthy_facts(), limits=replace(limits(), **changes))


def with_reboot(**changes: Any) -> Facts:
    again = user_data().after_reboot
    if again is None:
        raise ValueError("the healthy guest reports after its reboot")
    return replace(healthy_facts(), user_data=replace(user_data(), after_reboot=replace(again, **changes)))


def with_application(**changes: Any) -> Facts:
    return replace(healthy_facts(), application=replace(application(), **changes))


def with_power(**changes: Any) -> Facts:
    return replace(healthy_facts(), power=replace(power(), **changes))


def with_second(**changes: Any) -> Facts:
    return replace(healthy_facts(), second_instance=replace(second_instance(), **changes))


def with_lifecycle(**changes: Any) -> Facts:
    return replace(healthy_facts(), lifecycle=replace(lifecycle(), **changes))


def with_dst(**changes: Any) -> Facts:
    return replace(healthy_facts(), dst=replace(dst_profile(), **changes))


KEYS = ("/latest/meta-data/public-keys/", "/latest/meta-data/public-keys/0/openssh-key")


def with_ec2(facts: Facts) -> Facts:
    """The same cell on a cloud that serves the EC2 tree as well."""
    told = report()
    told = replace(
        told,
        listing={**told.listing, "/": "\n".join((*EC2_VERSIONS, "latest")), KEYS[0]: "0=anne"},
        requests=(
            *told.requests,
            *(answer(rule) for rule in EC2_RULES),
            *(answer(Rule(path, (200,))) for path in KEYS),
        ),
        identity=replace(told.identity, ec2_instance_id="i-0000000a"),
        channels=(*told.channels[:2], Channel(name="ec2-http", present=True, keys={"hostname": DIGEST})),
    )
    dst = replace(facts.dst, channels=(*facts.dst.channels, "ec2-http"))
    return replace(facts, dst=dst, boot=replace(boot(), report=told))


def said(check_id: str, facts: Facts) -> Said:
    """What the registered check says of these facts."""
    return load_checks()[check_id].function(facts)


def failing(facts: Facts) -> set[str]:
    """Ids of the checks that have findings."""
    return {
        check_id
        for check_id, check in load_checks().items()
        if isinstance(found := check.function(facts), tuple) and found
    }


SILENT = GuestReport(run="run-1", boot_id="boot-1", kernel="", verdict="failed")
"""A report that came and says nothing."""
