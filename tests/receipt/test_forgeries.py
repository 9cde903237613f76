"""Forged bundles: whatever is not signed makes them fall, or is named as covered by nothing.

Two verifiers judge each forgery: ours, and the one printed in docs/receipts.md, which shares no code with it.
"""

from __future__ import annotations

import io
import json
import re
import struct
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest

from gateway.errors import PayloadTooLarge
from gateway.model import Finding, MessageState, Place, Severity
from gateway.receipt import bundle as packing
from gateway.receipt import signed
from gateway.receipt.proof import Proof
from gateway.receipt.verify import Covered, valid, verify, verify_log, verify_proof

from .evidence import DECLARATION, LOG, SIGNER, Log, received, salt, sample_bundle
from .test_verify import LINES, TREE, codes

VKEY = SIGNER.vkey
BUNDLE = sample_bundle()
FILES = packing.unpack(BUNDLE)
R3, P3 = packing.receipt_name(3), packing.proof_name(3)
FORGED = received(99)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "receipts.md"


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Whether the verifier of the documentation accepts a bundle, and how many receipts it counts; None where not."""
    (listing,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {"__name__": "printed"}
    exec(compile(listing, str(DOCS), "exec"), names)
    path = tmp_path_factory.mktemp("printed") / "bundle.zip"

    def judge(bundle):
        path.write_bytes(bundle)
        try:
            return names["verify"](path, VKEY)  # type: ignore[operator]
        except Exception:  # noqa: BLE001 -- it refuses by whatever it raises
            return None

    return judge


def with_files(more=None, without=()):
    """The bundle with other files, its manifest brought in step as a careful forger would."""
    files = {n: c for n, c in (FILES | (more or {})).items() if n not in {packing.MANIFEST, *without}}
    return packing.pack(files | {packing.MANIFEST: packing.manifest(files)})


def zipped(files, method=zipfile.ZIP_STORED, change=None):
    """A zip file of (name, content) as Python writes it, each entry's description changed by `change`."""
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", method) as archive:
        warnings.simplefilter("ignore")  # of two files of one name
        for name, content in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            if change is not None:
                change(info)
            archive.writestr(info, content)
    return target.getvalue()


def with_comment(comment):
    target = io.BytesIO(BUNDLE)
    with zipfile.ZipFile(target, "a") as archive:
        archive.comment = comment
    return target.getvalue()


def with_an_end_behind(bundle):
    """A second directory and end behind the first, of one file alone: readers disagree about which one counts."""
    return bundle + zipped([("checkpoint", b"another")])


def with_offsets_moved(prefix):
    """Something before the first file, the directory's offsets brought in step."""
    end = len(BUNDLE) - 22
    start = struct.unpack_from("<L", BUNDLE, end + 16)[0]
    directory = bytearray(BUNDLE[start:end])
    at = 0
    while at < len(directory):
        name, extra, comment = struct.unpack_from("<3H", directory, at + 28)
        (offset,) = struct.unpack_from("<L", directory, at + 42)
        struct.pack_into("<L", directory, at + 42, offset + len(prefix))
        at += 46 + name + extra + comment
    tail = bytearray(BUNDLE[end:])
    struct.pack_into("<L", tail, 16, start + len(prefix))
    return prefix + BUNDLE[:start] + bytes(directory) + bytes(tail)


def with_local_name(name):
    """The first file named otherwise in its own header than in the directory: readers that go forward see that."""
    at = BUNDLE.index(b"README.txt")
    return BUNDLE[:at] + name + BUNDLE[at + len(name) :]


def with_hidden_entry():
    """A whole file between the last one and the directory, which the directory does not list."""
    hidden = zipped([(R3.replace("3.json", "7.json"), FORGED)])
    hidden = hidden[: hidden.index(b"PK\1\2")]
    end = len(BUNDLE) - 22
    start = struct.unpack_from("<L", BUNDLE, end + 16)[0]
    tail = bytearray(BUNDLE[end:])
    struct.pack_into("<L", tail, 16, start + len(hidden))
    return BUNDLE[:start] + hidden + BUNDLE[start:end] + bytes(tail)


