"""Shim ``tgz-vhd-to-raw``: for a source that exports its snapshots only as XenServer packs them.

The archive is unpacked, its chain of VHDs checked and read from the top down, and the RAW disk travels in its place. A
cell that needed this says so: its pass carries ``shim=tgz-vhd-to-raw``.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from golden_flows.clouds import memory
from golden_flows.clouds.digests import Digests
from golden_flows.clouds.mover import Spooled
from golden_flows.clouds.sparse import SparseWriter
from golden_flows.errors import InteropError
from golden_flows.model.facts import ExportFacts, ShimFacts
from golden_flows.shims import vhd_chain, xenserver_archive
from golden_flows.shims.vhd_chain import BadChain
from golden_flows.shims.xenserver_archive import BadArchive

NAME = "tgz-vhd-to-raw"


def applies(export: ExportFacts) -> bool:
    """Whether a whole export is labelled as XenServer's archive, where a RAW disk was asked for."""
    is_whole = export.size_bytes in (None, export.downloaded_bytes)
    labels = (export.asked_disk_format, export.disk_format, export.container_format)
    return is_whole and labels == ("raw", "vhd", "ovf")


def apply(spooled: Spooled) -> Spooled:
    """The same export with its RAW disk in the spool's place; what is wrong with the archive is in ``facts.shim``.

    Raises ``InteropError`` when this machine has no room for it.
    """
    before, began_s = memory.reset_peak(), time.monotonic()
    raw = spooled.path.with_name(f"{spooled.path.name}.shim")
    folder = Path(tempfile.mkdtemp(prefix="archive-", dir=spooled.path.parent))
    try:
        facts = _to_raw(spooled.path, folder, raw)
    except OSError as error:
        raise InteropError(
            f"cannot unpack {spooled.path}: {error.strerror}", "free some space in the scratch folder"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not facts.error:
        raw.replace(spooled.path)
    peaks = [one for one in (spooled.rss_peak_bytes, memory.peak_bytes()) if one is not None]
    lows = [one for one in (spooled.rss_before_bytes, before) if one is not None]
    return replace(
        spooled,
        facts=replace(spooled.facts, shim=facts),
        seconds=spooled.seconds + time.monotonic() - began_s,
        rss_before_bytes=min(lows, default=None),
        rss_peak_bytes=max(peaks, default=None),
    )


def _to_raw(archive: Path, folder: Path, raw: Path) -> ShimFacts:
    chain: tuple[str, ...] = ()
    try:
        files = xenserver_archive.unpack(archive, folder)
        with vhd_chain.open_chain(files, time.time()) as links:
            chain = tuple(link.describe() for link in links)
            return _write(links, chain, raw)
    except BadArchive as error:
        return ShimFacts(name=NAME, chain=chain, error=f"the archive {error}")
    except BadChain as error:
        return ShimFacts(name=NAME, chain=chain, error=f"the archive's chain is broken: {error}")


def _write(links: tuple[vhd_chain.Link, ...], chain: tuple[str, ...], raw: Path) -> ShimFacts:
    writer = SparseWriter(raw)
    try:
        with Digests(("sha256",)) as digests:

            def sink(block: bytes) -> None:
                writer(block)
                digests.update(block)

            vhd_chain.stream(links, sink)
            facts = ShimFacts(
                name=NAME,
                chain=chain,
                raw_bytes=digests.count,
                raw_sha256=digests.hex("sha256") or "",
                head=digests.head,
                tail=digests.tail,
            )
        writer.close()
        return facts
    except BaseException:
        writer.abandon()
        raise
