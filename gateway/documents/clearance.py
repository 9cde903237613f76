"""The clearance notice (通关单): the inspection service tells customs that goods may be released.

Customs needs it to release the goods. Its number is the declaration number and three more digits.
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
    Number,
    Part,
    Reference,
    Text,
    item,
)
from gateway.documents.parts import Amount, Function, Movement, Party, Quantity, Transport


class NoticeStatus(StrEnum):
    """What has become of a clearance notice."""

    ISSUED = "issued"
    USED = "used"
    CANCELLED = "cancelled"


class Paper(StrEnum):
    """What becomes of the paper notice beside the electronic one."""

    CIRCULATED = "circulated"
    KEPT = "kept"


class NoticeGoods(Part):
    """货物: one item of goods that may be released."""

    sequence_number: Count | None = item("货物序号", "Item number, from 1.", source="CIQ GoodsNo; UN/EDIFACT 1496")
    hs_code: HsCode | None = item("HS编码", "Harmonised System code, n10.", source="CIQ ProdHsCode; UN/EDIFACT 7361")
    name: Text | None = item("货物名称", "Name and specification.", source="CIQ DeclGoodsCname; UN/EDIFACT 7008")
    quantity: Quantity | None = item("数量", "Quantity in the tariff's unit.", source="CIQ StdQty; UN/EDIFACT 6314")
    weight: Quantity | None = item("重量", "Net weight.", source="CIQ Weight; UN/EDIFACT 6314")
    value: Amount | None = item("货物总值", "Total value.", source="CIQ GoodsTotalVal; UN/EDIFACT 5004")
    origin_country: Country | None = item("原产国/地区", "Country of origin, ISO 3166-1.", source="CIQ OriCtryCode")
    origin_place: Code | None = item("产地", "Producing area, GB/T 2260, n6.", source="CIQ OrigPlaceCode")
    pack_type: Code | None = item("包装种类", "Kind of package, UN/ECE Recommendation 21.", source="CIQ PackTypeCode")
    pack_quantity: Count | None = item("包装件数", "Number of packages.", source="CIQ PackQty; UN/EDIFACT 7224")


class ClearanceNotice(Document):
    """通关单: the clearance notice."""

    document_type = "clearance"

    number: NoticeNumber = item("通关单号", "Number of the notice, n18.", source="UN/EDIFACT 1004", required=True)
    function: Function = item(
        "报文功能", "Original, replacement or cancellation.", source="UN/EDIFACT 1225", required=True
    )
    direction: Movement = item("出入境类别", "Inbound or outbound.", source="CIQ AplKind", required=True)
    declaration_number: DeclarationNumber = item("报检号", "Number of the declaration, n15.", required=True)
    status: NoticeStatus = item("状态", "Issued, used or cancelled.", required=True)
    paper: Paper | None = item(
        "纸质通关单",
        "Whether a paper notice circulates beside this one (纸质流转), or is kept (不流转).",
        source="S0, 8",
    )
    issued_at: Moment | None = item("签发时间", "When it was issued.", source="UN/EDIFACT 2005=137")
    valid_until: Day | None = item("有效期至", "Last day on which it is valid.", source="UN/EDIFACT 2005=36")
    issuing_organisation: Code | None = item("签发机构", "Bureau that issued it, n6.", source="CIQ OrgCode")
    inspection_organisation: Code | None = item(
        "口岸机构/施检地", "Inbound: the port's bureau; outbound: the inspecting bureau; n6.", source="CIQ InspOrgCode"
    )
    customs_office: Code | None = item("报关海关", "Customs office it is for, n4.", source="CIQ DeclCustm")

    declarant_registration: Code | None = item("报检单位登记号", "Who declared, n10.", source="CIQ DeclRegNo")
    declarant_name: Text | None = item("报检单位名称", "Who declared.", source="CIQ DeclRegName")
    consignor: Party | None = item("发货人", "Consignor.", source="UN/EDIFACT 3035=CZ")
    consignee: Party | None = item("收货人", "Consignee.", source="UN/EDIFACT 3035=CN")
    contract_number: Reference | None = item("合同号", "Contract number.", source="CIQ ContractNo; UN/EDIFACT 1153=CT")
    marks: Text | None = item("标记及号码", "Marks and numbers.", source="CIQ MarkNo; UN/EDIFACT 7102")
    trade_mode: Code | None = item("贸易方式", "Mode of trade, n2.", source="CIQ TradeModeCode")

    transport: Transport | None = item("运输", "Means of transport.", source="UN/EDIFACT TDT")
    bill_of_lading: Reference | None = item("提/运单号", "Bill of lading or waybill.", source="CIQ BillLadNo")
    trade_country: Country | None = item(
        "输往/输出国家", "Outbound: country of destination; inbound: of departure.", source="CIQ TradeCountryCode"
    )
    port: Code | None = item("出入境口岸", "Port of entry or exit.", source="CIQ EntyPortCode")
    destination: Code | None = item("目的地/产地", "Destination or producing area, n6.", source="CIQ DestCode")
    arrival_date: Day | None = item("到货日期", "Date of arrival.", source="CIQ GdsArvlDate")
    departure_date: Day | None = item("发货日期", "Date of dispatch.", source="CIQ DespDate")
    goods_place: Text | None = item("存放地点", "Where the goods are.", source="CIQ GoodsPlace")
    remarks: Text | None = item("备注", "Remarks.", source="UN/EDIFACT 4440")

    containers: tuple[ContainerNumber, ...] = item(
        "集装箱号", "Container numbers, ISO 6346.", source="CIQ ContNo", many=True
    )
    goods: tuple[NoticeGoods, ...] = item("货物", "Goods.", source="CIQ ITF_DCL_IO_DECL_GOODS", many=True)
    total_value_usd: Number | None = item("货物总值（美元）", "Total value in USD.", source="CIQ TotalValUs")
