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
    unread: list[str] = []

    def ask(what: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except Unreachable:
            raise
        except CloudError as error:
            unread.append(f"{what}: {shorten(error.what, 160)}")
            return otherwise

    newest = servers.newest_microversion(api)
    return Discovery(
        compute_microversion=f"{newest[0]}.{newest[1]}",
        import_methods=ask("import methods", lambda: images.import_methods(api), ()),
        disk_formats=ask("disk formats", lambda: _disk_formats(api), ()),
        networks=ask("networks", lambda: networks.look_at_networks(api), ()),
        network_extensions=ask("extensions", lambda: _extensions(api), ()),
        flavors=ask("flavors", lambda: _flavors(api), ()),
        files_max=ask("limits", lambda: servers.files_allowed(api), 0),
        unread=tuple(unread),
    )


def _disk_formats(api: ApiSession) -> tuple[str, ...]:
    """From ``/v2/schemas/image``."""
    schema = api.read("image", "/schemas/image").get("properties")
    formats = schema.get("disk_format") if isinstance(schema, dict) else None
    enum = formats.get("enum") if isinstance(formats, dict) else None
    return tuple(str(one) for one in enum or () if one is not None)


def _extensions(api: ApiSession) -> tuple[str, ...]:
    listed = api.read("network", "/extensions").get("extensions")
    return tuple(sorted(str(one["alias"]) for one in listed or () if isinstance(one, dict) and "alias" in one))


def _flavors(api: ApiSession) -> tuple[FlavorFound, ...]:
    return tuple(
        FlavorFound(name=one.name, ram_mib=one.ram_mib, disk_gib=one.disk_bytes // servers.GIB)
        for one in servers.list_flavors(api)
    )
