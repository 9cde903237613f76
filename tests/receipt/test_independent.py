"""Judges that share no code with the gateway: the verifier printed in docs/receipts.md, and openssl."""

import base64
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.receipt import bundle as packing
from gateway.receipt.problems import FIELDS
from gateway.receipt.verify import valid, verify

from .evidence import SIGNER, Log, received, sample_bundle, sample_log

DOCS = Path(__file__).resolve().parents[2] / "docs" / "receipts.md"
BUNDLE = sample_bundle()


@pytest.fixture(scope="module")
def printed_verifier(tmp_path_factory):
    """The listing of the documentation, as a file."""
    (listing,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert "gateway." not in listing
    path = tmp_path_factory.mktemp("verifier") / "verifier.py"
    path.write_text(listing, "utf-8")
    return path


def judge(program, bundle, key=SIGNER.vkey):
    path = program.with_name("bundle.zip")
    path.write_bytes(bundle)
    return subprocess.run([sys.executable, "-I", program, path, key], capture_output=True, text=True, check=False)


def test_the_printed_verifier_accepts_a_bundle(printed_verifier):
    """A verifier that knows only the documentation accepts what the gateway made."""
    result = judge(printed_verifier, BUNDLE)
    assert result.stdout == "4 receipts verified\n", result.stderr


@pytest.mark.parametrize("name", [n for n in packing.unpack(BUNDLE) if n not in {packing.MANIFEST, packing.README}])
def test_the_printed_verifier_refuses_what_ours_refuses(printed_verifier, name):
    """With one byte of any piece of evidence changed, both verifiers refuse the bundle."""
    files = packing.unpack(BUNDLE)
    middle = len(files[name]) // 2
    files[name] = files[name][:middle] + bytes([files[name][middle] ^ 1]) + files[name][middle + 1 :]
    files.pop(packing.MANIFEST)
    files[packing.MANIFEST] = packing.manifest(files)
    forged = packing.pack(files)
    assert judge(printed_verifier, forged).returncode == 1
    assert not valid(verify(forged, SIGNER.vkey))


def test_the_printed_verifier_refuses_another_key(printed_verifier):
    """A bundle does not verify by the key of another log."""
    assert judge(printed_verifier, BUNDLE, SIGNER.renamed("other.example").vkey).returncode == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_accepts_the_signature_of_a_checkpoint(tmp_path):
    """The checkpoint's signature is plain Ed25519 over the text: openssl says so, and refuses another text."""
    text, _, line = sample_log().checkpoints[-1].rpartition("\n\n")
    signature = base64.b64decode(line.split(" ")[2])[4:]
    key = base64.b64decode(SIGNER.vkey.split("+", 2)[2])[1:]
    # SubjectPublicKeyInfo of an Ed25519 key is this prefix and the key (RFC 8410, 4).
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + key)
    (tmp_path / "signature").write_bytes(signature)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin"]
    for signed_text, status in ((f"{text}\n", 0), (f"{text}\n\n", 1)):
        (tmp_path / "text").write_bytes(signed_text.encode())
        result = subprocess.run(
            [*command, "-sigfile", "signature", "-in", "text"], cwd=tmp_path, capture_output=True, check=False
        )
        assert result.returncode == status, result.stderr


def test_every_field_of_a_receipt_is_documented():
    """The documentation names every field of every stage."""
    documented = set(re.findall(r"`([a-z0-9_]+)`", DOCS.read_text("utf-8")))
    assert {field for fields in FIELDS.values() for field in fields} <= documented


def test_the_printed_verifier_knows_earlier_names(printed_verifier):
    """Receipts from before a log's renaming count, those of a later name do not."""
    log = sample_log()
    renamed = SIGNER.renamed(f"{SIGNER.name}~2")
    receipts = [log.proven(n) for n in range(3)]
    bundle = packing.make_bundle(renamed.checkpoint(11, log.frontier.root()), receipts)
    assert judge(printed_verifier, bundle, renamed.vkey).returncode == 0
    later = Log([received(0, log=renamed.name)], [1])
    bundle = packing.make_bundle(later.checkpoints[-1], [later.proven(0)])
    assert judge(printed_verifier, bundle).returncode == 1
