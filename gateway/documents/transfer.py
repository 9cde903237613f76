"""The transfer (电子转单): an inspected consignment's documents, handed from one bureau to another.

Outbound goods go from the producing area's bureau to the port's with the certified result (换证凭单);
inbound goods from the port's bureau to the destination's. The grounds on which the service's rules for
electronic transfer (电子转单管理办法) exclude a consignment are facts of the document; that they
exclude it is decided elsewhere.
"""

from __future__ import annotations

from gateway.documents.base import (
    Code,
    ContainerNumber,
    Count,
    Country,
    Day,
    DeclarationNumber,
    Document,
    Flag,
    HsCode,
    Moment,
    Part,
    Reference,
    Text,
    item,
)
from gateway.documents.parts import Amount, Function, Movement, Party, Quantity, Transport


class Exclusions(Part):
    """不适用电子转单的情形: the grounds that exclude a consignment from electronic transfer."""

    pre_inspected: Flag | None = item("预检", "Inspected at the origin before it was declared.", source="办法 (1)")
    exit_port_open: Flag | None = item("出境口岸不能确定", "The port of exit is not fixed.", source="办法 (2)")
    merged_at_port: Flag | None = item("需到口岸并批", "Batches are merged at the port.", source="办法 (3)")
    certified_at_port: Flag | None = item(
        "须在口岸检验检疫并出证", "Must be inspected and certified at the port.", source="办法 (4)"
    )
    other: Text | None = item("其他", "Another ground, in words.", source="办法 (5)")


class TransferGoods(Part):
    """货物: one item of inspected goods, as the certified result states it."""

    sequence_number: Count | None = item("货物序号", "Item number in the declaration.", source="CIQ GoodsNo")
    hs_code: HsCode | None = item("HS编码", "Harmonised System code, n10.", source="CIQ ProdHsCode")
    ciq_code: Code | None = item("CIQ代码", "Inspection code, n13.", source="CIQ CiqCode")
    name: Text | None = item("货物名称（中文）", "Name of the goods in Chinese.", source="CIQ DeclGoodsCname")
    foreign_name: Text | None = item("货物名称（外文）", "Name in a foreign language.", source="CIQ DeclGoodsEname")
    quantity: Quantity | None = item("数量", "Quantity inspected.", source="CIQ Qty, QtyMeasUnit")
    weight: Quantity | None = item("重量", "Weight inspected.", source="CIQ Weight, WtMeasUnit")
    pack_type: Code | None = item("包装种类", "Main package, UN/ECE Recommendation 21.", source="CIQ PackTypeCode")
    pack_quantity: Count | None = item("包装件数", "Number of packages.", source="CIQ PackQty")
    value: Amount | None = item("货物总值", "Total value of the item.", source="CIQ GoodsTotalVal, Currency")
    origin_country: Country | None = item("原产国/地区", "Country of origin, ISO 3166-1.", source="CIQ OriCtryCode")
    origin_place: Code | None = item("产地", "Producing area, GB/T 2260, n6.", source="CIQ OrigPlaceCode")
    producer_registration: Code | None = item(
        "生产单位注册号", "The producer's registration.", source="CIQ MnufctrRegNo"
    )
    producer_name: Text | None = item("生产单位名称", "The producer's name.", source="CIQ MnufctrRegName")
    batch_number: Text | None = item("生产批号", "Production batch.", source="CIQ ProdBatchNo")
    production_date: Day | None = item("生产日期", "Date of production.", source="CIQ ProduceDate")
    result: Text | None = item("检验检疫结果", "Result of the inspection, in words.")
    is_qualified: Flag | None = item("是否合格", "Whether the item passed.")


class StatedResult(Part):
    """换证凭单: the certified result that the port's bureau exchanges for certificates."""

    certificate_number: Reference | None = item("换证凭单号", "Number of the certified result.")
    inspected_at: Moment | None = item("检验检疫时间", "When it was inspected.")
    inspector: Code | None = item("检验检疫人员代码", "The inspector's code.")
    signatory: Code | None = item("签证人代码", "The signatory's code.")
    basis: Text | None = item("检验依据", "Standards it was inspected against.")
    conclusion: Text | None = item("结论", "Conclusion in words.")
    is_qualified: Flag | None = item("是否合格", "Whether the consignment passed.")


