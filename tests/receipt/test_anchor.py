import pytest

from gateway.receipt import anchor, chain
from gateway.receipt.anchor import Judgement
from gateway.receipt.signed import Checkpoint

from .evidence import LOG, sample_log

TREE = sample_log()


def head(size):
    return Checkpoint(LOG, size, chain.root(size, TREE.get))


@pytest.mark.parametrize("size", range(12))
def test_a_tree_that_extends_its_anchor_signs_on(size):
    """Every earlier state of the log is an anchor it extends, the empty one and its own included."""
    proof = chain.consistency_proof(size, 11, TREE.get)
    assert anchor.compare(head(size), head(11), proof) is Judgement.EXTENDS


@pytest.mark.parametrize("size", range(11))
def test_a_tree_shorter_than_its_anchor_is_found(size):
    """A database set back to an older copy is shorter than the anchor."""
    assert anchor.compare(head(11), head(size)) is Judgement.SHORTER


@pytest.mark.parametrize("size", [1, 4, 11])
def test_a_rewritten_tree_is_found(size):
    """A tree whose anchored part reads otherwise contradicts the anchor, whatever proof it shows."""
    proof = chain.consistency_proof(size, 11, TREE.get)
    forged = Checkpoint(LOG, size, bytes(32))
    assert anchor.compare(forged, head(11), proof) is Judgement.CONTRADICTS


def test_an_anchor_of_another_log_says_nothing():
    """An anchor under another name neither proves nor contradicts."""
    assert anchor.compare(Checkpoint("other.example", 1, bytes(32)), head(11)) is Judgement.OTHER_LOG


def test_names_go_on():
    """A log that must not use its name takes the next one, again and again."""
    assert anchor.next_origin("gateway.example/log") == "gateway.example/log~2"
    assert anchor.next_origin("gateway.example/log~9") == "gateway.example/log~10"


@pytest.mark.parametrize(
    ("earlier", "origin", "expected"),
    [
        ("a", "a", True),
        ("a", "a~2", True),
        ("a~2", "a~3", True),
        ("a~3", "a~2", False),  # a later name
        ("a~2", "a", False),
        ("b", "a~2", False),  # another log
        ("a~x", "a~2", False),  # no number
        ("a~" + "9" * 5000, "a~2", False),  # no number anyone would count to
    ],
)
def test_a_log_knows_its_earlier_names(earlier, origin, expected):
    """Receipts from before a renaming belong to the log, those of a later or other name do not."""
    assert anchor.is_name_of(earlier, origin) is expected
