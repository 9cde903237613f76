"""Between what the readers find and what the roles work with: one flat shape per document, whatever its format was.

Every function is written from what the documents of the trade hold, not from the gateway's tables.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from gateway.simulators.readers import Values, find

_UNITS = {"007": "H87", "011": "H87", "030": "MTR", "035": "KGM", "036": "GRM", "070": "TNE", "095": "LTR"}
"""The inspection service's numbers of common units, as UN/ECE Recommendation 20."""
_HEADER = ("number", "client_reference", "contract_number", "bill_of_lading", "direction", "function", "customs_office")
_HEADER_ORGANISATIONS = ("declaration_organisation", "inspection_organisation", "purpose_organisation")
_DIRECTIONS = {"I": "inbound", "O": "outbound", "23": "inbound", "22": "outbound"}


def declaration_values(values: Values) -> Values:
    """A declaration as a bureau got it, from EEntDeclIo XML or JSON."""
    if _is_json(values):
        named = {name: values.get(name, "") for name in (*_HEADER, *_HEADER_ORGANISATIONS)}
        return {**named, "goods": [_json_goods(item) for item in values.get("goods", [])]}
    items = _listed(_inside(values, "ITF_DCL_IO_DECL_GOODS"))
    return {
        "number": find(values, "DeclNo"),
        "client_reference": find(values, "EntDeclNo"),
        "contract_number": find(values, "ContractNo"),
        "bill_of_lading": find(values, "BillLadNo"),
        "direction": _DIRECTIONS[find(values, "AplKind")],
        # The inspection message has no function: a bureau tells a change by the number it knows already.
        "function": "",
        "customs_office": find(values, "DeclCustm"),
        "declaration_organisation": find(values, "OrgCode"),
        "inspection_organisation": find(values, "InspOrgCode"),
        "purpose_organisation": find(values, "PurpOrgCode"),
        "goods": [
            {
                "sequence_number": int(item.get("GoodsNo") or n),
                "hs_code": item.get("ProdHsCode"),
                "name": item.get("DeclGoodsCname"),
                "quantity": {
                    "value": item.get("StdQty") or item.get("Qty") or "0",
                    "unit": _UNITS.get(item.get("StdQtyUnitCode") or item.get("QtyMeasUnit", ""), "C62"),
                },
            }
            for n, item in enumerate(items, 1)
        ],
    }