def deflated_with_more_behind(name):
    """A deflated file with bytes behind its end that are counted to it: some readers stop, others refuse."""
    content = FILES[name]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(content) + packer.flush() + b"hidden behind the end"
    raw = name.encode()
    crc, sizes = zlib.crc32(content), (len(packed), len(content))
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, *sizes, len(raw), 0) + raw + packed
    others = [(n, c) for n, c in FILES.items() if n != name]
    rest = zipped(others)
    end = len(rest) - 22
    start = struct.unpack_from("<L", rest, end + 16)[0]
    central = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, *sizes, len(raw), 0, 0, 0, 0, 0, start)
    directory = rest[start:end] + central + raw
    count = len(others) + 1
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), start + len(local), 0)
    return rest[:start] + local + directory + tail


def linked(info):
    info.create_system = 3
    info.external_attr = 0o120777 << 16


def renamed_by_extra(info):
    """Info-ZIP's Unicode Path: a reader that knows it takes this name instead of the one in the header."""
    if info.filename == R3:
        other = b"receipts/000000000009.json"
        body = struct.pack("<BL", 1, zlib.crc32(R3.encode())) + other
        info.extra = struct.pack("<2H", 0x7075, len(body)) + body


UNREADABLE = "receipt.bundle.unreadable"
CONTENT = list(FILES.items())

# (what was forged, the bundle, what ours names, whether the printed verifier refuses too: of the zip file it sees
# what Python's library shows it, and what it then counts is what it verified)
FORGERIES = [
    # Receipts that no proof leads to, under names that a careless reader takes for a receipt's
    ("another name in receipts", with_files({"receipts/x.json": FORGED}), "receipt.bundle.unknown", True),
    ("no number at all", with_files({"receipts/_.json": FORGED}), "receipt.bundle.unknown", True),
    ("a folder deeper", with_files({"receipts/index.json": FORGED}), "receipt.bundle.unknown", True),
    ("a number too long", with_files({"receipts/0000000000003.json": FORGED}), "receipt.bundle.unknown", True),
    ("with its proof copied",
     with_files({"receipts/0000000000003.json": FORGED, "proofs/0000000000003.tlog-proof": FILES[P3]}),
     "receipt.bundle.unknown", True),
    ("the true receipt once more",
     with_files({"receipts/0000000000003.json": FILES[R3], "proofs/0000000000003.tlog-proof": FILES[P3]}),
     "receipt.bundle.unknown", True),
    ("a number too short", with_files({"receipts/3.json": FORGED}), "receipt.bundle.unknown", True),
    ("other digits", with_files({"receipts/00000000000x.json": FORGED}), "receipt.bundle.unknown", True),
    ("a receipt without proof", with_files({packing.receipt_name(7): FORGED}), "receipt.proof.missing", True),
    ("a receipt with another's proof",
     with_files({packing.receipt_name(7): FORGED, packing.proof_name(7): FILES[P3]}),
     "receipt.proof.other_place", True),
    ("a receipt with another's proof, renumbered",
     with_files({packing.receipt_name(7): FORGED, packing.proof_name(7): FILES[P3].replace(b"index 3", b"index 7")}),
     "receipt.proof.wrong", True),
    ("beyond the tree",
     with_files({packing.receipt_name(11): FORGED, packing.proof_name(11): FILES[P3].replace(b"index 3", b"index 11")}),
     "receipt.proof.wrong", True),
    ("a stray proof", with_files({packing.proof_name(7): FILES[P3]}), "receipt.proof.stray", True),
    # Matter that nothing signed is about
    ("an extra file", with_files({"NOTICE.txt": b"The buyer has paid."}), "receipt.bundle.unknown", True),
    ("an extra folder", with_files({"verdicts/1": b"The buyer has paid."}), "receipt.bundle.unknown", True),
    ("a second checkpoint", with_files({"checkpoint.1": FILES["checkpoint"]}), "receipt.bundle.unknown", True),
    ("a manifest elsewhere", with_files({"receipts/manifest.json": b"{}"}), "receipt.bundle.unknown", True),
    ("a payload", with_files({packing.payload_name(b"forged"): b"forged"}), "receipt.payload.unproven", True),
    ("a payload under another's name", with_files({packing.payload_name(DECLARATION): b"x"}), "receipt.payload.unproven",
     True),
    ("a true payload under another name", with_files({"payloads/contract.edi": DECLARATION}),
     "receipt.payload.unproven", True),
    ("a list of findings", with_files({packing.findings_name(b"[]"): b"[]"}), "receipt.payload.unproven", True),
    ("a payload as findings", with_files({f"findings/{packing.payload_name(DECLARATION)[9:]}.json": DECLARATION}),
     "receipt.payload.unproven", True),
    # The checkpoint
    ("bytes in the checkpoint that are no text",
     with_files({"checkpoint": FILES["checkpoint"] + b"\xe2\x80\x94 w.example \xff\xff\n"}),
     "receipt.checkpoint.other_log", True),
    # Zip files that two programs read differently
    ("something before", b"%PDF-1.7\n" + BUNDLE, UNREADABLE, False),
    ("something before, in step", with_offsets_moved(b"#!/bin/sh\n"), UNREADABLE, False),
    ("something behind", BUNDLE + b"\0", UNREADABLE, False),
    ("a comment", with_comment(b"The buyer has paid."), UNREADABLE, False),
    ("a comment that ends a zip file", with_comment(BUNDLE[-22:]), UNREADABLE, True),
    ("a second end", BUNDLE + BUNDLE[-22:], UNREADABLE, True),
    ("a second zip file behind", with_an_end_behind(BUNDLE), UNREADABLE, True),
    ("one zip file before another", zipped([("checkpoint", b"another")]) + BUNDLE, UNREADABLE, False),
    ("a file the directory does not list", with_hidden_entry(), UNREADABLE, False),
    ("another name in the file's own header", with_local_name(b"readme.doc"), UNREADABLE, True),
    ("two files of one name", zipped([*CONTENT, (R3, FORGED)]), UNREADABLE, True),
    ("two files of one name, the true one last", zipped([(R3, FORGED), *CONTENT]), UNREADABLE, True),
    ("names that differ by case", zipped([*CONTENT, ("CHECKPOINT", b"another")]), UNREADABLE, True),
    ("a file and a folder of one name", zipped([*CONTENT, ("checkpoint/", b"")]), UNREADABLE, False),
    ("a folder with content", zipped([*CONTENT, ("folder/", b"The buyer has paid.")]), UNREADABLE, False),
    ("a folder that leads elsewhere", zipped([*CONTENT, ("../", b"")]), UNREADABLE, False),
    ("another name in an extra field", zipped(CONTENT, change=renamed_by_extra), UNREADABLE, False),
    ("a link", zipped(CONTENT, change=linked), UNREADABLE, False),
    ("bytes behind a deflated file", deflated_with_more_behind(R3), UNREADABLE, False),
    ("another compression", zipped(CONTENT, zipfile.ZIP_BZIP2), UNREADABLE, False),
    ("a cut file", BUNDLE[:-1], UNREADABLE, True),
    ("a cut file, an end behind it", BUNDLE[:-400] + BUNDLE[-22:], UNREADABLE, True),
]  # fmt: skip