class TransferContainer(Part):
    """集装箱: one container of the consignment."""

    number: ContainerNumber | None = item("集装箱号", "Container number, ISO 6346.", source="CIQ ContNo")
    size_type: Code | None = item("集装箱规格代码", "Size and type, ISO 6346.", source="CIQ CntnrModeCode")
    seal_number: Code | None = item("封识号", "Seal number.", source="UN/EDIFACT 9308")


class Transfer(Document):
    """转单: the hand-over of one consignment."""

    document_type = "transfer"

    number: Code = item("转单号", "The transfer number, by which the receiving bureau finds it.", required=True)
    function: Function = item(
        "报文功能", "Original, replacement or cancellation.", source="UN/EDIFACT 1225", required=True
    )
    direction: Movement = item("出入境类别", "Inbound or outbound.", source="CIQ AplKind", required=True)
    declaration_number: DeclarationNumber = item("报检号", "Number of the declaration, n15.", required=True)
    client_reference: Code | None = item("企业报检号", "The enterprise's own number.", source="CIQ EntDeclNo")
    issued_at: Moment | None = item("转单时间", "When it was handed over.", source="UN/EDIFACT 2005=137")
    valid_until: Day | None = item("有效期", "Last day on which the result is valid.", source="UN/EDIFACT 2005=36")
    from_organisation: Code = item("转出机构", "Bureau that hands over, n6.", source="CIQ InspOrgCode", required=True)
    to_organisation: Code = item("转入机构", "Bureau that takes over, n6.", source="CIQ PurpOrgCode", required=True)

    declarant_registration: Code | None = item("报检单位登记号", "Who declared, n10.", source="CIQ DeclRegNo")
    declarant_name: Text | None = item("报检单位名称", "Who declared.", source="CIQ DeclRegName")
    consignor: Party | None = item("发货人", "Consignor.", source="UN/EDIFACT 3035=CZ")
    consignee: Party | None = item("收货人", "Consignee.", source="UN/EDIFACT 3035=CN")
    contract_number: Reference | None = item("合同号", "Contract number.", source="CIQ ContractNo")
    marks: Text | None = item("标记及号码", "Marks and numbers.", source="CIQ MarkNo")
    trade_mode: Code | None = item("贸易方式", "Mode of trade, n2.", source="CIQ TradeModeCode")

    transport: Transport | None = item("运输", "Means of transport from the port.", source="UN/EDIFACT TDT")
    exit_port: Code | None = item("出入境口岸", "Port of exit or entry.", source="CIQ EntyPortCode")
    arrival_port: Code | None = item("到达口岸", "Port of arrival abroad.", source="CIQ ArrivPortCode")
    destination_country: Country | None = item("输往国家", "Country of destination.", source="CIQ TradeCountryCode")
    departure_date: Day | None = item("发货日期", "Date of dispatch.", source="CIQ DespDate")
    goods_place: Text | None = item("存放地点", "Where the goods wait at the port.", source="CIQ GoodsPlace")

    change_reason: Text | None = item("更改原因", "Why it was changed, such as damaged packing.", source="办法 (变更)")
    exclusions: Exclusions | None = item("不适用情形", "Grounds that exclude electronic transfer.")
    inspection: StatedResult | None = item("换证凭单", "The certified result.")
    certificates: tuple[Code, ...] = item(
        "申请单证", "Certificates to be issued at the port, n2 each.", source="CIQ AppCertCode", many=True
    )
    goods: tuple[TransferGoods, ...] = item("货物", "Goods.", source="CIQ ITF_DCL_IO_DECL_GOODS", many=True)
    containers: tuple[TransferContainer, ...] = item(
        "集装箱", "Containers.", source="CIQ ITF_DCL_IO_DECL_CONT", many=True
    )
