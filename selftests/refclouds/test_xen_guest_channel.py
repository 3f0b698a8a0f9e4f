"""The host's end of the xenstore channel against the guest's own service, over one tree and no Xen."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from guest_agent.xenstore import XenStore
from guest_agent.xenstore_commands import Commands
from guest_agent.xenstore_service import Service
from metadata_shims.instance import Instance, Vif, ec2_id
from refclouds.faults import Faults
from refclouds.node import GuestError, GuestSetup
from refclouds.xen import dump, guest_channel, store
from refclouds.xen.errors import XenHostError
from refclouds.xen.guest_channel import XenstoreChannel
from refclouds.xen.key_exchange import KeyExchange, derive

from selftests.xenstored import ERROR, HEADER, Connection, Refused, Tree

PASSWORD = "canary-pässword"
GUEST = "11111111-2222-3333-4444-555555555555"
HOME = "/local/domain/1"
VIF = Vif(
    mac="fa:16:3e:00:00:01",
    label="flat",
    cidr="192.168.1.0/24",
    ips=("192.168.1.9",),
    gateway="192.168.1.1",
    cidr6="fd00::/64",
    ip6s=("fd00::9",),
    gateway6="fd00::1",
)
INSTANCE = Instance(
    uuid=GUEST,
    ec2_id=ec2_id(1),
    name="anne",
    hostname="anne.novalocal",
    project_id="p",
    meta={"interop_run": "run-7"},
    vifs=(VIF, replace(VIF, mac="fa:16:3e:00:00:02", label="multi")),
)


@dataclass
class Dom0:
    """Carries out the orders that the channel sends to its shell in dom0, on a tree."""

    tree: Tree
    runs: list[tuple[str, ...]] = field(default_factory=list)
    waited: Callable[[], None] | None = None
    """Called instead of the next wait."""

    async def check(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        self.runs.append(tuple(argv))
        if argv[0] == "xenstore-ls":
            return self._listing(argv[-1])
        return await asyncio.to_thread(self._carry_out, stdin)

    def _listing(self, home: str) -> str:
        with self.tree.lock:
            below = [(path, value.decode()) for path, value in self.tree.values.items() if path.startswith(f"{home}/")]
        return "".join(f'{path} = "{value}"\n' for path, value in below)

    def _carry_out(self, stdin: bytes) -> str:
        printed, watched = b"", ""
        while stdin:
            line, _, stdin = stdin.partition(b"\n")
            order, *words = line.decode().split()
            if order == "m":
                message, stdin = stdin[: int(words[0])], stdin[int(words[0]) :]
                printed += self._answer(message)
            elif order == "g" and not self._is_there(words[0]):
                break
            elif order == "b":
                message, stdin = stdin[: int(words[0])], stdin[int(words[0]) :]
                watched = message[HEADER.size :].split(b"\0")[0].decode()
                assert int(words[1]) == 2 * HEADER.size + len(b"OK\0") + len(message) - HEADER.size
            elif order == "w":
                self._wait(watched, watched.rpartition("/data/")[0], int(words[0]))
        return base64.encodebytes(printed).decode()

    def _answer(self, message: bytes) -> bytes:
        kind, request, _, length = HEADER.unpack(message[: HEADER.size])
        assert length == len(message) - HEADER.size
        path, _, rest = message[HEADER.size :].partition(b"\0")
        try:
            body = self.tree.ask(kind, path.decode(), rest)
        except Refused as error:
            kind, body = ERROR, f"{error}\0".encode()
        return HEADER.pack(kind, request, 0, len(body)) + body

    def _is_there(self, path: str) -> bool:
        with self.tree.lock:
            return any(one == path or one.startswith(f"{path}/") for one in self.tree.values)

    def _wait(self, path: str, home: str, limit_s: float) -> None:
        act, self.waited = self.waited, None
        if act is not None:
            act()
            return
        with self.tree.changed:
            self.tree.changed.wait_for(lambda: self._is_there(path) or not self._is_there(home), limit_s)


class Domain:
    """A domain with a guest whose agent serves."""

    def __init__(self, tree: Tree, root: Path, domid: int = 1, reset: str = "0") -> None:
        self.home = f"/local/domain/{domid}"
        self.tree, self.passwords, self.resets = tree, list[str](), 0
        tree.write(f"{self.home}/data", "")
        self._reset = reset
        self._root = root
        self._domid = domid
        self._connection: Connection | None = None

    def boot(self) -> None:
        """From here on the agent answers."""
        self._connection = Connection(self.tree, self._domid)
        client = XenStore(self._connection.descriptor)
        commands = Commands(self.reset, self.passwords.append, str(self._root))

        def run() -> None:
            try:
                Service(client, commands, lambda records: None).run()
            except OSError:
                client.close()

        threading.Thread(target=run, daemon=True).start()

    def reset(self) -> tuple[str, str]:
        self.resets += 1
        return self._reset, "because"

    def end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.tree.ask(store.RM, self.home)


@pytest.fixture
def tree() -> Tree:
    return Tree()


@pytest.fixture
def domain(tree: Tree, tmp_path: Path) -> Iterator[Domain]:
    domain = Domain(tree, tmp_path)
    domain.boot()
    yield domain
    domain.end()


@pytest.fixture
def dom0(tree: Tree) -> Dom0:
    return Dom0(tree)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_channel, "VERSION_LIMIT_S", 0.3)
    monkeypatch.setattr(guest_channel, "VERSION_STEP_S", 0.2)
    monkeypatch.setattr(guest_channel, "NEW_DOMAIN_LIMIT_S", 0.3)


def make(dom0: Dom0, *faults: str, folder: Path | None = None) -> XenstoreChannel:
    channel = XenstoreChannel(dom0, Faults.parse(faults), folder)
    channel.tell(GUEST, INSTANCE)
    return channel


def started(dom0: Dom0, *faults: str, folder: Path | None = None) -> XenstoreChannel:
    channel = make(dom0, *faults, folder=folder)
    asyncio.run(channel.publish(GUEST, 1))
    return channel


def networking(tree: Tree, mac: str = "fa163e000001") -> Any:
    return json.loads(tree.text(f"{HOME}/vm-data/networking/{mac}") or "")


# what is told


def test_the_tree_is_there_before_the_guest_runs(tree: Tree, dom0: Dom0) -> None:
    tree.write(HOME, "")
    started(dom0)
    assert tree.text(f"{HOME}/vm-data/hostname") == "anne"
    assert tree.text(f"{HOME}/vm-data/user-metadata/interop_run") == '"run-7"'
    assert networking(tree)["gateway_v6"] == "fd00::1"


def test_a_domain_that_is_gone_is_not_brought_back(tree: Tree, dom0: Dom0) -> None:
    started(dom0)
    assert tree.values == {}


def test_changed_metadata_reaches_a_running_guest_and_old_keys_go(tree: Tree, dom0: Dom0) -> None:
    tree.write(HOME, "")
    channel = started(dom0)
    asyncio.run(channel.renew(GUEST, replace(INSTANCE, meta={"new": "1"})))
    assert tree.text(f"{HOME}/vm-data/user-metadata/interop_run") is None
    assert tree.text(f"{HOME}/vm-data/user-metadata/new") == '"1"'


def test_a_value_the_store_cannot_take_is_named_without_itself(tree: Tree, dom0: Dom0) -> None:
    tree.write(HOME, "")
    channel = started(dom0)
    with pytest.raises(GuestError, match=r"user-metadata/big is \d+ bytes") as caught:
        asyncio.run(channel.renew(GUEST, replace(INSTANCE, meta={"big": "canary" * 1000})))
    assert "canary" not in str(caught.value)


# what is asked


def test_a_new_guest_is_set_up_in_novas_order(tree: Tree, dom0: Dom0, domain: Domain, tmp_path: Path) -> None:
    channel = started(dom0)
    setup = GuestSetup(keys=("ssh-ed25519 AAAA anne\n",), files=(("/etc/motd", b"hello\0"),), password=PASSWORD)
    asyncio.run(channel.configure(GUEST, setup))
    keys = (tmp_path / "root/.ssh/authorized_keys").read_text()
    assert keys == "\n# The following ssh key was injected by Nova\nssh-ed25519 AAAA anne\n"
    assert (tmp_path / "etc/motd").read_bytes() == b"hello\0"
    assert (domain.passwords, domain.resets, channel.faults(GUEST)) == ([PASSWORD], 1, [])


def test_neither_requests_nor_answers_are_left_behind(tree: Tree, dom0: Dom0, domain: Domain) -> None:
    asyncio.run(started(dom0).configure(GUEST, GuestSetup(password=PASSWORD)))
    assert [path for path in tree.values if path.startswith((f"{HOME}/data/host/", f"{HOME}/data/guest/"))] == []


def test_no_secret_is_in_an_argument_or_in_the_dump(tree: Tree, dom0: Dom0, domain: Domain, tmp_path: Path) -> None:
    channel = make(dom0, folder=tmp_path)
    channel.tell(GUEST, replace(INSTANCE, meta={"note": "canary-of-the-metadata"}))
    asyncio.run(channel.publish(GUEST, 1))
    tree.write(f"{HOME}/data/host/left", "canary-of-a-request")
    asyncio.run(channel.configure(GUEST, GuestSetup(password=PASSWORD, files=(("/x", b"canary-of-a-file"),))))
    assert "canary" not in str(dom0.runs)
    kept = json.loads((tmp_path / f"xenstore-{GUEST}.json").read_text())
    assert "canary" not in str(kept)
    assert kept["agent"] == "1.0"
    assert kept["xenstore"]["vm-data/hostname"] == "anne"
    assert kept["xenstore"]["vm-data/user-metadata/note"] == "(redacted)"


def test_a_guest_without_an_agent_is_left_as_it_is(tree: Tree, dom0: Dom0) -> None:
    tree.write(f"{HOME}/data", "")
    channel = started(dom0)
    asyncio.run(channel.configure(GUEST, GuestSetup(password=PASSWORD)))
    assert channel.faults(GUEST) == ["version: the agent did not answer within 1 s"]
    assert [path for path in tree.values if path.startswith(f"{HOME}/data/")] == [f"{HOME}/data/host"]


def test_a_guest_that_is_slow_is_set_up_beside_its_life(
    tree: Tree, dom0: Dom0, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_channel, "PATIENCE_S", 0.05)
    monkeypatch.setattr(guest_channel, "VERSION_LIMIT_S", 30.0)
    domain = Domain(tree, tmp_path)

    async def play() -> None:
        channel = make(dom0)
        await channel.publish(GUEST, 1)
        await channel.configure(GUEST, GuestSetup(password="first"))
        assert domain.passwords == []
        domain.boot()
        await channel.set_password(GUEST, "second")
        assert channel.faults(GUEST) == []

    asyncio.run(play())
    assert (domain.passwords, domain.resets) == (["first", "second"], 1)
    domain.end()


def test_a_guest_that_is_deleted_is_asked_no_more(tree: Tree, dom0: Dom0, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_channel, "PATIENCE_S", 0.05)
    tree.write(f"{HOME}/data", "")

    async def play() -> None:
        channel = make(dom0)
        await channel.publish(GUEST, 1)
        await channel.configure(GUEST, GuestSetup())
        channel.forget(GUEST)
        await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 5)

    asyncio.run(play())


def test_a_failed_reset_is_taken_for_a_success_as_nova_takes_it(tree: Tree, dom0: Dom0, tmp_path: Path) -> None:
    domain = Domain(tree, tmp_path, reset="500")
    domain.boot()
    channel = started(dom0)
    asyncio.run(channel.configure(GUEST, GuestSetup()))
    assert (domain.resets, channel.faults(GUEST)) == (1, [])
    domain.end()


def test_a_password_can_be_changed_again_and_again(tree: Tree, dom0: Dom0, domain: Domain) -> None:
    channel = started(dom0)
    for password in ("one", "two"):
        asyncio.run(channel.set_password(GUEST, password))
    assert (domain.passwords, channel.faults(GUEST)) == (["one", "two"], [])


def test_a_guest_that_does_not_run_is_a_fault_and_no_hang(tree: Tree, dom0: Dom0) -> None:
    channel = make(dom0)
    asyncio.run(channel.set_password(GUEST, PASSWORD))
    assert channel.faults(GUEST) == ["password: keyinit: the guest does not run"]


def test_a_command_is_asked_again_of_the_next_domain(tree: Tree, dom0: Dom0, domain: Domain, tmp_path: Path) -> None:
    channel = started(dom0)
    second = Domain(tree, tmp_path, domid=2)
    second.boot()

    async def play() -> None:
        dom0.waited = domain.end  # the guest reboots in the middle of keyinit
        work = asyncio.create_task(channel.set_password(GUEST, PASSWORD))
        await asyncio.sleep(0.1)
        await channel.publish(GUEST, 2)
        await work

    asyncio.run(play())
    assert (channel.faults(GUEST), second.passwords) == ([], [PASSWORD])
    domain._connection = None
    tree.write(HOME, "")
    second.end()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("no json", "what is no reply"),
        ("{}", "what is no reply"),
        ('{"returncode": 0, "message": ""}', "answered 0"),
        ('{"returncode": "403", "message": "no"}', "answered '403': no"),
    ],
)
def test_an_answer_that_is_none_is_a_fault(tree: Tree, dom0: Dom0, answer: str, said: str) -> None:
    tree.write(f"{HOME}/data", "")
    channel = started(dom0)

    def reply() -> None:
        (request,) = [path for path in tree.values if path.startswith(f"{HOME}/data/host/")]
        tree.write(request.replace("/host/", "/guest/"), answer)

    dom0.waited = reply
    asyncio.run(channel.set_password(GUEST, PASSWORD))
    assert said in channel.faults(GUEST)[0]


# faults


def test_xs_kdf_is_refused_by_the_guest_and_nobody_is_told(tree: Tree, dom0: Dom0, domain: Domain) -> None:
    channel = started(dom0, "xs_kdf=sha256")
    asyncio.run(channel.set_password(GUEST, PASSWORD))
    assert domain.passwords == []
    assert "answered '500'" in channel.faults(GUEST)[0]


def test_xs_gw6_key_names_the_gateway_where_nobody_looks(tree: Tree, dom0: Dom0) -> None:
    tree.write(HOME, "")
    started(dom0, "xs_gw6_key")
    record = networking(tree)
    assert record["gateway-v6"] == "fd00::1"
    assert "gateway_v6" not in record
    assert record["ip6s"] == [{"ip": "fd00::9", "enabled": "1", "netmask": 64}]
    assert record["gateway"] == "192.168.1.1"


def test_xs_500_breaks_the_last_nic_s_record_only(tree: Tree, dom0: Dom0) -> None:
    tree.write(HOME, "")
    started(dom0, "xs_500")
    assert networking(tree)["ips"]
    with pytest.raises(ValueError, match="Expecting"):
        networking(tree, "fa163e000002")


# parts


@pytest.mark.parametrize(("kdf", "same"), [("md5", True), ("sha256", False)])
def test_both_sides_derive_the_same_key_with_md5_alone(kdf: str, same: bool) -> None:
    assert (derive(b"secret", kdf) == derive(b"secret", "md5")) is same


def test_a_key_exchange_shows_no_private_part() -> None:
    exchange = KeyExchange()
    assert repr(exchange) == "KeyExchange()"
    with pytest.raises(ValueError, match="invalid literal"):
        exchange.seal(PASSWORD, "no number")


@pytest.mark.parametrize("data", [b"\0" * 8, HEADER.pack(2, 0, 0, 9) + b"short"])
def test_answers_that_are_cut_short_are_said(data: bytes) -> None:
    with pytest.raises(XenHostError, match="cut short"):
        store.decode(data)


def test_a_dump_keeps_quotes_and_leaves_folders_out() -> None:
    lines = ('vm-data = ""', 'vm-data/networking/a = "{"mac": "b"}"', 'x = "1"  ')
    printed = "".join(f"{HOME}/{line}\n" for line in lines)
    assert dump.parse(printed, HOME) == {"vm-data/networking/a": '{"mac": "b"}', "x": "1"}


@pytest.mark.parametrize(
    "path", ["data/host/1", "data/guest/1", "vm-data/user-metadata/x", "data/admin_pass", "attr/Token"]
)
def test_what_may_be_secret_is_not_in_a_dump(path: str) -> None:
    assert dump.parse(f'{HOME}/{path} = "canary"', HOME) == {path: "(redacted)"}
