"""The labels that verbs print for people, in English and Chinese. What a finding says is in schemas/findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.languages import CHINESE, choose_language
from gateway.signs import shown

_WORDS: Mapping[str, tuple[str, str]] = {
    # Severities and states
    "error": ("error", "错误"),
    "warning": ("warning", "警告"),
    "note": ("note", "提示"),
    "received": ("received", "已收到"),
    "processed": ("processed", "已处理"),
    "failed": ("failed", "处理失败"),
    "accepted": ("accepted", "已受理"),
    "partly_accepted": ("partly accepted", "部分受理"),
    "rejected": ("rejected", "拒收"),
    "held": ("held", "待人工处理"),
    "staged": ("staged", "待整批放行"),
    "pending": ("pending", "等待发送"),
    "sending": ("sending", "正在发送"),
    "awaiting": ("awaiting confirmation", "已送出，等待确认"),
    "delivered": ("delivered", "已送达"),
    "relayed": ("relayed", "已转交"),
    "answered": ("answered", "已答复"),
    "dead": ("dead", "已放弃"),
    "skipped": ("skipped", "已跳过"),
    "checked": ("checked", "已校验"),
    "document": ("document", "单证"),
    "acknowledgement": ("acknowledgement", "语法回执"),
    "response": ("response", "业务回执"),
    # validate
    "good": ("good", "正确"),
    "refused": ("well-formed, but refused", "格式正确，但业务规则不予受理"),
    "unread": ("well-formed, no mapping", "格式正确，无对应转换表"),
    "report": ("What is right and wrong with these messages", "报文检查结果"),
    "explained": ("cause and remedy", "原因与处理"),
    "cause": ("cause: {text}", "原因：{text}"),
    "remedy": ("remedy: {text}", "处理：{text}"),
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
    # mapping explain
    "unread_message": (
        "message {number} is not read into a document; `gateway validate` says why",
        "报文 {number} 未读入单证，原因见 `gateway validate`",
    ),
    # translate
    "envelope": ("envelope", "信封"),
    "numbered": ("message {number}", "报文 {number}"),
    "numbered_as": ("message {number} as {format}", "报文 {number} 转为 {format}"),
    "untranslated": ("message {number}: not translated", "报文 {number}：未转换"),
    "more_messages": ("further messages: --after {after}", "还有报文：--after {after}"),
    # send
    "stored": ("stored as {id}", "已接收，编号 {id}"),
    "stored_before": ("stored as {id} (it was there already)", "已接收，编号 {id}（此前已收到，未重复登记）"),
    # enquiry
    "no_answer_yet": ("no answer yet: {id}", "尚无答复：{id}"),
    "answered_otherwise": ("decided, and answered by other ways: {id}", "已办结，答复另经其他途径送达：{id}"),
    "number": ("number", "号码"),
    "what": ("what", "项目"),
    "value": ("value", "值"),
    "in_words": ("in words", "说明"),
    "nothing_to_tell": ("Nothing to tell.", "没有可告知的内容。"),
    # message show
    "origin": (
        "from {partner} over {transport}, {size} bytes, {at}",
        "来自 {partner}，传输方式 {transport}，{size} 字节，{at}",
    ),
    "message": ("message", "报文"),
    "case": ("case {case}", "业务号 {case}"),
    "progress": (
        "in work: {staged} messages staged, {decided} decided",
        "处理中：已暂存 {staged} 份报文，已办结 {decided} 份",
    ),
    "delivery": ("delivery", "投递"),
    "handed": ("{kind} {document} as {format} to {partner}", "{kind} {document}，格式 {format}，发往 {partner}"),
    "one_attempt": ("1 attempt", "已尝试 1 次"),
    "attempts": ("{count} attempts", "已尝试 {count} 次"),
    "receipt": ("receipt", "回执"),
    # receipt verify
    "holds": ("It holds.", "验证通过。"),
    "holds_not": ("It does NOT hold.", "验证不通过。"),
    "log": ("log {origin}", "日志 {origin}"),
    "one_receipt": ("1 receipt: {stages}", "1 份回执：{stages}"),
    "receipts": ("{count} receipts: {stages}", "{count} 份回执：{stages}"),
    "test_receipts": ("{count} of them of test traffic", "其中测试业务 {count} 份"),
    "recipient": ("receipt {index} is about {partner}", "第 {index} 号回执的接收方为 {partner}"),
    "vouched": ("files whose digest is in a receipt: {count}", "摘要载于回执的文件：{count} 个"),
    "uncovered": ("covered by nothing that was signed: {file}", "未受任何签名覆盖：{file}"),
    "span": ("written between {first} and {last}", "写入时间 {first} 至 {last}"),
    # receipt audit
    "audited": ("{count} entries looked at: the log is as it was signed.", "已核对 {count} 条：日志与签名相符。"),
    "damaged": ("{count} entries looked at: the log is NOT as it was signed.", "已核对 {count} 条：日志与签名不符。"),
    "stopped": (
        "too much is wrong; what follows entry {count} was not looked at",
        "问题过多，第 {count} 条以后未再核对",
    ),
    "checkpoint": ("checkpoint over {size} entries, signed by the log's key", "检查点含 {size} 条记录，由日志密钥签名"),
    # store reconcile
    "broken": ("{at}  {text}", "{at}  {text}"),
    "lost": (
        "  lost: {count} entries of the log or more, written between {first} and {last}; senders should repeat theirs",
        "  已丢失：至少 {count} 条日志记录，写入时间 {first} 至 {last}；请发送方重发该时段的报文",
    ),
    "lost_none": (
        "  no entry is known to be lost; what was written in the last second before may be",
        "  未发现已丢失的记录；回退前最后一秒内写入的可能已丢失",
    ),
    "skipped_numbers": (
        "  counters of document numbers were moved on by {count}{enough}",
        "  单证号计数器已前移 {count}{enough}",
    ),
    "skip_more": (
        ", which may be too little: see --skip-numbers",
        "，可能不足，请用 --skip-numbers 继续前移",
    ),
    "reconciled": ("  reconciled {at}", "  已于 {at} 处理完毕"),
    "no_breaks": ("The log has had one name since its beginning.", "日志自始至终只有一个名称。"),
    "held_deliveries": ("{count} deliveries are held:", "待人工处理的投递 {count} 笔："),
    "held_payloads": ("{count} payloads are held, not decided yet:", "待人工处理、尚未判定的报文包 {count} 个："),
    "held_line": (
        "  {id}  {partner}  {document}  case {case}  reference {reference}  since {since}",
        "  {id}  {partner}  {document}  业务号 {case}  参考号 {reference}  自 {since}",
    ),
    "payload_line": ("  {id}  from {partner}  {at}", "  {id}  来自 {partner}  {at}"),
    "further": ("  ... and {count} further; see --limit", "  ……另有 {count} 项，请用 --limit 查看"),
    "now_sent": ("{count} deliveries are due again, under the ids they had.", "{count} 笔投递将以原编号重新发送。"),
    "now_skipped": ("{count} deliveries are skipped.", "{count} 笔投递已跳过。"),
    "not_held": ("{id} is no held delivery", "{id} 不是待人工处理的投递"),
    "now_released": ("{count} payloads are decided now.", "{count} 个报文包将继续处理。"),
    "now_moved": ("Counters of document numbers were moved on by {count}.", "单证号计数器已前移 {count}。"),
    "nothing_held": ("Nothing is held.", "没有待人工处理的内容。"),
    # partner
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "agreement": ("agreement", "协议"),
    "credential": ("credential", "凭证"),
    "person": ("person", "人员"),
    "valid": ("valid", "有效"),
    "future": ("not valid yet", "尚未生效"),
    "expired": ("expired", "已过期"),
    "revoked": ("revoked", "已吊销"),
    "checking": ("Checking", "正在检查"),
    "importing": ("Importing", "正在导入"),
    "no_partners_in": ("{file}: holds no partners", "{file}：其中没有合作方"),
    "no_partners": ("No partners.", "没有合作方。"),
    "of_each": (
        "{partners}, {agreements}, {credentials}, {persons}",
        "{partners}，{agreements}，{credentials}，{persons}",
    ),
    "imported": ("{counts}.", "已导入：{counts}。"),
    "all_good": ("{counts}: all good; nothing was imported.", "{counts}：全部正确，未导入任何内容。"),
    "import_refused": ("faults: {count}; nothing was imported.", "错误 {count} 处，未导入任何内容。"),
    "exported": ("{counts} exported.", "已导出 {counts}。"),
    "now_disabled": (
        "{id} may do nothing any more; a running gateway knows within a second.",
        "{id} 已停用，运行中的网关一秒内生效。",
    ),
    "now_enabled": (
        "{id} may do again what it may; a running gateway knows within a second.",
        "{id} 已恢复使用，运行中的网关一秒内生效。",
    ),
    "now_removed": ("{id} is removed.", "{id} 已删除。"),
    # credential
    "no_credentials": ("No credentials.", "没有凭证。"),
    "key_ends": (
        "{id} ends at {at}, or before if it had an end.",
        "{id} 于 {at} 失效；原定期限更早的，以原定期限为准。",
    ),
    "now_revoked": (
        "{id} of {partner} is revoked; a running gateway knows within a second.",
        "{partner} 的 {id} 已吊销，运行中的网关一秒内生效。",
    ),
    "key_made": (
        "{id} of {partner}; the key is not kept, and cannot be told again.",
        "{partner} 的 {id}；密钥不予保存，此后无法再次显示。",
    ),
}

_HEADINGS: Mapping[str, str] = {
    "id": "编号",
    "name": "名称",
    "roles": "角色",
    "identifiers": "标识号",
    "office": "机构",
    "active": "启用",
    "grade": "信用等级",
    "classes": "监管类别",
    "acts for": "代理",
    "person": "人员",
    "kind": "种类",
    "use": "用途",
    "label": "说明",
    "scopes": "权限",
    "from": "起",
    "until": "止",
    "is": "状态",
}
"""Headings of tables in Chinese, by their English."""


def word(name: str, language: str, **values: object) -> str:
    """The label `name` in `language`, filled with `values` as a person can be shown them."""
    return _WORDS[name][choose_language(language) == CHINESE].format(
        **{key: shown(value) for key, value in values.items()}
    )


def headings(names: Sequence[str], language: str) -> list[str]:
    """Headings of a table in `language`."""
    return [_HEADINGS[name] if choose_language(language) == CHINESE else name for name in names]


def state(name: str, language: str) -> str:
    """A state, kind, stage or severity in `language`; as it stands where there is no word for it."""
    return word(name, language) if name in _WORDS else name
