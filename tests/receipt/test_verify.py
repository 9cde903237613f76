import io
import json
import random
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import findings
from gateway.model import Delivery, DeliveryKind, Role, Severity
from gateway.receipt import bundle as packing
from gateway.receipt import chain, signed
from gateway.receipt.proof import Proof
from gateway.receipt.verify import (
    Covered,
    Problem,
    log_line,
    split_notes,
    valid,
    verify,
    verify_extension,
    verify_log,
    verify_proof,
)

from .evidence import (
    ANSWER,
    AT,
    DECLARATION,
    LOG,
    SIGNER,
    TRANSFER,
    Log,
    received,
    salt,
    sample_bundle,
    sample_log,
)

VKEY = SIGNER.vkey
BUNDLE = sample_bundle()
TREE = sample_log()
LINES = [log_line(n, body) for n, body in enumerate(TREE.bodies)]


def codes(problems):
    return [problem.code for problem in problems]


def named(problems):
    return [(problem.code, problem.index) for problem in problems]


def forge(change, relist=True):
    """The bundle with its files changed by `change`, the manifest brought in step unless told otherwise."""
    files = packing.unpack(BUNDLE)
    listed = files.pop(packing.MANIFEST)
    change(files)
    files[packing.MANIFEST] = packing.manifest(files) if relist else listed
    return packing.pack(files)


# Bundles


def test_a_bundle_verifies_by_the_public_key_alone():
    """A complete bundle has no problem at all."""
    assert verify(BUNDLE, VKEY) == []


def test_the_same_parts_make_the_same_bundle():
    """A bundle made twice is the same, byte for byte."""
    assert sample_bundle() == BUNDLE


def test_a_bundle_may_lack_payloads():
    """Bytes that may no longer be kept are missed by a note; the receipts still stand."""
    problems = verify(sample_bundle(payloads=[]), VKEY)
    assert set(codes(problems)) == {"receipt.payload.absent"}
    assert {problem.index for problem in problems} == {3, 4, 5, 6}
    assert valid(problems)


def test_an_enclosure_is_said_to_prove_nothing():
    """A certificate travels in the bundle, and is noted as unproven."""
    problems = verify(sample_bundle(attachments={"bureau.pem": b"certificate"}), VKEY)
    assert codes(problems) == ["receipt.attachment.unproven"]
    assert valid(problems)


@pytest.mark.parametrize("name", ["../escape", "a/b", "", "bell\x07", ".hidden", "名"])
def test_enclosures_have_plain_names(name):
    """A name that could leave the folder it is unpacked to, or spoil a terminal, is refused."""
    with pytest.raises(ValueError, match="no name"):
        sample_bundle(attachments={name: b""})


def test_the_recipient_can_show_that_it_is_meant():
    """In the recipient's bundle the commitment is opened and checked; a wrong name is found."""
    assert verify(sample_bundle(recipients={5: ("port-bureau", salt())}), VKEY) == []
    problems = verify(sample_bundle(recipients={5: ("other-bureau", salt())}), VKEY)
    assert named(problems) == [("receipt.recipient.wrong", 5)]
    assert named(verify(sample_bundle(recipients={3: ("port-bureau", salt())}), VKEY)) == [
        ("receipt.recipient.wrong", 3)
    ]


@settings(max_examples=300)
@given(st.data())
def test_a_changed_byte_is_found(data):
    """A bundle with any one byte changed has a problem, and nothing is raised."""
    at = data.draw(st.integers(0, len(BUNDLE) - 1))
    bit = data.draw(st.integers(0, 7))
    assert verify(BUNDLE[:at] + bytes([BUNDLE[at] ^ 1 << bit]) + BUNDLE[at + 1 :], VKEY)


@pytest.mark.parametrize("name", sorted(set(packing.unpack(BUNDLE)) - {packing.MANIFEST}))
def test_a_changed_file_is_named(name):
    """A file with a byte changed is named by the manifest."""

    def change(files):
        files[name] = files[name][:-2] + bytes([files[name][-2] ^ 1]) + files[name][-1:]

    problems = verify(forge(change, relist=False), VKEY)
    assert ("receipt.bundle.file_changed", name) in [(p.code, p.name) for p in problems]
    # What is not signed is told; the evidence stands where it stands without.
    assert valid(problems) == (name == packing.README)


