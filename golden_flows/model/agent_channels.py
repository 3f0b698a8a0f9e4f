"""Which configuration channels the agent in an image reads, and what of ours stood between it and the cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from golden_flows.errors import UsageError

CHANNELS = ("openstack-http", "ec2-http", "config-drive", "xenstore", "injection")
PUSHED = "pushed-metadata"
"""No channel of any cloud's: what Anne pushes into her guest where the cloud tells nothing."""
READS_PROPERTY = "interop_channels"
"""Image property: the channels that its agent reads, with commas between; without it, whatever there is."""


@dataclass(frozen=True, kw_only=True)
class AgentChannels:
    """Of one guest."""

    reads: tuple[str, ...] = ()
    """What the image says; empty: it says nothing."""
    shim: str = ""
    """``config-drive-to-metadata``: what was put into the image because of that; empty: nothing."""
    through: str = ""
    """The channel that the shim reads in the agent's place."""
    serves: str = ""
    """What the shim served in this boot, in its own words (``/dev/sr0 (iso9660)``)."""
    trouble: str = ""
    """Why it served nothing."""
    unseen: str = ""
    """Why nobody could ask it."""

    def unread(self, *channels: str) -> str:
        """The proof that neither the agent nor a shim reads any of these; nothing where one of them does."""
        if not self.reads or {*self.reads, self.through} & set(channels):
            return ""
        return f"the image's agent reads {', '.join(self.reads)}, not {' or '.join(channels)}"


def channels_read(properties: Mapping[str, str]) -> tuple[str, ...]:
    """What an image with these properties says. Raises ``UsageError`` for a channel that is none."""
    told = tuple(one.strip() for one in properties.get(READS_PROPERTY, "").split(",") if one.strip())
    for one in told:
        if one not in CHANNELS:
            raise UsageError(f"image property {READS_PROPERTY} names {one!r}", f"channels: {', '.join(CHANNELS)}")
    return told
