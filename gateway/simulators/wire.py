"""Between what the readers find and what the roles work with: one flat shape per document, whatever its format was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from gateway.simulators.readers import Values, find

_CIQ_UNITS = {"007": "H87", "035": "KGM", "001": "H87", "011": "H87", "030": "MTR", "036": "GRM", "070": "TNE"}
"""The inspection service's numbers of the units that the samples use, as UN/ECE Recommendation 20."""


def declaration_values(values: Values) -> Values:
    """A declaration as a bureau got it, from EEntDeclIo XML or JSON."""
    if values["kind"].startswith("json"):
        goods = [_json_goods(item) for item in values.get("goods", [])]
        named = ("number", "client_reference", "contract_number", "bill_of_lading", "direction", "function")
        return {**{name: values.get(name, "") for name in named}, "goods": goods, "transport": values.get("transport")}
    items = _listed(_inside(values, "ITF_DCL_IO_DECL_GOODS"))
    return {
        "number": find(values, "DeclNo"),
        "client_reference": find(values, "EntDeclNo"),
        "contract_number": find(values, "ContractNo"),
        "bill_of_lading": find(values, "BillLadNo"),
        "direction": "inbound" if find(values, "AplKind") == "I" else "outbound",
        "function": "",
        "goods": [
            {
                "sequence_number": int(item.get("GoodsNo") or n),
                "hs_code": item.get("ProdHsCode"),
                "name": item.get("DeclGoodsCname"),
                "quantity": {
                    "value": item.get("StdQty") or item.get("Qty"),
                    "unit": _CIQ_UNITS.get(item.get("StdQtyUnitCode") or item.get("QtyMeasUnit", ""), "C62"),
                },
            }
            for n, item in enumerate(items, 1)
        ],
    }


def transfer_values(values: Values) -> Values:
    """A transfer as a port's bureau got it, from XML or JSON."""
    if values["kind"].startswith("json"):
        return {**values, "goods": [_json_goods(item) for item in values.get("goods", [])]}
    return {
        "number": find(values, "Number"),
        "declaration_number": find(values, "DeclarationNumber"),
        "direction": find(values, "Direction"),
        "contract_number": find(values, "ContractNumber"),
        "goods": [
            {
                "sequence_number": int(item.get("SequenceNumber") or n),
                "hs_code": item.get("HSCode"),
                "name": item.get("Name"),
                "quantity": {"value": item.get("Quantity"), "unit": item.get("Quantity@unit")},
            }
            for n, item in enumerate(_listed(values.get("Goods")), 1)
        ],
    }


def notice_values(values: Values) -> Values:
    """A clearance notice as customs got it, from CUSRES, XML or JSON."""
    if values["kind"].startswith("json"):
        return {**values, "goods": [_json_goods(item) for item in values.get("goods", [])]}
    raise ValueError(f"customs does not read {values['kind']}")


def transfer_xml(declaration: Values, number: str, from_organisation: str, to_organisation: str) -> bytes:
    """A transfer as XML, written as text, as a bureau's own software would."""
    goods = "".join(
        "<Goods>"
        + _element("SequenceNumber", item["sequence_number"])
        + _element("HSCode", item["hs_code"])
        + _element("Name", item.get("name"))
        + f'<Quantity unit="{item["quantity"]["unit"]}">{item["quantity"]["value"]}</Quantity>'
        + "<IsQualified>true</IsQualified></Goods>"
        for item in declaration["goods"]
    )
    head = (
        _element("Number", number)
        + "<Function>9</Function>"
        + _element("Direction", declaration["direction"])
        + _element("DeclarationNumber", declaration["number"])
        + _element("ClientReference", declaration["client_reference"])
        + _element("FromOrganisation", from_organisation)
        + _element("ToOrganisation", to_organisation)
        + _element("ContractNumber", declaration.get("contract_number"))
    )
    inspection = (
        "<Inspection><Conclusion>Inspected and passed.</Conclusion><IsQualified>true</IsQualified></Inspection>"
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Transfer xmlns="urn:edi-gateway:transfer">{head}{inspection}{goods}</Transfer>'
    )
    return text.encode()


def _element(name: str, value: object) -> str:
    return f"<{name}>{escape(str(value))}</{name}>" if value not in (None, "") else ""


def _json_goods(item: Values) -> Values:
    """The values of one item that an answer repeats."""
    wanted = ("sequence_number", "hs_code", "name", "origin_country")
    quantity = item.get("standard_quantity") or item.get("quantity")
    return {**{name: item[name] for name in wanted if name in item}, "quantity": quantity}


def _inside(values: Any, name: str) -> Any:
    """The first value called `name`, whatever it is."""
    if isinstance(values, dict):
        if name in values:
            return values[name]
        values = list(values.values())
    if isinstance(values, list):
        return next((found for v in values if (found := _inside(v, name)) is not None), None)
    return None


def _listed(value: Any) -> Iterable[Values]:
    """One or many, as many."""
    return value if isinstance(value, list) else [] if value in (None, "") else [value]
