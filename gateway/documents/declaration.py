"""The inspection declaration (报检): what an enterprise declares to the inspection service.

It holds the data items of the service's own message (records `ITF_DCL_*` of EEntDeclIo), regrouped
under UN/CEFACT and WCO names. Almost everything is optional here: which items a declaration must have
depends on its direction, and is said by rules (schemas/rules/declaration_mandatory.toml) with a finding
for each missing one, not by refusing to build the document.

Not carried: the message's `spare2`, which holds the password of the sender's mailbox.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import model_validator

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
    Number,
    Part,
    Reference,
    Text,
    item,
)
from gateway.documents.parts import Amount, Function, Movement, Party, Quantity, Transport


class Declarant(Part):
    """报检单位: the registered organisation that declares, and its declarant."""

    registration_number: Code | None = item("报检单位登记号", "Registration number, 10 digits.", source="CIQ DeclRegNo")
    name: Text | None = item("报检单位名称", "Name of the declaring organisation.", source="CIQ DeclRegName")
    organisation_code: Code | None = item("组织机构代码", "Organisation code, an9.", source="CIQ techRegCode")
    customs_registration: Code | None = item("海关注册号", "Customs registration, an10.", source="CIQ CustmRegNo")
    person_number: Code | None = item(
        "报检员证号", "The declarant's licence number, n10.", source="CIQ DeclPersnCertNo"
    )
    person_name: Text | None = item("报检员姓名", "The declarant's name.", source="CIQ DeclPersonName")
    contact: Text | None = item("联系人", "Person to ask.", source="CIQ Contactperson; UN/EDIFACT 3412")
    telephone: Reference | None = item("联系人电话", "Telephone number.", source="CIQ ContTel; UN/EDIFACT 3148")


class Pack(Part):
    """包装: one kind of packages of an item of goods."""

    type: Code | None = item(
        "包装种类", "Kind of package, UN/ECE Recommendation 21.", source="CIQ PackTypeCode; UN/EDIFACT 7065"
    )
    type_name: Text | None = item("包装种类名称", "Kind of package in words.", source="CIQ PackCatgName")
    type_short_name: Text | None = item("包装简称", "Short name of the kind of package.", source="CIQ PackTypeShort")
    quantity: Count | None = item("包装件数", "Number of packages.", source="CIQ PackQty; UN/EDIFACT 7224")
    is_main: Flag | None = item("是否主要包装", "Whether it is the main package.", source="CIQ IsMainPack")
    length: Text | None = item("长", "Length as declared, with its unit.", source="CIQ PackLenth")
    height: Text | None = item("高", "Height as declared, with its unit.", source="CIQ PackHigh")
    width: Text | None = item("宽", "Width as declared, with its unit.", source="CIQ PackWide")
    material: Text | None = item("包装材料种类", "Material of the packages.", source="CIQ MatType")
    producer: Text | None = item("加工厂家", "Maker of the packages.", source="CIQ ProcFactory")


class GoodsContainer(Part):
    """货物与集装箱关联: how much of an item of goods is in which container."""

    id: Code | None = item("关联ID", "The sender's id of this line, an32.", source="CIQ GoodsContId")
    number: ContainerNumber | None = item("集装箱号", "Container number, ISO 6346.", source="CIQ ContCode")
    size_type: Code | None = item(
        "集装箱规格代码", "Size and type, ISO 6346 (or the service's table).", source="CIQ CntnrModeCode"
    )
    quantity: Quantity | None = item("数量", "Quantity in this container.", source="CIQ Qty, QtyMeasUnit")
    standard_quantity: Quantity | None = item(
        "标准数量", "The same in the standard unit.", source="CIQ StdMeasUnitQty, StdMeasUnit"
    )
    weight: Quantity | None = item("重量", "Weight in this container.", source="CIQ Weight, WtUnitCode")
    carriage_kind: Code | None = item(
        "运输工具类型", "20 container, 29 hold, 31 wagon.", source="CIQ TransMeansType (CIQ_TRANS_MEANS_TYPE)"
    )


class Licence(Part):
    """许可证: a licence or permit that this item of goods draws on."""

    id: Code | None = item("许可证ID", "The sender's id of this line, an32.", source="CIQ LimitId")
    type: Code | None = item("许可证类别", "Kind of licence, n3.", source="CIQ LicTypeCode (CIQ_LICENCE_TYPE)")
    number: Reference | None = item("许可证编号", "Licence number.", source="CIQ LicenceNo; UN/EDIFACT 1004")
    line: Code | None = item("核销货物序号", "Line of the licence that is drawn on.", source="CIQ LicWrtofDetailNo")
    quantity: Number | None = item("核销数量", "Quantity written off.", source="CIQ LicWrtofQty")
    line_balance: Number | None = item("核销明细余量", "What is left of the line.", source="CIQ LicDetailLeft")
    balance: Number | None = item("核销后余量", "What is left of the licence.", source="CIQ LicWrtofLeft")


class Goods(Part):
    """货物: one item of goods."""

    id: Code | None = item("货物ID", "The sender's id of this item, an32.", source="CIQ GoodsId")
    sequence_number: Count | None = item("货物序号", "Item number, from 1.", source="CIQ GoodsNo; UN/EDIFACT 1496")
    hs_code: HsCode | None = item("HS编码", "Harmonised System code, n10.", source="CIQ ProdHsCode; UN/EDIFACT 7361")
    hs_description: Text | None = item("HS编码描述", "What the tariff calls it.", source="CIQ HsCodeDesc")
    ciq_code: Code | None = item(
        "CIQ代码", "Inspection code, n13: the HS code's 10 digits and 3 more.", source="CIQ CiqCode"
    )
    ciq_name: Text | None = item("CIQ名称", "What the inspection table calls it.", source="CIQ CiqName")
    inspection_category: Text | None = item(
        "检验检疫类别", "Categories of supervision, such as M/N or P/Q.", source="CIQ InspType"
    )
    name: Text | None = item(
        "货物名称（中文）", "Name of the goods in Chinese, without blanks.", source="CIQ DeclGoodsCname"
    )
    foreign_name: Text | None = item(
        "货物名称（外文）", "Name of the goods in a foreign language.", source="CIQ DeclGoodsEname"
    )
    quantity: Quantity | None = item("数量", "Quantity.", source="CIQ Qty, QtyMeasUnit")
    weight: Quantity | None = item("重量", "Net weight.", source="CIQ Weight, WtMeasUnit")
    standard_quantity: Quantity | None = item(
        "标准数量", "Quantity in the tariff's standard unit.", source="CIQ StdQty, StdQtyUnitCode"
    )
    standard_weight: Quantity | None = item(
        "标准重量", "Weight in the tariff's standard unit.", source="CIQ StdWeight, StdWeightUnitCode"
    )
    value: Amount | None = item("货物总值", "Total value of the item.", source="CIQ GoodsTotalVal, Currency")
    unit_price: Number | None = item(
        "单价", "Price of one unit, in the currency of the value.", source="CIQ PricePerUnit; UN/EDIFACT 5118"
    )
    origin_country: Country | None = item("原产国/地区", "Country of origin, ISO 3166-1.", source="CIQ OriCtryCode")
    origin_place: Code | None = item(
        "原产地区", "Region of origin; outbound: the producing area (GB/T 2260, n6).", source="CIQ OrigPlaceCode"
    )
    use: Code | None = item("用途", "Use, n2.", source="CIQ Purpose (CIQ_GOODS_USE_TO)")
    attributes: tuple[Code, ...] = item(
        "货物属性", "Attributes, n2 each.", source="CIQ GoodsAttr (CIQ_GOODS_ATTR)", many=True
    )
    brand: Text | None = item("货物品牌", "Brand.", source="CIQ GoodsBrand")
    specification: Text | None = item("货物规格", "Specification.", source="CIQ GoodsSpec")
    model: Text | None = item("货物型号", "Model.", source="CIQ GoodsModel")
    ingredients: Text | None = item("成份/原料/组份", "Ingredients or raw materials.", source="CIQ Stuff")
    producer_registration: Code | None = item(
        "生产单位注册号", "The producer's registration, n10.", source="CIQ MnufctrRegNo"
    )
    producer_name: Text | None = item("生产单位名称", "The producer's name.", source="CIQ MnufctrRegName")
    foreign_producer_name: Text | None = item(
        "境外生产企业名称", "Name of the producer abroad.", source="CIQ EngManEntCnm"
    )
    production_date: Day | None = item("生产日期", "Date of production.", source="CIQ ProduceDate; UN/EDIFACT 2005=94")
    batch_number: Text | None = item("生产批号", "Production batch.", source="CIQ ProdBatchNo")
    expiry_date: Day | None = item(
        "产品有效期", "Date until which the product is good.", source="CIQ ProdValidDt; UN/EDIFACT 2005=36"
    )
    shelf_life_days: Count | None = item("保质期（天）", "Shelf life, in days.", source="CIQ ProdQgp")
    is_not_dangerous: Flag | None = item(
        "非危险化学品", "Whether it is declared not to be a dangerous chemical.", source="CIQ NoDangFlag"
    )
    un_number: Code | None = item("UN编码", "UN dangerous goods number, n4.", source="CIQ UnCode; UN/EDIFACT 7124")
    dangerous_name: Text | None = item("危险货物名称", "Name as dangerous goods.", source="CIQ DangName")
    dangerous_pack_group: Code | None = item(
        "危包类别", "Packing group: 1, 2 or 3.", source="CIQ PackType (CIQ_DANG_PACK_TYPE)"
    )
    dangerous_pack_specification: Text | None = item(
        "危包规格", "Specification of that packing.", source="CIQ PackSpec"
    )
    note_1: Text | None = item("备用一", "For what sender and bureau agree.", source="CIQ By1")
    note_2: Text | None = item("备用二", "For what sender and bureau agree.", source="CIQ By2")
    packs: tuple[Pack, ...] = item("包装", "Packages.", source="CIQ ITF_DCL_IO_DECL_GOODS_PACK", many=True)
    containers: tuple[GoodsContainer, ...] = item(
        "集装箱关联", "Containers the item is in.", source="CIQ ITF_DCL_IO_DECL_GOODS_CONT", many=True
    )
    licences: tuple[Licence, ...] = item(
        "许可证", "Licences drawn on.", source="CIQ ITF_DCL_IO_DECL_GOODS_LIMIT", many=True
    )


class Qualification(Part):
    """企业资质: a qualification of an enterprise concerned."""

    type: Code | None = item(
        "企业资质类别", "Kind of qualification, n3.", source="CIQ EntQualifTypeCode (CIQ_ENT_QUALIFY_TYPE)"
    )
    number: Reference | None = item("企业资质编号", "Its number.", source="CIQ EntQualifNo")
    organisation_code: Code | None = item("组织机构代码", "The enterprise's code, an9.", source="CIQ EntOrgCode")
    name: Text | None = item("企业名称", "The enterprise's name.", source="CIQ EntName")


class Attachment(Part):
    """随附单据: a paper that goes with the declaration."""

    type: Code | None = item("随附单据类别", "Kind of paper, n6.", source="CIQ AttDocTypeCode (CIQ_ATT_DOCUMENTS)")
    name: Text | None = item("随附单据名称", "Its name.", source="CIQ AttDocName")
    number: Reference | None = item("随附单据编号", "Its number.", source="CIQ AttDocNo; UN/EDIFACT 1004")
    line: Code | None = item("核销货物序号", "Line that is drawn on.", source="CIQ AttDocWrtofDetailNo")
    quantity: Number | None = item("核销数量", "Quantity written off.", source="CIQ AttDocWrtofQty")
    line_balance: Number | None = item("核销后明细余量", "What is left of the line.", source="CIQ AttDocDetailLeft")
    balance: Number | None = item("核销后余量", "What is left of the paper.", source="CIQ AttDocWrtofLeft")


class Container(Part):
    """集装箱明细: one container."""

    id: Code | None = item("明细ID", "The sender's id of this line, an32.", source="CIQ ContDtId")
    group_id: Code | None = item("集装箱信息ID", "The id of the group it belongs to, an32.", source="CIQ ContId")
    number: ContainerNumber | None = item("集装箱号", "Container number, ISO 6346.", source="CIQ ContNo")
    size_type: Code | None = item(
        "集装箱规格代码", "Size and type, ISO 6346 (or the service's table).", source="CIQ CntnrModeCode"
    )
    is_shared: Flag | None = item("拼箱标识", "Less than a container load.", source="CIQ LclFlag")
    sequence_number: Count | None = item("序号", "Line number, from 1.", source="CIQ SeqNo")


class ContainerGroup(Part):
    """集装箱: containers of one size and type; one container, where the sender named it by its number."""

    id: Code | None = item("集装箱信息ID", "The sender's id of this line, an32.", source="CIQ ContId")
    size_type: Code | None = item(
        "集装箱规格代码", "Size and type, ISO 6346 (or the service's table).", source="CIQ CntnrModeCode"
    )
    quantity: Count | None = item("集装箱数量", "Number of containers.", source="CIQ ContainerQty")
    is_shared: Flag | None = item("拼箱标识", "Less than a container load.", source="CIQ LclFlag")
    numbers: tuple[ContainerNumber, ...] = item(
        "集装箱号", "Container numbers, ISO 6346.", source="CIQ ContNo", many=True
    )
    sequence_number: Count | None = item("序号", "Line number, from 1.", source="CIQ SeqNo")
    containers: tuple[Container, ...] = item(
        "集装箱明细", "The containers one by one.", source="CIQ ITF_DCL_IO_DECL_CONT_DETAIL", many=True
    )


class User(Part):
    """使用人: the person or organisation that will use the goods."""

    name: Text | None = item("使用人/联系人", "Name.", source="CIQ UseOrgPersonCode")
    telephone: Reference | None = item("电话", "Telephone number.", source="CIQ UseOrgPersonTel")


class MarkImage(Part):
    """标记号码附件: a picture of the marks."""

    id: Code | None = item("标记号码ID", "The sender's id of this picture, an32.", source="CIQ MarkId")
    content: str | None = item("标记附件", "The picture, base64.", source="CIQ Attachment")


class Declaration(Document):
    """报检单: the inspection declaration."""

    document_type = "declaration"

    direction: Movement = item("出入境类别", "Inbound or outbound.", source="CIQ AplKind", required=True)
    function: Function = item(
        "报文功能", "Original, change, replacement or cancellation.", source="UN/EDIFACT 1225", required=True
    )
    client_reference: Code | None = item(
        "企业报检号", "The sender's own number of the declaration, an..32.", source="CIQ EntDeclNo; WCO 016"
    )
    number: DeclarationNumber | None = item(
        "报检号", "The declaration number, n15, once the bureau has issued it.", source="CIQ DeclNo; WCO D014"
    )
    enterprise_uuid: Code | None = item("企业UUID", "The sender's id of the enterprise, an32.", source="CIQ EntUuid")
    id: Code | None = item("报检单ID", "The sender's id of the declaration, an32.", source="CIQ DeclId")
    related_number: Code | None = item(
        "关联报检号", "Number of the declaration this one relates to, n15.", source="CIQ CorrelationDeclNo"
    )
    related_reason: Text | None = item("关联理由", "Why it relates to it.", source="CIQ CorrelationReasonFlag")
    kind: Code | None = item(
        "报检类别", "Kind of declaration, n2.", source="CIQ DeclCode (CIQ_IN_DECL_TYPE, CIQ_OUT_DECL_TYPE)"
    )
    declared_at: Moment | None = item("报检日期", "When it is declared.", source="CIQ DeclDate; UN/EDIFACT 2005=137")

    declaration_organisation: Code | None = item("报检地", "Bureau declared to, n6.", source="CIQ OrgCode")
    certificate_organisation: Code | None = item(
        "领证地", "Bureau where certificates are collected, n6.", source="CIQ VsaOrgCode"
    )
    inspection_organisation: Code | None = item(
        "口岸机构/施检地", "Inbound: the port's bureau; outbound: the inspecting bureau; n6.", source="CIQ InspOrgCode"
    )
    purpose_organisation: Code | None = item(
        "目的机构/口岸机构",
        "Inbound: the destination's bureau; outbound: the port's bureau; n6.",
        source="CIQ PurpOrgCode",
    )
    customs_office: Code | None = item("报关海关", "Customs office, n4.", source="CIQ DeclCustm")

    declarant: Declarant | None = item("报检单位", "Who declares.", source="UN/EDIFACT 3035=DT")
    consignor: Party | None = item(
        "发货人",
        "Consignor.",
        source="CIQ ConsignorCode, ConsignorCname, ConsignorEname, ConsignorAddr; UN/EDIFACT 3035=CZ",
    )
    consignee: Party | None = item(
        "收货人",
        "Consignee.",
        source="CIQ ConsigneeCode, ConsigneeCname, ConsigneeEname, ConsigneeAddr; UN/EDIFACT 3035=CN",
    )

    trade_mode: Code | None = item("贸易方式", "Mode of trade, n2.", source="CIQ TradeModeCode (CIQ_TRADE_MODE)")
    contract_number: Reference | None = item("合同号", "Contract number.", source="CIQ ContractNo; UN/EDIFACT 1153=CT")
    marks: Text | None = item("标记及号码", "Marks and numbers; N/M for none.", source="CIQ MarkNo; UN/EDIFACT 7102")
    total_value_usd: Number | None = item("货物总值（美元）", "Total value in USD.", source="CIQ TotalValUs")
    total_value_cny: Number | None = item("货物总值（人民币）", "Total value in CNY.", source="CIQ TotalValCn")

    transport: Transport | None = item("运输", "Means of transport.", source="UN/EDIFACT TDT")
    bill_of_lading: Reference | None = item(
        "提/运单号", "Bill of lading or waybill.", source="CIQ BillLadNo; UN/EDIFACT 1153=BM"
    )
    house_bill: Reference | None = item("分运单号", "House bill or waybill.", source="CIQ SplitBillLadNo")
    delivery_order: Reference | None = item("提货单号", "Delivery order.", source="CIQ DeliveryOrder")
    trade_country: Country | None = item(
        "贸易国别", "Trading country; outbound: the country of destination.", source="CIQ TradeCountryCode"
    )
    departure_country: Country | None = item("启运国家", "Country of departure.", source="CIQ DespCtryCode")
    departure_port: Code | None = item("启运口岸", "Port of departure.", source="CIQ DespPortCode; UN/EDIFACT 3227=9")
    transit_port: Code | None = item("经停口岸", "Port of call.", source="CIQ PortStopCode")
    entry_port: Code | None = item("入境口岸", "Port of entry.", source="CIQ EntyPortCode")
    arrival_port: Code | None = item("到达口岸", "Port of arrival.", source="CIQ ArrivPortCode; UN/EDIFACT 3227=60")
    destination: Code | None = item("目的地", "Destination, GB/T 2260, n6.", source="CIQ DestCode")
    departure_date: Day | None = item(
        "启运日期/发货日期", "Inbound: date of departure; outbound: of dispatch.", source="CIQ DespDate"
    )
    arrival_date: Day | None = item("到货日期", "Date of arrival.", source="CIQ GdsArvlDate; UN/EDIFACT 2005=132")
    discharge_date: Day | None = item("卸毕日期", "Date of completed discharge.", source="CIQ CmplDschrgDt")
    claim_date: Day | None = item("索赔截止日期", "Last day for claims.", source="CIQ CounterClaim")
    goods_place: Text | None = item("存放地点", "Where the goods are stored.", source="CIQ GoodsPlace")

    special_declaration: Code | None = item(
        "特种业务标识", "Four flags, such as 0000.", source="CIQ SpecDeclFlag (CIQ_SPECIAL_DECL_FLAG)"
    )
    special_clearance: Code | None = item(
        "特殊通关模式", "Four flags, such as 0000.", source="CIQ SpecPassFlag (CIQ_SPECIAL_PASS_FLAG)"
    )
    special_requirements: Text | None = item("特殊检验检疫要求", "Special requirements.", source="CIQ SpeclInspQuraRe")
    uses_original_containers: Flag | None = item("原集装箱标识", "Stays in its containers.", source="CIQ OrigBoxFlag")
    container_write_off: Code | None = item(
        "集装箱适载核销状态", "State of the container write-off.", source="CIQ ContCancelFlag"
    )
    epidemic_code: Code | None = item("疫情代码", "Epidemic.", source="CIQ SituationCode")
    epidemic_level: Code | None = item("疫情级别", "Level of the epidemic.", source="CIQ SituationLevel")

    certificates: tuple[Code, ...] = item(
        "申请单证", "Certificates applied for, n2 each.", source="CIQ AppCertCode (CIQ_INSP_QUAE_DOCUMENTS)", many=True
    )
    certificate_names: Text | None = item("申请单证名称", "The same in words.", source="CIQ AppCertName")
    certificate_originals: Count | None = item("正本数", "Originals of each.", source="CIQ ApplOri")
    certificate_copies: Count | None = item("副本数", "Copies of each.", source="CIQ ApplCopyQuan")
    attachment_names: Text | None = item(
        "随附单据名称", "The papers that go with it, in words.", source="CIQ AttaCollectName"
    )

    software: Text | None = item("软件商类型", "The sender's software.", source="CIQ SoftType")
    account_name: Text | None = item("通讯账号名称", "The sender's mailbox.", source="CIQ spare1")
    account_method: Text | None = item("通讯账号认证方式", "How the mailbox authenticates.", source="CIQ spare3")
    account_certificate: Text | None = item("通讯证书ID", "The mailbox's certificate.", source="CIQ spare4")

    goods: tuple[Goods, ...] = item("货物", "Goods.", source="CIQ ITF_DCL_IO_DECL_GOODS", many=True)
    container_groups: tuple[ContainerGroup, ...] = item(
        "集装箱", "Containers by size and type.", source="CIQ ITF_DCL_IO_DECL_CONT", many=True
    )
    attachments: tuple[Attachment, ...] = item("随附单据", "Papers.", source="CIQ ITF_DCL_IO_DECL_ATT", many=True)
    qualifications: tuple[Qualification, ...] = item(
        "企业资质", "Qualifications of enterprises.", source="CIQ ITF_DCL_IO_DECL_LIMIT", many=True
    )
    users: tuple[User, ...] = item("使用人", "Who will use the goods.", source="CIQ ITF_DCL_IO_DECL_USER", many=True)
    mark_images: tuple[MarkImage, ...] = item(
        "标记附件", "Pictures of marks.", source="CIQ ITF_DCL_MARK_LOB", many=True
    )

    @model_validator(mode="before")
    @classmethod
    def _one_container_each(cls, values: Any) -> Any:
        """Give each container a group of its own: the inspection message may name several in one, no other format can."""
        groups = values.get("container_groups") if isinstance(values, Mapping) else None
        if not isinstance(groups, list | tuple):
            return values
        return {**values, "container_groups": [single for group in groups for single in _singles(group)]}

    @property
    def port_organisation(self) -> str | None:
        """The port's bureau: the items change places with the direction (CIQ InspOrgCode, PurpOrgCode)."""
        return self.inspection_organisation if self.direction is Movement.INBOUND else self.purpose_organisation

    @property
    def container_numbers(self) -> tuple[str, ...]:
        """Every container number the declaration names anywhere, once each, in order."""
        named = [
            *(number for group in self.container_groups for number in group.numbers),
            *(unit.number for group in self.container_groups for unit in group.containers),
            *(unit.number for goods in self.goods for unit in goods.containers),
        ]
        return tuple(dict.fromkeys(number for number in named if number))


def _singles(group: Any) -> Iterator[Any]:
    """`group`, or one group for each container that it names; what is no group is left to be refused."""
    given = group.model_dump(exclude_none=True) if isinstance(group, ContainerGroup) else group
    numbers = given.get("numbers") if isinstance(given, Mapping) else None
    if not isinstance(numbers, list | tuple) or len(numbers) < 2:
        yield group
        return
    details = given.get("containers") or ()
    named = {detail.get("number") for detail in details if isinstance(detail, Mapping)}
    for position, number in enumerate(numbers):
        own = [
            detail
            for detail in details
            if (isinstance(detail, Mapping) and detail.get("number") == number)
            # What belongs to none of the numbers stays with the first, and is not lost.
            or (position == 0 and not (isinstance(detail, Mapping) and detail.get("number") in named & set(numbers)))
        ]
        yield {**given, "numbers": [number], "quantity": 1, "containers": own}
