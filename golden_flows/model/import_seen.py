"""Small images of ours that a destination was asked to take in, each for one reason; and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

UNUSUAL_MBR = "unusual-mbr"
HOSTILE = "hostile"
WEB = "web"
NO_IMAGE, PLAIN_GPT, FIXED_VHD = "no-image", "plain-gpt", "fixed-vhd"


@dataclass(frozen=True, kw_only=True)
class SmallImport:
    """One of them. Statuses are HTTP's; None where it did not come so far."""

    name: str
    """``fixed-vhd``; those of a set have its name in front: ``hostile-qcow2-backing``."""
    words: str
    """What it is, for a reader."""
    disk_format: str
    """What it was declared to be."""
    create_status: int | None = None
    upload_status: int | None = None
    """Of ``PUT /stage``, or of ``PUT /file`` where no import is offered."""
    import_status: int | None = None
    was_read: bool = False
    """Of what the cloud was asked to fetch itself: whether it did."""
    image_status: str | None = None
    """The last that was seen; None: none was shown."""
    failed_in: str | None = None
    """``os_glance_failed_import``: stores in which the import failed; None without that property."""
    tasks_status: int | None = None
    """Of ``GET /v2/images/{id}/tasks``."""
    task_status: str | None = None
    """``success``, ``failure``; None where no task was shown."""
    task_message: str = ""
    message: str = ""
    """What a refused request was answered."""

    @property
    def is_active(self) -> bool:
        return self.image_status == "active"

    @property
    def has_failed_import(self) -> bool:
        """The import was accepted, and came to nothing."""
        return self.import_status == 202 and (
            self.task_status == "failure" or self.image_status in ("queued", "killed")
        )

    @property
    def is_refused(self) -> bool:
        """The cloud said no, at whatever step; an image that is still on its way is not refused."""
        if self.is_active:
            return False
        answers = (self.create_status, self.upload_status, self.import_status)
        return self.has_failed_import or any(one is not None and 400 <= one < 500 for one in answers)

    @property
    def reason(self) -> str:
        """Why, as the cloud tells it; may be empty."""
        return self.message or self.task_message


@dataclass(frozen=True, kw_only=True)
class DeletedImport:
    """An image that was deleted right after its import had begun."""

    status_before: str | None
    """Of the image, just before; None: not shown, or the import had not begun."""
    delete_status: int | None = None
    status_after: str | None = None
    """Of the image, when the imports that were asked for later had ended; None: it is gone."""
    message: str = ""
    """Why it did not come to a deletion, or what that was answered."""


@dataclass(frozen=True, kw_only=True)
class OverQuota:
    """An upload that announced more than the project may keep, and sent hardly anything of it."""

    limit: str
    """As the cloud shows it: ``image_size_total: 1024000 MiB, 300 MiB used``; empty: it shows none."""
    announced_bytes: int = 0
    sent_bytes: int = 0
    status: int | None = None
    """None where the connection broke off, or the cloud went on waiting for the rest."""
    message: str = ""
    image_status: str | None = None
    """Afterwards."""
    size_bytes: int | None = None
    skipped: str = ""
    """Why nothing was uploaded."""


@dataclass(frozen=True, kw_only=True)
class GptAfterwards:
    """The stored form of ``PLAIN_GPT``, read back and expanded to RAW on our side."""

    asked_bytes: int
    stored_format: str | None = None
    expanded_bytes: int | None = None
    """None where it could not be read or expanded."""
    backup_at_end: bool | None = None
    """Whether the last sector holds the backup header, with a checksum that is right."""
    alternate_lba: int | None = None
    """Where the primary header says that the backup is."""
    protective_sectors: int | None = None
    """The size in the protective MBR."""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class ImportProbes:
    """All of them."""

    way: str = ""
    """``PUT /stage and an import``, or ``PUT /file``."""
    endpoint_methods: tuple[str, ...] = ()
    """``GET /v2/info/import``."""
    header_methods: tuple[str, ...] | None = None
    """``OpenStack-image-import-methods`` of a create; None: there was no such header."""
    tried: tuple[SmallImport, ...] = ()
    deleted: DeletedImport | None = None
    """None where no import is offered."""
    over_quota: OverQuota | None = None
    gpt: GptAfterwards | None = None
    owned: bool = False
    """Whether hostile images might be tried."""
    web_untried: str = ""
    """Why nothing was asked for by web-download."""
    trouble: str = ""
    """Why nothing could be found out; empty where something was."""

    def find(self, name: str) -> SmallImport | None:
        return next((one for one in self.tried if one.name == name), None)

    def of(self, family: str) -> tuple[SmallImport, ...]:
        """Those whose names begin so."""
        return tuple(one for one in self.tried if one.name.startswith(f"{family}-"))
