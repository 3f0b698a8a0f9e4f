"""One instance of Anne's on one cloud: boot it, wait until its agent testifies, and get in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from golden_flows.agents import Agent, load_agent, whose_console
from golden_flows.checks.boot import ends_in_failure
from golden_flows.clouds.cloud import Cloud
from golden_flows.clouds.records import ImageRef, NetworkRef, ServerRef, ServerRequest, ServerState
from golden_flows.errors import GuestError, InteropError, Unsupported, WaitTimeout
from golden_flows.flows.story import APP_PORT, UserData
from golden_flows.guests.ssh import GuestShell, KeyPair
from golden_flows.journal import Journal
from golden_flows.model.agent_channels import PUSHED
from golden_flows.model.cloud import AGENT_PROPERTY, USER_PROPERTY
from golden_flows.model.facts import BootFacts, PortFacts
from golden_flows.model.guest import GuestReport
from golden_flows.model.network_data import bare_ip
from golden_flows.shims import push
from golden_flows.shims.in_guest.pushed import PORT as PUSH_PORT
from golden_flows.waiting import Clock, Deadline, wait_for

SSH_PORT = 22
GUEST_RAM_MIB = 192
"""Least RAM that the golden image boots in; flavors below it are not picked."""
POST_A_PASSWORD = {"password_post": "true"}
"""Server metadata by which the owner asks the guest to make a password and post it."""
AWKWARD_END = "\r\n"
"""The public key is registered as an editor of another system saves it: who writes it down must make one line of it."""
SSH_FALLBACK_AFTER_S = 20.0
"""How long the console may stay silent before the report is asked for over SSH instead."""
QUIET_AFTER_FAILURE_S = 30.0
"""How long a console that ends in a failed boot must say nothing more before that is believed."""
GLANCE_S, LOGIN_S = 5.0, 40.0
"""For a login to a guest that may not be up yet, and to one whose console says that it is: an emulated one under load
takes long over it."""


@dataclass(frozen=True)
class Login:
    """What Anne asked for, and can therefore log in with."""

    user: str
    key: KeyPair | None
    password: str | None
    awaits_post: bool = False
    """Whether the guest is to make a password and post it."""
    posted: str | None = field(default=None, repr=False)
    """That password, once it is here."""

    @property
    def asked(self) -> tuple[str, ...]:
        ways = (("key", self.key), ("password", self.password), ("password-post", self.awaits_post))
        return tuple(word for word, has in ways if has)


@dataclass(frozen=True)
class Request:
    """What an instance is launched with."""

    name: str
    image: ImageRef
    networks: tuple[NetworkRef, ...]
    user_data: UserData
    """Left out where no channel of the cloud carries any."""
    key: KeyPair
    """Registered with the cloud only where the profile offers key authentication."""
    files: tuple[tuple[str, bytes], ...] = ()
    """(path, content): ``personality``."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Beside the run's own."""


