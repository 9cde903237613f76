"""The cargo manifest (舱单): what a conveyance carries, bill of lading by bill of lading.

The port or carrier sends it before the goods arrive. Sources cite X12 309 (segment and position) and
UN/EDIFACT CUSCAR data elements.
"""

from __future__ import annotations

from gateway.documents.base import (
    Code,
    ContainerNumber,
    Count,
    Country,
    Day,
    Document,
    HsCode,
    Moment,
    Number,
    Part,
    Reference,
    Text,
    item,
)
from gateway.documents.parts import Amount, Function, Party, Quantity, Transport


class PortCall(Part):
    """停靠港: one port of the voyage."""

    port: Code | None = item("港口", "Port, UN/LOCODE or as the sender codes it.", source="X12 P401; UN/EDIFACT 3225")
    port_name: Text | None = item("港口名称", "Name of the port.", source="UN/EDIFACT 3224")
    terminal: Code | None = item("码头/仓储", "Terminal or place of discharge.", source="X12 P404; UN/EDIFACT 3223")
    date: Day | None = item("日期", "Date of arrival there, or of departure.", source="X12 P402; UN/EDIFACT 2380")
    bill_count: Count | None = item("提单数", "Bills of lading for this port.", source="X12 P403")


class Hazard(Part):
    """危险品: a hazard of the goods."""

    un_number: Code | None = item(
        "UN编号", "UN dangerous goods number or hazardous material code.", source="X12 H101; 7124"
    )
    class_code: Code | None = item("类别", "Hazard class.", source="X12 H102; UN/EDIFACT 8351")
    qualifier: Code | None = item("代码限定符", "Whose code it is.", source="X12 H103")
    description: Text | None = item("说明", "Description.", source="X12 H104")
    contact: Text | None = item("联系人", "Person to ask in an emergency.", source="X12 H105")
    page: Code | None = item("页码", "Page of the dangerous goods code.", source="X12 H106; UN/EDIFACT 8078")
    flash_point: Number | None = item("闪点", "Flash point.", source="X12 H107; UN/EDIFACT 7106")
    flash_point_unit: Code | None = item("闪点单位", "Unit of the flash point.", source="X12 H108; UN/EDIFACT 6411")
    pack_group: Code | None = item("包装类别", "Packing group.", source="X12 H109; UN/EDIFACT 8339")


class ManifestGoods(Part):
    """货物: goods of one bill of lading, or of one container of it."""

    sequence_number: Count | None = item("货物序号", "Item number, from 1.", source="UN/EDIFACT 1496")
    quantity: Quantity | None = item("件数", "Number and kind of packages or pieces.", source="X12 N1001; 7224")
    description: Text | None = item("货物描述", "Description in words.", source="X12 N1002; UN/EDIFACT 4440")
    marks: Text | None = item("唛头", "Marks and numbers.", source="X12 N1003; UN/EDIFACT 7102")
    commodity_qualifier: Code | None = item("商品代码限定符", "Whose commodity code it is.", source="X12 N1004")
    hs_code: HsCode | None = item("HS编码", "Harmonised System code.", source="X12 N1005; UN/EDIFACT 7361")
    value: Amount | None = item("货值", "Customs value.", source="X12 N1006; UN/EDIFACT 5004")
    weight: Quantity | None = item("重量", "Gross weight.", source="X12 N1007, N1008; UN/EDIFACT 6314")
    reference: Reference | None = item("参考号", "Reference of the goods.", source="X12 N1009")
    origin_country: Country | None = item("原产国", "Country of origin, ISO 3166-1.", source="X12 N1012")
    hazards: tuple[Hazard, ...] = item("危险品", "Hazards.", source="X12 H1; UN/EDIFACT DGS", many=True)


class ManifestContainer(Part):
    """集装箱: one container of a bill of lading."""

    number: ContainerNumber | None = item(
        "集装箱号", "Container number: prefix and digits, ISO 6346.", source="X12 VID02, VID03; UN/EDIFACT 8260"
    )
    kind: Code | None = item("设备种类", "Kind of equipment, as the sender codes it.", source="X12 VID01; 8053")
    size_type: Code | None = item("箱型", "Size and type, ISO 6346.", source="X12 VID10; UN/EDIFACT 8155")
    seals: tuple[Code, ...] = item("铅封号", "Seal numbers.", source="X12 VID04, VID05; UN/EDIFACT 9308", many=True)
    length: Number | None = item("长", "Length, as the sender measures.", source="X12 VID06")
    height: Number | None = item("高", "Height, as the sender measures.", source="X12 VID07")
    width: Number | None = item("宽", "Width, as the sender measures.", source="X12 VID08")
    load_status: Code | None = item("重空状态", "Loaded or empty.", source="X12 VID11; UN/EDIFACT 8169")
    equipment_status: Code | None = item(
        "设备状态",
        "What is done with it at the port: discharged, shifted, or it remains on board.",
        source="UN/EDIFACT 8249",
    )
    service: Code | None = item("服务方式", "Type of service, such as pier to pier.", source="X12 VID12; TSR")
    goods: tuple[ManifestGoods, ...] = item("货物", "Goods in it.", source="X12 N10", many=True)


