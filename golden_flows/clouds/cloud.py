"""One cloud, through openstacksdk, behind the small surface that the flows need."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from openstack import exceptions as sdk_errors

from golden_flows.clouds import deletion, discovery, headroom, image_import, images, interfaces, servers, token_probe
from golden_flows.clouds import networks as network_api
from golden_flows.clouds.config import CloudConfig
from golden_flows.clouds.download import Road, download
from golden_flows.clouds.fleet import Fleet
from golden_flows.clouds.records import (
    Download,
    FlavorRef,
    ImageRef,
    NetworkRef,
    Progress,
    ServerRef,
    ServerRequest,
    ServerState,
)
from golden_flows.clouds.session import ApiSession, reason_of
from golden_flows.clouds.small_imports import SmallImports
from golden_flows.clouds.sparse import SparseWriter
from golden_flows.clouds.transcript import Exchange
from golden_flows.clouds.upload import Body, Upload
from golden_flows.errors import CloudError, Unsupported, UsageError
from golden_flows.journal import Journal
from golden_flows.ledger import CleanupReport, Ledger
from golden_flows.model.cloud import Profile
from golden_flows.model.discovery import Discovery
from golden_flows.model.facts import PortFacts
from golden_flows.model.files import Answer
from golden_flows.model.headroom import Limit
from golden_flows.model.image_facts import ImportFacts, PutProbe, TokenDeath
from golden_flows.waiting import Deadline

PROBE_BYTES = 1024 * 1024
RUN_TAG = "interop_run"
"""Metadata key, on servers and images, whose value is the run's id."""


