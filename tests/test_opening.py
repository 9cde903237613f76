"""The signing key: made whole, on the disk before it signs, agreed on by all, and never replaced by a guess."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway import opening
from gateway.config import Receipts
from gateway.errors import ConfigurationInvalid
from gateway.receipt.signed import Signer
from tests.steps import Steps, drafts_in, leave_drafts

ORIGIN = "test.example/log"
OURS = Signer(ORIGIN, b"k" * 32)


def receipts_in(folder: Path) -> Receipts:
    return Receipts(origin=ORIGIN, signing_key_file=folder / "keys" / "signing.key")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_key_is_on_the_disk_before_it_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its content before its name, its name and folder before it is used; the public key likewise."""
    steps = Steps(monkeypatch)
    opening.signer(receipts_in(tmp_path))
    assert steps.under(tmp_path) == [
        "mkdir keys",
        f"sync {tmp_path.name}/",
        *("sync draft", "link draft -> signing.key", "unlink draft", "sync keys/"),
        *("sync signing.key", "sync keys/"),  # as anybody does who finds it
        *("sync draft", "rename draft -> signing.key.pub", "sync keys/"),
    ]
    assert (tmp_path / "keys" / "signing.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_there_is_synced_before_it_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have made it just now, and still be waiting for the disk."""
    made = opening.signer(receipts_in(tmp_path))
    steps = Steps(monkeypatch)
    found = opening.signer(receipts_in(tmp_path))
    assert found.vkey == made.vkey
    assert steps.under(tmp_path) == [
        *("sync signing.key", f"sync {tmp_path.name}/", "sync keys/"),
        *("sync signing.key.pub", "sync keys/"),
    ]


def test_all_who_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    """One key is made, whole, and everybody has it; nothing else is left."""
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: opening.signer(receipts_in(tmp_path)).skey, range(32)))
    assert found == {(tmp_path / "keys" / "signing.key").read_text().strip()}
    assert names_in(tmp_path / "keys") == ["signing.key", "signing.key.pub"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (bytes(100), "is empty"),  # some file systems bring back the length without the bytes
        (OURS.skey.encode()[:5], "cut short"),
        (OURS.skey.encode()[:40], "cut short"),
        (OURS.skey.encode()[:-3], "cut short"),
        (OURS.skey.encode()[:60] + bytes(60), "cut short"),
        (Signer("other.example/log", b"k" * 32).skey.encode(), "is the key of other.example/log"),
        (b"-----BEGIN PRIVATE KEY-----\n", "this is no key of a signed note"),
        (b"\xff\xfe", "codec"),
    ],
)
def test_what_is_no_key_of_ours_is_told_apart(tmp_path: Path, content: bytes, words: str) -> None:
    """A file that a power cut left, a foreign key and something else are told in their own words; none is touched."""
    file = tmp_path / "keys" / "signing.key"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(ConfigurationInvalid) as told:
        opening.signer(receipts_in(tmp_path))
    assert words in str(told.value)
    assert ("Put it back from a copy" in str(told.value)) == (words in ("is empty", "cut short"))
    assert "a2tr" not in str(told.value)  # what the key is, in base64
    assert file.read_bytes() == content
    assert names_in(file.parent) == ["signing.key"]


@pytest.mark.parametrize("left", [None, b"", b"other.example/log+00000000+AAAA\n"])
def test_the_public_key_is_put_back(tmp_path: Path, left: bytes | None) -> None:
    """Where it is missing, empty or of another key, the key's own is written."""
    made = opening.signer(receipts_in(tmp_path))
    public = tmp_path / "keys" / "signing.key.pub"
    public.unlink()
    if left is not None:
        public.write_bytes(left)
    opening.signer(receipts_in(tmp_path))
    assert public.read_text() == f"{made.vkey}\n"


def test_a_key_that_may_only_be_read_is_enough(tmp_path: Path) -> None:
    """Where the public key cannot be put beside it (a mounted secret), the gateway starts all the same."""
    (tmp_path / "keys" / "signing.key.pub").mkdir(parents=True)
    (tmp_path / "keys" / "signing.key").write_text(f"{OURS.skey}\n")
    assert opening.signer(receipts_in(tmp_path)).vkey == OURS.vkey


def test_drafts_beside_the_key_are_removed(tmp_path: Path) -> None:
    """A key that a crash left half-written is gone a day later."""
    receipts = receipts_in(tmp_path)
    folder = receipts.signing_key_file.parent
    young = leave_drafts(folder)
    opening.signer(receipts)
    assert drafts_in(folder) == [young]


def test_reading_the_key_makes_nothing(tmp_path: Path) -> None:
    """Whoever only reads makes no key, and no public key either."""
    with pytest.raises(ConfigurationInvalid):
        opening.read_signer(receipts_in(tmp_path))
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "signing.key").write_text(f"{OURS.skey}\n")
    assert opening.read_signer(receipts_in(tmp_path)).vkey == OURS.vkey
    assert names_in(tmp_path / "keys") == ["signing.key"]