@pytest.mark.parametrize(("bundle", "code", "both"), [f[1:] for f in FORGERIES], ids=[f[0] for f in FORGERIES])
def test_no_forged_bundle_holds(printed, bundle, code, both):
    """What nobody signed is named, the bundle does not hold, and nothing forged is counted."""
    covered = Covered()
    problems = verify(bundle, VKEY, covered=covered)
    assert code in codes(problems)
    assert not valid(problems)
    assert covered.stages.total() in {0, 4}
    assert covered.stages["received"] <= 1
    # What the printed verifier still accepts, it has read as the four receipts that were signed.
    assert printed(bundle) == (None if both else 4)


def test_a_name_cut_at_nul_is_another_name():
    """A NUL in a name, at which some readers cut it, makes no file of a bundle."""
    name = b"receipts/000000000007.json"
    cut = name[:-5] + b"\0" + name[-4:]
    bundle = zipped([*CONTENT, (name.decode(), FORGED)]).replace(name, cut)
    assert codes(verify(bundle, VKEY)) == [UNREADABLE]


# What holds, and what is said of it


def test_a_bundle_without_its_manifest_holds(printed):
    """The manifest is no evidence: without it, and with a forged one, what is signed stands, with a warning."""
    files = {name: content for name, content in FILES.items() if name != packing.MANIFEST}
    forged = packing.manifest({**files, "receipts/000000000999.json": b"gone"})
    for listed in ({}, {packing.MANIFEST: b"?"}, {packing.MANIFEST: forged}, {packing.MANIFEST: packing.manifest({})}):
        bundle = packing.pack(files | listed)
        covered = Covered()
        problems = verify(bundle, VKEY, covered=covered)
        assert problems
        assert valid(problems)
        assert covered.stages.total() == printed(bundle) == 4


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("stream", [False, True])
def test_a_bundle_packed_by_another_tool_holds(printed, method, stream):
    """Compressed or not, written to a file or to a pipe (sizes behind the data), the evidence is the same."""

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.content = b""

        def writable(self):
            return True

        def write(self, data):
            self.content += bytes(data)
            return len(data)

    target = Pipe() if stream else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr("receipts/", b"")
        for name, content in reversed(CONTENT):
            archive.writestr(name, content)
    bundle = target.content if stream else target.getvalue()
    problems = verify(bundle, VKEY)
    if stream and method == zipfile.ZIP_STORED:
        # Where stored bytes end, a reader that goes forward could not tell.
        assert codes(problems) == [UNREADABLE]
    else:
        assert codes(problems) == ["receipt.bundle.repacked"]
    assert printed(bundle) == 4


