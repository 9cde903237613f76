"""A database as it is after years, made by plain SQL in seconds: few senders with nearly all, cases and numbers of every
size, one huge feed, deliveries nearly all done, and a log whose tree is whole.

    python -m tests.store.filled URL COUNT

Bodies are short and all alike, and so are the receipts, since the hash of every full subtree of one height is then the
same: the log's proofs are real ones. What is skewed is what queries find by.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.receipt.chain import Frontier, leaf_hash, node_hash
from gateway.receipt.signed import Signer
from gateway.store import migrate
from gateway.store.bodies import digest, key_of
from gateway.store.database import connect
from tests.store.made import ORIGIN

BODY = b"{}"
SHA256 = digest(BODY)
SIGNER = Signer(ORIGIN, bytes(range(32)))
BEGAN = 1_767_225_600_000
"""2026-01-01 in milliseconds: when the first payload came; then one came each second."""
_NOBODY = "''"
"""Whose hot deliveries are."""
RECEIPTS = 5
"""For each message: received, checked, delivered twice, answered."""
WAITING = 200
"""Payloads in the inbox."""
HOT = 20
"""One delivery to customs in so many has never come to its end, and a tenth as many to the bureau."""
CROWDED = "CONTRACT-1"
"""A number that every fifth case has."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How much there is, and the names of what is largest."""

    count: int

    @property
    def wide(self) -> int:
        """Messages in the first payload."""
        return min(20_000, self.count // 5)

    def id(self, kind: str, number: int) -> str:
        """The id of a payload (`0`), message (`1`), case (`c`), delivery (`d`, `e`) or feed entry (`f`)."""
        return f"{BEGAN + 1000 * number:012x}7ed1{kind}{number:015x}"

    @property
    def huge_case(self) -> str:
        """The case of every 25th message."""
        return self.id("c", 25)

    @property
    def leaves(self) -> int:
        """Receipts in the log."""
        return self.count * RECEIPTS


class _Dialect:
    """How each engine says what the other says otherwise."""

    def __init__(self, name: str) -> None:
        self.sqlite = name == "sqlite"

    def numbers(self, first: int, last: int) -> str:
        """A table `n` with a column `i` that counts from `first` to `last`."""
        if self.sqlite:
            return (
                f"WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
                "SELECT {} FROM n"
            )
        return f"SELECT {{}} FROM generate_series({first}::bigint, {last}::bigint) AS n(i)"

    def hex(self, value: str, width: int) -> str:
        if self.sqlite:
            return f"printf('%0{width}x', {value})"
        return f"lpad(to_hex(({value})::bigint), {width}, '0')"

    def id(self, kind: str, number: str = "i") -> str:
        return f"{self.hex(f'{BEGAN} + 1000 * ({number})', 12)} || '7ed1{kind}' || {self.hex(number, 15)}"

    def bytes(self, value: bytes) -> str:
        return f"x'{value.hex()}'" if self.sqlite else f"'\\x{value.hex()}'::bytea"

    def flag(self, condition: str) -> str:
        """A truth value."""
        return f"({condition})"

    def text(self, value: str) -> str:
        return f"CAST({value} AS TEXT)"


def fill(connection: Connection, count: int) -> None:
    """Fill migrated tables, in one transaction."""
    for statement in statements(connection.dialect.name, Shape(count)):
        connection.exec_driver_sql(statement)


def statements(dialect: str, shape: Shape) -> Iterator[str]:
    """What fills the tables of one engine."""
    d, count = _Dialect(dialect), shape.count
    wide = shape.wide

    def rows(table: str, values: str, first: int = 1, last: int = count - WAITING) -> str:
        return f'INSERT INTO "{table}" ' + d.numbers(first, last).replace("{}", values)

    at = f"({BEGAN} + 1000 * i) * 1000"
    test = d.flag("i % 50 = 0")
    partner = f"CASE WHEN i % 10 < 7 THEN 'acme' ELSE 'firm' || {d.text('i % 3')} END"
    payload = f"CASE WHEN i <= {wide} THEN {d.id('0', '1')} ELSE {d.id('0')} END"
    case = f"CASE WHEN i % 25 = 0 THEN {d.id('c', '25')} ELSE {d.id('c')} END"
    verdict = "CASE WHEN i % 400 = 0 THEN 'rejected' WHEN i % 1000 = 1 THEN 'held' ELSE 'accepted' END"
    waiting = count - WAITING

    def payloads(first: int, last: int, state: str) -> str:
        transport_id = f"CASE WHEN i % 2 = 0 THEN 'key-' || {d.text('i')} ELSE '' END"
        return rows(
            "payloads",
            f"{d.id('0')}, {RECEIPTS} * (i - 1), {partner}, 'http', {transport_id}, '{SHA256}', {len(BODY)}, {at}, '', '', "
            f"{test}, {state}, '', 1, '', ''",
            first,
            last,
        )

    yield payloads(1, 1, "'partly_accepted'")
    yield payloads(wide + 1, waiting, f"CASE WHEN i % 5000 = 2 THEN 'failed' ELSE {verdict} END")
    yield payloads(waiting + 1, count, "'received'")
    yield rows(
        "inbox", f"{d.id('0')}, {RECEIPTS} * (i - 1), 1, 0, 0, {at}, {partner}, {test}, '', 0, ''", waiting + 1, count
    )
    yield rows(
        "bodies",
        f"substr({d.id('0')}, 1, 12) || '{key_of('', SHA256)}', {d.bytes(BODY)}, {d.flag('1 = 0')}",
        last=count,
    )
    document = d.bytes(BODY)
    yield rows(
        "messages",
        f"{d.id('1')}, {payload}, CASE WHEN i <= {wide} THEN i ELSE 1 END, {partner}, 'edifact', 'edifact:CUSDEC:D:96B:UN', "
        f"'M' || {d.text('i')}, {verdict}, {at}, 'R' || {d.text('i')}, 'declaration', {document}, '[]', {case}, {test}, "
        "'schema', 'mapping', ''",
        1,
        waiting,
    )
    yield rows(
        "interchanges",
        f"{partner} || '/ACME', 'GATEWAY', {d.hex('i', 8)}, 'edifact', {test}, {at}, {payload}",
    )
    standing = """'{"declaration":"accepted"}'"""
    own_case = "i % 25 <> 0 OR i = 25"
    for statement in (
        rows("cases", f"{d.id('c')}, 2, 'accepted', {partner}, {test}, 'consignment', {standing}"),
        rows("case_keys", f"'TD-' || {d.text('i')}, 'declaration', {test}, {d.id('c')}"),
        rows("case_keys", f"'CONTRACT-' || {d.text('i % 5')}, 'contract', {test}, {d.id('c')}"),
        rows("case_keys", f"'BOX-' || {d.text('i % 5000')}, 'container', {test}, {d.id('c')}"),
        rows("case_documents", f"{d.id('c')}, 'declaration', NULL, {d.id('1')}"),
        rows("case_partners", f"{d.id('c')}, {partner}"),
        rows("case_partners", f"{d.id('c')}, 'bureau'"),
    ):
        yield f"{statement} WHERE {own_case}"
    for kind in ("opened", "sent"):
        delivery = d.id("d") if kind == "sent" else "''"
        yield (
            'INSERT INTO case_events (case_id, at, kind, "text", partner_id, message_id, delivery_id, details) '
            + d.numbers(1, waiting).replace(
                "{}", f"{case}, {at}, '{kind}', '', {partner}, {d.id('1')}, {delivery}, '{{}}'"
            )
        )
    for place, (kind, recipient, document_type) in enumerate(
        (("d", "bureau", "declaration"), ("e", "customs", "clearance"))
    ):
        common = (
            f"{d.id(kind)}, 2 * i + {place}, {payload}, '{recipient}', '{recipient}-out', '{recipient}:' || {case}, "
            f"'document', '{document_type}', 'json:{document_type}:1', '{SHA256}', {d.id('1')}, {case}, "
            f"{d.hex(f'i * 2 + {place}', 14)}, {test}"
        )
        done = f"{common}, CASE WHEN i % 3 = 0 THEN 'answered' ELSE 'delivered' END, 1, NULL, 1, '', {at}"
        hot = f"{common}, CASE WHEN i % {HOT * 2} = 0 THEN 'dead' ELSE 'pending' END, 1, {at}, 1, 'busy'"
        is_hot = f"i % {HOT} = 0" if recipient == "customs" else f"i % {10 * HOT} = 7"
        # Every hot one has a lane of its own, but for those of the huge case, of which the first is the head.
        head = f"(i % 25 <> 0 OR i = {HOT * 5})"
        yield f"{rows('deliveries_done', done)} WHERE NOT ({is_hot})"
        due = f"CASE WHEN i % {HOT * 2} = 0 THEN NULL ELSE {at} END"
        yield f"{rows('deliveries', f'{hot}, {head}, {due}, {_NOBODY}, {_NOBODY}')} WHERE {is_hot}"
        yield rows("attempts", f"{d.id(kind)}, 1, {at}, {at} + 1000, 'delivered', '', NULL")
    for reference, about, settled in (("R", d.id("e"), f"{at}"), ("EARLY", "''", "NULL")):
        said = f"{at}, 'delivered', 'mdn', '', {d.bytes(b'')}, '', {settled}"
        yield rows("confirmations", f"'customs', 'as2', '{reference}-' || {d.text('i')}, {about}, 1, {said}")
    delivery, wait = d.id("d"), d.id("8")
    yield f"{rows('answers', f'{delivery}, {at}')} WHERE i % 3 = 0"
    for feed, reader, kind in (("status", partner, "f"), ("inbox", partner, "a"), ("clearance", "''", "b")):
        yield rows(
            "feed",
            f"'{feed}', {test}, i, {reader}, '{feed}', {d.id(kind)}, '{SHA256}', '{{}}', 'json:{feed}:1', {d.id('1')}, "
            f"{case}, {at}",
        )
    message, live = d.id("1"), d.flag("1 = 0")
    waits = rows("waits", f"{wait}, 'manifest', '[]', '{{}}', {message}, {partner}, {test}")
    wait_keys = rows("wait_keys", f"'BOX-' || {d.text('i')}, 'container', {test}, {wait}")
    drawn = rows(
        "ledger_entries", f"'quota-0', {live}, {message}, 'used', '0', '0', '1', {live}, {case}, {message}, {at}"
    )
    yield f"{waits} WHERE i % 100 = 7"
    yield f"{wait_keys} WHERE i % 100 = 7"
    account = f"{live}, 1, 'KGM', 'firm1', '{{}}', '1000000', '0', '{count // 4}', {count // 4}, '', {live}"
    yield rows("ledgers", f"'quota-' || {d.text('i - 1')}, {account}")
    yield f"{drawn} WHERE i % 4 = 0"
    day = "CASE WHEN i % 2 = 0 THEN '2026-01-01' ELSE '2026-01-02' END"
    told = f"'accepted', {case}, {day}, '{{}}', '{{}}', 1, {case}, {message}, {at}"
    yield rows("figures", f"{live}, i, {told}")
    made = f"'2026-01-01', '2026-01-31', '2026-01-01', i, {at}, {d.bytes(BODY)}"
    yield rows("reports", f"'report-' || {d.text('i')}, {live}, {made}")
    yield rows("tallies", f"'spot', 'stratum-' || {d.text('i')}, 'w', {live}, 1, 1, 0")
    chosen = f"'stratum', 'w', i, '00', {live}, 'chance', 0, '{{}}', {case}, {message}, {at}"
    yield rows("draws", f"'spot', 'item-' || {d.text('i')}, {live}, {chosen}")
    yield rows("reservations", f"{d.id('1')}, 'number:live:declaration', '', 1, i")
    yield (
        f"INSERT INTO counters VALUES ('deliveries', {2 * count + 10}), ('registry', 1), "
        f"('number:live:declaration', {count}), ('figures:live', {count}), "
        + ", ".join(f"('feed:{t}:{f}', {count})" for t in ("live", "test") for f in ("status", "inbox", "clearance"))
    )
    exhibit = f"'' || {d.text('i')}, '{SHA256}', 7, 'image/png', {at}, NULL, '', '', {test}"
    yield rows("exhibits", f"{d.id('9')}, i, {partner}, {exhibit}")
    version = f"{live}, 1, '2026-01-01', 'registered', 'Somebody', {d.bytes(BODY)}, 'bureau', {message}, {at}"
    yield rows("subjects", f"'uscc', {d.hex('i', 18)}, {version}")
    yield from _log(d, shape)
    yield from _registry(d, count)


def _log(d: _Dialect, shape: Shape) -> Iterator[str]:
    """Receipts, the tree over them and its checkpoint."""
    size = shape.leaves
    stages = "'received', 'checked', 'delivered', 'delivered', 'answered'"
    stage = (
        f"json_extract(json_array({stages}), '$[' || (i % 5) || ']')" if d.sqlite else f"(ARRAY[{stages}])[i % 5 + 1]"
    )
    number = "i / 5 + 1"
    subject = (
        f"CASE i % 5 WHEN 0 THEN {d.id('0', number)} WHEN 1 THEN {d.id('1', number)} "
        f"WHEN 2 THEN {d.id('d', number)} WHEN 3 THEN {d.id('e', number)} ELSE {d.id('d', number)} END"
    )
    yield (
        'INSERT INTO receipts ("index", stage, subject_id, body) '
        + d.numbers(0, size - 1).replace("{}", f"i, {stage}, {subject}, {d.bytes(BODY)}")
    )
    level, value, hashes = 0, leaf_hash(BODY), []
    while size >> level:
        yield (
            'INSERT INTO tree_nodes (level, "index", hash) '
            + d.numbers(0, (size >> level) - 1).replace("{}", f"{level}, i, {d.bytes(value)}")
        )
        if size >> level & 1:
            hashes.insert(0, value)
        level, value = level + 1, node_hash(value, value)
    frontier = Frontier(size, hashes)
    yield (
        "INSERT INTO checkpoints (size, origin, note) "
        + d.numbers(1, max(1, size // 20 - 1)).replace("{}", f"i * 20, '{ORIGIN}', ''")
    )
    note = SIGNER.checkpoint(size, frontier.root())
    yield f"DELETE FROM checkpoints WHERE size >= {size}"
    yield f"INSERT INTO checkpoints (size, origin, note) VALUES ({size}, '{ORIGIN}', '{note}')"
    yield f"INSERT INTO log_state (id, origin, frontier) VALUES (1, '{ORIGIN}', {d.bytes(frontier.to_bytes())})"


def _registry(d: _Dialect, count: int) -> Iterator[str]:
    """As many enterprises as there are, and the few that everything goes to."""
    partners = max(1000, min(count // 5, 200_000))
    name = f"'e' || {d.hex('i', 8)}"

    def rows(table: str, values: str) -> str:
        return f"INSERT INTO {table} " + d.numbers(1, partners).replace("{}", values)

    true = d.flag("1 = 1")
    false = d.flag("1 = 0")
    yield rows(
        "partners",
        f"{name}, 'Enterprise', '[\"enterprise\"]', '[]', 'en', 'UTC', '', '[]', {true}, '', '{{}}', '[]', '', ''",
    )
    yield rows("partner_identifiers", f"'ciq-registration', {d.hex('i', 10)}, {name}")
    yield rows("partner_roles", f"'enterprise', {name}")
    terms = (
        '{"id":"x","partner_id":"x","direction":"in","document":"*","format":"*","strictness":"strict",'
        '"acknowledge":"always","attempts":12}'
    )
    yield rows("agreements", f"'in-' || {d.hex('i', 8)}, {name}, '{terms}'")
    yield rows("registry_changes", f"{name}, i")
    key = f"{name} || '-key', {name}, 'api_key', 'in', {d.hex('i', 64)}, '', '', '[\"read\"]', {d.flag('1 = 0')}"
    yield rows("credentials", f"{key}, '', NULL, NULL, NULL, ''")
    yield rows("subscriptions", f"{name}, 'S-1', {false}, 1, 'feed' || (i % 10), '{{}}', {false}, NULL, {false}")
    yield rows("persons", f"{name} || '-person', {name}, 'Somebody', '[]', 'en', {true}")


async def make(url: str, count: int) -> None:
    """Fill the migrated database at a URL."""
    database = connect(url)
    try:
        await database.write(lambda connection: fill(connection, count))
    finally:
        await database.close()


if __name__ == "__main__":
    migrate(sys.argv[1])
    asyncio.run(make(sys.argv[1], int(sys.argv[2])))
