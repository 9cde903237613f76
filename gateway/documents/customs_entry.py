"""The customs entry (报关单数据): what customs reports back about goods declared under a clearance notice.

It is matched against the notice, item by item. Items are named as the single window's message
(DecMessage: DecHead, DecList) has them.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.documents.base import (
    Code,
    ContainerNumber,
    Count,
    Country,
    Day,
    DeclarationNumber,
    Document,
    HsCode,
    Moment,
    NoticeNumber,
    Part,
    Reference,
    Text,
    item,
)
from gateway.documents.parts import Amount, Function, Movement, Party, Quantity, Transport


class EntryStatus(StrEnum):
    """How far customs has come with an entry."""

    ACCEPTED = "accepted"
    RELEASED = "released"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class EntryGoods(Part):
    """商品: one item of the customs declaration."""

    sequence_number: Count | None = item("商品序号", "Item number, from 1.", source="DecList GNo")
    notice_sequence_number: Count | None = item(
        "通关单货物序号", "Number of the clearance notice's item that it stands for."
    )
    hs_code: HsCode | None = item("商品编码", "Harmonised System code, n10.", source="DecList CodeTS")
    name: Text | None = item("商品名称", "Name of the goods.", source="DecList GName")
    quantity: Quantity | None = item("数量", "Quantity in the tariff's unit.", source="DecList FirstQty, FirstUnit")
    weight: Quantity | None = item("重量", "Net weight.", source="DecHead NetWt")
    value: Amount | None = item("总价", "Total value.", source="DecList DeclTotal, TradeCurr")
    origin_country: Country | None = item("原产国", "Country of origin, ISO 3166-1.", source="DecList OriginCountry")


class CustomsEntry(Document):
    """报关单数据: the customs declaration as customs reports it."""

    document_type = "customs_entry"

    number: Code = item("报关单号", "Number of the customs declaration, n18.", source="DecHead EntryId", required=True)
    function: Function = item(
        "报文功能", "Original, replacement or cancellation.", source="UN/EDIFACT 1225", required=True
    )
    notice_number: NoticeNumber = item("通关单号", "The clearance notice it uses, n18.", required=True)
    declaration_number: DeclarationNumber | None = item("报检号", "Number of the inspection declaration, n15.")
    direction: Movement = item("进出口标志", "Inbound or outbound.", source="DecHead IEFlag", required=True)
    status: EntryStatus = item("状态", "Accepted, released, refused or cancelled.", required=True)
    customs_office: Code | None = item("申报地海关", "Customs office, n4.", source="DecHead CustomMaster")
    declared_at: Moment | None = item("申报时间", "When it was declared to customs.", source="DecHead DDate")
    released_at: Moment | None = item("放行时间", "When customs released the goods.")
    entry_date: Day | None = item("进出口日期", "Date of import or export.", source="DecHead IEDate")

    consignor: Party | None = item("发货人", "Consignor.", source="DecHead OverseasConsignorCode")
    consignee: Party | None = item("收货人", "Consignee.", source="DecHead TradeCode")
    transport: Transport | None = item("运输", "Means of transport.", source="DecHead TrafMode, TrafName")
    bill_of_lading: Reference | None = item("提运单号", "Bill of lading or waybill.", source="DecHead BillNo")
    contract_number: Reference | None = item("合同号", "Contract number.", source="DecHead ContrNo")
    trade_mode: Code | None = item("监管方式", "Customs' mode of trade, n4.", source="DecHead TradeMode")
    trade_country: Country | None = item("贸易国", "Trading country.", source="DecHead TradeAreaCode")
    port: Code | None = item("进出口岸", "Port of entry or exit.", source="DecHead IEPort")
    containers: tuple[ContainerNumber, ...] = item("集装箱号", "Container numbers.", source="DecContainers", many=True)
    goods: tuple[EntryGoods, ...] = item("商品", "Goods.", source="DecLists", many=True)
    remarks: Text | None = item("备注", "Remarks.", source="DecHead NoteS")