class _FailedBoot:
    """Watches a console for a boot that failed and does not go on: nobody waits for that guest any longer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._console = ""
        self._since_s = clock.now_s()
        self.is_final = False

    def see(self, console: str) -> None:
        if console != self._console:
            self._console, self._since_s = console, self._clock.now_s()
        is_quiet = self._clock.now_s() - self._since_s >= QUIET_AFTER_FAILURE_S
        self.is_final = is_quiet and ends_in_failure(console)


class Instance:
    """A server that was asked for. Facts grow as it comes up; nothing here judges."""

    def __init__(
        self,
        cloud: Cloud,
        journal: Journal,
        run_id: str,
        say: Callable[[str], None],
        agent: Agent | None = None,
        properties: Mapping[str, str] | None = None,
        push_key: str = "",
    ) -> None:
        """``properties``: of its image, which may say who reads the guest. ``agent``: who does, whatever they say.

        ``push_key``: by which a shim in the image knows its owner (``golden_flows.shims.push``), in hex.
        """
        self.cloud = cloud
        self.properties = dict(properties or {})
        self.profile = cloud.profile.running(self.properties)
        self.push_key = push_key
        if push_key:
            self.profile = replace(self.profile, channels=(*self.profile.channels, PUSHED))
        self._metadata: bytes | None = None
        """What Anne tells the guest herself, as it is pushed; None where the cloud does."""
        self._is_pushed = False
        """In the boot that is waited for."""
        self._journal = journal
        self._run_id = run_id
        self._say = say
        self.agent = agent or load_agent(self.profile.agent)
        self._began_s = 0.0
        self._told = ""
        self.server_id = ""
        self.address = ""
        self.login = Login(self.profile.user, None, None)

    def fitting(self, user_data: UserData) -> UserData:
        """The user data in the form in which this guest's agent runs it and can tell of it."""
        return user_data if self.agent.KEEPS_RECORD else user_data.noted()

    def launch(self, request: Request, deadline: Deadline) -> BootFacts:
        """Create the server and follow it until it is ACTIVE (or not)."""
        asked, login = self.prepare(request)
        server = self.cloud.boot(asked, deadline)
        self.server_id = server.id
        return self.take_up(server, asked, login, self.cloud.wait_server(server.id, deadline))

    def prepare(self, request: Request) -> tuple[ServerRequest, Login]:
        """Make what its server needs beside it (key pair, security group): what to ask for, and who will get in."""
        profile = self.profile
        key_name = None
        if "key" in profile.auth:
            key_name = self.cloud.create_keypair(request.name, request.key.public_text + AWKWARD_END)
        password = secrets.token_urlsafe(12) if "password" in profile.auth else None
        self._journal.hide(password)
        group = self.cloud.create_security_group(
            request.name, (SSH_PORT, APP_PORT, *((PUSH_PORT,) if self.push_key else ()))
        )
        flavor = self.cloud.pick_flavor(profile.flavor, request.image.disk_bytes_needed, GUEST_RAM_MIB)
        self._began_s = time.monotonic()
        asked = ServerRequest(
            name=request.name,
            image_id=request.image.id,
            flavor=flavor,
            networks=request.networks,
            key_name=key_name,
            security_group=group,
            user_data=request.user_data.content if profile.carries_user_data else b"",
            files=request.files,
            metadata={
                **request.metadata,
                "interop_run": self._run_id,
                **(POST_A_PASSWORD if "password-post" in profile.auth else {}),
            },
            admin_password=password,
            config_drive="config-drive" in profile.channels,
        )
        key = request.key if key_name else None
        return asked, Login(profile.user, key, password, awaits_post="password-post" in profile.auth)

    def take_up(self, server: ServerRef, asked: ServerRequest, login: Login, state: ServerState) -> BootFacts:
        """A server that was asked for as ``prepare`` says is this instance from now on; ``state``: as it is by now."""
        self.server_id = server.id
        if login.password:
            login = replace(login, password=server.admin_password or login.password)
            self._journal.hide(login.password)
        self.login = login
        ports: tuple[PortFacts, ...] = ()
        console_status, config_drive = None, None
        if state.status == "ACTIVE":
            console_status, config_drive = self.cloud.look_at_offers(server.id)
            ports = self.cloud.list_ports(server.id, asked.networks)
            self.address = self._public_address(ports)
            if self.push_key:
                self._metadata = push.document(
                    server_id=server.id,
                    hostname=server.name,
                    meta=asked.metadata,
                    ports=ports,
                    key=self.login.key.public_text if self.login.key else None,
                    password=self.login.password,
                    user_data=asked.user_data,
                )
        return BootFacts(
            server_id=server.id,
            name=server.name,
            status=state.status,
            statuses_seen=state.statuses_seen,
            fault=state.fault,
            console="",
            console_marker=self.agent.CONSOLE_MARKER,
            report=None,
            ports=ports,
            seconds_to_active=state.seconds_to_reach,
            seconds_to_report=None,
            run_id=self._run_id,
            console_status=console_status,
            config_drive=config_drive,
            agent_cannot=dict(self.agent.CANNOT),
        )

    def _public_address(self, ports: tuple[PortFacts, ...]) -> str:
        if not ports:
            return ""
        floating = self.cloud.profile.floating_network
        if floating:
            return self.cloud.attach_floating_ip(self.server_id, ports[0].port_id, floating)
        return ports[0].fixed_ip or ""

    def testimony(self, facts: BootFacts, deadline: Deadline, *, not_boot_ids: Collection[str] = ()) -> BootFacts:
        """Wait for the agent's last report of a boot (of none of ``not_boot_ids``): console first, else SSH.

        A guest that installs its drivers may reboot itself once to use them: then the report of the boot after that
        counts, with as much time again, and the one before is kept beside it.
        Without a report by the deadline, the facts come back with the console as it is; at once where the server never
        became ACTIVE.
        """
        if facts.status != "ACTIVE":
            return replace(facts, console=self._last_words())
        self._say("waiting for the guest agent to report")
        began_s = deadline.clock.now_s()
        report = self._await_report(deadline, not_boot_ids)
        earlier = None
        if report is not None and report.awaits_reboot:
            self._say("the guest installed drivers and reboots: waiting for it to report again")
            again = self._await_report(
                Deadline.after(self.profile.boot_timeout_s, deadline.clock), {*not_boot_ids, report.boot_id}
            )
            if again is not None:
                earlier, report = report, again
        seconds = round(time.monotonic() - self._began_s, 2) if report else None
        console = self.console()
        links = () if report else self.agent.links_on(console)
        if report is None:
            self._refuse_another_s(console, at_work=True)
        waited_s = None if report else deadline.clock.now_s() - began_s
        facts = replace(facts, report=report, earlier=earlier, console=console, console_links=links, waited_s=waited_s)
        return replace(facts, seconds_to_report=seconds)

    def _await_report(self, deadline: Deadline, not_boot_ids: Collection[str]) -> GuestReport | None:
        self._is_pushed = False
        silent_until = Deadline.after(SSH_FALLBACK_AFTER_S, deadline.clock)
        failure = _FailedBoot(deadline.clock)
        try:
            return wait_for(
                "the guest agent's report",
                lambda: self._look(not_boot_ids, silent_until, failure),
                deadline=deadline,
                until=lambda found: found is not None or failure.is_final,
                every_s=0.25,
            )
        except WaitTimeout:
            return None

    def reports(self) -> tuple[GuestReport, ...]:
        """Every report that the console still has, of all boots."""
        return self.agent.from_console(self.console(), self._run_id)

    def console(self) -> str:
        """The console, or nothing where the cloud has none."""
        try:
            return self.cloud.read_console(self.server_id)
        except Unsupported:
            return ""

    def _last_words(self) -> str:
        """The console of a server that never became ACTIVE; nothing where the cloud does not show it then."""
        try:
            return self.console()
        except InteropError:
            return ""

    def offer_metadata(self) -> None:
        """Where the cloud tells the guest nothing, Anne does, once it listens."""
        if self._metadata is None or self._is_pushed or not self.address:
            return
        self._is_pushed = push.push(
            self.address, self.cloud.profile.access, bytes.fromhex(self.push_key), self._metadata
        )
        if self._is_pushed:
            self._say("pushed the metadata into the guest")

    def _look(self, not_boot_ids: Collection[str], silent_until: Deadline, failure: _FailedBoot) -> GuestReport | None:
        self.offer_metadata()
        console = self.console()
        failure.see(console)
        self._tell_progress(self.agent.progress(console))
        for report in reversed(self.agent.from_console(console, self._run_id)):
            if report.boot_id not in not_boot_ids and self.agent.is_last(report):
                return report
        self._refuse_another_s(console, at_work=False)
        is_done = self.agent.says_done(console)
        if silent_until.left_s > 0 and not is_done:
            return None
        try:
            with self.shell(None, Deadline.after(LOGIN_S if is_done else GLANCE_S)) as shell:
                report = self.agent.read(shell, self.console)
        except InteropError:
            return None
        return report if report.boot_id not in not_boot_ids and self.agent.is_last(report) else None

    def _refuse_another_s(self, console: str, *, at_work: bool) -> None:
        """Raises ``GuestError`` where another agent has done its work (or is at work): the one that is waited for will
        never report.
        """
        other, is_done = whose_console(console)
        if other not in (None, self.profile.agent) and (is_done or at_work):
            raise GuestError(
                f"the console of {self.server_id} is {other}'s, and the image is said to have the agent"
                f" {self.profile.agent}",
                f"give the image the properties {AGENT_PROPERTY}={other} and {USER_PROPERTY}=NAME of its default user"
                " (--image-property), or write agent and user under interop: of the cloud",
            )

    def _tell_progress(self, progress: str) -> None:
        if progress and progress != self._told:
            self._say(progress)
        self._told = progress

    def shell(self, report: GuestReport | None, deadline: Deadline) -> GuestShell:
        """Log in the way Anne asked for. The host key is pinned to the one in the guest's own report."""
        if self.login.key is None and self.login.password is None:
            raise GuestError(f"server {self.server_id} was launched with no way in")
        if not self.address:
            raise GuestError(f"server {self.server_id} has no address to log in to")
        try:
            return GuestShell.open(
                self.address,
                SSH_PORT,
                self.login.user,
                key=self.login.key,
                password=None if self.login.key else self.login.password,
                access=self.cloud.profile.access,
                known_fingerprints=report.host_key_fingerprints if report and report.host_key_fingerprints else None,
                deadline=deadline,
            )
        except GuestError as error:
            raise GuestError(error.what, error.remedy or self._other_way_in()) from error

    def _other_way_in(self) -> str:
        """What to try where nothing reaches a guest; empty where somebody said how it is reached."""
        profile = self.cloud.profile
        if profile.access or profile.floating_network:
            return ""
        return (
            f"fixed addresses of {profile.cloud} are reached from this machine as they are; if they cannot be, name "
            "interop: floating_network, or access"
        )


def has_address(boot: BootFacts, report: GuestReport) -> bool:
    """Whether the first NIC got its address: by a lease, or, where there is no DHCP, however the cloud tells it."""
    link = report.link(boot.ports[0].mac) if boot.ports else None
    told = [] if link is None else [bare_ip(one) for one in link.addresses]
    return bool(report.leases) or (bool(boot.ports) and boot.ports[0].fixed_ip in told)
