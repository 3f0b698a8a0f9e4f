"""Finds out what a cloud is by reading, as any tenant may. Nothing is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from golden_flows.clouds import images, networks, servers
from golden_flows.clouds.session import ApiSession
from golden_flows.errors import CloudError, Unreachable, shorten
from golden_flows.model.discovery import Discovery, FlavorFound

T = TypeVar("T")


def discover(api: ApiSession) -> Discovery:
    """Whatever may be read. What the cloud refuses to this tenant is told in ``unread``; raises ``Unreachable``."""
    unread: dict[str, str] = {}

    def ask(field: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except Unreachable:
            raise
        except CloudError as error:
            unread[field] = shorten(error.what, 160)
            return None

    newest = servers.newest_microversion(api)
    return Discovery(
        compute_microversion=f"{newest[0]}.{newest[1]}",
        import_methods=ask("import_methods", lambda: images.import_methods(api)),
        disk_formats=ask("disk_formats", lambda: _disk_formats(api)),
        networks=ask("networks", lambda: networks.look_at_networks(api)),
        network_extensions=ask("network_extensions", lambda: _extensions(api)),
        flavors=ask("flavors", lambda: _flavors(api)),
        files_max=ask("files_max", lambda: servers.files_allowed(api)),
        unread=unread,
    )


def _disk_formats(api: ApiSession) -> tuple[str, ...]:
    """From ``/v2/schemas/image``. Raises ``CloudError`` for one that names none: no Glance takes nothing."""
    schema = api.read("image", "/schemas/image").get("properties")
    formats = schema.get("disk_format") if isinstance(schema, dict) else None
    enum = formats.get("enum") if isinstance(formats, dict) else None
    named = tuple(str(one) for one in enum or () if one is not None)
    if not named:
        raise CloudError("GET /v2/schemas/image names no disk_format")
    return named


def _extensions(api: ApiSession) -> tuple[str, ...]:
    listed = api.read("network", "/extensions").get("extensions")
    return tuple(sorted(str(one["alias"]) for one in listed or () if isinstance(one, dict) and "alias" in one))


def _flavors(api: ApiSession) -> tuple[FlavorFound, ...]:
    return tuple(
        FlavorFound(name=one.name, ram_mib=one.ram_mib, disk_gib=one.disk_bytes // servers.GIB)
        for one in servers.list_flavors(api)
    )
