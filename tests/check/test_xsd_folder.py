"""XSDs that take in others: collected from a folder, and read by both readers through the catalogue alone."""

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import xsd, xsd_folder
from gateway.errors import DirectoryUnreadable, SchemaInvalid
from gateway.parse import xml
from tests.catalogues import over_shipped


def schema(body, namespace="", more=""):
    target = f'targetNamespace="{namespace}" xmlns="{namespace}"' if namespace else ""
    return f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {target} {more} elementFormDefault="qualified">{body}</xs:schema>'.encode()


COMMON = 'xmlns:c="urn:common"'
FILES = {
    # the root's own file: an include, and an import from an address on the net
    "order.xsd": schema(
        '<xs:include schemaLocation="parts/lines.xsd"/>'
        '<xs:import namespace="urn:common" schemaLocation="http://schemas.example/v1/common.xsd"/>'
        '<xs:element name="Order" type="OrderType"/>',
        "urn:order",
        COMMON,
    ),
    # without a namespace of its own, it is of the one that includes it; its import says no place
    "parts/lines.xsd": schema(
        '<xs:import namespace="urn:common"/>'
        '<xs:complexType name="OrderType"><xs:sequence><xs:element name="Number" type="c:Number"/>'
        '<xs:element name="Line" maxOccurs="9" type="xs:decimal"/></xs:sequence></xs:complexType>',
        more=COMMON,
    ),
    "common/common.xsd": schema('<xs:include schemaLocation="numbers.xsd"/>', "urn:common"),
    "common/numbers.xsd": schema(
        '<xs:simpleType name="Number"><xs:restriction base="xs:string"><xs:pattern value="[0-9]{4}"/>'
        "</xs:restriction></xs:simpleType>",
        "urn:common",
    ),
    "other.xsd": schema('<xs:element name="Order"/>', "urn:other"),
    "notes.xml": b"<notes/>",
}


@pytest.fixture
def own(tmp_path):
    """A catalogue with the collected XSDs and their index."""
    found = xsd_folder.collect(FILES, "Order", "urn:order")
    for name, body in found.files.items():
        path = tmp_path / "schemas/xml/Order-1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (tmp_path / "schemas/xml/Order-1.toml").write_text(found.index("xml:Order:1", "Order-1"))
    return over_shipped(tmp_path)


def test_what_is_collected():
    """The file of the root and all that it takes in, wherever it says that these are; nothing else."""
    found = xsd_folder.collect(FILES, "Order", "urn:order")
    assert found.main == "order.xsd"
    assert found.files.keys() == {"order.xsd", "parts/lines.xsd", "common/common.xsd", "common/numbers.xsd"}
    assert b"http://schemas.example" not in found.files["order.xsd"]
    assert found.index("xml:Order:1", "Order-1").splitlines()[1:] == [
        'format = "xml:Order:1"',
        'namespace = "urn:order"',
        'root = "Order"',
        'schema = "Order-1/order.xsd"',
    ]


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b"<Number>1234</Number><Line>1</Line>", []),
        (b"<Number>12</Number><Line>1</Line>", ["xml.value.pattern"]),
        (b"<Number>1234</Number><Line>one</Line>", ["xml.value.type"]),
        (b"<Number>1234</Number>", ["xml.element.missing"]),
    ],
)
def test_both_readers_follow_what_is_taken_in(own, body, codes):
    """What an included or imported file says is checked, and each fault is worded."""
    root = xml.read(b'<Order xmlns="urn:order">' + body + b"</Order>").root
    assert root is not None
    known = xsd.recognise(own, root)
    assert known is not None
    assert known.format == "xml:Order:1"
    assert [finding.code for finding in xsd.check(own, known.root, known.format)] == codes


def test_the_digest_covers_all_files(own, tmp_path):
    """A change of an imported file is a change of the schema."""
    before = xsd.digest(own, "xml:Order:1")
    path = tmp_path / "schemas/xml/Order-1/common/numbers.xsd"
    path.write_bytes(path.read_bytes().replace(b"{4}", b"{5}"))
    assert xsd.digest(over_shipped(tmp_path), "xml:Order:1") != before
    assert xsd.digest(own, "xml:Response:1") == xsd.digest(shipped(), "xml:Response:1")


@pytest.mark.parametrize(
    "location", ["http://schemas.example/a.xsd", "../../codes/country.csv", "missing.xsd", "/etc/a.xsd"]
)
def test_nothing_is_read_from_elsewhere(tmp_path, location):
    """A file outside of the catalogue's schemas, or on the net, is never asked for."""
    folder = tmp_path / "schemas/xml"
    folder.mkdir(parents=True)
    (folder / "a.xsd").write_bytes(schema(f'<xs:include schemaLocation="{location}"/><xs:element name="A"/>', "urn:a"))
    (folder / "a.toml").write_text(
        '[[message]]\nformat = "xml:A:1"\nnamespace = "urn:a"\nroot = "A"\nschema = "a.xsd"\n'
    )
    with pytest.raises(SchemaInvalid):
        xsd.load(over_shipped(tmp_path), "xml:A:1")


@pytest.mark.parametrize(
    ("files", "root", "namespace", "words"),
    [
        (FILES, "Order", "", "name the namespace"),
        (FILES, "Nothing", "", "No XSD declares Nothing"),
        ({"a.xsd": b"<x"}, "A", "", "no XML"),
        ({"a.xsd": b"<x/>"}, "A", "", "no XSD"),
        ({"a.xsd": schema('<xs:include schemaLocation="b.xsd"/><xs:element name="A"/>')}, "A", "", "takes in b.xsd"),
        ({"a.xsd": FILES["other.xsd"], "b.xsd": FILES["other.xsd"]}, "Order", "", "declared in a.xsd, b.xsd"),
    ],
)
def test_what_cannot_be_collected(files, root, namespace, words):
    """A root that is not there or there twice, a file that is missing or broken: each is told."""
    with pytest.raises(DirectoryUnreadable, match=words):
        xsd_folder.collect(files, root, namespace)
