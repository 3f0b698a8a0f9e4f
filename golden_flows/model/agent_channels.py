"""Which configuration channels the agent in an image reads, and what of ours stood between it and the cloud."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from golden_flows.errors import UsageError
from golden_flows.model.guest import Channel

CHANNELS = ("openstack-http", "ec2-http", "config-drive", "xenstore", "injection")
PUSHED = "pushed-metadata"
"""No channel of any cloud's: what Anne pushes into her guest where the cloud tells nothing."""
SHIMS_TELL_BY = "openstack-http"
"""The channel by which every shim tells the agent."""
DID_NOT_RUN = ("it left no word: it did not run", "it did not run in this boot")
"""Troubles that are ours: of the cloud they say nothing."""
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

    def hidden(self, channels: Iterable[Channel]) -> str:
        """Why what the guest was told may be the shim's word and not the cloud's; nothing where it is the cloud's."""
        told_by = {one.name for one in channels if one.present}
        return self.unsure if self.unseen and SHIMS_TELL_BY in told_by else ""

    @property
    def unsure(self) -> str:
        """Why nobody knows what the cloud would have told through the shim; nothing where there is none, or it said."""
        if self.unseen:
            return f"the shim {self.shim} could not be asked: {self.unseen}"
        return f"the shim {self.shim}: {self.trouble}" if self.trouble in DID_NOT_RUN else ""

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