@pytest.mark.parametrize("name", sorted(set(packing.unpack(BUNDLE)) - {packing.MANIFEST}))
def test_a_missing_file_is_named(name):
    """A file that was taken out is named by the manifest."""
    problems = verify(forge(lambda files: files.pop(name), relist=False), VKEY)
    assert ("receipt.bundle.file_missing", name) in [(p.code, p.name) for p in problems]


def swap(files, first, second):
    files[first], files[second] = files[second], files[first]


R3, R4 = packing.receipt_name(3), packing.receipt_name(4)
P3, P4 = packing.proof_name(3), packing.proof_name(4)
PAYLOAD = packing.payload_name(DECLARATION)
OTHER = signed.Signer(LOG, bytes(32))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # another time, canonically written
        (lambda f: f.update({R3: f[R3].replace(b"2026", b"2025")}), [("receipt.proof.wrong", 3)]),
        # written in another way
        (lambda f: f.update({R3: f[R3].replace(b",", b", ")}), [("receipt.malformed", 3), ("receipt.proof.wrong", 3)]),
        # a field too many
        (lambda f: f.update({R3: f[R3][:-1] + b',"x":1}'}), [("receipt.malformed", 3), ("receipt.proof.wrong", 3)]),
        # a stage of another kind
        (lambda f: f.update({R3: b'{"stage":["received"]}'}), [("receipt.malformed", 3), ("receipt.proof.wrong", 3)]),
        (lambda f: f.update({R3: b"[" * 100_000}), [("receipt.malformed", 3), ("receipt.proof.wrong", 3)]),
        (lambda f: f.update({R3: f[R3].replace(b'"version":1', b'"version":2')}), [("receipt.version", 3)]),
        # another log
        (lambda f: f.update({R3: f[R3].replace(LOG.encode(), b"other.example")}), [("receipt.other_log", 3)]),
        (lambda f: swap(f, R3, R4), [("receipt.proof.wrong", 3), ("receipt.proof.wrong", 4)]),
        (lambda f: swap(f, P3, P4), [("receipt.proof.other_place", 3), ("receipt.proof.other_place", 4)]),
        (lambda f: f.pop(P3), [("receipt.proof.missing", 3)]),
        (lambda f: f.pop(R3), [("receipt.proof.stray", 3)]),
        (lambda f: f.update({P3: b"c2sp.org/tlog-proof@v1\nindex 3\n"}), [("receipt.proof.malformed", 3)]),
        # bytes no receipt is about
        (lambda f: f.update({PAYLOAD: b"other"}), [("receipt.payload.unproven", None)]),
        (lambda f: f.update({"payloads/extra": DECLARATION}), [("receipt.payload.unproven", None)]),
        # a checkpoint signed with another key, of another log, or none
        (
            lambda f: f.update({"checkpoint": OTHER.checkpoint(11, bytes(32)).encode()}),
            [("receipt.checkpoint.invalid", None)],
        ),
        (
            lambda f: f.update({"checkpoint": SIGNER.renamed("x.example").checkpoint(11, bytes(32)).encode()}),
            [("receipt.checkpoint.other_log", None)],
        ),
        (lambda f: f.pop("checkpoint"), [("receipt.checkpoint.missing", None)]),
        (lambda f: f.update({"checkpoint": b"\xff\xfe"}), [("receipt.checkpoint.other_log", None)]),
    ],
)
def test_forged_evidence_is_named(change, expected):
    """What was changed, swapped, removed or put in is named, though the manifest was brought in step."""
    problems = verify(forge(change), VKEY)
    assert set(expected) <= set(named(problems))
    assert not valid(problems)


def test_a_payload_in_a_file_makes_the_same_bundle(tmp_path):
    """Copied from its file or given as bytes, a payload stands in the bundle byte for byte alike."""
    log, large = sample_log(), DECLARATION * 5000
    path = tmp_path / "payload"
    path.write_bytes(large)
    into = io.BytesIO()
    packing.write_bundle(into, log.checkpoints[-1], [log.proven(3)], [path, ANSWER])
    assert into.getvalue() == packing.make_bundle(log.checkpoints[-1], [log.proven(3)], [large, ANSWER])
    assert into.tell() == len(into.getvalue())


