import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ReceiptInvalid
from gateway.receipt import chain
from gateway.receipt.proof import Proof

from .evidence import LOG, SIGNER, sample_log

TREE = sample_log()
HASH = st.binary(min_size=32, max_size=32)


def proof_of(index, receipt=b""):
    return Proof(index, tuple(chain.inclusion_proof(index, 11, TREE.get)), TREE.checkpoints[-1], receipt)


def test_a_proof_file_reads_as_the_specification_says():
    """Header, extra line, index, hashes, a blank line, the checkpoint verbatim (C2SP tlog-proof)."""
    zero = "A" * 43 + "="
    proof = Proof(7, (bytes(32), bytes(32)), "checkpoint\n", b"{}")
    assert proof.text() == f"c2sp.org/tlog-proof@v1\nextra e30=\nindex 7\n{zero}\n{zero}\n\ncheckpoint\n"
    assert Proof(0, (), "checkpoint\n").text() == "c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n"


@given(st.integers(0, 2**62), st.lists(HASH, max_size=63), st.binary())
def test_a_proof_file_comes_back(index, hashes, receipt):
    """What was written is read again."""
    proof = Proof(index, tuple(hashes), SIGNER.checkpoint(1, bytes(32)), receipt)
    assert Proof.parse(proof.text()) == proof


def test_a_proof_may_be_as_high_as_a_tree_can_be():
    """63 hashes are read: a tree of 2**63 leaves has no more levels."""
    proof = Proof(0, (bytes(32),) * 63, "checkpoint\n")
    assert Proof.parse(proof.text()) == proof


@pytest.mark.parametrize("index", range(11))
def test_one_file_is_the_whole_evidence(index):
    """A proof file with its receipt verifies by the public key alone."""
    proof = Proof.parse(proof_of(index, TREE.bodies[index]).text())
    head = proof.check(proof.receipt, SIGNER.verifier)
    assert (head.origin, head.size) == (LOG, 11)
    with pytest.raises(ReceiptInvalid):
        proof.check(proof.receipt + b" ", SIGNER.verifier)


@given(st.data())
def test_a_changed_character_is_found(data):
    """A proof file with any one character changed does not parse or does not verify."""
    text = proof_of(5, TREE.bodies[5]).text()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda c: c != text[at]))

    def verify():
        proof = Proof.parse(text[:at] + other + text[at + 1 :])
        proof.check(proof.receipt, SIGNER.verifier)

    with pytest.raises(ReceiptInvalid):
        verify()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v1\n\ncheckpoint\n",  # no index
        "c2sp.org/tlog-proof@v2\nindex 0\n\ncheckpoint\n",  # another version
        "c2sp.org/tlog-proof@v1\nindex 00\n\ncheckpoint\n",  # a leading zero
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\ncheckpoint\n",  # a short hash
        "c2sp.org/tlog-proof@v1\nindex 0\n" + ("A" * 43 + "=\n") * 64 + "\ncheckpoint\n",  # higher than any tree
        "c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\ncheckpoint\n",  # no base64
    ],
)
def test_what_is_no_proof_file_is_refused(text):
    """Malformed proof files are refused."""
    with pytest.raises(ReceiptInvalid):
        Proof.parse(text)
