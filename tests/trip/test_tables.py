"""Which table reads a message and writes a document: by what stands in it, and by what was agreed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import cast

import pytest

from gateway import data
from gateway.catalogue import Catalogue
from gateway.catalogue_folders import shipped
from gateway.check import rulebook
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.response import Response
from gateway.model import Agreement, Direction, Partner
from gateway.parse import edifact
from gateway.store.ports import Store
from gateway.translate import table
from gateway.trip.examine import Examiner
from gateway.trip.examined import ANY, Message
from gateway.trip.render import Renderer
from tests.catalogues import with_files

NO_STORE = cast("Store", None)
"""Only X12 draws its references from the store."""
CUSRES = "edifact:CUSRES:D:96B:UN"
VARIATION = 'extends = "clearance/edifact_cusres_d96b"\nwithout = ["bill_of_lading"]\nrows = [["remarks", "SG3[1153=BM].RFF/C506.1154", "text"]]'


def examined(body: bytes, agreements: Sequence[Agreement] = (ANY,), catalogue: Catalogue | None = None) -> Message:
    """The one message of an interchange, as its sender's agreements have it read."""
    catalogue = catalogue or shipped()
    examiner = Examiner(catalogue, agreements, rulebook.load(catalogue).at(date(2026, 3, 6)))
    (message,) = [item for item in examiner.events(edifact.read(body)) if isinstance(item, Message)]
    return message


def sample(name: str) -> bytes:
    """A message of the samples."""
    return (data.samples() / name / "full/out.edi").read_bytes()


def inbound(document: str, mapping: str = "") -> Agreement:
    """An agreement under which a document may come as CUSRES."""
    return Agreement("a", "p", Direction.IN, document, CUSRES, mapping=mapping)


ACME = "clearance/acme"
"""The name of a variation: its partner puts remarks where others name the bill of lading."""


@pytest.fixture(scope="module")
def varied() -> Catalogue:
    """What ships, and the variation."""
    return with_files({f"mappings/{ACME}.toml": VARIATION})


@pytest.mark.parametrize(("name", "model"), [("clearance", ClearanceNotice), ("response", Response)])
def test_a_message_type_is_read_into_the_document_it_holds(name: str, model: type) -> None:
    """The same CUSRES is a notice or a response, by its BGM."""
    message = examined(sample(name))
    assert message.findings == []
    assert isinstance(message.document, model)
    assert message.document_type == name
    assert message.mapping == table.load(shipped(), name, CUSRES).digest


def test_the_agreement_is_that_of_the_document_it_holds() -> None:
    """Whoever may send notices may not for that send responses in the same message type."""
    notices, responses = inbound("clearance"), inbound("response")
    assert examined(sample("response"), [notices, responses]).agreement is responses
    assert examined(sample("clearance"), [notices, responses]).agreement is notices
    refused = examined(sample("response"), [notices])
    assert [finding.code for finding in refused.findings] == ["agreement.none"]


def test_a_message_that_no_table_takes_is_refused_at_its_element() -> None:
    """Its syntax is acknowledged; that nothing came of it is told with the element and its value."""
    message = examined(sample("clearance").replace(b"BGM+962:", b"BGM+963:"), [inbound("clearance")])
    assert message.document is None
    assert not message.rejected
    (refusal,) = message.refusals
    assert (refusal.code, str(refusal.place), refusal.value) == ("mapping.none_for", "BGM 2, 1.1", "963")
    assert refusal.args["element"] == "BGM/C002.1001"


def test_a_partners_variation_reads_what_it_sends(varied: Catalogue) -> None:
    """By agreement alone; others' messages are read by the table itself."""
    documents = [examined(sample("clearance"), [inbound("clearance", by)], varied).document for by in ("", ACME)]
    plain, own = documents
    assert isinstance(plain, ClearanceNotice)
    assert isinstance(own, ClearanceNotice)
    assert (plain.bill_of_lading, plain.remarks) == ("SMPL26010077", "随附入境货物检验检疫证明一份")
    assert (own.bill_of_lading, own.remarks) == (None, "SMPL26010077")


def test_a_variation_that_is_not_there_is_a_fault_of_ours(varied: Catalogue) -> None:
    """An agreement that outlived its variation has the operator told, and the message kept for another try."""
    message = examined(sample("clearance"), [inbound("clearance", f"{ACME}_gone")], varied)
    assert "there is no mapping of clearance" in message.fault
    assert message.document is None


@pytest.mark.parametrize(("mapping", "written"), [("", "REMARK"), ("clearance/acme", "RFF+BM:REMARK"), ("x/y", "")])
async def test_a_partners_variation_writes_what_it_gets(varied: Catalogue, mapping: str, written: str) -> None:
    """A delivery is rendered by the variation of its agreement; without it nothing is written, and that is told."""
    document = examined(sample("clearance")).document
    assert isinstance(document, ClearanceNotice)
    document = document.model_copy(update={"remarks": "REMARK", "bill_of_lading": None})
    agreement = Agreement("a", "p", Direction.OUT, "clearance", CUSRES, mapping=mapping)
    at = datetime(2026, 3, 6, tzinfo=UTC)
    rendered, _ = await Renderer("US", NO_STORE, varied).render(
        "clearance", document, agreement, Partner("p", "P"), "ab" * 16, at, test=False
    )
    assert written in rendered.body.decode()
    assert bool(rendered.body) == bool(written)
    told = [f.args["format"] for f in rendered.findings if f.code == "mapping.none_outbound"]
    assert told == ([] if written else [f"{CUSRES} x/y"])
