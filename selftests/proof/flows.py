"""Which runs prove which checks: faults, the check that must catch each, and what else fails because it depends on it.

The one table of both the golden flows of `tox -e golden` and `tox -e nightly` and the kill matrix of `tox -e proof`.
"""

from __future__ import annotations

from dataclasses import dataclass

from golden_flows.guideline import load_guideline

BURST = "--burst"


@dataclass(frozen=True)
class Fault:
    """A fault, the check that must catch it, and what else fails because it depends on the same thing."""

    spec: str
    must_fail: frozenset[str]
    dependents: frozenset[str]


def fault(spec: str, must_fail: str, dependents: str = "") -> Fault:
    return Fault(spec, frozenset(must_fail.split()), frozenset(dependents.split()))


@dataclass(frozen=True)
class Flow:
    """One run. Faults share a run only where neither can reach the other's checks: a boot is the dear thing here."""

    faults: tuple[Fault, ...] = ()
    blocked: frozenset[str] = frozenset()
    """What cannot be tried then; exactly this."""
    unseen: frozenset[str] = frozenset()
    """What cannot be found out then, and is broken for it; exactly this."""
    dst: str = "public-lite"
    src: str = "private"
    is_nightly: bool = False
    variants: tuple[str, ...] = ()
    """``CLOUD:VARIANT``: what the clouds are like besides, and nothing may fail by it."""
    image: str | None = None
    options: tuple[str, ...] = ()

    @property
    def burst(self) -> int:
        """How many at once; 0: no burst."""
        return next((int(one.partition("=")[2]) for one in self.options if one.startswith(f"{BURST}=")), 0)

    @property
    def id(self) -> str:
        return "+".join((*(one.spec for one in self.faults), *self.variants, *self.options))


NOT_AFTER_EXPORT = {"EX-1", "EX-2", "EX-3", "EX-4", "EX-5", "EX-6", "EX-7", "EX-8", "TX-1", "LC-2"}
NOT_AFTER_BOOT = NOT_AFTER_EXPORT | {
    "DC-1",
    "TX-3",
    "TX-4",
    "TX-5",
    "TX-6",
    "IM-1",
    "IM-2",
    "IM-3",
    "IM-4",
    "IM-5",
    "IM-6",
    "IM-7",
    "IM-8",
    "IM-9",
    "IM-10",
    "IM-11",
    "IM-12",
    "CV-1",
    "CV-2",
    "CV-3",
    "CV-4",
    "CV-5",
    "CV-6",
    "CV-7",
    "CV-9",
}
SECOND = {"AU-4", "N1-5", "UD-4", "UD-5", "UD-7"}
EVERY_CHECK = frozenset(one.id for one in load_guideline().asked(()).requirements)
AFTER_EXPORT = EVERY_CHECK - NOT_AFTER_EXPORT
AFTER_IMPORT = AFTER_EXPORT - {"TX-5", "TX-6", "IM-1", "IM-3", "IM-4", "IM-5", "IM-8", "IM-9", "IM-11"}
AFTER_BOOT = EVERY_CHECK - NOT_AFTER_BOOT - {"BT-1", "BT-2"}
JUDGED_UNTOLD = {"AP-3", "BT-3", "BT-4", "BT-8", "BT-11", "N1-1", "N1-3", "N1-8", "N1-9", "PV-1", "PV-3", "PV-4"} | {
    *("MD-8", "MD-9", "MD-11", "MD-13", "AU-2", "AU-3", "AU-5", "AU-6", "AU-7", "AU-8", "AU-9"),
}
"""What is judged, or has nothing to judge, of a guest on one network that came up and was told nothing."""

