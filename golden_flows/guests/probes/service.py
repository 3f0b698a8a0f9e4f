"""The metadata service, asked as agents ask; every request is kept for the report."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request

from golden_flows.guests.probes.reading import document, sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

HOST = "http://169.254.169.254"
OPENSTACK = "/openstack/latest"
EC2 = "/latest/meta-data"
KEYS = EC2 + "/public-keys/"
TIMEOUT_S = 10
BODY_LIMIT_BYTES = 4 << 20
LISTING_MAX_CHARS = 500


class Service:
    """Whoever answers at ``host``."""

    def __init__(self, host: str = HOST) -> None:
        self.host = host
        self.requests: list[dict[str, Any]] = []
        self.listing: dict[str, str | None] = {}

    def get(self, path: str) -> tuple[int | None, bytes]:
        """(status or None, body)."""
        began = time.monotonic()
        status, kind, body, error = None, None, b"", None
        try:
            with _asked(self.host + path) as answer:
                content = answer.read(BODY_LIMIT_BYTES)
                if getattr(answer, "length", None):
                    raise ValueError(f"an answer of {len(content)} bytes is not the whole of it")
                status, kind, body = answer.status, answer.headers.get("Content-Type"), content
        except (OSError, ValueError, http.client.HTTPException) as trouble:
            error = str(trouble)[:100]
        parsed = document(body) is not None if status == 200 and ".json" in path else None
        self.requests.append(
            {
                "path": path,
                "status": status,
                "content_type": kind,
                "bytes": len(body),
                "sha256": sha256(body),
                "elapsed_s": round(time.monotonic() - began, 3),
                "json_ok": parsed,
                "error": error,
            }
        )
        return status, body

    def list(self, path: str) -> bool:
        """Keep what is listed there; whether anybody answered."""
        status, body = self.get(path)
        self.listing[path] = body.decode("utf-8", "replace")[:LISTING_MAX_CHARS] if status == 200 else None
        return status is not None

    def openstack(self, names: Iterable[str]) -> dict[str, bytes]:
        """Those files of ``openstack/latest`` that there are; a password and a missing file are asked for beside."""
        self.list("/openstack")
        self.get(OPENSTACK)
        answers = {name: self.get(f"{OPENSTACK}/{name}") for name in names}
        self.get(OPENSTACK + "/password")
        self.get(OPENSTACK + "/no-such-file")
        return {name: body for name, (status, body) in answers.items() if status == 200}

    def ec2(self) -> dict[str, str] | None:
        """``instance-id``, ``hostname``, ``key`` and the user data's digest; None where there is no EC2 tree."""
        status, listing = self.get(EC2 + "/")
        identified, instance_id = self.get(EC2 + "/instance-id") if status == 200 else (None, b"")
        if identified != 200:
            return None
        found = {"instance-id": instance_id.decode("utf-8", "replace").strip()[:80]}
        if b"public-keys/" in listing.split():
            self.list(KEYS)
            found["key"] = self.get(KEYS + "0/openssh-key")[1].decode("utf-8", "replace")
        found["hostname"] = self.get(EC2 + "/hostname")[1].decode("utf-8", "replace").strip()
        status, data = self.get("/latest/user-data")
        found["user_data"] = sha256(data if status == 200 else b"")
        return found


def _asked(url: str) -> Any:
    """The answer, a refusal too."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(url, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as refusal:
        return refusal


# -- what all channels are compared by


def channel(name: str, found: bool, used: bool, values: dict[str, Any]) -> dict[str, Any]:
    """One channel of the report, each value as a digest."""
    keys = {key: sha256(json.dumps(value, sort_keys=True).encode()) for key, value in values.items()}
    return {"name": name, "present": found, "used": used, "reason": "read" if found else "not there", "keys": keys}


def openstack_channel(name: str, files: dict[str, bytes], used: bool) -> dict[str, Any]:
    """Of the files of ``openstack/latest``, over HTTP or from a drive."""
    meta = document(files.get("meta_data.json"))
    if not isinstance(meta, dict):
        return channel(name, False, False, {})
    told = meta.get("meta")
    values = {
        "hostname": meta.get("hostname"),
        "uuid": str(meta.get("uuid")).lower(),
        "public_keys": sorted(bare_keys(meta.get("public_keys"))),
        "meta": {key: value for key, value in told.items() if key != "admin_pass"} if isinstance(told, dict) else {},
        "network_data": document(files.get("network_data.json")),
        "user_data": sha256(files.get("user_data", b"")),
    }
    return {**channel(name, True, used, values), "vendor_data2": vendor_parts(files.get("vendor_data2.json"))}


def ec2_channel(found: dict[str, str] | None, used: bool) -> dict[str, Any]:
    if found is None:
        return channel("ec2-http", False, False, {})
    keys = sorted(bare_keys({"0": found.get("key", "")}))
    values = {"hostname": found["hostname"] or None, "public_keys": keys, "user_data": found["user_data"]}
    return channel("ec2-http", True, used, values)


def vendor_parts(content: bytes | None) -> dict[str, int | None] | None:
    """Parts of ``vendor_data2.json`` and how many entries each has; None for a part, or a whole, that is no object."""
    parts = document(content)
    if not isinstance(parts, dict):
        return None
    return {str(name): len(part) if isinstance(part, dict) else None for name, part in parts.items()}


def bare_keys(keys: Any) -> set[str]:
    """Type and base64 of every key, once."""
    texts = keys.values() if isinstance(keys, dict) else keys if isinstance(keys, list) else []
    lines = (line.split() for text in texts if isinstance(text, str) for line in text.splitlines())
    return {" ".join(words[:2]) for words in lines if len(words) > 1}
