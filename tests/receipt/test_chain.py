import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.receipt import chain

# The inputs, roots and proofs of the Certificate Transparency reference tree (RFC 6962 test data).
LEAVES = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    bytes.fromhex(h)
    for h in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
INCLUSION = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
    (
        6,
        7,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
]


class Tree:
    """A tree with its nodes in a dict, as a store would keep them."""

    def __init__(self, bodies):
        self.leaves = [chain.leaf_hash(body) for body in bodies]
        self.frontier = chain.Frontier()
        self.nodes = {(level, index): value for level, index, value in self.frontier.append(self.leaves)}

    def get(self, level, index):
        return self.nodes[level, index]


def mth(leaves):
    """The root as RFC 9162, 2.1.1 words it, by recursion over all the leaves."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def numbered(count):
    return [b"%d" % n for n in range(count)]


WHOLE = Tree(numbered(300))
SIZES = st.integers(min_value=1, max_value=300)


@pytest.mark.parametrize("size", range(9))
def test_the_reference_roots_come_out(size):
    """The tree of the first `size` reference inputs has the published root."""
    assert Tree(LEAVES[:size]).frontier.root() == ROOTS[size]


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSION)
def test_the_reference_inclusion_proofs_come_out(index, size, proof):
    """Inclusion proofs are made and verified as published."""
    tree, expected = Tree(LEAVES), [bytes.fromhex(h) for h in proof]
    assert chain.inclusion_proof(index, size, tree.get) == expected
    assert chain.verify_inclusion(tree.leaves[index], index, size, expected, ROOTS[size])


@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCY)
def test_the_reference_consistency_proofs_come_out(old, new, proof):
    """Consistency proofs are made and verified as published."""
    tree, expected = Tree(LEAVES), [bytes.fromhex(h) for h in proof]
    assert chain.consistency_proof(old, new, tree.get) == expected
    assert chain.verify_consistency(old, new, expected, ROOTS[old], ROOTS[new])


def test_every_size_has_the_root_of_the_definition():
    """For all sizes to 300, frontier, stored nodes and the RFC's recursion agree on the root."""
    growing = chain.Frontier()
    for size in range(301):
        if size:
            growing.append([WHOLE.leaves[size - 1]])
        expected = mth(WHOLE.leaves[:size])
        assert growing.root() == expected
        assert chain.root(size, WHOLE.get) == expected
        assert chain.frontier(size, WHOLE.get) == growing


def test_every_leaf_of_every_small_tree_has_a_proof():
    """All inclusion proofs of all trees to 65 leaves verify, and read the listed nodes, no other."""
    for size in range(1, 66):
        root = chain.root(size, WHOLE.get)
        for index in range(size):
            held = {node: WHOLE.nodes[node] for node in chain.inclusion_nodes(index, size)}
            proof = chain.inclusion_proof(index, size, lambda level, at, held=held: held[level, at])
            assert chain.verify_inclusion(WHOLE.leaves[index], index, size, proof, root)


def test_every_pair_of_small_trees_is_consistent():
    """All consistency proofs between trees to 65 leaves verify, and read the listed nodes, no other."""
    for new in range(66):
        for old in range(new + 1):
            held = {node: WHOLE.nodes[node] for node in chain.consistency_nodes(old, new)}
            proof = chain.consistency_proof(old, new, lambda level, at, held=held: held[level, at])
            assert chain.verify_consistency(old, new, proof, chain.root(old, WHOLE.get), chain.root(new, WHOLE.get))


@given(st.lists(st.integers(min_value=0, max_value=40), max_size=8))
def test_batches_do_not_matter(batches):
    """Leaves appended in any batches make the same frontier and the same stored nodes, each once."""
    frontier, nodes, at = chain.Frontier(), [], 0
    for count in batches:
        nodes += frontier.append(chain.leaf_hash(body) for body in numbered(at + count)[at:])
        at += count
    whole = Tree(numbered(at))
    assert frontier == whole.frontier
    assert len(nodes) == len({node[:2] for node in nodes})
    assert {(level, index): value for level, index, value in nodes} == whole.nodes


