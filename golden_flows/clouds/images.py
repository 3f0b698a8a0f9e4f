"""Glance's documents: what an image is, what may be asked of it. Its bytes: ``download`` and ``image_import``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from golden_flows.clouds.records import ImageRef
from golden_flows.clouds.session import ApiSession

GIB = 1024**3
POLL_S = 0.2

_SCHEMA_KEYS = frozenset(
    [
        "id",
        "name",
        "status",
        "visibility",
        "protected",
        "file",
        "self",
        "schema",
        "tags",
        "created_at",
        "updated_at",
        "owner",
        "size",
        "virtual_size",
        "min_disk",
        "min_ram",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "os_hidden",
        "disk_format",
        "container_format",
        "locations",
        "direct_url",
        "stores",
    ]
)
OCTETS = {"Content-Type": "application/octet-stream"}
"""Headers of a request that carries image data."""
MOVING = ("saving", "uploading", "importing")
"""Statuses of an image that something still happens to."""


def image_from(document: Mapping[str, Any]) -> ImageRef:
    """An image document of Glance v2; what the schema does not name is a custom property."""

    def number(key: str) -> int | None:
        value = document.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(key: str) -> str | None:
        value = document.get(key)
        return value if isinstance(value, str) else None

    return ImageRef(
        id=str(document.get("id")),
        name=text("name") or "",
        status=text("status") or "",
        disk_format=text("disk_format"),
        container_format=text("container_format"),
        size_bytes=number("size"),
        virtual_size_bytes=number("virtual_size"),
        min_disk_bytes=(number("min_disk") or 0) * GIB,
        min_ram_mib=number("min_ram") or 0,
        checksum=text("checksum"),
        os_hash_algo=text("os_hash_algo"),
        os_hash_value=text("os_hash_value"),
        properties={key: str(value) for key, value in document.items() if key not in _SCHEMA_KEYS},
    )


def show(api: ApiSession, image_id: str) -> ImageRef:
    return image_from(api.read("image", f"/images/{image_id}"))


def create(api: ApiSession, name: str, disk_format: str, properties: Mapping[str, str]) -> requests.Response:
    """``POST /v2/images``; whatever it answers."""
    body = {"name": name, "disk_format": disk_format, "container_format": "bare", **properties}
    return api.send("image", "POST", "/images", json=body)


def import_methods(api: ApiSession) -> tuple[str, ...]:
    """``GET /v2/info/import``; empty where the cloud has no interoperable import (404, 403).

    Raises ``CloudError`` for any other answer: a service in trouble is not one that offers nothing.
    """
    response = api.send("image", "GET", "/info/import")
    if response.status_code in (403, 404):
        return ()
    if response.status_code != 200:
        raise api.refusal(response, "GET /v2/info/import")
    methods = api.json_of(response, "/info/import").get("import-methods")
    values = methods.get("value") if isinstance(methods, dict) else None
    return tuple(str(one) for one in values) if isinstance(values, list) else ()
