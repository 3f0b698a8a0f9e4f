"""``golden-flows certify``, ``verify`` and ``bundle``: results that stand up without us."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from golden_flows.errors import UsageError
from golden_flows.model.outcome import ExitCode
from golden_flows.printable import printable
from reports import bundle as bundles
from reports.certificate import certify as certifying
from reports.certificate.signing import SigningKey, load_public_keys, load_signing_key, needs_passphrase
from reports.certificate.verification import Verification
from reports.certificate.verification import verify as verify_one
from reports.formats import matrix_html

REFUSED = 4
"""Exit code of ``verify`` for a certificate that is not what it says."""

PASSPHRASE = "GOLDEN_FLOWS_KEY_PASSPHRASE"  # noqa: S105  # the name of a variable

_RUN = click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))


@click.command()
@_RUN
@click.option(
    "--key", type=click.Path(path_type=Path), help="OpenSSH private key, or Ed25519 in PEM (default: unsigned)"
)
@click.option(
    "--valid-days",
    type=click.IntRange(1, certifying.VALID_DAYS_MAX),
    default=certifying.VALID_DAYS,
    show_default=True,
    help="counted from when the pair was judged",
)
def certify(folder: Path, key: Path | None, valid_days: int) -> None:
    """Write a certificate for each pair of a finished run that has earned one, and say why the others have not.

    Exit 0 when every pair is certified; else 1 where a cloud is wrong, 3 where something could not be found out.
    """
    run, decisions = certifying.certify(folder.resolve(), _unlocked(key) if key else None, valid_days=valid_days)
    if any(one.folder for one in decisions):
        matrix_html.write(run, folder.resolve())  # it links to them
    for one in decisions:
        click.echo(f"{one.pair}: certified: {one.folder}" if one.folder else f"{one.pair}: refused:")
        for reason in one.reasons:
            click.echo(f"  - {reason}")
    if not key and any(one.folder for one in decisions):
        click.echo("nobody has signed: give --key FILE (ssh-keygen -t ed25519 makes one)", err=True)
    if not decisions:
        click.echo("the run has no pairs")
    if all(one.folder for one in decisions) and decisions:
        return
    sys.exit(run.exit_code.value or ExitCode.INCOMPLETE.value)


def _unlocked(path: Path) -> SigningKey:
    """The passphrase comes from the environment or from whoever sits at the terminal, never from the command line."""
    passphrase = None
    if needs_passphrase(path):
        passphrase = os.environ.get(PASSPHRASE)
        if not passphrase and sys.stdin.isatty():
            passphrase = str(click.prompt(f"Passphrase of {path}", hide_input=True, err=True))
    return load_signing_key(path, passphrase)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), help="the signer's public key, as its owner published it")
def verify(file: Path, key: Path | None) -> None:
    """Verify a certificate (its attestation.intoto.json, in the folder of its run) or a whole bundle.

    Exit 0 when it is what it says, 4 when it is not, 3 when something could not be found out, as who signed.
    """
    if file.is_dir():
        raise UsageError(f"{file} is a folder", f"give the {certifying.ATTESTATION} of a certificate, or a bundle")
    trusted = load_public_keys(key) if key else ()
    is_bundle = bundles.is_bundle(file)
    found = bundles.verify_bundle(file, trusted) if is_bundle else (verify_one(file, trusted),)
    for one in found:
        _tell(one)
    if any(one.wrong for one in found):
        sys.exit(REFUSED)
    if any(one.doubts for one in found):
        sys.exit(ExitCode.INCOMPLETE.value)


def _tell(found: Verification) -> None:
    """A certificate may come from anybody: nothing in it does anything to the terminal."""
    claim = found.claim
    name = printable(str(claim.pair) if claim else found.path.name)
    for one in found.wrong:
        click.echo(printable(f"{name}: refused: {one}"))
    for doubt in found.doubts:
        click.echo(printable(f"{name}: not established: {doubt}"))
    if claim and not found.wrong:
        signer = found.signer.fingerprint if found.signer else "nobody"
        verdict = "whole" if found.doubts else "genuine"
        whole = (
            f"{name}: {verdict}, {claim.result}, {claim.evidence_level}; guideline {claim.guideline}, "
            f"run {claim.run_id}; valid until {claim.valid_until:%Y-%m-%d}; signed by {signer}"
        )
        click.echo(printable(whole))
    elif not claim and not found.wrong:
        click.echo(f"{name}: every file is as it was packed")


@click.command()
@_RUN
@click.option("--output", type=click.Path(path_type=Path), help="where it goes (default: RUN.tar.gz in this folder)")
def bundle(folder: Path, output: Path | None) -> None:
    """Put a run into one file: journal, evidence, reports, certificates. Refused when a file seems to hold a secret."""
    packed = bundles.pack(folder.resolve(), output)
    click.echo(f"{packed.path}: {packed.files} files, sha256 {packed.sha256}")
