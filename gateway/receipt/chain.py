"""The Merkle tree of the receipt log: hashing, appending, proofs and their verification (RFC 9162, 2.1).

A node is named by (level, index): level 0 holds the leaf hashes, and node (l, i) covers the leaves
i * 2**l to (i + 1) * 2**l - 1. A node is stored once, when all its leaves are there, and never
changes after that. What covers fewer leaves, on the tree's right edge, is computed when it is asked for.

Appending needs the `Frontier` alone; proofs read stored nodes through `get_node`. The functions
named `*_nodes` list what a proof will ask for, so that a store can fetch it all with one query.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Node = tuple[int, int]
"""The name of a node: (level, index)."""

GetNode = Callable[[int, int], bytes]
"""Gives the stored hash of node (level, index)."""

_Range = tuple[int, int]
"""Leaves begin to end - 1 that make up one subtree of RFC 9162's recursion."""


def leaf_hash(body: bytes) -> bytes:
    """The hash of a leaf; the prefix keeps leaves and nodes apart (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """All that appending needs: the tree's size, and the roots of the full subtrees that make it up.

    `hashes` go from the largest subtree to the smallest, one for each bit set in `size`.
    """

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def append(self, leaf_hashes: Iterable[bytes]) -> list[tuple[int, int, bytes]]:
        """Add leaves; gives every node that became complete, leaves included, as (level, index, hash) to be stored."""
        done: list[tuple[int, int, bytes]] = []
        for leaf in leaf_hashes:
            level, index, value = 0, self.size, leaf
            done.append((level, index, value))
            while index & 1:
                value = node_hash(self.hashes.pop(), value)
                level, index = level + 1, index >> 1
                done.append((level, index, value))
            self.hashes.append(value)
            self.size += 1
        return done

    def root(self) -> bytes:
        """The root hash of the tree as it stands."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def copy(self) -> Frontier:
        """A frontier to append to while this one stays as it is, until a commit has succeeded."""
        return Frontier(self.size, list(self.hashes))

    def to_bytes(self) -> bytes:
        """The size as 8 bytes, big-endian, then the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """The inverse of `to_bytes`; ValueError where the length does not fit the size."""
        size = int.from_bytes(data[:8], "big")
        if len(data) != 8 + HASH_SIZE * size.bit_count():
            raise ValueError(f"{len(data)} bytes are no frontier of a tree of {size} leaves")
        return cls(size, [data[at : at + HASH_SIZE] for at in range(8, len(data), HASH_SIZE)])


def root_nodes(size: int) -> list[Node]:
    """The stored nodes that `root` asks for."""
    return _subtrees((0, size))


def root(size: int, get_node: GetNode) -> bytes:
    """The root hash the tree had when it held `size` leaves."""
    return _hash_of((0, size), get_node) if size else EMPTY_ROOT


def frontier(size: int, get_node: GetNode) -> Frontier:
    """The frontier of the tree of `size` leaves, read back from the nodes that `root_nodes` lists."""
    return Frontier(size, [get_node(*node) for node in root_nodes(size)])


def inclusion_nodes(index: int, size: int) -> list[Node]:
    """The stored nodes that `inclusion_proof` asks for."""
    return [node for part in _inclusion_ranges(index, size) for node in _subtrees(part)]


def inclusion_proof(index: int, size: int, get_node: GetNode) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of the tree of `size` leaves (RFC 9162, 2.1.3.1).

    They go from the leaf's sibling upwards. ValueError unless 0 <= index < size.
    """
    return [_hash_of(part, get_node) for part in _inclusion_ranges(index, size)]


def consistency_nodes(old: int, new: int) -> list[Node]:
    """The stored nodes that `consistency_proof` asks for."""
    return [node for part in _consistency_ranges(old, new) for node in _subtrees(part)]


def consistency_proof(old: int, new: int, get_node: GetNode) -> list[bytes]:
    """The hashes that show the tree of `old` leaves to be the beginning of the one of `new` (RFC 9162, 2.1.4.1).

    Empty where there is nothing to show: from the empty tree, and from a tree to itself. ValueError
    unless 0 <= old <= new.
    """
    return [_hash_of(part, get_node) for part in _consistency_ranges(old, new)]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes) -> bool:
    """Whether `proof` shows that the leaf hash `leaf` stands at `index` under `root_hash` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            value = node_hash(sibling, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and value == root_hash


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that the tree under `new_root` begins with the one under `old_root` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    # A full tree is a node of the new one, so the proof leaves out what the verifier already holds.
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_value = new_value = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_value = node_hash(sibling, old_value)
            new_value = node_hash(sibling, new_value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_value = node_hash(new_value, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old_value == old_root and new_value == new_root


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The root above full subtrees that stand side by side, the largest first."""
    value = hashes[-1]
    for left in reversed(hashes[:-1]):
        value = node_hash(left, value)
    return value


def _hash_of(part: _Range, get_node: GetNode) -> bytes:
    return _fold([get_node(*node) for node in _subtrees(part)])


def _subtrees(part: _Range) -> list[Node]:
    """The full subtrees that make up `part`, the largest first: one for each bit set in its length."""
    begin, end = part
    nodes: list[Node] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append((level, begin >> level))
        begin += 1 << level
    return nodes


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (RFC 9162, 2.1.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _inclusion_ranges(index: int, size: int) -> list[_Range]:
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    begin, end = 0, size
    siblings: list[_Range] = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    return siblings[::-1]


def _consistency_ranges(old: int, new: int) -> list[_Range]:
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not extend one of {old}")
    if old in {0, new}:
        return []
    begin, end = 0, new
    parts: list[_Range] = []
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((begin, middle))
            begin = middle
    # What begins at leaf 0 is the old tree itself, whose root the verifier has.
    if begin:
        parts.append((begin, end))
    return parts[::-1]
