"""What is found by scanning and by entry points (gateway/discovery.py, gateway/documents)."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from gateway import discovery, flows, transports
from gateway.documents import MODELS
from gateway.errors import TransportsInvalid
from gateway.transports.plugin import Means, Peer, Route, Transport, Transports

MODULE = '''
from gateway.decide.effects import NewCase
from gateway.decide.flow import Feed, Flow, Takes
from gateway.documents import Document
from gateway.documents.base import Code, item
from gateway.model import Role


class Weighing(Document):
    """A lorry on a weighbridge."""

    document_type = "weighing"

    number: Code = item("编号", "Number of the slip.", required=True)


def weigh(desk):
    return [NewCase(desk.derive("case"), desk.sender.id, "weighing")]


FLOW = Flow("weighing", takes=(Takes(Weighing),), decide=weigh, feeds=(Feed("weights", frozenset({Role.PORT})),))
'''
ASKS = """
import ast
import json
from gateway import discovery
from gateway.documents import MODELS
found = discovery.find_flows()
print(json.dumps([[flow.name for flow in found.all], sorted(found.feeds), sorted(MODELS)]))
"""


async def take_letter(request: web.Request, peer: Peer, means: Means) -> web.Response:
    """Take in a letter."""
    return web.Response()


LETTERS = Route("/v1/letters", "postLetter", take_letter)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a package as pip leaves it: a module, and what says which entry points it has."""
    (tmp_path / "weighbridge.py").write_text(MODULE, "utf-8")
    about = tmp_path / "weighbridge-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: weighbridge\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text(
        "[edi_gateway.documents]\nweighing = weighbridge:Weighing\n\n[edi_gateway.flows]\nweighing = weighbridge:FLOW\n",
        "utf-8",
    )
    return tmp_path


def asked(*folders: Path) -> list[list[str]]:
    path = os.pathsep.join([*map(str, folders), str(Path(flows.__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", ASKS], env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True, text=True
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_every_file_of_the_package_that_declares_a_flow_is_found() -> None:
    """A flow is a file: nothing lists it."""
    root = Path(flows.__file__).parent
    files = [path for path in root.rglob("*.py") if " = Flow(" in path.read_text("utf-8")]
    declared = sum(path.read_text("utf-8").count(" = Flow(") for path in files)
    assert len(discovery.find_flows().all) == declared > 5


def test_every_document_has_a_flow() -> None:
    """What can be received can be decided."""
    taken = {takes.document for flow in discovery.find_flows().all for takes in flow.takes}
    assert taken == set(MODELS.values())


def test_a_package_brings_a_document_and_a_flow(installed: Path) -> None:
    """An integrator's package is found by its entry points, with no file of the gateway changed."""
    (flows_before, feeds_before, models_before), (names, feeds, models) = asked(), asked(installed)
    assert set(names) - set(flows_before) == {"weighing"}
    assert set(feeds) - set(feeds_before) == {"weights"}
    assert set(models) - set(models_before) == {"weighing"}


def test_no_flow_imports_another() -> None:
    """What a flow adds to another's decision it says as a reaction; what several read stands in a file that is no flow."""
    root = Path(flows.__file__).parent
    sources = {path: path.read_text("utf-8") for path in root.rglob("*.py")}
    declaring = {
        ".".join(("gateway", "flows", *path.relative_to(root).with_suffix("").parts))
        for path, text in sources.items()
        if " = Flow(" in text
    }
    assert len(declaring) > 4
    for path, text in sources.items():
        imported = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
        assert not imported & declaring, path


def test_every_file_of_the_package_that_declares_a_transport_is_found() -> None:
    """A transport is a file: nothing lists it."""
    root = Path(transports.__file__).parent
    declared = [path.stem for path in root.glob("*.py") if "\nTRANSPORT = Transport(" in path.read_text("utf-8")]
    assert sorted(one.name for one in discovery.find_transports()) == sorted(declared)


def test_no_other_room_names_a_transport() -> None:
    """What the transports are called stands with their declarations, and in the default of an agreement."""
    root = Path(transports.__file__).parents[1]
    spared = {root / "model.py", root / "registry" / "partner_file.py", *(root / "transports").glob("*.py")}
    names = {one.name for one in discovery.find_transports()}
    for path in sorted({*root.rglob("*.py")} - spared):
        if {"demo", "simulators"} & set(path.relative_to(root).parts):
            continue  # they speak of URLs and of files
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for text in (getattr(node, "left", None), *getattr(node, "comparators", ()), *getattr(node, "keys", ())):
                assert not (isinstance(text, ast.Constant) and text.value in names), f"{path}:{text.lineno}"


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ((Transport("folder"),), "two transports are called folder"),
        ((Transport("By Post"),), "a transport's name is small letters and digits"),
        ((Transport("post", routes=(LETTERS,)), Transport("pigeon", routes=(LETTERS,))), "pigeon and post both answer"),
    ],
)
def test_transports_that_do_not_go_together_are_told(others: tuple[Transport, ...], told: str) -> None:
    """Two of one name, a name that no table of the configuration can have, or two answers to one request."""
    with pytest.raises(TransportsInvalid, match=told):
        Transports([*discovery.find_transports(), *others])