FROM_INSIDE = frozenset(
    {
        "BT-6",
        "BT-7",
        "BT-9",
        "BT-10",
        "PV-6",
        "PV-7",
        "MD-4",
        "MD-5",
        "MD-6",
        "MD-7",
        "MD-12",
        "MD-14",
        "N1-2",
        "N1-6",
        "N1-7",
        "N2-9",
        "N2-13",
    }
)
"""What only somebody who is logged in can ask."""
NOBODY_INSIDE = (
    frozenset({"BT-5", "PV-2", "PV-5", "N1-4", "N2-3", "N2-5", "N2-6", "N2-8", "AU-10", "AP-2", "UD-8"})
    | FROM_INSIDE
    | SECOND
)
"""What cannot be tried where nobody can log in."""

FLOWS = (
    # On a real Xen; each breaks another part.
    Flow(
        (
            fault("public:xs_500", "N2-11"),
            fault("public:xs_gw6_key", "N2-12"),
            fault("public:xs_no_pv", "PV-4"),
            fault("public:xs_kdf", "AU-9"),
            fault("public:vhd_align", "CV-3 CV-4 CV-5"),
            fault("public:hvc0_getty", "BT-5"),
            fault("public:acpi_off", "PV-5"),
        ),
        dst="public",
        is_nightly=True,
    ),
    # The hash of half an image says nothing. What the source is not, its profile notwithstanding, is seen all the same.
    Flow(
        (
            fault("private:truncate_tail=4096", "EX-2"),
            fault("private:console_closed", "DC-1"),
            fault("private:import_closed", "DC-1"),
        ),
        blocked=AFTER_EXPORT | {"EX-3", "EX-6"},
    ),
    # What of an image cannot be read never comes, however often it is asked for. Half an image has no hash to judge.
    Flow((fault("private:cut_after=37", "TX-3 EX-2"),), blocked=AFTER_EXPORT | {"EX-3"}, is_nightly=True),
    Flow(
        (
            fault("private:range=ignore", "TX-1"),
            fault("public-lite:put_forbidden", "IM-5"),
            # What small images show.
            fault("public-lite:methods_mismatch", "IM-1"),
            fault("public-lite:drop_task_msg", "IM-4"),
            fault("public-lite:strict_mbr", "IM-6"),
            fault("public-lite:inspector", "IM-7"),
            fault("public-lite:ssrf_guard", "IM-8"),
            fault("public-lite:orphan", "IM-12"),
            fault("public-lite:flip_bit_conv", "CV-2"),
            fault("public-lite:desparsify", "TX-4"),
            fault("public-lite:dhcp_wrong_gw", "N1-1"),
            # Whoever answers in the app's place has not her payload either.
            fault("public-lite:wrong_target", "AP-1", "AP-5"),
            fault("public-lite:iid_same", "UD-4 UD-7 AU-4"),
            fault("public-lite:rebuild_stale", "UD-5 UD-7"),
        )
    ),
    # A disk that does not boot says so on the console. Each server that stays is waited for until its time is up, and
    # fewest are made here.
    Flow(
        (fault("public-lite:no_boot", "BT-1", "BT-2"), fault("public-lite:delete_202_noop", "LC-2")),
        blocked=AFTER_BOOT,
    ),
    # Without network_data nobody knows of the second NIC: nothing can be said of its driver.
    # Nor does anybody learn of one that comes later, where there is no DHCP.
    Flow(
        (fault("public-lite:nd_empty", "N2-1", "N2-5"),),
        blocked=frozenset({"N2-4", "N2-7", "PV-1", "PV-2"}),
        is_nightly=True,
    ),
    # The same where the config drive is all there is: NICs need no driver, and no running guest is told of a new one.
    Flow(
        (fault("configdrive-iso:nd_empty", "N2-1"),),
        blocked=frozenset({"N2-4"}),
        dst="configdrive-iso",
        is_nightly=True,
    ),
    Flow(
        (
            fault("public-lite:swap_identity", "MD-3", "MD-10"),
            fault("public-lite:vhd_probe", "IM-10"),
            # Where PUT is open to tenants, as it is not with IM-5's fault.
            fault("public-lite:quota_half", "IM-11"),
            fault("public-lite:hvc0_getty", "BT-5"),
            fault("public-lite:acpi_off", "PV-5"),
            # What DHCP and the network do to the first NIC; and an address of home that the guest prefers.
            fault("public-lite:dhcp_mtu", "N1-2"),
            fault("public-lite:dns_dead", "N1-6"),
            fault("public-lite:renew_drop", "N1-7"),
            fault("public-lite:dhcp_options_lost", "N1-9"),
            fault("private:stale_static", "N1-5 N2-13"),
            # A store that reads no parts, as those on rbd or swift: no defect.
            fault("private:range=refuse", ""),
            # What the image leaves home with: neither words, nor a size, nor a sound file system, nor clean files.
            fault("private:drop_props", "EX-5"),
            fault("private:virtual_size", "EX-6"),
            fault("private:no_quiesce", "EX-7"),
            fault("private:dirty_image", "EX-8 N1-4"),
        ),
        variants=("public-lite:token_ttl=5", "public-lite:mbr_checked"),
    ),
    # Each is waited for until its time is up, so this takes minutes; N2-5 fails with nd_empty as well.
    Flow(
        (
            fault("public-lite:hotplug_silent", "N2-5"),
            fault("public-lite:stale_link", "N2-6"),
            fault("public-lite:pmtu_blackhole", "AP-3"),
        ),
        is_nightly=True,
    ),
    # The second NIC by DHCP alone: what is attached there later gets no address either.
    Flow(
        (fault("multinic-dhcp:dhcp2_dead", "N2-1", "N2-5"),),
        blocked=frozenset({"N2-4"}),
        dst="multinic-dhcp",
        is_nightly=True,
    ),
    # Two networks on one NIC, of which the second has no other way to the guest.
    Flow(
        (fault("vlan:vlan_parent_gone", "N2-9"),),
        blocked=frozenset({"N2-1", "N2-4", "PV-1"}),
        dst="vlan",
        is_nightly=True,
    ),
    Flow((fault("multinic-jumbo:opt121_missing", "N1-3 N2-10"),), dst="multinic-jumbo", is_nightly=True),
    # Nobody can look inside a guest that nobody can log in to.
    Flow(
        (
            fault("private:range=shifted", "TX-1 TX-3"),
            fault("public-lite:pw_ignored", "AU-5"),
            fault("public-lite:iid_changes", "UD-3 LC-1"),
        ),
        blocked=NOBODY_INSIDE | {"AU-9"},
    ),
    # The metadata service, asked from inside, by guests whose NICs are in another order than the API's. On the way
    # there tokens die, early and in the middle of an upload.
    Flow(
        (
            fault("public-lite:fw", "BT-6"),
            fault("public-lite:rtc_skew", "BT-9"),
            fault("private:cut_once=37", ""),
            fault("public-lite:token_half", "TX-5"),
            fault("public-lite:404_as_500", "MD-2 MD-4"),
            fault("public-lite:latin1", "MD-5"),
            fault("public-lite:trust_headers", "MD-6"),
            fault("public-lite:by_ip_only", "MD-7"),
            fault("public-lite:md_slow", "MD-12"),
            fault("public-lite:cache", "MD-14"),
        ),
        variants=("public-lite:nic_order", "private:token_ttl=5"),
    ),
    # Nothing but what the host writes into the disk: no DHCP, no metadata service, no user data.
    Flow(
        (
            fault("injected:file_traversal", "UD-8"),
            fault("injected:ud_trunc", "UD-6"),
            fault("injected:stale_key", "AU-2"),
        ),
        dst="injected",
    ),
    # The way back, RAW all along; vendor data of a service, and the EC2 tree, are the private cloud's.
    Flow(
        (
            fault("private:bus=ide", "PV-1"),
            fault("private:qcow2_zstd", "CV-6"),
            fault("private:vd_dead", "MD-13"),
            fault("private:ec2_uuid_id", "MD-11"),
            fault("private:ip_changes", "AP-4 LC-1"),
        ),
        src="public-lite",
        dst="private",
    ),
    # The config drive alone, of both kinds: VFAT at home, ISO 9660 abroad.
    Flow(
        (
            fault("configdrive-iso:cd_label", "MD-9"),
            fault("configdrive-iso:nd_type", "MD-15"),
            fault("configdrive-iso:cd_adminpass", "AU-8"),
        ),
        src="configdrive-vfat",
        dst="configdrive-iso",
        is_nightly=True,
    ),
    # A guest that posts a password, and keys as people leave them.
    Flow(
        (
            fault("posted-password:same_hostkeys", "AU-3 AU-4"),
            # Where VHDs are stored, CV-7 could not tell a refusal from an import that hangs.
            fault("posted-password:import_hang", "IM-3"),
            fault("posted-password:pw_overwrite", "AU-6"),
            fault("posted-password:key_replaces", "AU-10"),
            fault("posted-password:key_nonl", "AU-11"),
            fault("posted-password:mac_changes", "LC-1"),
        ),
        dst="posted-password",
        is_nightly=True,
    ),
    Flow((fault("posted-password:pw_lost", "AU-6"),), dst="posted-password", is_nightly=True),
    # From a cloud without IPv4 to one with both, whose router says of IPv6 what neither API nor metadata say.
    Flow(
        (fault("ipv6:v6_mode_mix", "N1-8"), fault("ipv6:v6_md_off", "MD-8")),
        src="ipv6-only",
        dst="ipv6",
        is_nightly=True,
    ),
    # IPv6 all the way: agent, login and application.
    Flow(
        (
            fault("ipv6-only:v6_mode_mix", "N1-8"),
            fault("ipv6-only:sg_open", "AP-2"),
            fault("ipv6-only:hotplug_silent", "N2-5"),
            fault("ipv6-only:md_listing_html", "MD-1"),
        ),
        dst="ipv6-only",
        is_nightly=True,
    ),
    # Nobody answers where metadata is all that a guest is told by: it runs, and knows neither key nor user data.
    Flow(
        (fault("rawstore:md_off", "MD-2 MD-10 MD-16", "AU-1"),),
        blocked=AFTER_BOOT - JUDGED_UNTOLD,
        dst="rawstore",
        is_nightly=True,
    ),
    # The EC2 tree alone: an instance is known by its EC2 id.
    Flow(
        (fault("ec2-only:md_listing_html", "MD-1"), fault("ec2-only:iid_changes", "UD-3 LC-1")),
        src="vmdk",
        dst="ec2-only",
        is_nightly=True,
    ),
    # Jumbo frames without DHCP, and host routes; the guest's agent errs where two of its NICs share a network.
    Flow(
        (
            fault("multinic-jumbo:nd_mtu", "N2-7"),
            fault("multinic-jumbo:dhcp_mtu=none", "N1-2"),
            fault("multinic-jumbo:drop_routes", "N1-3 N2-10"),
            fault("multinic-jumbo:no_policy_route", "N2-3"),
        ),
        dst="multinic-jumbo",
        is_nightly=True,
    ),
    # On the way home: a boot at home again, and one of the copy beside it.
    Flow(
        (fault("private:stage_lost", "RT-1"),),
        blocked=frozenset({"RT-2", "RT-3"}),
        options=("--return-trip",),
        is_nightly=True,
    ),
    Flow(
        (fault("public-lite:old_snapshot", "RT-2"), fault("private:same_hostkeys", "RT-3")),
        options=("--return-trip",),
        is_nightly=True,
    ),
    # Four at once; each of these touches another check. Of those that never came nothing can be said.
    Flow(
        (
            fault("public-lite:burst_same_identity", "BU-2"),
            fault("public-lite:burst_neighbour", "BU-3"),
            fault("public-lite:burst_one_nic", "BU-4"),
        ),
        options=(f"{BURST}=4",),
        is_nightly=True,
    ),
    Flow(
        (fault("public-lite:burst_short=1", "BU-1"), fault("public-lite:delete_202_noop", "BU-5 LC-2")),
        blocked=frozenset({"BU-2", "BU-3", "BU-4"}),
        options=(f"{BURST}=4",),
        is_nightly=True,
    ),
    # What travels is not what it is said to be.
    Flow((fault("private:flip_bit_at", "EX-3"),), blocked=AFTER_EXPORT, is_nightly=True),
    Flow((fault("private:mislabel", "EX-4"),), blocked=AFTER_IMPORT, is_nightly=True),
    Flow((fault("private:export_overlay", "EX-1"),), blocked=AFTER_EXPORT, is_nightly=True),
    Flow((fault("public-lite:stage_lost", "IM-2"),), blocked=AFTER_IMPORT, is_nightly=True),
    # Without her app nothing listens in the guest, and her own key, which is written at home, stays there too.
    Flow(
        (fault("private:old_snapshot", "AP-1 AP-5 UD-2", "UD-7 AU-10"),),
        unseen=frozenset({"N1-5", "AP-2"}),
        is_nightly=True,
    ),
    Flow(
        (
            fault("public-lite:flip_bit_store", "IM-9 CV-2"),
            fault("public-lite:size", "CV-7"),
            fault("public-lite:smbios", "BT-8"),
            fault("public-lite:two_gw", "N2-2"),
            fault("public-lite:cd_stale", "MD-10"),
        ),
        is_nightly=True,
    ),
    # Nobody gets in with the key that was asked for.
    Flow(
        (
            fault("private:convert=raw", "CV-1"),
            fault("private:wrong_key", "AU-1 AU-2"),
            fault("private:ec2_stale", "MD-10"),
        ),
        blocked=NOBODY_INSIDE | {"AU-11"},
        src="public-lite",
        dst="private",
        is_nightly=True,
    ),
    Flow((fault("public-lite:console", "BT-4"), fault("public-lite:shuffle_links", "N2-1 N2-4")), is_nightly=True),
    Flow((fault("public-lite:initrd_no_root", "BT-1 BT-2"),), blocked=AFTER_BOOT, is_nightly=True),
    Flow((fault("public-lite:bad_bundle", "PV-1 PV-2"),), is_nightly=True),
    Flow((fault("public-lite:ud_missing", "UD-1 UD-2 UD-4 UD-5 UD-7"),), is_nightly=True),
    # A channel that is there, and nobody speaks.
    Flow(
        (fault("private:md_off", "MD-2 MD-10 MD-16", "AU-1"),),
        blocked=NOBODY_INSIDE
        | {"AP-1", "AP-4", "AP-5", "AU-11", "LC-1", "MD-1", "MD-3", "MD-11", "MD-13", "MD-15"}
        | {"N2-1", "N2-2", "N2-4", "N2-7", "N2-10", "N2-11", "N2-12", "UD-1", "UD-2", "UD-3", "UD-6"},
        src="public-lite",
        dst="private",
        is_nightly=True,
    ),
    # A key that encrypts nothing, and an API that shows a password all the same.
    Flow(
        (fault("posted-password:pw_foreign", "AU-7"),),
        dst="posted-password",
        variants=("posted-password:other_key_type",),
        is_nightly=True,
    ),
    # What is benign, and nothing else: nothing may fail.
    Flow(
        variants=(
            *(
                f"private:{one}"
                for one in ("extra_metadata", "larger_disk", "extra_network", "extra_groups", "vd_down")
            ),
            *(f"private:{one}" for one in ("overlay_mtu", "other_key_type", "export_format=qcow2")),
            *(f"public-lite:{one}" for one in ("nic_order", "extra_metadata", "other_flavor", "slow", "more_images")),
            *(f"public-lite:{one}" for one in ("long_names", "console_escapes", "extra_network", "extra_groups")),
        ),
        is_nightly=True,
    ),
    Flow(
        variants=(
            *(f"public-lite:{one}" for one in ("export_tgz", "larger_disk", "overlay_mtu")),
            *(f"private:{one}" for one in ("long_names", "console_escapes", "other_flavor", "slow", "more_images")),
            *(f"private:{one}" for one in ("other_key_type", "vd_down", "token_ttl=20")),
        ),
        src="public-lite",
        dst="private",
        is_nightly=True,
    ),
)