def test_more_files_than_a_plain_zip_file_counts(monkeypatch):
    """A bundle of more than 65,535 files has zip64 records at its end; it is read, and not if they lie."""
    files = {f"attachments/{n}": b"" for n in range(65_600)}
    bundle = packing.pack(files)
    assert packing.unpack(bundle) == files
    assert b"PK\6\6" in bundle
    for at in (len(bundle) - 22 - 20 - 56 + 24, len(bundle) - 22 - 20 + 8, len(bundle) - 22 + 12):
        broken = bundle[:at] + bytes([bundle[at] ^ 1]) + bundle[at + 1 :]
        assert codes(verify(broken, VKEY)) == [UNREADABLE]
    monkeypatch.setattr(packing, "MAX_FILES", 65_000)
    assert codes(verify(bundle, VKEY)) == ["receipt.bundle.too_large"]


def test_no_bundle_is_made_that_no_verifier_reads(monkeypatch):
    """More than a verifier reads is refused to whoever makes the bundle, not to whoever verifies it."""
    monkeypatch.setattr(packing, "MAX_FILES", 7)
    with pytest.raises(PayloadTooLarge):
        sample_bundle()
    monkeypatch.undo()
    monkeypatch.setattr(packing, "MAX_SIZE", len(BUNDLE) - 1)
    with pytest.raises(PayloadTooLarge):
        sample_bundle()


def test_what_is_covered_is_said_exactly():
    """What is said of a bundle: the log, the receipts by stage, their times, the files they vouch for, and no other."""
    covered = Covered()
    bundle = sample_bundle(
        attachments={"bureau.pem": b"certificate", "copy": DECLARATION},
        recipients={5: ("port-bureau", salt()), 6: ("other", salt())},
    )
    assert set(codes(verify(bundle, VKEY, covered=covered))) == {
        "receipt.attachment.unproven",
        "receipt.recipient.wrong",
    }
    assert (covered.origin, covered.size) == (LOG, 11)
    assert dict(covered.stages) == {"received": 1, "checked": 1, "delivered": 1, "answered": 1}
    assert (covered.first, covered.last) == ("2026-03-04T05:06:07.000000Z", "2026-03-04T05:06:07.000000Z")
    assert covered.files == 4  # declaration, transfer, answer, and the declaration's copy
    assert covered.uncovered == ["attachments/bureau.pem"]
    assert covered.recipients == {5: "port-bureau"}


def test_test_traffic_is_told_from_the_rest():
    """Receipts of test traffic are counted apart, so that none is shown as one of production."""
    body = received(0).replace(b'"environment":"production"', b'"environment":"test"')
    log = Log([body, received(1)], [2])
    covered = Covered()
    verify(packing.make_bundle(log.checkpoints[-1], [log.proven(0), log.proven(1)]), VKEY, covered=covered)
    assert (covered.stages.total(), covered.tests) == (2, 1)


