"""The groups of data items that several documents share: parties, transport, quantities, amounts."""

from __future__ import annotations

from enum import StrEnum

from gateway.documents.base import (
    Code,
    Count,
    Country,
    Currency,
    Digest,
    Moment,
    Number,
    Part,
    Reference,
    Text,
    TransportMode,
    Unit,
    item,
)


class Function(StrEnum):
    """What a message does to an earlier one, as UN/EDIFACT data element 1225 codes it."""

    CANCELLATION = "1"
    CHANGE = "4"
    REPLACE = "5"
    ORIGINAL = "9"


class Movement(StrEnum):
    """Which way the goods cross the border."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Quantity(Part):
    """A quantity or weight and its unit."""

    value: Number = item("数值", "The quantity.", source="UN/EDIFACT 6314", required=True)
    unit: Unit | None = item("计量单位", "Unit, UN/ECE Recommendation 20.", source="UN/EDIFACT 6411")


class Amount(Part):
    """A sum of money and its currency."""

    value: Number = item("金额", "The sum.", source="UN/EDIFACT 5004", required=True)
    currency: Currency | None = item("币种", "Currency, ISO 4217.", source="UN/EDIFACT 6345")


class Party(Part):
    """An organisation in the part it plays for the consignment."""

    code: Code | None = item("代码", "Its registration code with the authority.", source="UN/EDIFACT 3039")
    name: Text | None = item("名称（中文）", "Name, in Chinese where it has one.", source="UN/EDIFACT 3036")
    foreign_name: Text | None = item("名称（外文）", "Name in a foreign language.", source="UN/EDIFACT 3036")
    address: Text | None = item("地址", "Address in one text.", source="UN/EDIFACT 3042")
    city: Text | None = item("城市", "City.", source="UN/EDIFACT 3164")
    subdivision: Code | None = item("省/州", "State or province.", source="UN/EDIFACT 3229")
    postcode: Reference | None = item("邮政编码", "Postcode.", source="UN/EDIFACT 3251")
    country: Country | None = item("国家/地区", "Country, ISO 3166-1 alpha-2.", source="UN/EDIFACT 3207")
    contact: Text | None = item("联系人", "Person to ask.", source="UN/EDIFACT 3412")
    telephone: Reference | None = item("电话", "Telephone number.", source="UN/EDIFACT 3148")


class ExhibitReference(Part):
    """Evidence that is kept elsewhere, such as a recorder's clip: where it is, and by what it is known again."""

    sha256: Digest = item("摘要", "SHA-256 of its bytes, 64 hex digits in lower case.", required=True)
    media_type: Code = item("媒体类型", "Its media type (RFC 6838), such as video/mp4.", required=True)
    size: Count | None = item("字节数", "Its bytes.")
    taken_at: Moment | None = item("采集时间", "When it was taken.", source="UN/EDIFACT 2005=137")
    device: Code | None = item("采集设备", "What took it: a camera, a scale, a reader.")
    uri: Text = item("存放地址", "Where it is kept.", required=True)


class Transport(Part):
    """The means of transport that crosses the border."""

    mode: TransportMode | None = item(
        "运输方式", "Mode of transport, UN/ECE Recommendation 19.", source="CIQ TransModeCode; UN/EDIFACT 8067"
    )
    conveyance_name: Text | None = item(
        "运输工具名称", "Ship's name, vehicle plate or flight.", source="CIQ ConvynceName; UN/EDIFACT 8212"
    )
    conveyance_code: Code | None = item("运输工具代码", "IMO (Lloyd's) number or call sign.", source="UN/EDIFACT 8213")
    voyage: Reference | None = item(
        "航次", "Voyage, flight or train number.", source="CIQ TransMeanNo; UN/EDIFACT 8028"
    )
    flag: Country | None = item(
        "船旗国", "Nationality of the means of transport, ISO 3166-1.", source="UN/EDIFACT 8453"
    )
    carrier_code: Code | None = item("承运人代码", "Carrier's code, such as its SCAC.", source="UN/EDIFACT 3127")
    carrier_name: Text | None = item("承运人名称", "Carrier's name.", source="UN/EDIFACT 3128")
