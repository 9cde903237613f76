"""The labels that verbs print for people, in English and Chinese. What a finding says is in schemas/findings."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: Mapping[str, tuple[str, str]] = {
    # Severities and states
    "error": ("error", "错误"),
    "warning": ("warning", "警告"),
    "note": ("note", "提示"),
    "received": ("received", "已接收"),
    "processed": ("processed", "已处理"),
    "failed": ("failed", "处理失败"),
    "accepted": ("accepted", "已受理"),
    "partly_accepted": ("partly accepted", "部分受理"),
    "rejected": ("rejected", "拒收"),
    "held": ("held", "待人工处理"),
    "staged": ("staged", "待整批放行"),
    "pending": ("pending", "等待发送"),
    "sending": ("sending", "正在发送"),
    "delivered": ("delivered", "已送达"),
    "relayed": ("relayed", "已转交"),
    "answered": ("answered", "已答复"),
    "dead": ("dead", "已放弃"),
    "skipped": ("skipped", "已跳过"),
    "checked": ("checked", "已检查"),
    "document": ("document", "单证"),
    "acknowledgement": ("acknowledgement", "语法回执"),
    "response": ("response", "业务回执"),
    # validate
    "good": ("good", "正确"),
    "refused": ("well-formed, but refused", "格式正确，但业务规则不予受理"),
    "read": ("read as {document}", "读作 {document}"),
    "interchange": ("interchange {reference}", "交换 {reference}"),
    "parties": ("from {sender} to {recipient}", "发送方 {sender}，接收方 {recipient}"),
    "one_message": ("1 message", "1 个报文"),
    "messages": ("{count} messages", "{count} 个报文"),
    "none": ("no message in it", "其中没有报文"),
    "empty": ("the file is empty", "文件是空的"),
    "group": ("group {reference}", "功能组 {reference}"),
    "file": ("file {file}", "文件 {file}"),
    "total": (
        "{file}: messages {messages}, interchanges {interchanges}; errors {error}, warnings {warning}, notes {note}",
        "{file}：报文 {messages}，交换 {interchanges}；错误 {error}，警告 {warning}，提示 {note}",
    ),
    "more": ("... and further messages without findings", "……其余报文均无问题，不再逐一列出"),
    # translate
    "envelope": ("envelope", "信封"),
    "numbered": ("message {number}", "报文 {number}"),
    "numbered_as": ("message {number} as {format}", "报文 {number} 转为 {format}"),
    "untranslated": ("message {number}: not translated", "报文 {number}：未转换"),
    "more_messages": ("further messages: --after {after}", "还有报文：--after {after}"),
    # send
    "stored": ("stored as {id}", "已接收，编号 {id}"),
    "stored_before": ("stored as {id} (it was there already)", "已接收，编号 {id}（此前已收到，未重复登记）"),
    # message show
    "origin": (
        "from {partner} over {transport}, {size} bytes, {at}",
        "来自 {partner}，传输方式 {transport}，{size} 字节，{at}",
    ),
    "message": ("message", "报文"),
    "case": ("case {case}", "业务号 {case}"),
    "delivery": ("delivery", "投递"),
    "handed": ("{kind} {document} as {format} to {partner}", "{kind} {document}，格式 {format}，发往 {partner}"),
    "one_attempt": ("1 attempt", "已尝试 1 次"),
    "attempts": ("{count} attempts", "已尝试 {count} 次"),
    "receipt": ("receipt", "收据"),
    # receipt verify
    "holds": ("It holds.", "验证通过。"),
    "holds_not": ("It does NOT hold.", "验证不通过。"),
    "log": ("log {origin}", "日志 {origin}"),
    "one_receipt": ("1 receipt: {stages}", "1 份收据：{stages}"),
    "receipts": ("{count} receipts: {stages}", "{count} 份收据：{stages}"),
    "span": ("written between {first} and {last}", "写入时间 {first} 至 {last}"),
    "checkpoint": ("checkpoint over {size} entries, signed by the log's key", "检查点含 {size} 条记录，由日志密钥签名"),
}


def word(name: str, language: str, **values: object) -> str:
    """The label `name` in `language`, filled with `values`."""
    return _WORDS[name][language == "zh"].format(**values)


def state(name: str, language: str) -> str:
    """A state, kind, stage or severity in `language`; as it stands where there is no word for it."""
    return word(name, language) if name in _WORDS else name
