"""Anne's golden flow. Reads top to bottom like the story.

Anne runs an application on a private cloud and wants it on a public one: export the image in RAW, import it, the cloud
converts it to its own format, boot, DHCP on the primary NIC, the agent reaches metadata, configures the secondary NIC,
installs PV drivers, runs user data; she logs in, her app answers, and at the end nothing is left on either cloud.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace

from golden_flows.clouds import mover
from golden_flows.clouds.mover import Spooled
from golden_flows.errors import InteropError, RecordError
from golden_flows.flows import (
    application,
    as_seen,
    auth,
    burst,
    conversion,
    declared,
    devices,
    files,
    home,
    import_probes,
    limits,
    return_trip,
    shim_inside,
    transfer_record,
    twin,
    user_data,
    watch,
    ways_in,
)
from golden_flows.flows.golden_flow import StageFunction, StageStopped
from golden_flows.flows.home import SourceImage
from golden_flows.flows.instance import Instance, has_address
from golden_flows.flows.record import Record
from golden_flows.flows.setting import (
    CLEANUP_TIMEOUT_S,
    LIMITS_TIMEOUT_S,
    TRANSFER_TIMEOUT_S,
    Setting,
    request,
)
from golden_flows.flows.shared_source import SourceShelf
from golden_flows.flows.story import (
    METADATA,
    UserData,
    user_data_abroad,
    user_data_at_home,
)
from golden_flows.guests.ssh import KeyPair, generate_key
from golden_flows.model.agent_channels import AgentChannels
from golden_flows.model.cloud import Pair, travelling
from golden_flows.model.discovery import Discovery
from golden_flows.model.ec2 import only_ec2
from golden_flows.model.facts import BootFacts, Facts, Leftover, LifecycleFacts
from golden_flows.model.image_facts import ImportFacts, TokenDeath
from golden_flows.model.import_seen import ImportProbes
from golden_flows.model.network_data import bare_ip
from golden_flows.model.network_schema import opinion
from golden_flows.model.stage import Stage
from golden_flows.model.transfer import TransferFacts
from golden_flows.shims import metadata as metadata_shims
from golden_flows.shims.metadata import MetadataShim
from golden_flows.waiting import Deadline


class Anne:
    """The story of one cell: see the module's docstring; stages in the order of its methods."""

    def __init__(self, setting: Setting, shelf: SourceShelf) -> None:
        self._at = setting
        self._shelf = shelf
        self._source = SourceImage()
        self._key: KeyPair = generate_key(setting.dst.profile.key_kind)
        self._user_data: UserData = user_data_abroad()
        self._files: tuple[files.File, ...] = ()
        self._guest: Instance | None = None
        self._shim: MetadataShim | None = None
        self._inventory_before: dict[str, dict[str, dict[str, str]]] = {}
        self._discovered: dict[str, Discovery] = {}
        pair = Pair(setting.src.name, setting.dst.name)
        self._record = Record(setting.journal, pair)
        self.facts = Facts(pair=pair, src=setting.src.profile, dst=setting.dst.profile)
        self._name = "anne"
        self._image_id: str | None = None
        """Of what boots abroad, where it is not what was imported."""

    @classmethod
    def of_image(cls, at: Setting, image_id: str, *, name: str, record: Record, like: Anne, has_app: bool) -> Anne:
        """The story from ``boot`` on, told of an image that is on ``at.dst`` already: a control (``flows.controls``).

        ``like``: the story of the cell. ``has_app``: whether this image has Anne's app, as hers has; else user data
        installs it.
        """
        told = cls(at, like._shelf)
        told._name, told._image_id, told._record = name, image_id, record
        told.facts = Facts(
            pair=like.facts.pair, src=like.facts.src, dst=at.dst.profile, source_boot=like.facts.source_boot
        )
        if has_app:
            told._source = like._source
        else:
            told._user_data = user_data_at_home()
        return told

    @property
    def source(self) -> SourceImage:
        """What the source gave."""
        return self._source

    @property
    def shim(self) -> MetadataShim | None:
        """Ours, in her image."""
        return self._shim

    @property
    def server_id(self) -> str:
        """Of the instance abroad; empty before it was asked for."""
        return self._guest.server_id if self._guest else ""

    def stages(self) -> Mapping[Stage, StageFunction]:
        return {
            Stage.EXPORT: self.export,
            Stage.TRANSFER: self.transfer,
            Stage.IMPORT: self.import_,
            Stage.CONVERSION: self.conversion,
            Stage.BOOT: self.boot,
            Stage.PRIMARY_NIC: self.primary_nic,
            Stage.METADATA: self.metadata,
            Stage.SECONDARY_NIC: self.secondary_nic,
            Stage.PV_DRIVERS: self.pv_drivers,
            Stage.AUTH: self.auth,
            Stage.USER_DATA: self.user_data,
            Stage.APPLICATION: self.application,
            Stage.RETURN_TRIP: self.return_trip,
            Stage.SECOND_INSTANCE: self.second_instance,
            Stage.BURST: self.burst,
            Stage.LIFECYCLE: self.lifecycle,
        }

    def stage_over(self) -> None:
        self._record.keep_transcript(self._at.clouds)

    # -- at home

    def export(self) -> None:
        """Anne's instance runs on the source with her app; its disk is snapshot and exported as RAW."""
        self._record.stage = Stage.EXPORT
        self._take_inventory()
        key = generate_key(self._at.src.profile.key_kind)
        reads = home.reads(self._at)
        self._shim = metadata_shims.find(reads, self._at.dst.profile.channels) if self._at.shims else None
        self.facts = replace(self.facts, agent_channels=AgentChannels(reads=reads))
        self._source = self._shelf.take(
            self._at.src.name + (f"+{self._shim.name}" if self._shim else ""),
            lambda spool: home.bring_out(self._at, self._record, key, spool, self._shim),
            lambda: self._record.say(f"waiting for the export of {self._at.src.name}, which another cell makes"),
            Deadline.after(TRANSFER_TIMEOUT_S),
        )
        self._at.journal.hide(self._source.account.password)
        self._at.journal.hide(self._source.push_key)
        home.keep_evidence(self._at.src, self._source, self._record)
        if self._source.boot is not None:
            watch.console(self._record, self._at.src.name, "anne-home", self._source.boot.console)
        if self._source.spooled:
            exported = self._source.spooled.facts
            self.facts = replace(self.facts, source_boot=self._source.boot, export=exported)
            self.facts = replace(self.facts, exported_disk=self._source.disk)
        if self._source.profile:
            self.facts = replace(self.facts, src=self._source.profile)
        if damage := home.damage(self.facts.export):
            raise StageStopped(damage)

    # -- on the way

    def transfer(self) -> None:
        """The bytes go over in bounded memory: from a spool that cells share, where they did not go straight on."""
        self._record.stage = Stage.TRANSFER
        spooled = self._spooled()
        transferred, imported = self._moved(spooled)
        self.facts = replace(self.facts, transfer=transferred, imported=imported)
        self._record.say(transfer_record.in_words(transferred))
        self._record.keep(
            "transfer.json", transfer_record.as_json(spooled.facts, transferred), "the mover", "application/json"
        )

    def _moved(self, spooled: Spooled) -> tuple[TransferFacts, ImportFacts]:
        moved = self._source.moved
        if moved is not None:
            if moved.imported is None:
                raise moved.trouble or InteropError("nothing was imported")
            return moved.transfer, moved.imported
        self._record.say(f"importing into {self._at.dst.name}")
        return mover.import_from_spool(
            spooled,
            self._at.dst,
            name="anne",
            properties=travelling(spooled.facts.properties),
            deadline=Deadline.after(TRANSFER_TIMEOUT_S),
            progress=self._record.progress("uploaded"),
        )

    def import_(self) -> None:
        """The destination's Glance takes the image in; beside it, two small images probe the ways of upload."""
        self._record.stage = Stage.IMPORT
        imported = self.facts.imported
        if imported is None:
            raise InteropError("nothing was imported")
        self._record.say("probing the legacy upload")
        imported = replace(imported, probe=self._at.dst.put_probe(Deadline.after(60.0)))
        self._record.say("revoking a token of ours in the middle of a small upload")
        self.facts = replace(self.facts, imported=imported, token_death=self._lose_a_token())
        self._try_small_imports()
        if imported.final_status != "active" or not imported.image_id:
            raise StageStopped(f"the image ended as {imported.final_status!r}: {imported.message or 'no reason given'}")

    def _lose_a_token(self) -> TokenDeath:
        """What cannot be found out here is TX-5's trouble, not the story's."""
        try:
            return self._at.dst.token_probe(Deadline.after(60.0))
        except RecordError:
            raise
        except InteropError as trouble:
            return TokenDeath(way="an upload", sent_bytes=0, message=str(trouble))

    def _try_small_imports(self) -> None:
        """What cannot be found out here costs its own checks."""
        self._record.say("asking for small images: sound, odd, doomed, hostile")
        cloud, owned = self._at.dst, self._at.may_attack(self._at.dst)
        try:
            seen = import_probes.look(cloud, self._at.scratch, Deadline.after(120.0), owned=owned)
        except RecordError:
            raise
        except InteropError as trouble:
            seen = ImportProbes(trouble=str(trouble))
        self.facts = replace(self.facts, import_probes=seen)
        self._record.keep(
            "small-images.json", import_probes.as_json(seen), f"{cloud.name} Image API", "application/json"
        )

    def conversion(self) -> None:
        """The image as the destination stores it now, read back and expanded to RAW."""
        self._record.stage = Stage.CONVERSION
        imported, image_id = self._imported()
        facts = conversion.read_back(self._at, self._spooled(), imported, image_id, self._record)
        self.facts = replace(self.facts, conversion=facts)

    # -- abroad

    def boot(self) -> None:
        """Anne's image boots on the destination with all its NICs, and its agent reports."""
        self._record.stage = Stage.BOOT
        abroad, image_id = self._at.dst, self._image_id or self._imported()[1]
        self._record.say(f"booting on {abroad.name}")
        image = abroad.show_image(image_id)
        self._guest = Instance(
            *(abroad, self._at.journal, self._at.run_id, self._record.say),
            properties=image.properties,
            push_key=self._source.push_key,
        )
        self.facts = replace(self.facts, dst=self._guest.profile)
        self._user_data = self._guest.fitting(self._user_data)
        self._files = files.wanted(abroad, self._user_data)
        deadline = Deadline.after(self._guest.profile.boot_timeout_s)
        asked = request(abroad, image, self._name, self._user_data, self._key, self._files)
        asked = replace(asked, metadata=METADATA)
        facts = self._guest.launch(asked, deadline)
        self.facts = replace(self.facts, boot=facts)
        facts = self._guest.testimony(facts, deadline)
        self.facts = replace(self.facts, boot=facts)
        facts = self._through_shim(facts)
        self._record.keep(f"{abroad.name}.anne.console.log", facts.console, f"{abroad.name} os-getConsoleOutput")
        watch.console(self._record, abroad.name, "anne", facts.console)
        if facts.status != "ACTIVE":
            raise StageStopped(f"server is {facts.status}: {facts.fault or 'no fault message'}")
        if facts.report is None:
            raise StageStopped(f"ACTIVE, but no report from the guest within {facts.waited_s or 0.0:.0f} s")

    def _through_shim(self, boot: BootFacts) -> BootFacts:
        """The boot as seen through the shim, where there is one: it reads the cloud's channel in the agent's place."""
        if self._shim is None or boot.report is None:
            return boot
        self._record.say(f"asking the shim {self._shim.name} what it saw")
        known, report = shim_inside.first_boot(self._abroad(), self._shim, boot.report, self.facts.agent_channels)
        boot = replace(boot, report=report)
        self.facts = replace(self.facts, boot=boot, agent_channels=known)
        return boot

    def primary_nic(self) -> None:
        """The first NIC's address, by DHCP or however the cloud tells it."""
        self._record.stage = Stage.PRIMARY_NIC
        boot = self._booted()
        if boot.report:
            self._record.keep("leases.json", as_seen.leases(boot.report), "guest agent", "application/json")
        if boot.report and not has_address(boot, boot.report):
            raise StageStopped("the guest got no address on its first NIC")

    def metadata(self) -> None:
        """The agent reached a configuration channel."""
        self._record.stage = Stage.METADATA
        report = self._booted().report
        if report:
            told = as_seen.metadata(report)
            self._record.keep("metadata.asked.json", told, "guest agent, as served", "application/json")
            served = json.dumps(dict(report.network_data), indent=1)
            self._record.keep("network_data.json", served, "guest agent, as served", "application/json")
            self._record.keep("network_data.schema.txt", opinion(report.network_data), "nova's schema and beyond")
            if not any(channel.present for channel in report.channels):
                raise StageStopped("the guest agent found no configuration channel")

    def secondary_nic(self) -> None:
        """The second NIC, configured by MAC from network_data."""
        self._record.stage = Stage.SECONDARY_NIC
        boot = self._booted()
        for port in boot.ports[1:]:
            if boot.report is None:
                return
            link = boot.report.link(port.mac)
            if link is None:
                raise StageStopped(f"the guest has no NIC for {port.name}")
            told_of = not only_ec2(boot.report, self.facts.dst.channels)
            if told_of and port.fixed_ip and bare_ip(port.fixed_ip) not in map(bare_ip, link.addresses):
                raise StageStopped(f"{link.name}, the NIC of {port.name}, lacks its address")

    def pv_drivers(self) -> None:
        """Paravirtual drivers: devices before and after, as the agent saw them, of both boots where there were two."""
        self._record.stage = Stage.PV_DRIVERS
        boot = self._booted()
        if boot.report:
            at_home = self.facts.source_boot.report if self.facts.source_boot else None
            told = devices.table(boot.report, boot.earlier, at_home)
            self._record.keep("devices.txt", told, "guest agents of both clouds, sysfs")

    def auth(self) -> None:
        """Anne logs in the way she asked for, and with another password she sets; others do not."""
        self._record.stage = Stage.AUTH
        guest = self._abroad()
        self.facts = auth.try_and_look(
            self._at, guest, self._booted(), self._source.account, self._files, self.facts, self._record
        )
        if stopped := auth.why_stopped(guest, self.facts):
            raise StageStopped(stopped)

    def user_data(self) -> None:
        """A further NIC comes and goes. Then: user data ran once; a stop and a start do not run it again."""
        self._record.stage = Stage.USER_DATA
        guest, imported = self._abroad(), self.facts.imported
        self.facts = user_data.disturb(guest, self._booted(), self._user_data, self._shim, self.facts, self._record)
        if imported is not None and imported.image_id:
            self._record.say("asking the API for what it must take, and what it must refuse")
            with contextlib.suppress(InteropError):
                asked = limits.ask(guest.cloud, imported.image_id, Deadline.after(LIMITS_TIMEOUT_S))
                self.facts = replace(self.facts, limits=asked)

    def application(self) -> None:
        """Her app answers from outside with the nonce of this launch; what was not opened is closed."""
        self._record.stage = Stage.APPLICATION
        guest = self._abroad()
        self._record.say("asking Anne's app from outside")
        can_look = self.facts.auth is not None and ways_in.is_in(self.facts.auth.attempts)
        app = application.ask(guest, self._user_data.nonce, self._source.payload_sha256, can_look=can_look)
        if app.kernel_log:
            self._record.keep("kernel.file-systems.txt", "\n".join(app.kernel_log.lines), "dmesg in the guest")
        self.facts = replace(self.facts, application=app)

    def return_trip(self) -> None:
        """Where it was asked for: hers goes home again, with what it gained abroad."""
        self._record.stage = Stage.RETURN_TRIP
        later, restarted = self.facts.second_instance, self.facts.user_data
        # It may have been rebuilt by now, as a machine with other host keys.
        rebuilt = later.rebuilt.report if later and later.rebuilt else None
        report = rebuilt or (restarted.after_reboot if restarted else None) or self._booted().report
        abroad = return_trip.Abroad(self._abroad(), report, self._source)
        trip = return_trip.bring_back(self._at, abroad, self._record)
        self.facts = replace(self.facts, return_trip=trip)
        if trip.stopped:
            raise StageStopped(trip.stopped)

    def second_instance(self) -> None:
        """A twin from a snapshot of hers is another machine; and hers, rebuilt, gets what it is rebuilt with."""
        self._record.stage = Stage.SECOND_INSTANCE
        (_, image_id), guest, boot = self._imported(), self._abroad(), self._booted()
        known = twin.boot_ids_of(guest, boot, self.facts.user_data.after_reboot if self.facts.user_data else None)
        seen = twin.boot_twin_and_rebuild(self._at, guest, boot, known, image_id, self._key, self._record.say)
        self.facts = replace(self.facts, second_instance=seen)

    def burst(self) -> None:
        """Where it was asked for: many of the imported image at once, all at work, and each a machine of its own."""
        self._record.stage = Stage.BURST
        _, image_id = self._imported()
        seen = burst.burst(self._at, self._abroad(), self._at.dst.show_image(image_id), self._record)
        self.facts = replace(self.facts, burst=seen)
        if seen.failed and not seen.error:
            raise StageStopped(f"{len(seen.up)} of {seen.asked} instances came up")

    # -- and nothing is left

    def lifecycle(self) -> None:
        """Everything made is deleted on both clouds; inventories before and after prove it."""
        self._record.stage = Stage.LIFECYCLE
        self._tell_what_was_discovered()
        self._record.keep_cloud_evidence(self._at.clouds)
        for cloud in self._at.clouds:
            watch.consoles(self._record, cloud)
        self._record.say("deleting everything, and looking whether it is gone")
        leftovers: list[Leftover] = []
        errors: list[str] = []
        made = 0
        for cloud in self._at.clouds:
            report = cloud.cleanup(Deadline.after(CLEANUP_TIMEOUT_S))
            made += len(report.removed) + len(report.leftovers)
            leftovers += report.leftovers
            errors += report.failures
        after = {cloud.name: cloud.inventory() for cloud in self._at.clouds}
        self._record.keep(
            "inventory.json",
            json.dumps({"before": self._inventory_before, "after": after}, indent=1),
            "inventories of both clouds",
            "application/json",
        )
        self.facts = replace(
            self.facts,
            lifecycle=LifecycleFacts(
                before=_counts(self._inventory_before),
                after=_counts(after),
                made=made,
                leftovers=tuple(leftovers),
                errors=tuple(errors),
            ),
        )

    # -- small print

    def _tell_what_was_discovered(self) -> None:
        """Both clouds as they were found, beside what is declared of them."""
        found = declared.both(self.facts, self._discovered)
        self.facts = replace(self.facts, discovered=found)
        for profile, seen in ((self.facts.src, found.src), (self.facts.dst, found.dst)) if found else ():
            told = declared.table(profile, seen)
            self._record.keep(f"{profile.cloud}.declared-discovered.txt", told, "APIs, reading only")

    def _take_inventory(self) -> None:
        for cloud in self._at.clouds:
            self._inventory_before[cloud.name] = cloud.inventory()
            self._discovered[cloud.name] = cloud.discover()

    def _spooled(self) -> Spooled:
        if self._source.spooled is None:
            raise InteropError("nothing was exported")
        return self._source.spooled

    def _imported(self) -> tuple[ImportFacts, str]:
        """How it was imported, and the image's id."""
        imported = self.facts.imported
        if imported is None or imported.image_id is None:
            raise InteropError("nothing was imported")
        return imported, imported.image_id

    def _booted(self) -> BootFacts:
        if self.facts.boot is None:
            raise InteropError("nothing was booted")
        return self.facts.boot

    def _abroad(self) -> Instance:
        if self._guest is None:
            raise InteropError("nothing was booted")
        return self._guest


def _counts(inventories: Mapping[str, Mapping[str, Mapping[str, str]]]) -> dict[str, dict[str, int]]:
    return {cloud: {kind: len(ids) for kind, ids in kinds.items()} for cloud, kinds in inventories.items()}