@given(st.integers(min_value=0, max_value=300))
def test_a_frontier_survives_storage(size):
    """A frontier read back from its bytes is the same, and a cut one is refused."""
    frontier = chain.frontier(size, WHOLE.get)
    data = frontier.to_bytes()
    assert chain.Frontier.from_bytes(data) == frontier
    with pytest.raises(ValueError, match="no frontier"):
        chain.Frontier.from_bytes(data[:-1])
    with pytest.raises(ValueError, match="no frontier"):
        chain.Frontier.from_bytes(data + bytes(32))


def test_a_copy_leaves_the_original_alone():
    """Appending to a copy does not move the frontier that the last commit left."""
    frontier = chain.frontier(5, WHOLE.get)
    before = frontier.to_bytes()
    frontier.copy().append([bytes(32)])
    assert frontier.to_bytes() == before


@given(st.data(), SIZES)
def test_no_other_leaf_place_or_path_is_included(data, size):
    """An inclusion proof with one thing changed does not verify."""
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    root, leaf = chain.root(size, WHOLE.get), WHOLE.leaves[index]
    proof = chain.inclusion_proof(index, size, WHOLE.get)
    other = data.draw(st.integers(min_value=-1, max_value=400).filter(lambda n: n != index))
    assert not chain.verify_inclusion(leaf, other, size, proof, root)
    assert not chain.verify_inclusion(chain.leaf_hash(b"forged"), index, size, proof, root)
    assert not chain.verify_inclusion(leaf, index, size, [*proof, bytes(32)], root)
    assert not chain.verify_inclusion(leaf, index, size, proof, bytes(32))
    if proof:
        at = data.draw(st.integers(min_value=0, max_value=len(proof) - 1))
        assert not chain.verify_inclusion(leaf, index, size, proof[:at] + proof[at + 1 :], root)
        assert not chain.verify_inclusion(leaf, index, size, [*proof[:at], bytes(32), *proof[at + 1 :]], root)


@given(st.data(), SIZES)
def test_no_other_history_is_consistent(data, new):
    """A consistency proof with one thing changed does not verify."""
    old = data.draw(st.integers(min_value=1, max_value=new))
    old_root, new_root = chain.root(old, WHOLE.get), chain.root(new, WHOLE.get)
    proof = chain.consistency_proof(old, new, WHOLE.get)
    assert chain.verify_consistency(old, new, proof, old_root, new_root)
    assert not chain.verify_consistency(old, new, proof, bytes(32), new_root)
    assert not chain.verify_consistency(old, new, proof, old_root, bytes(32))
    assert not chain.verify_consistency(old, new, [*proof, bytes(32)], old_root, new_root)
    assert not chain.verify_consistency(new + 1, new, proof, old_root, new_root)
    if proof:
        at = data.draw(st.integers(min_value=0, max_value=len(proof) - 1))
        assert not chain.verify_consistency(old, new, proof[:at] + proof[at + 1 :], old_root, new_root)
        assert not chain.verify_consistency(old, new, [*proof[:at], bytes(32), *proof[at + 1 :]], old_root, new_root)


@given(st.data(), st.integers(min_value=2, max_value=300))
def test_a_rewritten_entry_breaks_consistency(data, new):
    """A tree with an old entry rewritten cannot be shown to extend the one that was signed."""
    old = data.draw(st.integers(min_value=1, max_value=new - 1))
    at = data.draw(st.integers(min_value=0, max_value=old - 1))
    bodies = numbered(new)
    bodies[at] = b"rewritten"
    forged = Tree(bodies)
    proof = chain.consistency_proof(old, new, forged.get)
    assert not chain.verify_consistency(old, new, proof, chain.root(old, WHOLE.get), forged.frontier.root())


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 4)])
def test_there_is_no_proof_of_what_is_not_there(index, size):
    """Asking for the proof of a leaf outside the tree is a ValueError."""
    with pytest.raises(ValueError, match="no leaf"):
        chain.inclusion_proof(index, size, WHOLE.get)


@pytest.mark.parametrize(("old", "new"), [(2, 1), (-1, 1)])
def test_a_shorter_tree_extends_nothing(old, new):
    """Asking for consistency with a longer or impossible past is a ValueError."""
    with pytest.raises(ValueError, match="does not extend"):
        chain.consistency_proof(old, new, WHOLE.get)