def transfer_values(values: Values) -> Values:
    """A transfer as the bureau that it goes to got it, from XML, JSON or SANCRT."""
    if _is_json(values):
        return {**values, "goods": [_json_goods(item) for item in values.get("goods", [])]}
    if values["kind"] == "SANCRT":
        return _sancrt_values(values)
    return {
        "number": find(values, "Number"),
        "function": find(values, "Function"),
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


def response_values(values: Values) -> Values:
    """What a response is about and says, from XML or JSON."""
    if _is_json(values):
        return {name: values.get(name, "") for name in ("document", "number", "outcome")}
    return {name: find(values, name.capitalize()) for name in ("document", "number", "outcome")}


def _sancrt_values(values: Values) -> Values:
    """A transfer as SANCRT: goods from LIN on, and before them what is about all of it."""
    transfer: Values = {
        "number": values.get("number", ""),
        "function": "",
        "declaration_number": values["references"].get("AAE", ""),
        "direction": "",
        "contract_number": values["references"].get("CT", ""),
        "goods": [],
    }
    goods = transfer["goods"]
    for segment in values["segments"]:
        match segment:
            case [["BGM"], _, _, [function, *_], *_]:
                transfer["function"] = function
            case [["CST"], _, [("22" | "23") as code, "109", *_], *_] if not goods:
                transfer["direction"] = _DIRECTIONS[code]
            case [["LIN"], [number], *_]:
                goods.append({"sequence_number": int(number), "hs_code": None, "name": None, "quantity": None})
            case [["CST"], _, [hs_code, *_], *_] if goods:
                goods[-1]["hs_code"] = hs_code
            case [["IMD"], *_, [_, _, _, name, *_]] if goods:
                goods[-1]["name"] = name
            case [["QTY"], ["1", value, unit, *_], *_] if goods:
                goods[-1]["quantity"] = {"value": value, "unit": unit}
    return transfer


def notice_values(values: Values) -> Values:
    """A clearance notice as customs got it, from CUSRES or JSON."""
    if _is_json(values):
        return {**values, "goods": [_json_goods(item) for item in values.get("goods", [])]}
    if values["kind"] != "CUSRES":
        raise ValueError(f"customs does not read {values['kind']}")
    notice: Values = {
        "number": values.get("number", ""),
        "function": "",
        "status": "issued",
        "direction": "",
        "goods": [],
    }
    notice["declaration_number"] = values["references"].get("ABT", "")
    notice["contract_number"] = values["references"].get("CT", "")
    for segment in values["segments"]:
        match segment:
            case [["BGM"], _, _, [function, *_], *_]:
                notice["function"] = function
            case [["GIS"], [code, "148", *_], *_]:
                notice["status"] = {"1": "issued", "2": "used", "3": "cancelled"}[code]
            case [["GIS"], [("22" | "23") as code], *_]:
                notice["direction"] = _DIRECTIONS[code]
            case [["CST"], [number], [hs_code, *_], *_]:
                notice["goods"].append({"sequence_number": int(number), "hs_code": hs_code, "quantity": None})
            case [["FTX"], ["AAA"], _, _, texts] if notice["goods"]:
                notice["goods"][-1]["name"] = "".join(texts)
            case [["MEA"], ["AAE"], _, [unit, value, *_]] if notice["goods"]:
                notice["goods"][-1]["quantity"] = {"value": value, "unit": unit}
    return notice


def transfer_document(declaration: Values, number: str, from_organisation: str, *, excluded: bool) -> Values:
    """A transfer of what was declared, from the producing area's bureau to the port's."""
    return {
        "number": number,
        "function": "9",
        "direction": declaration["direction"],
        "declaration_number": declaration["number"],
        "client_reference": declaration["client_reference"],
        "from_organisation": from_organisation,
        "to_organisation": declaration["purpose_organisation"],
        "contract_number": declaration["contract_number"],
        "exclusions": {"certified_at_port": True} if excluded else None,
        "inspection": {"certificate_number": f"C{declaration['number']}", "is_qualified": True},
        "goods": [{**_notice_goods(item), "is_qualified": True} for item in declaration["goods"]],
    }


def notice_xml(
    consignment: Values, organisation: str, customs_office: str, function: str = "9", last_day: str = ""
) -> bytes:
    """A clearance notice as XML, written as text, as a bureau's own software would; `last_day` is until when it is valid."""
    goods = "".join(
        "<Goods>"
        + _element("SequenceNumber", item["sequence_number"])
        + _element("HSCode", item["hs_code"])
        + _element("Name", item.get("name"))
        + f'<Quantity unit="{item["quantity"]["unit"]}">{item["quantity"]["value"]}</Quantity>'
        + _element("OriginCountry", item.get("origin_country"))
        + "</Goods>"
        for item in consignment["goods"]
    )
    head = (
        _element("Number", f"{consignment['number']}000")
        + _element("Function", function)
        + _element("Direction", consignment["direction"])
        + _element("DeclarationNumber", consignment["number"])
        + "<Status>issued</Status>"
        + _element("ValidUntil", last_day)
        + _element("IssuingOrganisation", organisation)
        + _element("CustomsOffice", customs_office)
        + _element("ContractNumber", consignment.get("contract_number"))
        + _element("BillOfLading", consignment.get("bill_of_lading"))
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<ClearanceNotice xmlns="urn:edi-gateway:clearance">{head}{goods}</ClearanceNotice>'
    )
    return text.encode()


def entry_document(notice: Values, number: str, function: str, goods: list[Values], office: str) -> Values:
    """Customs' own data about goods that a notice names."""
    return {
        "number": number,
        "function": function,
        "notice_number": notice["number"],
        "declaration_number": notice["declaration_number"],
        "direction": notice["direction"],
        "status": "released",
        "customs_office": office,
        "goods": goods,
    }


def _is_json(values: Values) -> bool:
    return str(values["kind"]).startswith("json")


def _element(name: str, value: object) -> str:
    return f"<{name}>{escape(str(value))}</{name}>" if value not in (None, "") else ""


def _json_goods(item: Values) -> Values:
    """The values of one item that an answer repeats."""
    return _notice_goods({**item, "quantity": item.get("standard_quantity") or item.get("quantity")})


def _notice_goods(item: Values) -> Values:
    """An item as a notice names it."""
    wanted = ("sequence_number", "hs_code", "name", "quantity", "origin_country")
    return {name: item[name] for name in wanted if item.get(name)}


def _inside(values: Any, name: str) -> Any:
    """The first value called `name`, whatever it is."""
    if isinstance(values, dict):
        if name in values:
            return values[name]
        values = list(values.values())
    if isinstance(values, list):
        return next((found for v in values if (found := _inside(v, name)) is not None), None)
    return None


def _listed(value: Any) -> list[Values]:
    """One or many, as many."""
    return value if isinstance(value, list) else [] if value in (None, "") else [value]
