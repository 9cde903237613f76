"""Judges a whole exported receipt log, entry by entry, by its checkpoints and the public key.

An exported log is JSON Lines, one canonical object {"hash", "index", "receipt"} for each entry, and its
checkpoints from the oldest to the newest. The hash is the entry's leaf hash, so that a damaged entry
can be told from a rewritten history: the checkpoints vouch for the hashes, the hashes for the entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.errors import ReceiptInvalid
from gateway.receipt import chain
from gateway.receipt.anchor import is_name_of
from gateway.receipt.covered import Covered
from gateway.receipt.problems import Problem, check_checkpoint, check_receipt
from gateway.receipt.signed import Checkpoint, Verifier

MAX_PROBLEMS: Final = 1000
"""An exported log with more problems than this is not read to its end."""


def log_line(index: int, body: bytes) -> bytes:
    """One line of an exported log: the receipt `body` at `index`."""
    return b'{"hash":"%s","index":%d,"receipt":%s}\n' % (chain.leaf_hash(body).hex().encode(), index, body)


def split_notes(lines: Iterable[str]) -> Iterator[str]:
    """The checkpoints in a file that holds one after the other, from its lines with their newlines."""
    note: list[str] = []
    for line in lines:
        # No origin begins like a signature line: the name of a key has no blanks.
        if note and note[-1].startswith("— ") and not line.startswith("— "):
            yield "".join(note)
            note = []
        note.append(line)
    if note:
        yield "".join(note)


def verify_log(
    lines: Iterable[bytes], checkpoints: Iterable[str], vkey: str, covered: Covered | None = None
) -> list[Problem]:
    """Everything wrong with a whole exported log, in bounded memory; `covered` takes what it shows.

    `checkpoints` go from the oldest to the newest. Those signed under an earlier name of the log (see
    `anchor`) with the same key count as well.
    """
    try:
        verifier = Verifier(vkey)
    except ReceiptInvalid:
        return [Problem("receipt.key.invalid")]
    audit = _LogAudit(verifier, Covered() if covered is None else covered)
    heads = _heads(checkpoints, verifier, audit.problems)
    head = next(heads, None)
    if head is None and not audit.problems:
        audit.problems.append(Problem("receipt.checkpoint.missing"))
    for line in lines:
        # A log signed while it was empty has a checkpoint over no entries.
        while head is not None and head.size <= audit.size:
            audit.judge(head)
            head = next(heads, None)
        audit.read(line)
        if len(audit.problems) >= MAX_PROBLEMS:
            return [*audit.problems, Problem("receipt.log.too_many")]
    while head is not None:
        audit.judge(head)
        head = next(heads, None)
    audit.close()
    return audit.problems


class _LogAudit:
    """What an exported log has shown so far.

    Two trees grow side by side, one of the hashes the lines give and one of the hashes their receipts
    have. The checkpoint says which of the two was signed, so that a damaged hash is told from a damaged
    receipt; both trees go on from there.
    """

    def __init__(self, verifier: Verifier, covered: Covered) -> None:
        self.problems: list[Problem] = []
        self.size = 0
        self._covered = covered
        self._uncovered = Covered()
        """What was read since the last checkpoint, and counts only under the next one."""
        self._verifier = verifier
        self._given = chain.Frontier()
        self._computed = chain.Frontier()
        self._judged = 0
        self._gaps: list[tuple[int, int]] = []
        self._whole = True
        self._cut = False
        self._line = 0

    def read(self, line: bytes) -> None:
        """Take the next line."""
        self._line += 1
        entry = _entry(line)
        if entry is None:
            self._add("receipt.log.malformed", self.size, line=str(self._line))
            self._whole = False
            self.size += 1
            return
        index, given, body = entry
        if index < self.size:
            again = self._fill_gap(index)
            self._add("receipt.log.misplaced" if again else "receipt.log.repeated", index, line=str(self._line))
            self._whole = False
            return
        if index > self.size:
            self._gaps.append((self.size, index - 1))
            self._whole = False
        self.size = index + 1
        computed = chain.leaf_hash(body)
        if computed != given:
            self._add("receipt.log.changed", index)
        else:
            receipt, found = check_receipt(body, index, "", self._verifier.name)
            self.problems += found
            if receipt is not None and not found:
                self._uncovered.take(receipt)
        if self._whole:
            self._given.append([given])
            self._computed.append([computed])

    def judge(self, head: Checkpoint) -> None:
        """Compare what was read with the checkpoint over exactly that, or find that the log ends too early."""
        if head.size > self.size and not self._cut:
            self._add("receipt.log.cut", self.size, size=str(head.size))
            self._whole, self._cut = False, True
        if not self._whole:
            return
        if head.root == self._given.root():
            self._computed = self._given.copy()
        elif head.root == self._computed.root():
            self._given = self._computed.copy()
        elif head.size == self._judged:
            sizes = {"size": str(head.size), "before": str(self._judged)}
            self.problems.append(Problem("receipt.checkpoint.forked", args=sizes))
            self._whole = False
        else:
            self._add("receipt.log.rewritten", self._judged, last=str(head.size - 1))
            self._whole = False
        self._judged = head.size
        if self._whole:
            self._covered.merge(self._uncovered)
            self._covered.take_head(head)
            self._uncovered = Covered()

    def close(self) -> None:
        """Say what only the end shows."""
        for first, last in self._gaps:
            self._add("receipt.log.missing", first, last=str(last))
        if self._whole and self.size > self._judged:
            self._add("receipt.log.unsigned", self._judged)

    def _fill_gap(self, index: int) -> bool:
        """Whether `index` was missing until now; it is not any more."""
        for at, (first, last) in enumerate(self._gaps):
            if first <= index <= last:
                parts = [(first, index - 1), (index + 1, last)]
                self._gaps[at : at + 1] = [(begin, end) for begin, end in parts if begin <= end]
                return True
        return False

    def _add(self, code: str, index: int, **args: str) -> None:
        self.problems.append(Problem(code, index, args=args))


def _heads(checkpoints: Iterable[str], verifier: Verifier, problems: list[Problem]) -> Iterator[Checkpoint]:
    """The good checkpoints, in order; what is wrong with the others goes to `problems`."""
    before = 0
    newest = ""
    for note in checkpoints:
        name = note.partition("\n")[0]
        earlier = is_name_of(name, verifier.name) and name != verifier.name
        head, found = check_checkpoint(note, verifier.renamed(name) if earlier else verifier)
        problems += found
        if head is None:
            continue
        if head.size < before:
            problems.append(Problem("receipt.checkpoint.shrunk", args={"size": str(head.size), "before": str(before)}))
            continue
        if newest and not is_name_of(newest, name):
            # A log that took a new name never signs under the old one again.
            problems.append(Problem("receipt.checkpoint.old_name", args={"found": name, "expected": newest}))
            continue
        before, newest = head.size, name
        yield head


def _entry(line: bytes) -> tuple[int, bytes, bytes] | None:
    """(index, hash given, receipt) of a line, or None where it is not exactly as `log_line` writes one."""
    match = re.fullmatch(
        rb'\{"hash":"([0-9a-f]{64})","index":(0|[1-9][0-9]{0,18}),"receipt":(\{.*\})\}\n?', line, re.DOTALL
    )
    if match is None:
        return None
    return int(match[2]), bytes.fromhex(match[1].decode()), match[3]
