"""One payload's way from what was examined to commit 2: decide each message, collect its effects, write them.

    take      gathers messages; those of a large payload are staged in the store, chunk by chunk
    finish    decides in order, only now that every trailer's counts are known, and commits

A transaction holds up to a chunk of messages. A message whose facts were changed by an earlier one of
the same transaction waits for that one's commit, so that every decision sees what came before it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from gateway import findings
from gateway.check.rulebook import Rules
from gateway.decide import FLOWS, decide, facts
from gateway.decide.effects import Effect
from gateway.decide.facts import Facts
from gateway.decide.incoming import Incoming
from gateway.deliver.directory import Directory
from gateway.deliver.dispatch import Dispatch, InHand
from gateway.deliver.rendering import Renderer
from gateway.documents import MODELS
from gateway.documents.parts import Function
from gateway.errors import NotFound
from gateway.model import DeliveryKind, Finding, InterchangeRef, MessageState, Partner, Place, Stage, Syntax, derive_id
from gateway.parse.segments import SegmentMessage
from gateway.receipt.notary import Notary
from gateway.store.contract import Answered, Claimed, MessageRecord, NewReceipt, Outcome, Store, storable
from gateway.trip import answers
from gateway.trip.acknowledge import Acknowledger
from gateway.trip.examine import Examined, Interchange, Message
from gateway.trip.refusals import refusal

_SEGMENTED = (Syntax.EDIFACT, Syntax.X12)
"""Syntaxes with an acknowledgement of their own; XML and JSON are answered with a response document."""

FINDINGS = 5_000
"""Findings after which a chunk ends, however few its messages are: some have thousands, and a transaction that holds up
the others' must stay short."""


@dataclass(slots=True)
class _Transaction:
    """What the next commit writes."""

    dispatch: Dispatch
    records: list[MessageRecord] = field(default_factory=list)
    receipts: list[NewReceipt] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)
    findings: int = 0
    """In the records."""