class Cloud:
    """A context manager; leaving it closes connections and deletes nothing (that is ``cleanup``)."""

    def __init__(self, config: CloudConfig, api: ApiSession, ledger: Ledger, journal: Journal) -> None:
        self.name: str = config.name
        self.profile: Profile = config.profile
        self.config = config
        self._api, self._ledger, self._journal = api, ledger, journal
        self._asked_at_s: dict[str, float] = {}
        """When each server was asked for, by its id."""

    def __enter__(self) -> Cloud:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._api.close()

    def take_transcript(self) -> tuple[list[Exchange], int]:
        """What was asked of its APIs since the last time, by whatever part of this, and what came back."""
        return self._api.transcript.take()

    # -- what it is

    def preflight(self) -> str:
        """Authenticate and say in one line who we are and what answered.

        Raises ``UsageError`` for a wrong password, ``CloudError`` when the API or a service of it does not answer.
        """
        with self._api.guard("logging in"):
            session = self._api.sdk.session
            self._journal.hide(session.get_token())
            auth: Any = session.auth
            access = auth.get_access(session)
            who = f"{access.username or access.user_id} in project {access.project_name or access.project_id}"
        newest = servers.newest_microversion(self._api)
        for service, path in (("compute", "/limits"), ("image", "/images?limit=1"), ("network", "/extensions")):
            self._api.ask(service, "GET", path)
        return f"{who} at {self._api.auth_url}; compute up to {newest[0]}.{newest[1]}"

    def clock_ahead_s(self) -> float:
        """By how much the compute API's clock is ahead of this machine's, to the second. Raises ``CloudError``."""
        response = self._api.ask("compute", "GET", "/limits")
        now_s = time.time()
        try:
            told = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError) as error:
            raise CloudError(f"cloud {self.name!r}: the compute API's answer has no Date") from error
        return told.timestamp() - now_s

    def find_named(self, *, needs_image: bool) -> None:
        """Look up whatever the profile names. Raises ``UsageError`` saying what is there instead.

        ``needs_image``: whether it is a source, which must have an image to start from.
        """
        profile = self.profile
        if needs_image:
            self.source_image()
        self.find_networks(profile.networks)
        self.check_floating_network()
        if profile.flavor:
            self.pick_flavor(profile.flavor, 0, 0)

    def check_floating_network(self) -> None:
        """Raises ``UsageError`` where the profile names one that is not there, or gives out no floating IPs."""
        if self.profile.floating_network:
            network_api.find_external(self._api, self.profile.floating_network)

    def discover(self) -> Discovery:
        """What the cloud says of itself to this tenant, before anything is made on it."""
        return discovery.discover(self._api)

    # -- what is there

    def find_image(self, name: str) -> ImageRef:
        """The newest active image of exactly this name (or id). Raises ``UsageError`` naming those that exist."""
        with self._api.guard("listing images"):
            listed = [one for one in self._api.sdk.image.images() if one.status == "active"]
        matches = [one for one in listed if name in (one.name, one.id)]
        if not matches:
            known = ", ".join(sorted({str(one.name) for one in listed})[:20]) or "none"
            raise UsageError(f"cloud {self.name!r} has no active image {name!r}", f"active images: {known}")
        return self.show_image(str(max(matches, key=lambda one: str(one.created_at or "")).id))

    def source_image(self) -> ImageRef:
        """The image that Anne starts from here. Raises ``UsageError`` when none is named, or it does not exist."""
        if not self.profile.image:
            raise UsageError(
                f"cloud {self.name!r} does not say which image Anne starts from",
                "name a Glance image: --image NAME, or in clouds.yaml: interop: {image: NAME}",
            )
        return self.find_image(self.profile.image)

    def own_image(self) -> ImageRef:
        """The image that this cloud's entry names, whatever ``--image`` says. Raises ``UsageError``."""
        if not self.config.own_image:
            raise UsageError(
                f"cloud {self.name!r} names no image of its own", "name one in clouds.yaml: interop: {image: NAME}"
            )
        return self.find_image(self.config.own_image)

    def show_image(self, image_id: str) -> ImageRef:
        return images.show(self._api, image_id)

    def find_networks(self, names: Sequence[str]) -> tuple[NetworkRef, ...]:
        """In the order asked; no names: the project's only network. Raises ``UsageError``."""
        return network_api.find_networks(self._api, names)

    def pick_flavor(self, name: str | None, min_disk_bytes: int, min_ram_mib: int) -> FlavorRef:
        """The flavor of that name, or the smallest that fits (a flavor without a disk fits any image)."""
        return servers.pick_flavor(self._api, name, min_disk_bytes, min_ram_mib)

    def inventory(self) -> dict[str, dict[str, str]]:
        """What the project owns, kind -> id -> name: ``server``, ``image``, ``port``, ``keypair``, ….

        Without what other runs, or other processes of this run, have there: that comes and goes on its own.
        """
        with self._api.guard("listing what the project owns"):
            return deletion.inventory(self._api, self._ledger)

    # -- what is made: names get the run's prefix, and every resource is in the ledger before it is made

    def create_keypair(self, name: str, public_key: str) -> str:
        """Returns the key pair's name with the run's prefix."""
        full = self._full(name)
        key = self._ledger.planned(self.name, "keypair", full)
        with self._api.guard("creating a key pair"):
            self._api.sdk.compute.create_keypair(name=full, public_key=public_key)
        self._ledger.created(key, full)
        return full

    def create_security_group(self, name: str, tcp_ports: Sequence[int]) -> str:
        """Lets in these TCP ports and ICMP from anywhere; returns the id."""
        full = self._full(name)
        key = self._ledger.planned(self.name, "security_group", full)
        with self._api.guard("creating a security group"):
            group_id = str(self._api.sdk.network.create_security_group(name=full, description=full).id)
        self._ledger.created(key, group_id)
        network_api.open_ports(self._api, group_id, tcp_ports)
        return group_id

    def boot(self, asked: ServerRequest, deadline: Deadline) -> ServerRef:
        """Ask for a server and return at once. ``asked.name`` gets the run's prefix, its metadata the run's tag."""
        full = self._full(asked.name)
        self._journal.hide(asked.admin_password)
        self._journal.hide(asked.user_data)
        key = self._ledger.planned(self.name, "server", full)
        asked_at_s = deadline.clock.now_s()
        tagged = replace(asked, name=full, metadata={**asked.metadata, RUN_TAG: self._ledger.run})
        server = servers.create(self._api, tagged)
        server_id = str(server["id"])
        self._ledger.created(key, server_id)
        self._asked_at_s[server_id] = asked_at_s
        answered = server.get("adminPass")
        password = answered if isinstance(answered, str) else asked.admin_password
        self._journal.hide(password)
        return ServerRef(server_id, full, password)

    def fleet(self, name: str, count: int) -> Fleet:
        """``count`` servers called ``name-1`` …, to be asked for together."""
        return Fleet(self._api, self._ledger, self._journal, name, count)

    def headroom(self, networks: Sequence[NetworkRef], flavor: FlavorRef) -> tuple[Limit, ...]:
        """What bounds the number of servers of this flavor on these networks, as far as this tenant may read it."""
        return headroom.read(self._api, networks, flavor, floating=self.profile.floating_network)

    def files_allowed(self) -> int:
        """How many files a server may be asked for with; 0: none."""
        return servers.files_allowed(self._api)

    def ask_for_server(
        self,
        asked: ServerRequest,
        words: str,
        deadline: Deadline,
        *,
        user_data_base64: str | None = None,
        files: Sequence[tuple[str, bytes]] = (),
        until_built: bool = False,
    ) -> Answer:
        """Ask for a server that may well be refused, and delete it at once; ``words`` say what is asked.

        ``until_built``: a host may refuse what the API took, so the server is followed until it is ACTIVE or in ERROR.
        """
        full = self._full(asked.name)
        key = self._ledger.planned(self.name, "server", full)
        tagged = replace(asked, name=full, files=files, metadata={**asked.metadata, RUN_TAG: self._ledger.run})
        body = servers.body_of(tagged)
        if user_data_base64 is not None:
            body["user_data"] = user_data_base64
        response = servers.ask_create(self._api, body)
        if response.status_code != 202:
            self._ledger.gone(key)
            return Answer(asked=words, status=response.status_code, message=reason_of(response))
        server_id = str(self._api.json_of(response, "/servers")["server"]["id"])
        self._ledger.created(key, server_id)
        state = ServerState("BUILD", (), "", None)
        if until_built:
            state = servers.wait(self._api, server_id, deadline.clock.now_s(), deadline)
        self.delete_server(server_id, deadline)
        return Answer(asked=words, status=202, message=state.fault, server_status=state.status)

    def made(self, server_id: str) -> bool:
        """Whether that server was asked for through this object."""
        return server_id in self._asked_at_s

    def servers(self) -> tuple[str, ...]:
        """Ids of this process's servers that are still there, oldest first."""
        return tuple(one.id for one in self._ledger.open_entries(self.name) if one.kind == "server" and one.id)

    def wait_server(self, server_id: str, deadline: Deadline) -> ServerState:
        """Wait for ACTIVE or ERROR. ERROR and a passed deadline are answers here, not exceptions."""
        began_s = self._asked_at_s.get(server_id, deadline.clock.now_s())
        return servers.wait(self._api, server_id, began_s, deadline)

    def read_console(self, server_id: str, tail_lines: int | None = None) -> str:
        """The serial console; may be empty early in a boot. Raises ``Unsupported`` where there is none."""
        if not self.profile.console:
            raise Unsupported(f"the profile of cloud {self.name!r} says 'console: false'")
        return servers.read_console(self._api, server_id, tail_lines)

    def own_consoles(self) -> Iterator[tuple[str, str]]:
        """(name without the run's prefix, console) of every server that this run has here now."""
        for entry in self._ledger.open_entries(self.name):
            if entry.kind == "server" and entry.id and self.profile.console:
                with contextlib.suppress(CloudError, Unsupported):  # one that is going, or never came up
                    text = servers.read_console(self._api, entry.id, None)
                    yield entry.name.removeprefix(self._ledger.prefix), text

    def look_at_offers(self, server_id: str) -> tuple[int, bool]:
        """Of an ACTIVE server, whatever is declared: (HTTP status of its console, whether it has a config drive)."""
        shown = servers.show(self._api, server_id) or {}
        # Nova's word is a text, "True" or nothing.
        return servers.console_status(self._api, server_id), str(shown.get("config_drive")).lower() == "true"

    def list_ports(self, server_id: str, networks: Sequence[NetworkRef]) -> tuple[PortFacts, ...]:
        """In the order of ``networks``."""
        return network_api.list_ports(self._api, server_id, networks)

    def attach_floating_ip(self, server_id: str, port_id: str, network: str) -> str:
        """Take an address from external network ``network`` (a name) for that port; returns the address."""
        pool = network_api.find_external(self._api, network)
        # A floating IP has no name; its description carries the prefix instead.
        label = self._full(f"for-{server_id}")
        network_sdk = self._api.sdk.network
        with self._api.guard("taking a floating IP"):
            # Asked for before, and the answer was lost: once taken it is there, and planned already.
            key = next((one.key for one in self._ledger.open_entries(self.name) if one.name == label), None)
            taken = next(iter(network_sdk.ips(description=label)), None) if key else None
            key = key or self._ledger.planned(self.name, "floating_ip", label)
            try:
                taken = taken or network_sdk.create_ip(floating_network_id=pool.id, port_id=port_id, description=label)
            except sdk_errors.HttpException as error:
                if 400 <= (error.status_code or 0) < 500:
                    self._ledger.gone(key)  # refused, so it was never made
                raise
        self._ledger.created(key, str(taken.id))
        return str(taken.floating_ip_address)

    # -- a server's NICs while it is there

    def create_port(self, name: str, network: NetworkRef) -> tuple[str, str]:
        """A port of the project's with two IPv4 addresses: (id, why it has but one; empty when it has both)."""
        full = self._full(name)
        key = self._ledger.planned(self.name, "port", full)
        port_id, refused = interfaces.create_port(self._api, network, full)
        self._ledger.created(key, port_id)
        return port_id, refused

    def show_port(self, port_id: str, network: NetworkRef) -> PortFacts | None:
        """The port as it is now; None when it is no more."""
        return interfaces.show_port(self._api, port_id, network)

    def attach_interface(self, server_id: str, port_id: str) -> str:
        """Empty when the cloud attached the port to the running server, else why not."""
        return interfaces.attach(self._api, server_id, port_id)

    def detach_interface(self, server_id: str, port_id: str) -> str:
        """Empty when the cloud accepted it, else why not."""
        return interfaces.detach(self._api, server_id, port_id)

    def attached_ports(self, server_id: str) -> frozenset[str]:
        """Ids of the server's ports as the compute API lists them."""
        return interfaces.attached(self._api, server_id)

    def reboot(self, server_id: str, soft: bool = True) -> None:
        servers.reboot(self._api, server_id, soft)

    def stop(self, server_id: str, deadline: Deadline) -> ServerState:
        """Ask for a shutdown and wait for SHUTOFF; ERROR and a passed deadline are answers, as in ``wait_server``.

        Raises ``Unsupported`` where the cloud lets no tenant stop servers.
        """
        began_s = deadline.clock.now_s()
        servers.stop(self._api, server_id)
        return servers.wait(self._api, server_id, began_s, deadline, "SHUTOFF")

    def start(self, server_id: str) -> None:
        """Start a server that is SHUTOFF; returns at once."""
        servers.start(self._api, server_id)

    def change_password(self, server_id: str, password: str) -> tuple[int, str]:
        """Ask for another password in the running guest: (HTTP status, why the cloud refused)."""
        self._journal.hide(password)
        return servers.change_password(self._api, server_id, password)

    def read_posted_password(self, server_id: str) -> tuple[int, str]:
        """What the guest posted, encrypted with the owner's key: (HTTP status, text; empty for nothing)."""
        return servers.read_posted_password(self._api, server_id)

    def clear_posted_password(self, server_id: str) -> int:
        """Let the guest post again; the HTTP status."""
        return servers.clear_posted_password(self._api, server_id)

    def set_metadata(self, server_id: str, items: dict[str, str]) -> tuple[int, str]:
        """Add to a server's metadata: (HTTP status, why it was refused)."""
        return servers.set_metadata(self._api, server_id, items)

    def rebuild(self, server_id: str, image_id: str, user_data: bytes) -> str | None:
        """Put the server on a fresh disk, with other user data; returns at once, with its new password.

        Raises ``Unsupported`` where the cloud does not offer that.
        """
        self._journal.hide(user_data)
        password = servers.rebuild(self._api, server_id, image_id, user_data)
        self._journal.hide(password)
        return password

    def snapshot(self, server_id: str, name: str, deadline: Deadline) -> str:
        """Returns the image id once the image is active *and* the server's task_state is empty."""
        full = self._full(name)
        key = self._ledger.planned(self.name, "image", full)
        image_id = servers.snapshot(self._api, server_id, full, {RUN_TAG: self._ledger.run})
        self._ledger.created(key, image_id)
        servers.wait_snapshot(self._api, server_id, image_id, deadline)
        return image_id

    # -- image bytes

    def export_image(
        self,
        image_id: str,
        sink: Callable[[bytes], None],
        *,
        deadline: Deadline,
        progress: Progress | None = None,
        road: Road | None = None,
    ) -> Download:
        """Stream the image to ``sink`` in chunks of 1 MiB or less, in their order, and say what came."""
        return download(self._api, image_id, sink, deadline, progress, road or Road())

    def download_to(
        self,
        image_id: str,
        path: Path,
        *,
        deadline: Deadline,
        progress: Progress | None = None,
        road: Road | None = None,
    ) -> Download:
        """As ``export_image``, into a sparse file."""
        writer = SparseWriter(path)
        try:
            got = self.export_image(image_id, writer, deadline=deadline, progress=progress, road=road)
            writer.close()
        except BaseException:
            writer.abandon()
            raise
        return got

    def import_image(
        self,
        *,
        name: str,
        source: Path,
        size_bytes: int,
        disk_format: str = "raw",
        properties: Mapping[str, str] | None = None,
        deadline: Deadline,
        progress: Progress | None = None,
    ) -> ImportFacts:
        """glance-direct where the cloud offers it, legacy PUT where not. ``probe`` of the answer is None."""
        body = Upload(source, size_bytes, deadline, progress)
        return self.import_body(name=name, body=body, disk_format=disk_format, properties=properties, deadline=deadline)

    def import_body(
        self,
        *,
        name: str,
        body: Body,
        disk_format: str = "raw",
        properties: Mapping[str, str] | None = None,
        deadline: Deadline,
    ) -> ImportFacts:
        """As ``import_image``, of bytes from anywhere. Raises what the body raises, too."""
        full = self._full(name)
        # Glance keeps this prefix for itself and refuses (403) an image that arrives with it.
        kept = {one: value for one, value in (properties or {}).items() if not one.startswith("os_glance_")}
        # Who is let in at the beginning may send to the end, for hours: not with a token that is about to die.
        self._api.renew_token()
        key = self._ledger.planned(self.name, "image", full)
        return image_import.run_import(
            self._api,
            name=full,
            upload=body,
            disk_format=disk_format,
            properties={**kept, RUN_TAG: self._ledger.run},
            deadline=deadline,
            made=lambda image_id: self._ledger.created(key, image_id),
        )

    def put_probe(self, deadline: Deadline) -> PutProbe:
        """1 MiB of random bytes by legacy ``PUT /file``; the image is deleted again at once."""
        content = os.urandom(PROBE_BYTES)
        with self._small_image("put-probe", deadline) as image_id:
            return image_import.probe_put(self._api, image_id, content, hashlib.sha512(content).hexdigest(), deadline)

    def token_probe(self, deadline: Deadline) -> TokenDeath:
        """Revoke a token of our own in the middle of a small upload; the image is deleted again at once."""
        return token_probe.probe(self._api, self._small_image, deadline)

    @contextlib.contextmanager
    def _small_image(self, name: str, deadline: Deadline) -> Iterator[str]:
        """The id of a queued RAW image that is deleted in the end."""
        response, image_id = self._ask_for_image(name, "raw")
        if image_id is None:
            raise self._api.refusal(response, f"creating an image for {name}")
        try:
            yield image_id
        finally:
            self.delete_image(image_id, deadline)

    @contextlib.contextmanager
    def small_imports(self, deadline: Deadline) -> Iterator[SmallImports]:
        """Small images of several kinds, side by side; all of them are deleted in the end."""
        before = set(self._ledger.open_entries(self.name))
        try:
            yield SmallImports(self._api, self._ask_for_image, deadline)
        finally:
            made = [one for one in self._ledger.open_entries(self.name) if one not in before and one.kind == "image"]
            deletion.cleanup(self._api, self._ledger, deadline, made)

    def _ask_for_image(self, name: str, disk_format: str) -> tuple[requests.Response, str | None]:
        """Ask for a queued image; its id, where there is one. A refusal is an answer."""
        full = self._full(name)
        key = self._ledger.planned(self.name, "image", full)
        response = images.create(self._api, full, disk_format, {RUN_TAG: self._ledger.run})
        if response.status_code != 201:
            self._ledger.gone(key)
            return response, None
        image_id = str(self._api.json_of(response, "/images").get("id"))
        self._ledger.created(key, image_id)
        return response, image_id

    # -- what is removed

    def delete_server(self, server_id: str, deadline: Deadline) -> bool:
        """Delete and wait until it is gone; False when the cloud accepted that and did nothing."""
        return self._delete("server", server_id, deadline)

    def delete_image(self, image_id: str, deadline: Deadline) -> bool:
        """As ``delete_server``."""
        return self._delete("image", image_id, deadline)

    def cleanup(self, deadline: Deadline) -> CleanupReport:
        """Delete everything that the ledger has open for this cloud, newest first, and wait until it is gone."""
        return deletion.cleanup(self._api, self._ledger, deadline)

    def _delete(self, kind: str, id: str, deadline: Deadline) -> bool:
        mine = [one for one in self._ledger.open_entries(self.name) if (one.kind, one.id) == (kind, id)]
        if not mine:
            raise CloudError(f"cloud {self.name!r}: {kind} {id} is not in this run's ledger, so it is left alone")
        return not deletion.cleanup(self._api, self._ledger, deadline, mine).leftovers

    def _full(self, name: str) -> str:
        return self._ledger.full_name(name)


def connect(config: CloudConfig, ledger: Ledger, journal: Journal, *, request_timeout_s: float = 60.0) -> Cloud:
    """A cloud that has not been talked to yet; ``preflight`` does that."""
    return Cloud(config, ApiSession(config, journal, request_timeout_s), ledger, journal)