class BillOfLading(Part):
    """提单: one bill of lading."""

    number: Reference | None = item("提单号", "Bill of lading number.", source="X12 M1101; UN/EDIFACT 1153=BM")
    issuer: Code | None = item("签发人代码", "Carrier that issued it (SCAC).", source="X12 M1112; UN/EDIFACT 3039")
    type: Code | None = item("提单类型", "Kind of bill, as the sender codes it.", source="X12 M1109")
    master_number: Reference | None = item("总提单号", "Master bill it belongs to.", source="X12 M1113; 1153=MB")
    sequence_number: Count | None = item("序号", "Line number, from 1.", source="X12 LX01; UN/EDIFACT 1490")
    receipt_place: Code | None = item("收货地代码", "Place of receipt or loading, coded.", source="X12 M1102; 3227=88")
    receipt_place_name: Text | None = item("收货地", "Place of receipt in words.", source="X12 M1110; UN/EDIFACT 3224")
    loading_port: Code | None = item("装货港", "Port of loading.", source="UN/EDIFACT 3227=9")
    discharge_port: Code | None = item("卸货港", "Port of discharge.", source="UN/EDIFACT 3227=11")
    delivery_place: Code | None = item("交货地", "Place of delivery.", source="UN/EDIFACT 3227=7")
    quantity: Quantity | None = item("件数", "Number and kind of packages.", source="X12 M1103, M1104; 7224, 7065")
    weight: Quantity | None = item("毛重", "Gross weight.", source="X12 M1105, M1106; UN/EDIFACT 6314")
    volume: Quantity | None = item("体积", "Volume.", source="X12 M1107, M1108; UN/EDIFACT 6314")
    shipper: Party | None = item("托运人", "Shipper.", source="X12 N101=SH; UN/EDIFACT 3035=CZ")
    consignee: Party | None = item("收货人", "Consignee.", source="X12 N101=CN; UN/EDIFACT 3035=CN")
    notify: Party | None = item("通知人", "Party to be notified.", source="X12 N101=N1; UN/EDIFACT 3035=NI")
    final_port: Party | None = item("最终目的港", "Last place of the bill, as a party.", source="X12 N101=FS")
    containers: tuple[ManifestContainer, ...] = item(
        "集装箱", "Containers.", source="X12 VID; UN/EDIFACT EQD", many=True
    )
    goods: tuple[ManifestGoods, ...] = item("货物", "Goods outside containers.", source="X12 N10; GID", many=True)

    @property
    def is_none(self) -> bool:
        """Whether it only holds containers that no bill of the manifest names."""
        return self.model_fields_set <= {"containers"} and not any(unit.goods for unit in self.containers)


class Manifest(Document):
    """舱单: the manifest of one conveyance's call."""

    document_type = "manifest"

    number: Reference = item("舱单号", "Manifest number.", source="X12 M1007; UN/EDIFACT 1004", required=True)
    function: Function = item(
        "报文功能", "Original, change, replacement or cancellation.", source="1225", required=True
    )
    type: Code | None = item("舱单类型", "Kind of manifest, as the sender codes it.", source="X12 M1009")
    prepared_at: Moment | None = item("制作时间", "When it was made.", source="UN/EDIFACT 2005=137")
    transport: Transport | None = item("运输工具", "The conveyance and its carrier.", source="X12 M10; UN/EDIFACT TDT")
    loading_port: Code | None = item("装货港", "Port of loading of the whole.", source="UN/EDIFACT 3227=9")
    departure_date: Day | None = item("离港日期", "Date of departure from it.", source="UN/EDIFACT 2005=133")
    calls: tuple[PortCall, ...] = item("卸货港", "Ports of discharge with their dates.", source="X12 P4", many=True)
    customs_office: Code | None = item("海关", "Customs office it is for.", source="UN/EDIFACT 3227=22")
    bill_count: Count | None = item("提单总数", "Bills of lading it says it has.", source="X12 M1008; CNT")
    bills: tuple[BillOfLading, ...] = item("提单", "Bills of lading.", source="X12 LX; UN/EDIFACT CNI", many=True)

    @property
    def container_numbers(self) -> tuple[str, ...]:
        """Every container number of every bill, once each, in order."""
        named = (unit.number for bill in self.bills for unit in bill.containers)
        return tuple(dict.fromkeys(number for number in named if number))