class Trip:
    """The trip of one claimed payload."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        renderer: Renderer,
        notary: Notary,
        claimed: Claimed,
        sender: Partner,
        rules: Rules,
        now: datetime,
        chunk: int,
        *,
        again: bool = False,
    ) -> None:
        """`chunk` is how many messages one transaction holds at most; `now` is the time of all that is decided.

        `again`: an earlier commit was refused because facts had moved, or an interchange came before.
        """
        self._store = store
        self._directory = directory
        self._renderer = renderer
        self._notary = notary
        self._payload = claimed.payload
        self._fence = claimed.fence
        self._done = claimed.position
        self._sender = sender
        self._rules = rules
        self._now = now
        self._chunk = chunk
        self._again = again
        self._messages: list[Message] = []
        self._findings = 0
        self._staged = [0]
        """Number of the last message of each staged chunk, after the 0 that stands before them all."""
        self._controls: dict[int, SegmentMessage] = {}
        self._interchanges: list[Interchange] = []
        self._refs: dict[InterchangeRef, timedelta] = {}
        self._transaction = self._begun()
        self.changes_earlier = False
        """Whether something in it amends, replaces or cancels what was sent before."""

    @property
    def done(self) -> int:
        """How many messages have been dealt with by commits; another trip of the payload begins after them."""
        return self._done

    async def take(self, item: Examined) -> None:
        """Gather one examined thing."""
        if isinstance(item, Interchange):
            self._interchanges.append(item)
            return
        if len(self._messages) >= self._chunk or self._findings >= FINDINGS:
            await self._stage(self._messages)
            self._messages, self._findings = [], 0
        self._messages.append(item)
        self._findings += len(item.findings) + len(item.refusals)
        self.changes_earlier |= getattr(item.document, "function", Function.ORIGINAL) is not Function.ORIGINAL

    async def finish(self) -> None:
        """Decide and commit everything; raises FactsMoved where the store has moved on since."""
        for interchange in self._interchanges:
            await self._refuse_duplicate(interchange)
        position = 0
        async for message in self._all_messages():
            position = message.number
            if position > self._done:
                await self._decide(message, self._interchange_of(message.number))
            if len(self._transaction.records) >= self._chunk or self._transaction.findings >= FINDINGS:
                await self._commit(position)
            await asyncio.sleep(0)  # senders are answered between any two
        acknowledger = Acknowledger(self._directory, self._renderer, self._transaction.dispatch)
        for index, interchange in enumerate(self._interchanges):
            in_hand = self._in_hand(self._message_id(interchange.first), interchange)
            if interchange.last < interchange.first:
                in_hand = self._in_hand(derive_id(self._payload.id, "interchange", index), interchange)
                self._note_empty(interchange, in_hand, -index)
            await acknowledger.acknowledge(interchange, in_hand, derive_id(self._payload.id, "acknowledgement", index))
        await self._commit(position, finished=True)

    async def _stage(self, messages: Sequence[Message]) -> None:
        """Keep a chunk of a large payload until its trailers are seen."""
        records = [
            self._record(m, MessageState.REJECTED if m.rejected else MessageState.HELD, "", staged=True)
            for m in messages
        ]
        # Staged is not decided: where to go on after a crash is still where the last commit ended.
        await self._store.stage(self._payload.id, self._fence, self._done, records)
        self._staged.append(messages[-1].number)
        # A record keeps no wire message; acknowledgements are small, and what they say is read from theirs.
        self._controls.update((m.number, m.control) for m in messages if m.control is not None)

    async def _all_messages(self) -> AsyncIterator[Message]:
        """Every message in order, the staged ones first."""
        for before, last in pairwise(self._staged):
            # Chunk by chunk as they were staged, since that is how much there is room for.
            for record in await self._store.staged(self._payload.id, before, last - before):
                yield _unstaged(record, self._controls.get(record.number))
        for message in self._messages:
            yield message

    async def _refuse_duplicate(self, interchange: Interchange) -> None:
        """An interchange that came before within the agreement's window is refused whole (its reference wraps later)."""
        if interchange.ref is None or interchange.rejected:
            return
        # Envelope identifiers are unique at best within a partner: two may use the same, and XML and JSON name none.
        ref = replace(
            interchange.ref,
            sender=storable(f"{self._sender.id}/{interchange.ref.sender}"),
            recipient=storable(interchange.ref.recipient),
            reference=storable(interchange.ref.reference),
            test=self._is_test(interchange),
        )
        days = interchange.agreement.duplicate_window_days if interchange.agreement is not None else 1
        window = timedelta(days=days)
        # Duplicates are rare, and the commit finds them: only the second time round is it worth asking first.
        payload = self._payload
        if ref in self._refs or (
            self._again and await self._store.find_interchange(ref, window, payload.received_at, payload.id)
        ):
            interchange.findings.append(
                Finding("interchange.duplicate", place=Place(segment=0), args={"reference": ref.reference})
            )
        else:
            self._refs[ref] = window

    def _interchange_of(self, number: int) -> Interchange | None:
        """The interchange that message `number` came in."""
        # By halving, since a payload may hold very many; an empty one stands before what begins at the same number.
        place = bisect_right(self._interchanges, number, key=lambda interchange: interchange.first) - 1
        found = self._interchanges[place] if place >= 0 else None
        return found if found is not None and number <= found.last else None

    async def _decide(self, message: Message, interchange: Interchange | None) -> None:
        """What one message comes to, collected into the transaction."""
        in_hand = self._in_hand(self._message_id(message.number), interchange)
        state, case_id = MessageState.ACCEPTED, ""
        if interchange is None or interchange.rejects(message.number) or message.rejected:
            state = MessageState.REJECTED
            if message.syntax not in _SEGMENTED and interchange is not None:
                await self._refuse(message, [*message.findings, *interchange.findings], in_hand)
        elif message.control is not None:
            case_id = await answers.acknowledged(
                message.control, self._sender, self._store, self._transaction.dispatch, in_hand
            )
        elif findings.rejects(message.refusals):
            state = MessageState.REJECTED
            await self._refuse(message, message.refusals, in_hand)
        elif message.document is not None and message.document_type in FLOWS:
            state, case_id = await self._flow(message, in_hand)
        self._transaction.records.append(self._record(message, state, case_id))
        self._transaction.findings += len(message.findings) + len(message.refusals)
        self._transaction.receipts.append(self._checked(message, in_hand, state))

    def _note_empty(self, interchange: Interchange, in_hand: InHand, number: int) -> None:
        """Keep what was wrong with an interchange in which no message could be read, as message 0, -1, ..."""
        syntax = interchange.syntax or Syntax.UNKNOWN
        empty = Message(number, syntax, syntax.value, "", list(interchange.findings))
        record = replace(self._record(empty, MessageState.REJECTED, ""), id=in_hand.message_id)
        self._transaction.records.append(record)
        self._transaction.receipts.append(self._checked(empty, in_hand, MessageState.REJECTED))

    def _checked(self, message: Message, in_hand: InHand, state: MessageState) -> NewReceipt:
        """The `checked` receipt of a message."""
        body = self._notary.checked(
            replace(self._payload, test=in_hand.test),
            at=self._now,
            message_id=in_hand.message_id,
            reference=message.reference,
            format=message.format,
            verdict=state,
            findings=[*message.findings, *message.refusals],
            schema=message.schema,
            mapping=message.mapping,
        )
        return NewReceipt(Stage.CHECKED, in_hand.message_id, body)

    async def _flow(self, message: Message, in_hand: InHand) -> tuple[MessageState, str]:
        """Decide a document by its flow, with all the facts that takes."""
        assert message.document is not None, "only a read document has a flow"
        incoming = Incoming(message.document_type, message.document, self._sender, in_hand.message_id, in_hand.test)
        effects, known = await self._decided(incoming)
        if self._meets(known):
            await self._commit(message.number - 1)
            effects, known = await self._decided(incoming)
        self._transaction.facts = self._transaction.facts.plus(known.answers)
        placed = [answers.placed(effect, message.origins) for effect in effects]
        state, case_id = await self._transaction.dispatch.carry_out(placed, known, in_hand)
        message.refusals += answers.reasons(effects, message.origins)
        if state is not MessageState.REJECTED:
            payload = replace(self._payload, test=in_hand.test)
            answered = await answers.answered(
                message.document, case_id, self._sender, payload, self._store, self._notary, in_hand
            )
            self._transaction.answers += [answered] if answered else []
        return state, case_id

    async def _decided(self, incoming: Incoming) -> tuple[list[Effect], Facts]:
        """What the flow comes to, and the facts it rests on: it is run, and asked for more, until it needs no more."""
        known = Facts()
        while True:
            try:
                return decide(incoming, known, self._rules, self._now), known
            except facts.Unknown as unknown:
                known = await self._answered(unknown.queries, known, incoming.message_id)

    async def _answered(self, queries: Sequence[facts.Query], known: Facts, for_id: str) -> Facts:
        """`known` with the answers to `queries`; who a partner is need not be asked of the store each time."""
        partners = [q for q in queries if isinstance(q, facts.PartnerById | facts.PartnerByIdentifier)]
        if partners:
            known = known.plus({q: facts.Answer(await self._partner(q)) for q in partners})
        others = [q for q in queries if q not in partners]
        return await self._store.facts(others, known, for_id) if others else known

    async def _partner(self, query: facts.PartnerById | facts.PartnerByIdentifier) -> Partner | None:
        """Who a query means, as the registry is now: it changes rarely, and a decision may rest on a second ago."""
        found: Partner | None
        if isinstance(query, facts.PartnerByIdentifier):
            found = await self._directory.partner_by(query.scheme, query.value)
        else:
            try:
                found = await self._directory.partner(query.id)
            except NotFound:
                return None
        return found if found is not None and found.active else None

    def _meets(self, known: Facts) -> bool:
        """Whether `known` rests on something that this transaction is about to change."""
        dispatch = self._transaction.dispatch
        cases = {c.case_id for c in dispatch.cases}
        keys = {key for c in dispatch.cases for key in c.add_keys} | {key for w in dispatch.waits for key in w.keys}
        ledgers = {move.ledger for move in dispatch.ledger}
        for query, answer in known.answers.items():
            match query:
                case facts.CasesByKeys() | facts.Waiting():
                    found = answer.value if isinstance(answer.value, tuple) else ()
                    touched = cases.union(dispatch.attached)  # a document that has found its case waits no more
                    if query.keys & keys or any(getattr(v, "id", "") in touched for v in found):
                        return True
                case facts.CaseById():
                    if query.id in cases:
                        return True
                case facts.LedgerBalance():
                    if query.name in ledgers:
                        return True
        return False

    async def _refuse(self, message: Message, reasons: Sequence[Finding], in_hand: InHand) -> None:
        """Answer the sender with a response that gives every reason in its language."""
        document = refusal(message, reasons, in_hand, self._sender.language)
        await self._transaction.dispatch.hand_over(
            in_hand, self._sender, "response", document, DeliveryKind.RESPONSE, "", -1
        )

    async def _commit(self, position: int, *, finished: bool = False) -> None:
        """Write the transaction and begin the next one."""
        transaction, self._transaction = self._transaction, self._begun()
        dispatch = transaction.dispatch
        await self._store.commit(
            Outcome(
                payload_id=self._payload.id,
                fence=self._fence,
                position=max(position, self._done),
                finished=finished,
                messages=tuple(transaction.records),
                interchanges=tuple(self._refs.items()),
                facts=transaction.facts,
                cases=dispatch.cases,
                deliveries=tuple(dispatch.deliveries),
                feed=tuple(dispatch.feed),
                receipts=tuple(transaction.receipts),
                waits=tuple(dispatch.waits),
                attached=tuple(dispatch.attached),
                ledger=tuple(dispatch.ledger),
                answers=tuple(transaction.answers),
            )
        )
        dispatch.log_alerts()
        self._refs = {}
        self._done = max(position, self._done)

    def _begun(self) -> _Transaction:
        return _Transaction(Dispatch(self._directory, self._renderer))

    def _message_id(self, number: int) -> str:
        return derive_id(self._payload.id, number)

    def _in_hand(self, message_id: str, interchange: Interchange | None) -> InHand:
        return InHand(message_id, self._sender, self._now, self._is_test(interchange))

    def _is_test(self, interchange: Interchange | None) -> bool:
        """Test traffic comes with a test key, or says so itself (UNB 0035, ISA15)."""
        envelope = interchange.envelope if interchange is not None else None
        return self._payload.test or (envelope is not None and envelope.test)

    def _record(self, message: Message, state: MessageState, case_id: str, *, staged: bool = False) -> MessageRecord:
        """What is kept of a message; of a `staged` one without its interchange, on which the verdict is out."""
        interchange = None if staged else self._interchange_of(message.number)
        # What is wrong with the envelope is told once, with its first message.
        envelope: list[Finding] = []
        if interchange is not None and message.number == interchange.first:
            envelope = [*interchange.findings, *(f for g in interchange.groups for f in g.findings)]
        return MessageRecord(
            id=self._message_id(message.number),
            payload_id=self._payload.id,
            number=message.number,
            partner_id=self._sender.id,
            syntax=message.syntax,
            format=storable(message.format),
            reference=storable(message.reference),
            state=state,
            at=self._now,
            interchange=storable(interchange.ref.reference) if interchange is not None and interchange.ref else "",
            document_type=message.document_type,
            document=message.document.to_json() if message.document is not None else None,
            findings=(*envelope, *message.findings, *message.refusals),
            case_id=case_id,
            test=self._is_test(interchange),
            schema_digest=message.schema,
            mapping_digest=message.mapping,
        )


def _unstaged(record: MessageRecord, control: SegmentMessage | None) -> Message:
    """A staged message again. Where its values stood is not kept, so later reasons name the document's own fields."""
    model = MODELS.get(record.document_type)
    # What rejected a message came from syntax or schema; errors of one that was not are the rules'.
    by_rules = [] if record.state is MessageState.REJECTED else [f for f in record.findings if findings.rejects([f])]
    return Message(
        number=record.number,
        syntax=record.syntax,
        format=record.format,
        reference=record.reference,
        findings=[f for f in record.findings if f not in by_rules],
        refusals=by_rules,
        document_type=record.document_type,
        document=model.model_validate(record.document) if model is not None and record.document is not None else None,
        schema=record.schema_digest,
        mapping=record.mapping_digest,
        control=control,
    )