@pytest.mark.parametrize("opened", [
    [{"index": True, "partner": "port-bureau", "salt": "00" * 32}],
    [{"index": 5, "partner": "port-bureau", "salt": "00" * 32, "role": "customs"}],
])  # fmt: skip
def test_a_manifest_says_nothing_more_than_it_may(opened):
    """A recipient with other fields than a recipient has is none."""
    files = {name: content for name, content in FILES.items() if name != packing.MANIFEST}
    bundle = packing.pack(files | {packing.MANIFEST: packing.manifest(files, opened)})
    assert codes(verify(bundle, VKEY)) == ["receipt.bundle.manifest"]


# Findings beyond those a receipt lists


def long_check(count=2_001):
    found = [Finding("edi.element.too_long", Severity.ERROR, Place("1", n, "GIS", 1)) for n in range(count)]
    payload = json.loads(TREE.bodies[3])
    body = signed.canonical(json.loads(TREE.bodies[4]) | {"findings": []})
    assert json.loads(body)["payload"] == payload["payload"]
    from gateway.model import Payload

    from .evidence import AT

    sender = Payload("p3", "harbour-trading", "http", "", payload["sha256"], payload["size"], AT)
    return found, signed.checked(
        sender, log=LOG, at=AT, message_id="m1", reference="1", format="edifact:CUSDEC:D:96B:UN",
        verdict=MessageState.REJECTED, findings=found,
    )  # fmt: skip


def test_the_sender_proves_all_its_findings(printed):
    """The whole list travels in the bundle, vouched for by the receipt that lists the first; a changed one does not."""
    found, body = long_check()
    log = Log([body], [1])
    whole = signed.whole_findings(body, found)
    bundle = packing.make_bundle(log.checkpoints[-1], [log.proven(0)], [DECLARATION], findings=[whole])
    covered = Covered()
    assert verify(bundle, VKEY, covered=covered) == []
    assert covered.files == 2
    assert printed(bundle) == 1
    listed = packing.unpack(bundle)[packing.findings_name(whole)]
    assert [one["place"] for one in json.loads(listed)] == [str(one.place) for one in found]

    other = whole.replace(b"GIS 7", b"GIS 8", 1)
    forged = packing.make_bundle(log.checkpoints[-1], [log.proven(0)], [DECLARATION], findings=[other])
    assert codes(verify(forged, VKEY)) == ["receipt.payload.unproven", "receipt.findings.absent"]
    assert printed(forged) is None
    without = packing.make_bundle(log.checkpoints[-1], [log.proven(0)], [DECLARATION])
    problems = verify(without, VKEY)
    assert codes(problems) == ["receipt.findings.absent"]
    assert valid(problems)
    assert "2001" in problems[0].text()


@pytest.mark.parametrize(
    "change", [{"findings_total": 7}, {"findings": [{"code": "x", "place": "", "severity": "note"}]}]
)
def test_a_receipt_that_contradicts_its_findings_is_named(change):
    """Number and first findings of a receipt must be those of the list it digests."""
    found, body = long_check()
    whole = signed.whole_findings(body, found)
    log = Log([signed.canonical(json.loads(body) | change)], [1])
    bundle = packing.make_bundle(log.checkpoints[-1], [log.proven(0)], [DECLARATION], findings=[whole])
    assert codes(verify(bundle, VKEY)) == ["receipt.findings.wrong"]


def test_a_receipt_of_old_with_a_thousand_findings_still_verifies(printed):
    """Receipts from before the bound, with a thousand findings and texts of any length, are as good as ever."""
    found, body = long_check()
    listed = [{"code": f.code, "place": str(f.place), "severity": f.severity.value} for f in found]
    old = signed.canonical(json.loads(body) | {"findings": listed[:1000], "reference": "R" * 100_000})
    assert len(old) > signed.LARGEST_ENTRY
    log = Log([old], [1])
    whole = signed.whole_findings(old, found)
    bundle = packing.make_bundle(log.checkpoints[-1], [log.proven(0)], [DECLARATION], findings=[whole])
    assert verify(bundle, VKEY) == []
    assert printed(bundle) == 1


# Proof files and logs


