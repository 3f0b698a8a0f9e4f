"""One cloud, through openstacksdk, behind the small surface that the flows need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from golden_flows.clouds.config import CloudConfig
from golden_flows.clouds.records import (
    Discovery,
    Download,
    FlavorRef,
    ImageRef,
    NetworkRef,
    Progress,
    ServerRef,
    ServerState,
)
from golden_flows.journal import Journal
from golden_flows.ledger import CleanupReport, Ledger
from golden_flows.model.cloud import Profile
from golden_flows.model.facts import ExportFacts, ImportFacts, PortFacts, PutProbe
from golden_flows.waiting import Deadline


class Cloud:
    """A context manager; leaving it closes connections and deletes nothing (that is ``cleanup``)."""

    name: str
    profile: Profile

    def __enter__(self) -> Cloud:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError

    # -- what it is

    def preflight(self) -> str:
        """Authenticate and say in one line who we are and what answered. Raises ``UsageError``/``CloudError``."""
        raise NotImplementedError

    def discover(self) -> Discovery:
        raise NotImplementedError

    # -- what is there

    def find_image(self, name: str) -> ImageRef:
        """The newest active image of exactly this name (or id). Raises ``UsageError`` naming those that exist."""
        raise NotImplementedError

    def show_image(self, image_id: str) -> ImageRef:
        raise NotImplementedError

    def find_networks(self, names: Sequence[str]) -> tuple[NetworkRef, ...]:
        """In the order asked; no names: the project's only network. Raises ``UsageError``."""
        raise NotImplementedError

    def pick_flavor(self, name: str | None, min_disk_bytes: int, min_ram_mib: int) -> FlavorRef:
        """The flavor of that name, or the smallest that fits (a flavor without a disk fits any image)."""
        raise NotImplementedError

    def inventory(self) -> dict[str, dict[str, str]]:
        """Kind -> id -> name of what the project owns: ``server``, ``image``, ``port``, ``keypair``, …."""
        raise NotImplementedError

    # -- what is made: names get the run's prefix, and every resource is in the ledger before it is made

    def create_keypair(self, name: str, public_key: str) -> str:
        """Returns the key pair's name with the run's prefix."""
        raise NotImplementedError

    def create_security_group(self, name: str, tcp_ports: Sequence[int]) -> str:
        """Lets in these TCP ports and ICMP from anywhere; returns the id."""
        raise NotImplementedError

    def boot(
        self,
        *,
        name: str,
        image_id: str,
        flavor: FlavorRef,
        networks: Sequence[NetworkRef],
        key_name: str | None,
        security_group: str | None,
        user_data: bytes,
        metadata: Mapping[str, str],
        admin_password: str | None,
        config_drive: bool,
        deadline: Deadline,
    ) -> ServerRef:
        """Ask for a server and return at once."""
        raise NotImplementedError

    def wait_server(self, server_id: str, deadline: Deadline) -> ServerState:
        """Wait for ACTIVE or ERROR. ERROR and a passed deadline are answers here, not exceptions."""
        raise NotImplementedError

    def read_console(self, server_id: str, tail_lines: int | None = None) -> str:
        """The serial console; may be empty early in a boot. Raises ``Unsupported`` where there is none."""
        raise NotImplementedError

    def list_ports(self, server_id: str, networks: Sequence[NetworkRef]) -> tuple[PortFacts, ...]:
        """In the order of ``networks``."""
        raise NotImplementedError

    def attach_floating_ip(self, server_id: str, port_id: str, network: str) -> str:
        """Take an address from external network ``network`` (a name) for that port; returns the address."""
        raise NotImplementedError

    def reboot(self, server_id: str, soft: bool = True) -> None:
        raise NotImplementedError

    def snapshot(self, server_id: str, name: str, deadline: Deadline) -> str:
        """Returns the image id once the image is active *and* the server's task_state is empty."""
        raise NotImplementedError

    # -- image bytes

    def export_image(
        self, image_id: str, sink: Callable[[bytes], None], *, deadline: Deadline, progress: Progress | None = None
    ) -> ExportFacts:
        """Stream the image to ``sink`` in chunks of 1 MiB or less, and say what came."""
        raise NotImplementedError

    def download_to(
        self, image_id: str, path: Path, *, deadline: Deadline, progress: Progress | None = None
    ) -> Download:
        """As ``export_image``, into a sparse file."""
        raise NotImplementedError

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
        raise NotImplementedError

    def put_probe(self, deadline: Deadline) -> PutProbe:
        """1 MiB of random bytes by legacy ``PUT /file``; the image is deleted again at once."""
        raise NotImplementedError

    # -- what is removed

    def delete_server(self, server_id: str, deadline: Deadline) -> bool:
        """Delete and wait until it is gone; False when the cloud accepted that and did nothing."""
        raise NotImplementedError

    def delete_image(self, image_id: str, deadline: Deadline) -> bool:
        raise NotImplementedError

    def cleanup(self, deadline: Deadline) -> CleanupReport:
        """Delete everything that the ledger has open for this cloud, newest first, and wait until it is gone."""
        raise NotImplementedError


def connect(config: CloudConfig, ledger: Ledger, journal: Journal, *, request_timeout_s: float = 60.0) -> Cloud:
    """A cloud that has not been talked to yet; ``preflight`` does that."""
    raise NotImplementedError
