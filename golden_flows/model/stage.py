"""The stages of a golden flow, in the order of the story, and the point of compatibility of each."""

from __future__ import annotations

from enum import Enum


class Point(Enum):
    """The three points of compatibility."""

    IMAGE_FORMAT = "Image format"
    NETWORKING = "Instance networking"
    CONFIGURATION = "Instance configuration"


class Stage(Enum):
    """One step of the story."""

    EXPORT = "export"
    TRANSFER = "transfer"
    IMPORT = "import"
    CONVERSION = "conversion"
    BOOT = "boot"
    PRIMARY_NIC = "primary_nic"
    METADATA = "metadata"
    SECONDARY_NIC = "secondary_nic"
    PV_DRIVERS = "pv_drivers"
    AUTH = "auth"
    USER_DATA = "user_data"
    APPLICATION = "application"
    RETURN_TRIP = "return_trip"
    SECOND_INSTANCE = "second_instance"
    BURST = "burst"
    LIFECYCLE = "lifecycle"

    @property
    def title(self) -> str:
        return _TITLES[self]

    @property
    def point(self) -> Point:
        """The point of compatibility that this stage belongs to (matrix rows are grouped by it)."""
        return _POINTS[self]


_TITLES = {
    Stage.EXPORT: "export RAW",
    Stage.TRANSFER: "transfer",
    Stage.IMPORT: "import",
    Stage.CONVERSION: "conversion",
    Stage.BOOT: "boot",
    Stage.PRIMARY_NIC: "primary NIC (DHCP)",
    Stage.METADATA: "metadata",
    Stage.SECONDARY_NIC: "secondary NIC",
    Stage.PV_DRIVERS: "PV drivers",
    Stage.AUTH: "authentication",
    Stage.USER_DATA: "user data",
    Stage.APPLICATION: "application",
    Stage.RETURN_TRIP: "return trip",
    Stage.SECOND_INSTANCE: "second instance",
    Stage.BURST: "burst",
    Stage.LIFECYCLE: "lifecycle",
}

_POINTS = {
    Stage.EXPORT: Point.IMAGE_FORMAT,
    Stage.TRANSFER: Point.IMAGE_FORMAT,
    Stage.IMPORT: Point.IMAGE_FORMAT,
    Stage.CONVERSION: Point.IMAGE_FORMAT,
    Stage.BOOT: Point.IMAGE_FORMAT,
    Stage.PV_DRIVERS: Point.IMAGE_FORMAT,
    Stage.PRIMARY_NIC: Point.NETWORKING,
    Stage.SECONDARY_NIC: Point.NETWORKING,
    Stage.APPLICATION: Point.NETWORKING,
    Stage.METADATA: Point.CONFIGURATION,
    Stage.AUTH: Point.CONFIGURATION,
    Stage.USER_DATA: Point.CONFIGURATION,
    Stage.RETURN_TRIP: Point.IMAGE_FORMAT,
    Stage.SECOND_INSTANCE: Point.CONFIGURATION,
    Stage.BURST: Point.CONFIGURATION,
    Stage.LIFECYCLE: Point.CONFIGURATION,
}