def test_a_proof_file_beside_another_receipt_is_no_proof():
    """A file that carries one receipt and lies beside another would show each reader its own."""
    proof = Proof(5, tuple(TREE.proven(5)[1]), TREE.checkpoints[-1], TREE.bodies[5])
    covered = Covered()
    other = Proof(5, proof.hashes, proof.checkpoint, FORGED).text().encode()
    assert codes(verify_proof(other, VKEY, TREE.bodies[5], covered)) == ["receipt.proof.wrong"]
    assert codes(verify_proof(proof.text().encode() + b"\xff\n", VKEY, covered=covered)) == ["receipt.proof.unreadable"]
    assert covered == Covered()
    assert verify_proof(proof.text().encode(), VKEY, TREE.bodies[5], covered) == []
    assert (dict(covered.stages), covered.size) == ({"delivered": 1}, 11)


def counted(lines, notes, vkey=VKEY):
    covered = Covered()
    return verify_log(lines, notes, vkey, covered), covered


def test_of_a_log_only_what_was_signed_counts():
    """A changed, repeated, or rewritten entry is not counted, nor what follows a rewriting."""
    problems, covered = counted(LINES, TREE.checkpoints)
    assert (problems, covered.stages.total(), covered.size) == ([], 11, 11)
    changed = [line.replace(b"2026", b"2025") if n == 3 else line for n, line in enumerate(LINES)]
    assert counted(changed, TREE.checkpoints)[1].stages.total() == 10
    rewritten = [LINES[0], *(line for line in LINES[2:])]
    assert counted(rewritten, TREE.checkpoints)[1].stages.total() == 0
    # entry 5 is alone in the third commit; the two commits before stand
    lines = [*LINES[:5], LINES[5].replace(LINES[5][9:73], b"00" * 32), *LINES[6:]]
    problems, covered = counted(lines, [*TREE.checkpoints[:2]])
    assert (covered.stages.total(), covered.size) == (5, 5)
    assert not valid(problems)


def test_a_log_never_takes_its_old_name_again():
    """A checkpoint under an earlier name behind one under a later name vouches for nothing."""
    renamed = SIGNER.renamed(f"{LOG}~2")
    five = Log(TREE.bodies[:5], [5])
    notes = [renamed.checkpoint(5, five.frontier.root()), TREE.checkpoints[-1]]
    problems, covered = counted(LINES, notes, renamed.vkey)
    assert codes(problems) == ["receipt.checkpoint.old_name", "receipt.log.unsigned"]
    assert not valid(problems)
    assert (covered.origin, covered.size, covered.stages.total()) == (renamed.name, 5, 5)


def test_the_command_reads_no_longer_line_than_one_has(tmp_path):
    """An exported log with a line without end is read in bounded memory, and does not hold."""
    import resource
    import subprocess

    log = tmp_path / "log.jsonl"
    with log.open("wb") as file:
        file.write(LINES[0] + b'{"hash":"')
        file.truncate(1_500_000_000)  # a hole: it takes no room
    (tmp_path / "log.jsonl.checkpoint").write_text("".join(TREE.checkpoints), "utf-8")
    limit = 1_000_000_000
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "receipt", "verify", log, "--key", VKEY],
        capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "receipt.log.too_many" in done.stdout


def test_equal_files_make_equal_bundles():
    """Whatever order they are given in; a bundle has no date, and its files are plain ones that anybody may read."""
    files = {"b": b"2", "a": b"1", "c/d": b""}
    bundle = packing.pack(files)
    assert packing.pack(dict(sorted(files.items()))) == bundle
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        entries = [
            (i.filename, i.date_time, i.compress_type, i.create_system, i.external_attr >> 16) for i in file.infolist()
        ]
    assert entries == [(name, (1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3, 0o100644) for name in ("a", "b", "c/d")]


def test_a_bundle_of_files_on_disk_is_the_same(tmp_path):
    """Whether content is handed over or read, the bytes are equal; the file is left at its end."""
    files = {"a": b"1" * 100_000, "b": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    target = io.BytesIO()
    packing.pack_into(target, {name: tmp_path / name for name in files})
    assert target.tell() == len(target.getvalue())
    assert packing.unpack(target.getvalue()) == files
    with zipfile.ZipFile(target) as file:
        assert {i.external_attr >> 16 for i in file.infolist()} == {0o100644}
