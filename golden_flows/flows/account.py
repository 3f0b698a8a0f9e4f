"""The account that Anne logs in to, looked at from inside; and the password that a guest made for her and posted."""

from __future__ import annotations

import base64
import binascii
import contextlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from golden_flows.errors import GuestError, WaitTimeout, shorten
from golden_flows.flows.instance import Instance
from golden_flows.guests.ssh import GuestShell, KeyPair, generate_key
from golden_flows.journal import Journal
from golden_flows.model.account import CAN_ENCRYPT, AccountFacts, AuthorizedKeys, PostedPassword, PostProbe
from golden_flows.model.facts import LoginAttempt
from golden_flows.model.guest import GuestReport
from golden_flows.model.untrusted import whole_number
from golden_flows.waiting import SYSTEM_CLOCK, Clock, Deadline, wait_for

AUTHORIZED_KEYS = "~/.ssh/authorized_keys"
FILE_LIMIT_BYTES = 64 * 1024
PASSWORD_URL = "http://169.254.169.254/openstack/latest/password"  # noqa: S105  # where, not what
LIMIT_BYTES = 1020
CACHE_S = 20.0
"""Nova's metadata service knows of a change after 15 s at the latest (metadata_cache_expiration)."""

# Python, because Debian's busybox wget tells no status; a bare socket, because a small image has no http.client.
_ASK = """\
import socket,sys
method,host,port,path=sys.argv[1:]
body=sys.stdin.buffer.read()
way=socket.socket()
way.settimeout(10)
way.connect((host,int(port)))
head="%s %s HTTP/1.0\\r\\nHost: %s\\r\\nContent-Length: %d\\r\\n\\r\\n"%(method,path,host,len(body))
way.sendall(head.encode()+body)
answer=b""
while True:
    part=way.recv(65536)
    if not part: break
    answer+=part
head,_,body=answer.partition(b"\\r\\n\\r\\n")
print(head.split()[1].decode(),flush=True)
sys.stdout.buffer.write(body)
"""


@dataclass(frozen=True)
class AtHome:
    """What the account held before the snapshot."""

    keys: AuthorizedKeys | None = None
    owner_fingerprint: str | None = None
    password: str | None = field(default=None, repr=False)
    """What logs in at home, where there is one; nobody should get in with it abroad."""


def prepare_at_home(guest: Instance, shell: GuestShell, journal: Journal) -> AtHome:
    """Write a key of the image's owner into the account, as people do; fetch what the guest posted, if asked."""
    owner = generate_key()
    # Without an end to the last line: an editor leaves it so, and who appends the next key must mind it.
    line = shlex.quote(f"{owner.public_text.rpartition(' ')[0]} owner")
    shell.run(f"umask 077; mkdir -p ~/.ssh && printf %s {line} >> {AUTHORIZED_KEYS} && sync", timeout_s=30.0)
    keys = _read_keys(guest, shell)
    wrote = keys is not None and owner.fingerprint in keys.fingerprints
    password = guest.login.password
    if guest.login.awaits_post:
        password = fetch(guest, journal)[1]
    return AtHome(keys, owner.fingerprint if wrote else None, password)


def fetch(guest: Instance, journal: Journal) -> tuple[PostedPassword, str | None]:
    """What the guest posted, and the password in it; None where there is none, or the key does not open it."""
    key = guest.login.key
    kind = key.public_text.partition(" ")[0] if key else "none"
    status, text = guest.cloud.read_posted_password(guest.server_id)
    found = PostedPassword(key_type=kind, api_status=status, text_bytes=len(text))
    if not text or key is None:
        return found, None
    try:
        password = _open(key, text)
    except GuestError as error:
        return replace(found, unreadable=shorten(str(error), 200)), None
    journal.hide(password)
    return found, password


def receive_password(guest: Instance, journal: Journal) -> PostedPassword | None:
    """``fetch`` where the guest was to post one: then it is among Anne's ways in. None where it was not."""
    if not guest.login.awaits_post:
        return None
    posted, password = fetch(guest, journal)
    guest.login = replace(guest.login, posted=password)
    return posted


def _open(key: KeyPair, text: str) -> str:
    try:
        password = key.decrypt(base64.b64decode(text, validate=True)).decode("utf-8")
    except binascii.Error as error:
        raise GuestError("it is not base64") from error
    except UnicodeDecodeError as error:
        raise GuestError("what comes out of it is no text") from error
    if not password:
        raise GuestError("nothing comes out of it")
    return password