def test_a_receipt_with_another_size_is_found():
    """Digest and size of a payload must agree."""
    body = received(0, DECLARATION).replace(b'"size":%d' % len(DECLARATION), b'"size":1')
    log = Log([body], [1])
    bundle = packing.make_bundle(log.checkpoints[-1], [log.proven(0)], [DECLARATION])
    assert named(verify(bundle, VKEY)) == [("receipt.payload.size", 0)]


def test_a_log_never_vouches_for_another_environment():
    """The environment is part of what is signed: a test receipt cannot be turned into one of production."""

    def change(files):
        files[R3] = files[R3].replace(b"production", b"test")

    assert ("receipt.proof.wrong", 3) in named(verify(forge(change), VKEY))


def test_a_file_nobody_listed_is_named():
    """A file that was put in is named by the manifest."""
    problems = verify(forge(lambda f: f.update({"stray.txt": b"?"}), relist=False), VKEY)
    assert ("receipt.bundle.file_unlisted", "stray.txt") in [(p.code, p.name) for p in problems]


@pytest.mark.parametrize(
    "listed",
    [
        b"",
        b"[]",
        b"{}",
        b'{"files":[],"recipients":[],"version":1}',
        b'{"files":{"\\u001b":0},"recipients":[]}',
        b"{" * 10**5,
    ],
)
def test_a_manifest_that_is_none_is_said_to_be_none(listed):
    """A malformed manifest is one problem, not an exception."""
    files = packing.unpack(BUNDLE) | {packing.MANIFEST: listed}
    assert "receipt.bundle.manifest" in codes(verify(packing.pack(files), VKEY))


@pytest.mark.parametrize("opened", [[7], [{}], [{"index": 5, "partner": "x", "salt": "zz"}]])
def test_malformed_recipients_are_said_to_be_malformed(opened):
    """What names no recipient is a fault of the manifest."""
    files = packing.unpack(BUNDLE)
    files.pop(packing.MANIFEST)
    files[packing.MANIFEST] = packing.manifest(files, opened)
    assert codes(verify(packing.pack(files), VKEY)) == ["receipt.bundle.manifest"]


