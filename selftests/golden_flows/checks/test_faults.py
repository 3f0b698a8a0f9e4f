"""What each fault of a reference cloud does to the facts, and that the guideline names just the checks that see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from refclouds.faults import FAULTS
from refclouds.variants import VARIANTS

from golden_flows.flows.story import PAYLOAD_PATH
from golden_flows.guideline import load_guideline
from golden_flows.model.account import PasswordPost, PostProbe
from golden_flows.model.facts import Facts, Leftover, PasswordChange, PowerFacts
from golden_flows.model.files import Answer
from golden_flows.model.guest import Channel, Consoles, Getty, UserDataRun
from golden_flows.model.import_seen import FIXED_VHD, NO_IMAGE, DeletedImport, ImportProbes
from golden_flows.model.metadata_seen import MetadataChange
from golden_flows.model.network_seen import Renewal, Resolver, Trace
from golden_flows.model.residue import Residue
from golden_flows.model.second_instance import MachineIdentity, Neighbour
from selftests.golden_flows.checks.account_facts import (
    LAUNCHED,
    posted_facts,
    with_authorized,
    with_host_keys_of_home,
    with_keys,
)
from selftests.golden_flows.checks.burst_facts import (
    burst,
    never_made,
    one,
    with_first_nic_only,
    with_neighbours,
    with_same_host_keys,
)
from selftests.golden_flows.checks.facts_builder import (
    IP_HOME,
    MAC1,
    MIB,
    OWNER,
    SIZE_BYTES,
    attempt,
    config_drive,
    discovered,
    exported_disk,
    failing,
    healthy_facts,
    kernel_log,
    later_boot,
    lifecycle,
    metadata_seen,
    network_data,
    own,
    port,
    power,
    qcow2_head,
    range_probe,
    report,
    resume,
    second_instance,
    token_death,
    user_data,
    vhd_footer,
    with_answer,
    with_application,
    with_auth,
    with_block,
    with_boot,
    with_config_drive,
    with_conversion,
    with_ec2,
    with_export,
    with_files,
    with_identity,
    with_import,
    with_lease,
    with_lifecycle,
    with_limits,
    with_links,
    with_metadata_seen,
    with_network_seen,
    with_platform,
    with_power,
    with_probe,
    with_reboot,
    with_report,
    with_second,
    with_shim,
    with_size_probe,
    with_src_seen,
    with_user_data_run,
    with_vendor_parts,
)
from selftests.golden_flows.checks.import_facts import bent, grown, import_probes
from selftests.golden_flows.checks.nic_facts import (
    TOLD_LINK,
    with_host_route_by_dhcp,
    with_hotplug,
    with_static_mtu,
    with_vlan,
    without_policy_route,
)
from selftests.golden_flows.checks.return_facts import lost, with_machine
from selftests.golden_flows.checks.test_ipv6 import with_metadata6, with_nic6
from selftests.golden_flows.checks.test_pv_drivers import refused_bundle, without_vmxnet3
from selftests.golden_flows.checks.test_qcow2 import stored
from selftests.golden_flows.checks.test_secondary_nic import exchanged
from selftests.golden_flows.checks.xen_facts import (
    with_command,
    with_xen_auth,
    with_xen_report,
    with_xenstore,
    xen_report,
    xenstore,
)

NOT_RUN: Mapping[str, Any] = {"ran_this_boot": False, "run_count": 0, "exit_code": None}
OTHER_UUID = "6f1d2c3b-0000-4000-8000-00000000ffff"
GROWN_BYTES = SIZE_BYTES + 253_952
GATEWAY_2 = {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.168.200.1"}


def _stale(channel_name: str, facts: Facts) -> Facts:
    if facts.boot is None or facts.boot.report is None:
        raise ValueError("a cell with a report was expected")
    channels = tuple(
        replace(one, keys={**one.keys, "hostname": "0" * 64}) if one.name == channel_name else one
        for one in facts.boot.report.channels
    )
    return replace(facts, boot=replace(facts.boot, report=replace(facts.boot.report, channels=channels)))


def _without_user_data() -> Facts:
    """The app that travelled still answers, with the nonce of home."""
    nothing = replace(report(), user_data=UserDataRun())
    again = replace(nothing, boot_id="boot-2")
    seen = replace(with_application(nonce_found="of home"), boot=with_boot(report=nothing).boot)
    none = later_boot(present=False, sha256=None, **NOT_RUN)
    seen = replace(seen, second_instance=replace(second_instance(), twin=none, rebuilt=none))
    return replace(seen, user_data=replace(user_data(), first=nothing, after_reboot=again))


def _new_instance_after_reboot() -> Facts:
    return with_reboot(identity=replace(report().identity, uuid=OTHER_UUID), user_data=report().user_data)


def _left_behind() -> Facts:
    still = Leftover(cloud="public", kind="server", id="s-1", name="anne")
    return with_lifecycle(leftovers=(still,), after={**lifecycle().after, "public": {"server": 1, "image": 0}})


def _without_app() -> Facts:
    """Nothing of home travelled: no app answers, no payload is there, and the script abroad misses its folder."""
    seen = with_application(
        status=None, nonce_found=None, payload_guest_sha256="", payload_served_sha256=None, closed_port_listening=False
    )
    return replace(seen, user_data=with_user_data_run(exit_code=1).user_data, power=replace(power(), app_before=False))


def _port_with(**changes: Any) -> Facts:
    """The first port after the stop and the start."""
    return with_power(ports=(replace(port(0), **changes), port(1)))


def _without_second_lease() -> Facts:
    """The second network has DHCP, by the API."""
    first, second = report().links
    told = replace(report(), links=(first, replace(second, addresses=())))
    return with_boot(report=told, ports=(port(0), replace(port(1), dhcp=True)))


def _stale_static() -> Facts:
    left = (Trace(what=IP_HOME, where="a NIC"), Trace(what=IP_HOME, where="/etc/network/static-address"))
    facts = with_second(neighbour=Neighbour(own="192.168.100.20", peer="192.168.100.22", seen_as=None))
    return replace(facts, network_seen=with_network_seen(left=left).network_seen)


def _told_keys(facts: Facts, *fingerprints: str) -> Facts:
    return replace(facts, boot=with_report(authorized_key_fingerprints=fingerprints).boot)


def _answering_anything() -> Facts:
    """Besides the missing file, the EC2 tree that this cloud does not have seems to be there."""
    facts = with_answer("/openstack/latest/no-such-file", status=200)
    if facts.boot is None or facts.boot.report is None:
        raise ValueError("a cell with a report was expected")
    seeming = Channel(name="ec2-http", present=True, keys={"hostname": "0" * 64})
    told = replace(facts.boot.report, channels=(*facts.boot.report.channels[:2], seeming))
    return _missing(200, replace(facts, boot=replace(facts.boot, report=told)))


def _nobody_answers() -> Facts:
    """On a cloud whose guests are told over HTTP alone."""
    refused = tuple(replace(one, status=None, error="Connection refused") for one in report().requests)
    silent = tuple(Channel(name=one.name, present=False, reason="no answer") for one in report().channels)
    told = with_report(channels=silent, requests=refused, listing={})
    seen = discovered()
    seen = replace(seen, dst=replace(seen.dst, config_drive=False))
    return replace(told, dst=replace(told.dst, channels=("openstack-http",)), discovered=seen)


def _missing(status: int, facts: Facts) -> Facts:
    missing = (own("/openstack/latest/interop-no-such-file", status=status, identity=None),)
    return replace(facts, metadata_seen=replace(metadata_seen(), missing=missing))


def _without_vmxnet3_installed() -> Facts:
    """The metadata is empty, so the agent knew of no second NIC and sought no driver for it."""
    told = with_report(network_data={}, links=report().links[:1])
    return replace(told, auth=without_vmxnet3())


def _second_nic_untold() -> Facts:
    """As in a guest that has the driver, and nobody who tells it the address."""
    first, second = report().links
    told = network_data()
    document = {**told, "links": told["links"][:1], "networks": told["networks"][:1]}  # type: ignore[index]  # lists
    return with_report(network_data=document, links=(first, replace(second, addresses=())))


def _with_file_system_errors() -> Facts:
    (root,) = exported_disk().file_systems
    return replace(
        healthy_facts(), exported_disk=replace(exported_disk(), file_systems=(replace(root, has_errors=True),))
    )


def _probed(probes: ImportProbes) -> Facts:
    return replace(healthy_facts(), import_probes=probes)


def _half_an_image() -> ImportProbes:
    probes = import_probes()
    if probes.over_quota is None:
        raise ValueError("the healthy destination shows a quota")
    half = replace(probes.over_quota, status=None, message="timed out", image_status="active", size_bytes=4096)
    return replace(probes, over_quota=half)


def _killed() -> Facts:
    """After 30 s without an answer the reference clouds take the power away."""
    lines = (*kernel_log().lines, "[    1.9] EXT4-fs (sda1): recovery complete")
    facts = with_application(kernel_log=replace(kernel_log(), lines=lines))
    return replace(facts, power=PowerFacts(last_status="SHUTOFF", seconds_to_shutoff=30.4, waited_s=30.4))


def _gateway_under_no_name() -> Facts:
    nics = tuple(replace(one, gateway6=None, gateway6_key=None) for one in xenstore().networking)
    return with_xen_report(xenstore=replace(xenstore(), networking=nics), routes=xen_report().routes[:-1])


def _refused_password() -> Facts:
    tries = (attempt("new-password", False), attempt("old-password", True))
    change = PasswordChange(status=202, attempts=tries)
    return replace(with_command("password", "500", "bad padding"), auth=with_xen_auth(password_change=change).auth)


def _with_nic2(driver: str) -> Facts:
    first, second = report().links
    return with_links(first, replace(second, driver=driver))


def _grown() -> Facts:
    return with_conversion(
        expanded_bytes=GROWN_BYTES,
        api_virtual_size_bytes=None,
        extra_tail_is_zero=True,
        footer=vhd_footer(size_bytes=GROWN_BYTES),
    )


def _names_cut() -> Facts:
    """The agent finds the label, and none of the files that it reads."""
    drive, *others = report().channels
    cut = replace(config_drive(), extensions=(), names=("openstac/", "openstac/latest/meta_dat.jso"))
    blind = replace(drive, present=False, used=False, keys={}, vendor_parts=None)
    return with_report(config_drive=cut, channels=(blind, *others))


def _with_ec2_id(instance_id: str) -> Facts:
    facts = with_ec2(healthy_facts())
    if facts.boot is None or facts.boot.report is None:
        raise ValueError("a cell with a report was expected")
    identity = replace(facts.boot.report.identity, ec2_instance_id=instance_id)
    return replace(facts, boot=replace(facts.boot, report=replace(facts.boot.report, identity=identity)))


def _without_vendor_data2() -> Facts:
    """404, which is fine where nobody claims such a document."""
    facts = with_vendor_parts(None)
    if facts.boot is None or facts.boot.report is None:
        raise ValueError("a cell with a report was expected")
    gone = with_answer("/openstack/latest/vendor_data2.json", status=404, json_ok=None)
    requests = gone.boot.report.requests if gone.boot and gone.boot.report else ()
    return replace(facts, boot=replace(facts.boot, report=replace(facts.boot.report, requests=requests)))


def _cascading() -> dict[str, object]:
    document = network_data()
    return {
        **document,
        "links": [{"id": "tap1", "type": "cascading", "ethernet_mac_address": MAC1}, *_links(document)[1:]],
    }


def _links(document: Mapping[str, object]) -> list[object]:
    links = document["links"]
    return links if isinstance(links, list) else []


def _password_unasked() -> Facts:
    """A server with a key, whose drive carries the password that nova makes for every server."""
    tries = (attempt("key", True), attempt("other-key", False), attempt("wrong-password", False))
    facts = with_auth(asked=("key",), attempts=tries, password_change=None)
    return replace(facts, dst=replace(facts.dst, auth=("key",)))


REFUSED: Mapping[str, Any] = {"image_status": "queued", "task_status": "failure"}
DELETED = DeletedImport(status_before="importing", delete_status=204)
WITH_KEY = (attempt("other-key", False), attempt("wrong-password", False))

SEEN: Mapping[str, Facts] = {
    "truncate_tail": with_export(downloaded_bytes=SIZE_BYTES - 512, content_length=SIZE_BYTES - 512, computed_hash="0"),
    "export_overlay": with_shim("not expanded: it names a backing file"),
    "mislabel": with_export(head=b"QFI\xfb"),
    "tgz_chain": with_shim("the archive's chain is broken: 1.vhd is missing"),
    "flip_bit_at": with_export(computed_hash="0", computed_md5="0"),
    "drop_props": with_export(properties={"hw_disk_bus": "virtio"}),
    "virtual_size": with_export(virtual_size_bytes=SIZE_BYTES // 2),
    "no_quiesce": _with_file_system_errors(),
    "dirty_image": replace(
        with_files(udev_net_rules='ATTR{address}=="52:54:00:0d:1e:57", NAME="eth7"'),
        export=with_export(residue=(Residue("history", "/root/.ash_history"),)).export,
    ),
    "old_snapshot": replace(
        _without_app(), return_trip=with_machine(payloads={PAYLOAD_PATH: f"digest of {PAYLOAD_PATH}"})
    ),
    "extra_tail": with_export(
        downloaded_bytes=SIZE_BYTES + 512,
        error="the image has grown while it was read",
        range_probe=range_probe(content_range=f"bytes 1-65536/{SIZE_BYTES + 512}"),
    ),
    "range": with_export(range_probe=range_probe(is_right=False), resume=resume(is_whole=False)),
    "cut_once": with_export(resume=resume(by_us=False, cuts=2)),
    "cut_after": with_export(
        downloaded_bytes=SIZE_BYTES // 3,
        error="the download broke off",
        resume=resume(by_us=False, cuts=6, continued_by="range", is_whole=False, error="the download broke off"),
    ),
    "upload_cut": with_import(
        stage_status=None, import_status=None, statuses_seen=("queued",), final_status="queued", message="broke off"
    ),
    "desparsify": with_conversion(downloaded_bytes=SIZE_BYTES),
    "stage_lost": replace(
        with_import(statuses_seen=("queued", "uploading", "importing", "queued"), final_status="queued"),
        return_trip=lost(),
    ),
    "token_half": replace(healthy_facts(), token_death=replace(token_death(), size_bytes=MIB // 2)),
    "import_closed": with_src_seen(discovery=replace(discovered().src.discovery, import_methods=())),
    "console_closed": replace(
        with_src_seen(console_status=403),
        boot=with_boot(console="", report=report()).boot,
    ),
    "put_forbidden": with_probe(put_status=403, image_status="queued", size_bytes=None),
    "flip_bit_store": replace(
        with_probe(os_hash_value="0"), conversion=with_conversion(expanded_sha256="0").conversion
    ),
    "methods_mismatch": _probed(replace(import_probes(), header_methods=("copy-image",))),
    "import_hang": _probed(bent({NO_IMAGE: {"image_status": "importing", "failed_in": ""}})),
    "drop_task_msg": _probed(bent({NO_IMAGE: {"task_message": ""}})),
    "strict_mbr": _probed(bent({"unusual-mbr-hybrid": {**REFUSED, "task_message": "Image is not acceptable"}})),
    "inspector": _probed(bent({"hostile-qcow2-as-raw": {"image_status": "active"}})),
    "ssrf_guard": _probed(bent({"web-loopback": {"was_read": True, "import_status": 202, "message": ""}})),
    "vhd_probe": _probed(bent({FIXED_VHD: {**REFUSED, "task_message": "Image content is raw"}})),
    "quota_half": _probed(_half_an_image()),
    "orphan": _probed(replace(import_probes(), deleted=replace(DELETED, status_after="active"))),
    "convert": with_conversion(disk_format="qcow2", head=qcow2_head()),
    "flip_bit_conv": with_conversion(expanded_sha256="0"),
    "vhd_force_size": replace(_grown(), import_probes=grown(253_952)),
    "vhd_align": replace(
        with_conversion(
            expanded_bytes=SIZE_BYTES + 512,
            api_virtual_size_bytes=SIZE_BYTES + 512,
            extra_tail_is_zero=True,
            footer=vhd_footer(size_bytes=SIZE_BYTES + 512),
        ),
        import_probes=grown(512),
    ),
    "vhd_creator": with_conversion(footer=vhd_footer(creator=b"vpc ")),
    "qcow2_zstd": stored(qcow2_head(incompatible=1 << 3, compression=1)),
    "size": with_size_probe(status="active", disk_format="vhd", virtual_size_bytes=2040 << 30, message=""),
    "vhd_footer": with_conversion(footer=vhd_footer(checksum_off=1)),
    "no_boot": with_boot(report=None, console="Booting from Hard Disk...\nNo bootable device.\n"),
    "initrd_no_root": with_boot(report=None, console="Linux version 6.1\nALERT!  UUID=1-2 does not exist.\n"),
    "initrd_no_pv": with_boot(report=None, console="initramfs: xen device vbd-51712 has no driver\n"),
    "hvc0_getty": with_files(consoles=Consoles(gettys=(Getty(line="xvc0", exists=False, respawns=0),))),
    "console": with_boot(console=""),
    "smbios": with_identity(smbios_product="Standard PC", smbios_uuid=None),
    "fw": with_platform(image={"hw_firmware_type": "uefi"}),
    "rtc_skew": with_platform(clock_offset_s=7200.3),
    "dhcp_wrong_gw": with_lease(routers=("192.168.100.254",)),
    "dhcp_mtu": with_lease(mtu=9000),
    "opt121_missing": with_host_route_by_dhcp(told=()),
    "stale_static": _stale_static(),
    "dns_dead": with_network_seen(resolvers=(Resolver(address="192.168.100.1", error="no answer"),)),
    "renew_drop": with_network_seen(renewal=Renewal()),
    "dhcp_options_lost": with_lease(ntp=(), search=()),
    "v6_mode_mix": with_nic6(addresses=(), managed=True, other=True),
    "v6_md_off": with_metadata6(status=None, uuid=None, error="[Errno 113] No route to host"),
    "md_off": _nobody_answers(),
    "md_listing_html": with_report(listing={"/": "<html>", "/openstack": "<html>"}),
    "error_200": _answering_anything(),
    "404_as_500": _missing(500, with_answer("/openstack/latest/no-such-file", status=500)),
    "latin1": with_metadata_seen(meta_read={**metadata_seen().meta_asked, "interop_unicode": "ZÃ¼rich"}),
    "trust_headers": with_metadata_seen(forged=(own("X-Instance-ID", status=404, identity=None),)),
    "by_ip_only": with_metadata_seen(second=(own("from 192.168.200.20 over eth1", identity=OTHER_UUID),)),
    "md_slow": with_metadata_seen(at_once=(own("x"), own("x", status=None, identity=None, error="timed out"))),
    "cache": with_metadata_seen(change=MetadataChange(status=200, asked="new", seen=None, waited_s=20.0)),
    "swap_identity": with_identity(uuid=OTHER_UUID),
    "cd_stale": _stale("config-drive", healthy_facts()),
    "cd_label": with_config_drive(label="CONFIG-2"),
    "cd_norr": _names_cut(),
    "ec2_uuid_id": _with_ec2_id(OTHER_UUID),
    "vd_dead": _without_vendor_data2(),
    "nd_type": with_report(network_data=_cascading()),
    "cd_adminpass": _password_unasked(),
    "ec2_stale": _stale("ec2-http", with_ec2(healthy_facts())),
    "nd_empty": _without_vmxnet3_installed(),
    "nd_first_only": _second_nic_untold(),
    "two_gw": with_report(network_data=network_data(routes=(GATEWAY_2,))),
    "shuffle_links": exchanged(),
    "no_policy_route": without_policy_route(),
    "nd_mtu": with_static_mtu(None, 1500),
    "drop_routes": with_host_route_by_dhcp(told=(("0.0.0.0/0", "192.168.100.1"),)),
    "vlan_parent_gone": with_vlan(link="tapgone"),
    "dhcp2_dead": _without_second_lease(),
    "hotplug_silent": with_hotplug(seconds_to_nic=None, seconds_to_address=None),
    "stale_link": with_hotplug(network_data_after={**network_data(), "links": [TOLD_LINK]}),
    "xs_500": with_command("resetnetwork", "500", "vm-data/networking is no JSON"),
    "xs_gw6_key": _gateway_under_no_name(),
    "no_qga_port": with_platform(ports=()),
    "xs_no_pv": with_xenstore(pvaddons={}),
    "acpi_off": _killed(),
    "bus": with_block(root_driver="virtio_blk"),
    "nic2": _with_nic2("e1000"),
    "bad_bundle": refused_bundle(),
    "wrong_key": _told_keys(
        with_auth(
            asked=("key",), attempts=(attempt("key", False), *WITH_KEY), launched_key_fingerprints=("SHA256:anne",)
        ),
        "SHA256:nobody",
    ),
    "stale_key": _told_keys(healthy_facts(), "SHA256:nobody"),
    "pw_ignored": with_auth(attempts=(attempt("password", False), *WITH_KEY)),
    "same_hostkeys": replace(
        with_host_keys_of_home(),
        return_trip=with_machine(identity=MachineIdentity(host_key="SHA256:abroad", machine_id="back")),
    ),
    "pw_lost": posted_facts(text_bytes=0, second=None, cleared_status=None, oversized=None, again=None),
    "pw_overwrite": posted_facts(second=PostProbe(status=200, kept=False)),
    "pw_foreign": posted_facts(told=PasswordPost(verdict="unsupported-key"), key_type="ssh-ed25519", text_bytes=344),
    "key_replaces": with_authorized(posted_facts(), with_keys(LAUNCHED.text)),
    "key_nonl": with_authorized(posted_facts(), with_keys(OWNER.text, LAUNCHED.text + OWNER.text)),
    "xs_kdf": _refused_password(),
    "ud_utf8": replace(
        with_user_data_run(sha256="0", bytes=13),
        second_instance=replace(second_instance(), twin=later_boot("twin", **NOT_RUN, sha256="0")),
    ),
    "ud_missing": _without_user_data(),
    "ud_trunc": with_limits(too_long=Answer(asked="65536 characters", status=202, server_status="BUILD")),
    "file_traversal": with_limits(hostile_files=(Answer(asked="a path with ..", status=202, server_status="ACTIVE"),)),
    "iid_same": with_second(
        twin=replace(later_boot("twin", ran_this_boot=False), nonce_found="nonce-1"),
        twin_identity=second_instance().first,
    ),
    "rebuild_stale": with_second(rebuilt=replace(later_boot(sha256="0" * 64), nonce_found="nonce-1")),
    "iid_changes": _new_instance_after_reboot(),
    "wrong_target": with_application(nonce_found=None, payload_served_sha256="0"),
    "pmtu_blackhole": with_application(payload_served_sha256="0", payload_error="the body took longer than 15 s"),
    "ip_changes": _port_with(fixed_ip="192.168.100.21", fixed_ips=("192.168.100.21",)),
    "mac_changes": _port_with(mac="fa:16:3e:00:00:77"),
    "sg_open": with_application(closed_port_open=True),
    "burst_short": replace(healthy_facts(), burst=burst(one(1), one(2), never_made(3))),
    "burst_same_identity": replace(healthy_facts(), burst=with_same_host_keys()),
    "burst_neighbour": replace(healthy_facts(), burst=with_neighbours()),
    "burst_one_nic": replace(healthy_facts(), burst=with_first_nic_only()),
    "delete_202_noop": replace(_left_behind(), burst=burst(deleted=0, leftovers=("server interop-run-1-burst-1",))),
}

BENIGN: Mapping[str, Facts] = {
    "export_tgz": with_shim(),
    "vd_down": with_vendor_parts({"static": 1, "inventory": 0}),
    "mbr_checked": _probed(bent({"unusual-mbr-hybrid": {**REFUSED, "task_message": "GPT MBR has no partitions"}})),
}
"""What benign variants do to the facts, where that is anything."""

CAUGHT_BY = {fault: {one.id for one in load_guideline().requirements if fault in one.faults} for fault in FAULTS}


@pytest.mark.parametrize("fault", sorted(SEEN))
def test_a_fault_is_found_by_the_checks_that_the_guideline_names_and_no_other(fault: str) -> None:
    assert failing(SEEN[fault]) == CAUGHT_BY[fault]


@pytest.mark.parametrize("variant", sorted(BENIGN))
def test_what_is_benign_fails_nothing(variant: str) -> None:
    assert variant in VARIANTS
    assert failing(BENIGN[variant]) == set()


def test_every_fault_of_the_reference_clouds_is_tried_here() -> None:
    assert set(SEEN) == set(FAULTS)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_the_clouds_table_and_the_guideline_agree_on_what_a_fault_breaks(fault: str) -> None:
    assert set(FAULTS[fault].breaks) == CAUGHT_BY[fault]