@dataclass(frozen=True)
class Metadata:
    """The password's place in the metadata service, asked from inside a guest."""

    run: Callable[[str, bytes], bytes]
    """Runs a command with that input where the service is; its output. Raises ``GuestError``."""
    url: str = PASSWORD_URL

    def ask(self, method: str, body: bytes = b"") -> tuple[int | None, bytes]:
        """(HTTP status, body). Raises ``GuestError`` where the guest has no python3."""
        host, _, path = self.url.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        arguments = shlex.join([method, name, port or "80", f"/{path}"])
        first, _, rest = self.run(f"python3 -I -S -c {shlex.quote(_ASK)} {arguments}", body).partition(b"\n")
        return whole_number(first.decode("ascii", "replace")), rest


def metadata_in(shell: GuestShell) -> Metadata:
    """As the guest at the other end of this shell sees it."""

    def run(command: str, stdin: bytes) -> bytes:
        done = shell.run(command, timeout_s=30.0, stdin=stdin)
        if done.exit_code == 127:
            raise GuestError("the guest has no python3 to ask its metadata service with")
        return done.stdout

    return Metadata(run)


def probe_rules(
    posted: PostedPassword, guest: Instance, metadata: Metadata, *, clock: Clock = SYSTEM_CLOCK
) -> PostedPassword:
    """Try in the guest what the metadata service must refuse: a second password, and one that is too long.

    For the second of them the owner clears the first; afterwards the guest posts that again, so that it is there as it
    was. Source: nova/api/metadata/password.py, which looks for a password first and at the length then.
    """
    text = guest.cloud.read_posted_password(guest.server_id)[1]
    if not text:
        return posted

    def post(body: bytes, expected: str) -> PostProbe:
        status, _ = metadata.ask("POST", body)
        code, after = guest.cloud.read_posted_password(guest.server_id)
        return PostProbe(status=status, kept=after == expected if code == 200 else None)

    def seen(content: bytes) -> None:
        """Wait until the metadata service says so."""
        with contextlib.suppress(WaitTimeout):
            wait_for(
                "the metadata cache",
                lambda: metadata.ask("GET")[1],
                until=lambda told: told == content,
                deadline=Deadline.after(CACHE_S, clock),
                every_s=1.0,
            )

    try:
        seen(text.encode())
        posted = replace(posted, second=post(b"c2Vjb25k", text))
        posted = replace(posted, cleared_status=guest.cloud.clear_posted_password(guest.server_id))
        if posted.cleared_status is not None and posted.cleared_status < 300:
            seen(b"")
            posted = replace(posted, oversized=post(b"A" * (LIMIT_BYTES + 1), ""))
            posted = replace(posted, again=post(text.encode(), text))
    except GuestError as error:
        posted = replace(posted, trouble=shorten(str(error), 200))
    return posted


def look_inside(guest: Instance, shell: GuestShell, home: AtHome, posted: PostedPassword | None) -> AccountFacts:
    """The account abroad, and the rules of the posted password where one was asked for."""
    keys = _read_keys(guest, shell)
    if posted is not None and posted.key_type == CAN_ENCRYPT:
        posted = probe_rules(posted, guest, metadata_in(shell))
    return AccountFacts(
        authorized_keys=keys, home_keys=home.keys, owner_fingerprint=home.owner_fingerprint, posted=posted
    )


def _read_keys(guest: Instance, shell: GuestShell) -> AuthorizedKeys | None:
    """None where the file could not be read; a file that is not there holds no keys."""
    try:
        told = shell.run(f"[ ! -e {AUTHORIZED_KEYS} ] || head -c {FILE_LIMIT_BYTES:d} {AUTHORIZED_KEYS}")
    except GuestError:
        return None
    if told.exit_code:
        return None
    return AuthorizedKeys.read(guest.login.user, told.stdout.decode("utf-8", "replace"))


def another_host(report: GuestReport | None, attempts: tuple[LoginAttempt, ...]) -> str:
    """The host key that SSH showed and the guest's report does not name; empty where it does, or names none."""
    named = set(report.host_key_fingerprints) if report is not None else set()
    seen = {one.host_key_fingerprint for one in attempts if one.host_key_fingerprint}
    return min(seen - named, default="") if named else ""