def test_a_bundle_packed_again_still_verifies():
    """Unpacked and zipped with another tool, the evidence stands, with a warning."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("receipts")
        for name, content in packing.unpack(BUNDLE).items():
            archive.writestr(name, content)
    problems = verify(target.getvalue(), VKEY)
    assert codes(problems) == ["receipt.bundle.repacked"]
    assert valid(problems)


def test_a_zip_bomb_is_refused_unopened():
    """A small file that unpacks to more than the limit is not unpacked."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10_000_000))
    assert codes(verify(target.getvalue(), VKEY, max_size=1_000_000)) == ["receipt.bundle.too_large"]
    assert codes(verify(BUNDLE, VKEY, max_size=100)) == ["receipt.bundle.too_large"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\x1b[2J", "a/b/c", "文件"])
def test_unusual_names_are_refused(name):
    """A bundle whose files would unpack elsewhere, or spoil a terminal, is not read."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(name, b"")
    assert codes(verify(target.getvalue(), VKEY)) == ["receipt.bundle.unreadable"]


@given(st.binary(max_size=200))
def test_what_is_no_bundle_is_said_to_be_none(data):
    """Arbitrary bytes are one problem, not an exception."""
    assert codes(verify(data, VKEY)) == ["receipt.bundle.unreadable"]


def test_an_empty_bundle_proves_nothing():
    """A bundle without receipts is not good by having no fault."""
    assert codes(verify(packing.make_bundle(TREE.checkpoints[-1], []), VKEY)) == ["receipt.bundle.empty"]


def test_a_malformed_key_is_said_to_be_malformed():
    """The wrong text in place of the key is one problem everywhere."""
    assert codes(verify(BUNDLE, "key")) == ["receipt.key.invalid"]
    assert codes(verify_log([], [], "key")) == ["receipt.key.invalid"]
    assert codes(verify_extension("", "", [], "key")) == ["receipt.key.invalid"]


def test_receipts_from_before_a_renaming_still_count():
    """A log that had to take a new name vouches under it for its older receipts."""
    renamed = SIGNER.renamed(LOG + "~2")
    note = renamed.checkpoint(11, TREE.frontier.root())
    bundle = packing.make_bundle(note, [TREE.proven(n) for n in range(3, 7)], [DECLARATION, TRANSFER, ANSWER])
    assert verify(bundle, renamed.vkey) == []
    assert not valid(verify(bundle, VKEY))


# Checkpoints


@pytest.mark.parametrize("old", range(4))
def test_a_log_that_grew_is_consistent(old):
    """Each checkpoint of a log is extended by its last."""
    size = [2, 5, 6, 11][old]
    proof = chain.consistency_proof(size, 11, TREE.get)
    assert verify_extension(TREE.checkpoints[old], TREE.checkpoints[-1], proof, VKEY) == []


def test_a_log_that_was_rewritten_is_found():
    """A checkpoint of a rewritten log does not extend what a partner has seen."""
    bodies = [*TREE.bodies[:1], received(99), *TREE.bodies[2:]]
    forged = Log(bodies, [11])
    proof = chain.consistency_proof(5, 11, forged.get)
    assert codes(verify_extension(TREE.checkpoints[1], forged.checkpoints[-1], proof, VKEY)) == [
        "receipt.checkpoint.forked"
    ]
    assert codes(verify_extension(TREE.checkpoints[-1], TREE.checkpoints[1], [], VKEY)) == ["receipt.checkpoint.shrunk"]
    assert codes(verify_extension("", "x\n", [], VKEY)) == [
        "receipt.checkpoint.missing",
        "receipt.checkpoint.other_log",
    ]


@pytest.mark.parametrize("old", range(4))
def test_checkpoints_in_one_file_are_told_apart(old):
    """Notes written one after the other come apart again, with witnesses' lines and without."""
    witness = signed.Signer("witness.example", bytes(32))
    notes = [*TREE.checkpoints]
    notes[old] += witness.sign("x\n").rpartition("\n\n")[2]
    assert list(split_notes("".join(notes).splitlines(keepends=True))) == notes
    assert verify_log(LINES, split_notes(io.StringIO("".join(notes))), VKEY) == []


# Proof files

PROOF = Proof(5, tuple(TREE.proven(5)[1]), TREE.checkpoints[-1], TREE.bodies[5])


def test_a_proof_file_verifies_alone_or_beside_its_receipt():
    """The receipt may travel in the proof file or next to it."""
    assert verify_proof(PROOF.text().encode(), VKEY) == []
    assert verify_proof(replace(PROOF, receipt=b"").text().encode(), VKEY, TREE.bodies[5]) == []


@pytest.mark.parametrize(
    ("proof", "expected"),
    [
        (replace(PROOF, receipt=b""), ["receipt.proof.stray"]),
        (replace(PROOF, receipt=TREE.bodies[4]), ["receipt.proof.wrong"]),
        (replace(PROOF, index=4), ["receipt.proof.wrong"]),
        (replace(PROOF, hashes=PROOF.hashes[:-1]), ["receipt.proof.wrong"]),
        (replace(PROOF, receipt=b"{}"), ["receipt.malformed", "receipt.proof.wrong"]),
        (replace(PROOF, checkpoint=OTHER.checkpoint(11, bytes(32))), ["receipt.checkpoint.invalid"]),
        (replace(PROOF, checkpoint=""), ["receipt.checkpoint.missing"]),
        (replace(PROOF, index=2**62 * 10), ["receipt.proof.unreadable"]),
    ],
)
def test_a_forged_proof_file_is_named(proof, expected):
    """What is wrong with a proof file is said precisely."""
    assert codes(verify_proof(proof.text().encode(), VKEY)) == expected


def test_a_proof_file_needs_a_key():
    """A malformed key is said to be malformed."""
    assert codes(verify_proof(PROOF.text().encode(), "key")) == ["receipt.key.invalid"]


# Whole logs


def test_a_whole_log_verifies():
    """An exported log has no problem, by all of its checkpoints or by the last alone."""
    assert verify_log(LINES, TREE.checkpoints, VKEY) == []
    assert verify_log(LINES, TREE.checkpoints[-1:], VKEY) == []


def test_an_empty_log_verifies():
    """A log signed before its first entry is good; one that was never signed is not."""
    assert verify_log([], [SIGNER.checkpoint(0, chain.EMPTY_ROOT)], VKEY) == []
    assert codes(verify_log([], [], VKEY)) == ["receipt.checkpoint.missing"]


def test_a_relayed_receipt_has_its_place_in_a_log():
    """The stage that is never called delivered verifies like the others."""
    delivery = Delivery("d1", "p", "a", "l", DeliveryKind.RESPONSE, "clearance", "xml:x:1", b"<x/>", "cd" * 32)
    handed = {"log": LOG, "at": AT, "role": Role.CUSTOMS, "salt": salt(), "evidence": "smtp_250", "answer": b"250 ok"}
    body = signed.relayed(delivery, **handed)
    assert verify_log([log_line(0, body)], Log([body], [1]).checkpoints, VKEY) == []


def test_a_line_is_canonical_json():
    """An exported line is one canonical JSON object."""
    for line in LINES:
        assert signed.canonical(json.loads(line)) + b"\n" == line


@settings(max_examples=300)
@given(st.data())
def test_a_changed_byte_of_an_entry_is_found_and_named(data):
    """An entry with any one byte changed is named by its index."""
    index = data.draw(st.integers(0, 10))
    line = LINES[index]
    at = data.draw(st.integers(0, len(line) - 2))
    other = bytes([line[at] ^ 1 << data.draw(st.integers(0, 7))])
    problems = verify_log(
        [*LINES[:index], line[:at] + other + line[at + 1 :], *LINES[index + 1 :]], TREE.checkpoints, VKEY
    )
    assert not valid(problems)
    assert any(index in {p.index, *map(int, p.args.get("last", "").split())} for p in problems)


@pytest.mark.parametrize("index", range(11))
def test_a_changed_entry_is_the_only_one_named(index):
    """A receipt changed in place is named, and the entries around it still stand."""
    lines = LINES.copy()
    lines[index] = lines[index].replace(b"2026", b"2025")
    assert named(verify_log(lines, TREE.checkpoints, VKEY)) == [("receipt.log.changed", index)]


@pytest.mark.parametrize("index", range(11))
def test_a_changed_hash_is_told_from_a_changed_history(index):
    """Where only the hash beside an entry was damaged, the checkpoint still vouches for the rest."""
    lines = LINES.copy()
    lines[index] = lines[index][:9] + bytes([lines[index][9] ^ 1]) + lines[index][10:]
    problems = verify_log(lines, TREE.checkpoints, VKEY)
    assert problems[0].index == index
    assert set(codes(problems)) <= {"receipt.log.changed", "receipt.log.malformed"}


@pytest.mark.parametrize("index", range(10))
def test_a_missing_entry_is_named(index):
    """An entry that was taken out is named."""
    lines = LINES[:index] + LINES[index + 1 :]
    assert named(verify_log(lines, TREE.checkpoints, VKEY)) == [("receipt.log.missing", index)]


def test_a_cut_log_is_found():
    """A log that ends before what was signed is found, whatever its last checkpoint."""
    problems = verify_log(LINES[:10], TREE.checkpoints, VKEY)
    assert named(problems) == [("receipt.log.cut", 10)]
    assert problems[0].args == {"size": "11"}


def test_a_run_of_missing_entries_is_named():
    """Several missing entries are named as one run."""
    problems = verify_log(LINES[:2] + LINES[6:], TREE.checkpoints, VKEY)
    assert [(p.code, p.index, p.args["last"]) for p in problems] == [("receipt.log.missing", 2, "5")]


def test_a_moved_entry_is_named():
    """An entry out of order is named as such, not as missing."""
    lines = [*LINES[:4], LINES[5], LINES[4], *LINES[6:]]
    assert named(verify_log(lines, TREE.checkpoints, VKEY)) == [("receipt.log.misplaced", 4)]


def test_an_entry_moved_out_of_a_missing_run_leaves_the_rest_missing():
    """Of a run of missing entries, the one found elsewhere is misplaced, the others are still missing."""
    problems = verify_log([*LINES[:3], *LINES[8:], LINES[5]], TREE.checkpoints, VKEY)
    assert [(p.code, p.index, p.args.get("last")) for p in problems] == [
        ("receipt.log.misplaced", 5, None),
        ("receipt.log.missing", 3, "4"),
        ("receipt.log.missing", 6, "7"),
    ]


def test_a_repeated_entry_is_named():
    """An entry that stands twice is named."""
    assert named(verify_log([*LINES[:5], *LINES[4:]], TREE.checkpoints, VKEY)) == [("receipt.log.repeated", 4)]


def renumbered(bodies):
    return [log_line(n, body) for n, body in enumerate(bodies)]


@pytest.mark.parametrize(
    ("bodies", "first", "last"),
    [
        ([*TREE.bodies[:3], received(99), *TREE.bodies[4:]], 2, "4"),  # replaced, hash and all
        (TREE.bodies[:3] + TREE.bodies[4:] + [received(99)], 2, "4"),  # taken out, the rest moved up
        ([*TREE.bodies[:3], TREE.bodies[4], TREE.bodies[3], *TREE.bodies[5:]], 2, "4"),  # swapped
        ([*TREE.bodies[:5], received(99), *TREE.bodies[6:]], 5, "5"),  # alone in its commit
    ],
)
def test_a_history_rewritten_with_care_is_found(bodies, first, last):
    """With numbers and hashes brought in step, the commit in which the history was rewritten is named."""
    problems = verify_log(renumbered(bodies), TREE.checkpoints, VKEY)
    assert [(p.code, p.index, p.args["last"]) for p in problems] == [("receipt.log.rewritten", first, last)]


@pytest.mark.parametrize("forged", [[], [LINES[6]], [log_line(6, received(99))], LINES[6:]])
def test_entries_after_the_last_checkpoint_do_not_hold(forged):
    """What no checkpoint covers is named, counts for nothing, and the whole does not hold."""
    covered = Covered()
    problems = verify_log([*LINES[:6], *forged], TREE.checkpoints[:-1], VKEY, covered)
    assert named(problems) == ([("receipt.log.unsigned", 6)] if forged else [])
    assert valid(problems) == (not forged)
    assert covered.stages.total() == covered.size == 6


def test_a_log_without_a_checkpoint_is_not_vouched_for():
    """Entries alone prove nothing."""
    assert not valid(verify_log(LINES, [], VKEY))


def test_a_forged_checkpoint_is_found():
    """A checkpoint signed with another key, or over another history, or out of order, is found."""
    notes = TREE.checkpoints
    assert codes(verify_log(LINES, [OTHER.checkpoint(2, bytes(32)), *notes[1:]], VKEY)) == [
        "receipt.checkpoint.invalid"
    ]
    assert codes(verify_log(LINES, [notes[1], notes[0], *notes[2:]], VKEY)) == ["receipt.checkpoint.shrunk"]
    two = [*notes, SIGNER.checkpoint(11, bytes(32))]
    assert codes(verify_log(LINES, two, VKEY)) == ["receipt.checkpoint.forked"]


def test_a_renamed_log_verifies_whole():
    """Checkpoints under the log's earlier name count, signed with the same key."""
    renamed = SIGNER.renamed(LOG + "~2")
    bodies = [*TREE.bodies, received(11, log=renamed.name)]
    grown = Log(bodies, [12])
    notes = [*TREE.checkpoints, renamed.checkpoint(12, grown.frontier.root())]
    assert verify_log(renumbered(bodies), notes, renamed.vkey) == []
    assert not valid(verify_log(renumbered(bodies), notes, VKEY))


def test_the_report_of_a_ruined_log_is_bounded():
    """A file that is no log at all is given up after a thousand problems."""
    problems = verify_log((b"?\n" for _ in range(10**9)), TREE.checkpoints, VKEY)
    assert codes(problems)[-1] == "receipt.log.too_many"
    assert len(problems) == 1001


def test_a_long_log_with_many_commits_verifies():
    """Two thousand entries in commits of any size verify, and one change among them is named."""
    pick = random.Random(7)
    commits = []
    while sum(commits) < 2000:
        commits.append(min(pick.randint(1, 50), 2000 - sum(commits)))
    log = Log([received(n) for n in range(2000)], commits)
    lines = renumbered(log.bodies)
    assert verify_log(lines, log.checkpoints, VKEY) == []
    lines[1234] = lines[1234].replace(b"harbour", b"harvour")
    assert named(verify_log(lines, log.checkpoints, VKEY)) == [("receipt.log.changed", 1234)]


# Words


@pytest.mark.parametrize("code", sorted(code for code in findings.catalogue() if code.startswith("receipt.")))
def test_every_problem_has_words_in_both_languages(code):
    """Each code is worded in English and Chinese with its arguments filled in."""
    args = dict.fromkeys(
        ("line", "last", "size", "before", "found", "expected", "version", "listed", "total", "first", "level"), "17"
    )
    problem = Problem(code, 4, "checkpoint", args)
    for language in ("en", "zh"):
        assert "–" not in problem.text(language)
        assert "{" not in problem.text(language)
    assert problem.text("en") != problem.text("zh")
    assert problem.severity in Severity
