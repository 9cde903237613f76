"""Other people's declaration, as the inspection service's broker takes it, goes the whole way over the demo's partners.

It comes under a lenient agreement: one of its package codes is in no public table, and is kept as it stands.
"""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path

import pytest

from gateway.demo import plan
from gateway.demo.house import House
from gateway.demo.watch import Watcher, evidence
from tests import foreign

SAMPLE = foreign.material("reference/ciq/cn_ciq_EEntDeclIo_sample_synthetic.xml")
REFERENCE = "00000000000000000000000000000001"

pytestmark = [pytest.mark.slow, foreign.needed]


async def test_the_broker_sample_is_cleared(tmp_path: Path) -> None:
    """Declared in OBORMessage, reviewed, numbered, notified to customs as CUSRES, matched, cleared."""
    partners = copy.deepcopy(plan.partners())
    codes = {"exporter": ("ciq-registration", "0000000001"), "port-bureau": ("ciq-org", "000001")}
    for partner in partners:
        if partner["id"] in codes:
            scheme, value = codes[partner["id"]]
            partner["identifiers"].insert(0, {"scheme": scheme, "value": value})
        if partner["id"] == "exporter":
            partner["agreements"][0]["strictness"] = "lenient"
    async with House(tmp_path / "demo", partners) as house, Watcher(house.url, house.key_of("operator")) as watcher:
        house.drop("exporter", "ciq.xml", SAMPLE.read_bytes())
        for _ in range(200):
            sent = house.sent("exporter", "ciq.xml")
            found = await evidence(watcher, REFERENCE, [sent] if sent else [])
            if found.status == "cleared" and found.complete:
                break
            await asyncio.sleep(0.2)
    findings = [f["text"] for m in found.messages.values() for f in m["findings"]]
    assert found.status == "cleared", findings
    assert found.number.startswith("0000011")
    reached = {(d["recipient"], d["format"]) for d in found.deliveries.values()}
    assert {("port-bureau", "xml:EEntDeclIo:1"), ("customs", "edifact:CUSRES:D:96B:UN")} <= reached
