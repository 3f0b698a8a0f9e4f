"""What Anne brings along: her app, her user data, and how to recognise both in another cloud."""

from __future__ import annotations

import gzip
import hashlib
import secrets
from dataclasses import dataclass
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from golden_flows.model.guest import RUNS_PATH

APP_PORT = 8080
CLOSED_PORT = 8081
"""Something listens here too, and no security group opens it."""
PAYLOAD_BYTES = 16 * 1024 * 1024
"""About; 16 blocks of random bytes, numbered, because an emulated guest makes random bytes slowly."""
_BLOCK_BYTES = 1024 * 1024
PAYLOAD_PATH = "/srv/anne/www/payload"
NONCE_PATH = "/srv/anne/www/nonce"
UPLOAD = "cgi-bin/upload"
"""Where the app takes a body, and answers with its sha256 and the address that asked."""
UPLOAD_BYTES = 10 * 1024 * 1024

METADATA = {
    "interop_unicode": "Zürich – Łódź – Αθήνα – 東京",
    "interop_long": "255 characters".ljust(255, "."),
    "interop_equals": "a=b==c&d=%20",
    "interop_quotes": "\"'`\\ $HOME",
    "interop_lines": "one\ntwo\n\tthree",
}
"""What the server is launched with abroad, to be read in the guest as it is. Nothing beyond the Basic Multilingual
Plane: a database of many a Nova keeps three bytes of UTF-8, and refuses the server."""

# The app is a plain HTTP file server, installed by user data at home, started at every boot by rc.local, so that it
# travels inside the disk. busybox where there is one (pocket image), Python elsewhere. Both run what is in cgi-bin.
_INSTALL = f"""\
mkdir -p /srv/anne/www/cgi-bin
cat > /srv/anne/start <<'APP'
#!/bin/sh
serve() {{
  if busybox httpd --help >/dev/null 2>&1 || busybox --list 2>/dev/null | grep -qx httpd; then
    busybox httpd -p "$1" -h /srv/anne/www
  else
    cd /srv/anne/www && python3 -m http.server --cgi "$1" >/dev/null 2>&1 &
  fi
}}
serve {APP_PORT}
serve {CLOSED_PORT}
APP
cat > /srv/anne/www/{UPLOAD} <<'APP'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
if [ "${{CONTENT_LENGTH:-0}}" -gt 0 ]; then head -c "$CONTENT_LENGTH" | sha256sum | cut -d ' ' -f 1; else echo -; fi
echo "$REMOTE_ADDR"
APP
chmod 755 /srv/anne/start /srv/anne/www/{UPLOAD}
head -c {_BLOCK_BYTES} /dev/urandom > /srv/anne/block
for n in $(seq {PAYLOAD_BYTES // _BLOCK_BYTES}); do echo $n; cat /srv/anne/block; done > {PAYLOAD_PATH}
rm /srv/anne/block
[ -e /etc/rc.local ] || printf '#!/bin/sh\\n' > /etc/rc.local
printf '[ -x /srv/anne/start ] && /srv/anne/start\\n' >> /etc/rc.local
chmod 755 /etc/rc.local
"""

_FIRST_LINES = b"#!/bin/sh\nset -eu\n"
_NEEDS_APP = "[ -x /srv/anne/start ]\n"
"""Not her app's folder: a cloud that puts files into guests makes that for the nonce, whatever has travelled."""
_RAW_TAIL = bytes([0x00, 0xFF, 0x0D, 0x80, 0x0A])
"""Bytes that no text encoding survives, after the script has ended: UD-1 sees re-encoding."""


@dataclass(frozen=True)
class UserData:
    """A first-boot script and the nonce that it makes the app answer with."""

    content: bytes
    nonce: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def noted(self) -> UserData:
        """The same for an agent that keeps no record of what it runs: the script notes its own runs at ``RUNS_PATH``.

        Packed, as every agent takes it: cloud-init writes UTF-8 only into a script, and UD-1 needs bytes
        that no text encoding survives.
        """
        notes = (
            "ways=$(ip -4 route show default | grep -c . || true)\n"
            f'echo "{self.nonce} began $(cat /proc/sys/kernel/random/boot_id) $(id -u) $ways" >> {RUNS_PATH}\n'
            f"trap 'echo \"{self.nonce} ended $?\" >> {RUNS_PATH}' EXIT\n"
        )
        plain = self.content.removesuffix(_RAW_TAIL).replace(_FIRST_LINES, _FIRST_LINES + notes.encode(), 1)
        return UserData(gzip.compress(plain, mtime=0), self.nonce)


def _script(body: str, nonce: str) -> UserData:
    text = f"{_FIRST_LINES.decode()}{body}printf '%s' '{nonce}' > {NONCE_PATH}\nexit 0\n"
    return UserData(text.encode() + _RAW_TAIL, nonce)


def user_data_at_home() -> UserData:
    """Installs the app and its 16 MiB payload; run once on the source cloud."""
    return _script(_INSTALL, secrets.token_hex(16))


def user_data_abroad() -> UserData:
    """Only a new nonce: the app and its payload must have travelled inside the image."""
    return _script(_NEEDS_APP, secrets.token_hex(16))


def user_data_of_burst() -> UserData:
    """For many instances at once. Each has the app answer with three words: the nonce that all of them share, the host
    name that this one was told, and a fresh uuid of its kernel's: by these it is known, and told from the others.
    """
    nonce = secrets.token_hex(16)
    answer = f'printf \'%s %s %s\' {nonce} "$(hostname)" "$(cat /proc/sys/kernel/random/uuid)" > {NONCE_PATH}\n'
    return UserData(f"{_FIRST_LINES.decode()}{_NEEDS_APP}{answer}exit 0\n".encode() + _RAW_TAIL, nonce)


def user_data_in_gzip() -> UserData:
    """As ``user_data_abroad``, packed."""
    plain = user_data_abroad()
    return UserData(gzip.compress(plain.content.removesuffix(_RAW_TAIL)), plain.nonce)


def user_data_in_parts() -> UserData:
    """A multipart: a script that cannot run for its line ends, a text, and one that makes the new nonce known.

    An agent that mends line ends runs the first as well: then it notes that.
    """
    nonce = secrets.token_hex(16)
    whole = MIMEMultipart()
    crlf = MIMEBase("text", "x-shellscript")
    crlf.set_payload(f"#!/bin/sh\r\necho '{nonce} mended' >> {RUNS_PATH}\r\nexit 0\r\n".encode())
    encode_base64(crlf)  # a mail's own line ends are CR LF: only so do these survive
    whole.attach(crlf)
    whole.attach(MIMEText("Anne's app moves to another cloud.\n"))
    script = _script(_NEEDS_APP, nonce).content.removesuffix(_RAW_TAIL)
    whole.attach(MIMEText(script.decode("ascii"), "x-shellscript"))
    return UserData(whole.as_bytes(), nonce)
