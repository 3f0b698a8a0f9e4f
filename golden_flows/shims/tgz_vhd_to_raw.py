"""Shim ``tgz-vhd-to-raw``: for a source that exports its snapshots only as XenServer packs them.

The archive is unpacked, its chain of VHDs checked and read from the top down, and the RAW disk travels in its place. A
cell that needed this says so: its pass carries ``shim=tgz-vhd-to-raw``.
"""

from __future__ import annotations

import time
from pathlib import Path

from golden_flows.clouds.digests import Digests
from golden_flows.clouds.sparse import SparseWriter
from golden_flows.model.image_facts import ExportFacts, ShimFacts
from golden_flows.shims import vhd_chain, xenserver_archive
from golden_flows.shims.vhd_chain import BadChain
from golden_flows.shims.xenserver_archive import BadArchive

NAME = "tgz-vhd-to-raw"


def applies(export: ExportFacts) -> bool:
    """Whether a whole export is labelled as XenServer's archive, where a RAW disk was asked for."""
    is_whole = export.size_bytes in (None, export.downloaded_bytes)
    labels = (export.asked_disk_format, export.disk_format, export.container_format)
    return is_whole and labels == ("raw", "vhd", "ovf")


def make_raw(export: ExportFacts, archive: Path, folder: Path, raw: Path) -> ShimFacts:
    """Write the archive's disk to ``raw``; ``folder`` is for what is unpacked. Raises ``OSError``."""
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
