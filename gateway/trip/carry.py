"""One payload's way from what was examined to commit 2: decide each message, collect its effects, write them.

    take      gathers messages; those of a large payload are staged in the store, chunk by chunk
    finish    decides in order, only now that every trailer's counts are known, and commits

A transaction holds up to a chunk of messages, each with a share of its own. A message whose facts were changed
by an earlier one of the same transaction waits for that one's commit, so that every decision sees what came before
it. A message that a fault of ours keeps from being decided or written has a share that says so (see `faults`);
which one the store refuses is found by halving.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import structlog

from gateway import findings
from gateway.catalogue import Catalogue
from gateway.check.rulebook import Rules
from gateway.decide.desk import Act, Actor, MessageIn
from gateway.decide.effects import Alert
from gateway.decide.engine import Part, effects_of
from gateway.decide.flow import Flows
from gateway.decide.raising import raises_in
from gateway.documents import Decision, Response
from gateway.documents.parts import Function
from gateway.findings import make_finding
from gateway.model import (
    Agreement,
    DeliveryKind,
    Finding,
    InterchangeRef,
    MessageState,
    Partner,
    Place,
    Stage,
    Syntax,
    derive_id,
)
from gateway.parse.segments import SegmentMessage
from gateway.receipt.notary import Notary
from gateway.receive.unpack import sniff
from gateway.registry.directory import Directory
from gateway.store.bodies import beginning
from gateway.store.contract import (
    Claimed,
    MessageRecord,
    NewReceipt,
    Outcome,
    StagedMessage,
    storable,
    storable_key,
)
from gateway.store.ports import Store
from gateway.translate.outcome import Origins
from gateway.trip import answers, faults, pieces
from gateway.trip.acknowledge import Acknowledger
from gateway.trip.address import Dispatch
from gateway.trip.aside import run_aside, uncollected
from gateway.trip.decider import Decider
from gateway.trip.examined import HEADERS, Examined, Failed, Interchange, Message
from gateway.trip.in_hand import InHand
from gateway.trip.origins import origins_of
from gateway.trip.precedence import Way
from gateway.trip.raised import Raiser
from gateway.trip.refusals import fault_of_ours, refusal, unacknowledged
from gateway.trip.render import Renderer
from gateway.trip.staged import from_staged, to_staged, unreadable
from gateway.trip.transaction import Share, Transaction, gather_shares, with_raised

log = structlog.get_logger(__name__)

_SEGMENTED = (Syntax.EDIFACT, Syntax.X12)
"""Syntaxes with an acknowledgement of their own; XML and JSON are answered with a response document."""

FINDINGS = 5_000
"""Findings after which a chunk ends, however few its messages are: some have thousands, and a transaction that holds up
the others' must stay short."""


LINES = 5_000
"""Segments and items of documents after which a chunk ends as well: five hundred declarations of sixty segments, with
all that comes of them, are a hundred megabytes until they are written, and some dozens of them are written as fast."""

LONG = 1_000
"""Items of a document above which it is decided by itself, one such document after the other: what comes of three
thousand bills of lading takes some hundred megabytes until it is written."""

_REFUSAL, _FAULT = "-1", "-3"
"""Positions of the answers that no effect makes: their deliveries' ids derive from them."""


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
        flows: Flows,
        rules: Rules,
        catalogue: Catalogue,
        now: datetime,
        chunk: int,
        *,
        way: Way,
        one_long: asyncio.Lock,
        again: bool = False,
        on_judged: Callable[[Sequence[MessageRecord]], None] = lambda _records: None,
    ) -> None:
        """`chunk` is how many messages one transaction holds at most; `now` is the time of all that is decided.

        `on_judged` is told after each commit which messages have their verdicts by it.

        `rules` are those of `catalogue`, by which the payload is examined, that are in force.

        On its `way` it gives way to what goes first. `one_long` is shared by all trips: whoever holds it decides a message of very many items.
        `again`: an earlier commit was refused because facts had moved, or an interchange came before.
        """
        self._store = store
        self._directory = directory
        self._renderer = renderer
        self._notary = notary
        self._payload = claimed.payload
        self._work = claimed.work
        self._done = claimed.position
        self._sender = sender
        self._flows = flows
        self._readers = flows.readers(rules.feeds)
        self._decider = Decider(store, directory, flows, rules, now)
        self._raiser = Raiser(self._decider, directory, self._dispatch, notary, flows, rules, now, claimed.payload.id)
        self._catalogue = catalogue
        self._now = now
        self._chunk = chunk
        self._way = way
        self._one_long = one_long
        self._again = again
        self._on_judged = on_judged
        self._messages: list[Message] = []
        self._findings = self._lines = 0
        self._staged = [claimed.position]
        """Number of the last message of each staged chunk, after the one up to which all are dealt with."""
        self._agreements: dict[str, Agreement] = {}
        """Those under which staged messages came, by id."""
        self._failed: dict[int, Failed] = {}
        """Messages that a fault of ours kept from being processed: their acknowledgements must say so."""
        self._interchanges: list[Interchange] = []
        self._refs: dict[InterchangeRef, timedelta] = {}
        self._transaction = Transaction()
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
        self.changes_earlier |= getattr(item.document, "function", Function.ORIGINAL) is not Function.ORIGINAL
        if item.number <= self._done:
            return  # an earlier life of the payload has dealt with it
        if len(self._messages) >= self._chunk or self._findings >= FINDINGS or self._lines >= LINES:
            await self._stage(self._messages)
            self._messages, self._findings, self._lines = [], 0, 0
        self._messages.append(item)
        self._lines += _count_lines(item)
        self._findings += len(item.findings) + len(item.refusals)

    async def finish(self) -> None:
        """Decide and commit everything; raises FactsMoved where the store has moved on since."""
        for interchange in self._interchanges:
            await self._refuse_duplicate(interchange)
        if self._done:
            for record in await self._store.failed_messages(self._payload.id, self._done):
                self._failed[record.number] = Failed(record.format, record.reference)
        position = lines = 0
        async for message in self._all_messages():
            await self._way.give()  # senders are answered, too, between any two
            position = message.number
            if message.document is not None and message.document.extent > LONG:
                await self._decide_by_itself(message)
            else:
                await self._decide(message, self._interchange_of(message.number))
            lines = lines + _count_lines(message) if self._transaction.shares else 0
            if len(self._transaction.shares) >= self._chunk or self._transaction.findings >= FINDINGS or lines >= LINES:
                await self._commit(position)
                lines = 0
        for share in await self._acknowledgements():
            self._transaction.add(share)
        await self._commit(position, finished=True)

    async def give_up(self, fault: str) -> None:
        """Answer a payload that cannot be taken through the trip at all, and finish with it; `fault` is for the operator."""
        self._transaction = Transaction()
        self._refs = {}
        syntax = sniff(await asyncio.to_thread(beginning, self._payload))
        self._interchanges = [Interchange(syntax, [faults.finding()], self._done + 1, self._done, fault=fault)]
        for share in await self._acknowledgements():
            self._transaction.add(share)
        await self._write(self._transaction.shares, self._done, finished=True, failed=fault)

    async def _stage(self, messages: Sequence[Message]) -> None:
        """Keep a chunk of a large payload until its trailers are seen."""
        with faults.caught() as fault:
            staged = [await run_aside(message.document, partial(to_staged, message)) for message in messages]
            # Staged is not decided: where to go on after a crash is still where the last commit ended.
            await self._store.stage(self._payload.id, self._work.fence, self._done, staged)
        if fault and len(messages) > 1:
            half = len(messages) // 2
            await self._stage(messages[:half])
            await self._stage(messages[half:])
            return
        if fault:
            bare = _bare(messages[0], fault.text)
            await self._store.stage(self._payload.id, self._work.fence, self._done, [to_staged(bare)])
        self._staged.append(messages[-1].number)
        self._agreements.update((m.agreement.id, m.agreement) for m in messages if m.agreement is not None)

    async def _all_messages(self) -> AsyncIterator[Message]:
        """Every message in order, the staged ones first."""
        for before, last in pairwise(self._staged):
            # Chunk by chunk as they were staged, since that is how much there is room for.
            for staged in await self._store.staged(self._payload.id, before, last - before):
                yield await self._unstaged(staged)
        for message in self._messages:
            yield message

    async def _unstaged(self, staged: StagedMessage) -> Message:
        """A staged message again; what cannot be read of it is a fault of ours in that message."""
        interchange = self._interchange_of(staged.number)
        with faults.caught() as fault:
            return await run_aside(staged.examined, partial(from_staged, staged, self._agreements, interchange))
        return unreadable(staged, fault.text)

    async def _refuse_duplicate(self, interchange: Interchange) -> None:
        """An interchange that came before within the agreement's window is refused whole (its reference wraps later)."""
        if interchange.ref is None or interchange.rejected:
            return
        # Envelope identifiers are unique at best within a partner: two may use the same, and XML and JSON name none.
        ref = replace(
            interchange.ref,
            sender=storable_key(f"{self._sender.id}/{interchange.ref.sender}"),
            recipient=storable_key(interchange.ref.recipient),
            reference=storable_key(interchange.ref.reference),
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
                make_finding("interchange.duplicate", place=Place(segment=0), reference=ref.reference)
            )
        else:
            self._refs[ref] = window

    def _interchange_of(self, number: int) -> Interchange | None:
        """The interchange that message `number` came in."""
        # By halving, since a payload may hold very many; an empty one stands before what begins at the same number.
        place = bisect_right(self._interchanges, number, key=lambda interchange: interchange.first) - 1
        found = self._interchanges[place] if place >= 0 else None
        return found if found is not None and number <= found.last else None

    async def _decide_by_itself(self, message: Message) -> None:
        """Decide and write a message of very many items while no other such one is decided."""
        async with self._one_long:
            with uncollected():
                await self._decide(message, self._interchange_of(message.number))
                await self._commit(message.number)

    async def _decide(self, message: Message, interchange: Interchange | None) -> None:
        """What one message comes to, added to the transaction."""
        in_hand = self._in_hand(self._message_id(message.number), interchange)
        fault = faults.Fault(message.fault)
        if not fault and interchange is not None and interchange.fault:
            # It was told, and rang, with its interchange.
            self._transaction.add(await self._failure(message, interchange, ""))
            return
        if not fault:
            share = self._share(message)
            with faults.caught() as fault:
                await self._settle(share, message, interchange, in_hand)
        if fault:
            share = await self._failure(message, interchange, fault.text)
        self._transaction.add(share)

    async def _settle(self, share: Share, message: Message, interchange: Interchange | None, in_hand: InHand) -> None:
        """Put into `share` what the message comes to."""
        state, case_id = MessageState.ACCEPTED, ""
        if interchange is None or interchange.rejects(message.number) or message.rejected:
            state = MessageState.REJECTED
            if message.syntax not in _SEGMENTED and interchange is not None:
                await self._refuse(share, message, [*message.findings, *interchange.findings], in_hand)
        elif message.control is not None:
            case_id = await answers.acknowledged(message.control, self._sender, self._store, share.dispatch, in_hand)
        elif message.advice is not None:
            payload = replace(self._payload, test=in_hand.test)
            case_id, answered = await answers.advised(
                message.advice, self._sender, payload, self._store, self._notary, share.dispatch, in_hand
            )
            share.answers += answered
        elif findings.rejects(message.refusals):
            state = MessageState.REJECTED
            await self._refuse(share, message, message.refusals, in_hand)
        elif message.document is not None and self._flows.find(message.document) is not None:
            state, case_id = await self._flow(share, message, in_hand)
        share.records.append(await run_aside(message.document, partial(self._record, message, state, case_id)))
        share.receipts.append(self._checked(message, in_hand, state))

    async def _failure(
        self, message: Message, interchange: Interchange | None, fault: str, *, bare: bool = False
    ) -> Share:
        """The share of a message that a fault of ours kept from being processed: told to its sender, and to the operator.

        `bare` leaves out all that the message says of itself. Without a `fault` of its own it is told with others.
        """
        failed = _bare(message, fault) if bare else _failed(message, fault)
        in_hand = self._in_hand(self._message_id(message.number), interchange)
        self._failed[message.number] = Failed(message.format, message.reference)
        share = self._share(failed)
        share.fault = fault
        reason = faults.finding(HEADERS.get(message.syntax, ""))
        if fault and message.syntax not in _SEGMENTED:
            with faults.caught() as unanswered:
                await self._answer_fault(share, fault_of_ours(failed, in_hand, self._sender.language), in_hand)
            if unanswered:
                share.dispatch = self._dispatch()
                share.fault += unanswered.text
        if fault:
            share.dispatch.ring(Alert("message_failed", (reason,)), in_hand)
        share.records.append(self._record(failed, MessageState.FAILED, "", bare=bare))
        share.receipts.append(self._checked(failed, in_hand, MessageState.FAILED))
        return share

    async def _answer_fault(self, share: Share, document: Response, in_hand: InHand) -> None:
        """Tell the sender of a fault of ours; what comes of it when it is processed again has ids of its own."""
        await share.dispatch.hand_over(in_hand, self._sender, "response", document, DeliveryKind.RESPONSE, "", _FAULT)

    async def _acknowledgements(self) -> list[Share]:
        """The acknowledgement of every interchange."""
        shares = []
        for index, interchange in enumerate(self._interchanges):
            if interchange.last < interchange.first or interchange.fault:
                shares.append(await self._noted(index, interchange))
            shares.append(await self._acknowledgement(index, interchange))
        return shares

    async def _noted(self, index: int, interchange: Interchange) -> Share:
        """A record of an interchange in which no message could be read, and an alert of one that a fault of ours met."""
        in_hand = self._about(index, interchange)
        share = Share(0, self._dispatch(), fault=interchange.fault)
        if interchange.fault:
            share.dispatch.ring(Alert("message_failed", (faults.finding(),)), in_hand)
        if interchange.last < interchange.first:
            self._note_empty(share, interchange, in_hand, -index)
        return share

    async def _acknowledgement(self, index: int, interchange: Interchange) -> Share:
        """The acknowledgement of one interchange, or what is told in its place."""
        failed = {n: one for n, one in sorted(self._failed.items()) if interchange.first <= n <= interchange.last}
        # Once a message that failed is processed after all, another acknowledgement must go out, under another id.
        of_faults = ("fault", *failed) if failed or interchange.fault else ()
        ack_id = derive_id(self._payload.id, "acknowledgement", index, *of_faults)
        share = Share(0, self._dispatch())
        acknowledger = Acknowledger(self._directory, self._renderer, share.dispatch)
        with faults.caught() as fault:
            await acknowledger.acknowledge(interchange.failing(failed), self._about(index, interchange), ack_id)
            return share
        return await self._unacknowledged(index, interchange, fault.text)

    async def _unacknowledged(self, index: int, interchange: Interchange, fault: str) -> Share:
        """What goes out in the place of an acknowledgement that could not be written."""
        in_hand = self._about(index, interchange)
        share = Share(0, self._dispatch(), fault=fault)
        with faults.caught() as unanswered:
            await self._answer_fault(share, unacknowledged(interchange, in_hand, self._sender.language), in_hand)
        if unanswered:
            share.dispatch = self._dispatch()
            share.fault += unanswered.text
        alert = Alert("not_acknowledged", (make_finding("gateway.unacknowledged"),))
        share.dispatch.ring(alert, in_hand)
        return share

    def _about(self, index: int, interchange: Interchange) -> InHand:
        """Under which id an interchange is answered: that of its first message, or one of its own where it has none."""
        if interchange.last < interchange.first:
            return self._in_hand(derive_id(self._payload.id, "interchange", index), interchange)
        return self._in_hand(self._message_id(interchange.first), interchange)

    def _note_empty(self, share: Share, interchange: Interchange, in_hand: InHand, number: int) -> None:
        """Keep what was wrong with an interchange in which no message could be read, as message 0, -1, ..."""
        syntax = interchange.syntax or Syntax.UNKNOWN
        empty = Message(number, syntax, syntax.value, "", list(interchange.findings))
        state = MessageState.FAILED if interchange.fault else MessageState.REJECTED
        share.records.append(replace(self._record(empty, state, ""), id=in_hand.message_id))
        share.receipts.append(self._checked(empty, in_hand, state))

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

    async def _flow(self, share: Share, message: Message, in_hand: InHand) -> tuple[MessageState, str]:
        """Decide a document by its flow, with all the facts that takes; what became of it, and the first case it touched."""
        assert message.document is not None, "only a read document has a flow"
        occasion = self._occasion(message, in_hand)
        if isinstance(occasion, MessageIn) and pieces.is_split(message.document):
            return await self._in_pieces(share, message, occasion, in_hand)
        decided = await self._decider.decide(occasion, self._transaction)
        share.facts, share.applied = decided.facts, decided.applied
        parts = await run_aside(message.document, partial(_placed, decided.parts, origins_of(message, self._catalogue)))
        state, case_id = await share.dispatch.carry_out(parts, in_hand, share.applied)
        if any(raises_in(decided.parts)):
            upon = self._transaction.fork()
            upon.add(share)
            share.raised = await self._raiser.decide_all(occasion, decided.parts, upon)
        most = max(findings.MOST_TOLD - len(message.findings), 1)
        told = [*message.refusals, *answers.reasons(effects_of(parts))]
        message.refusals = findings.kept(told, most)
        if state is not MessageState.REJECTED:
            payload = replace(self._payload, test=in_hand.test)
            answered = await answers.answered(
                self._flows.find_answered(message.document),
                case_id,
                self._sender,
                payload,
                self._store,
                self._notary,
                share.dispatch,
                in_hand,
            )
            share.answers += [answered] if answered else []
        return state, case_id

    async def _in_pieces(
        self, share: Share, message: Message, occasion: MessageIn, in_hand: InHand
    ) -> tuple[MessageState, str]:
        """Decide and write a document of very many lines piece by piece; `share` has what is answered in the end."""
        await self._commit(share.number - 1)  # what earlier messages came to is there for the pieces
        together, origins = pieces.Answers(occasion.document.each), origins_of(message, self._catalogue)
        for before, piece in pieces.split(occasion):
            transaction = Transaction()
            decided = await self._decider.decide(piece, transaction)
            part = Share(share.number, self._dispatch(), facts=decided.facts, applied=decided.applied)
            kept = await run_aside(piece.document, partial(together.take, decided.parts, before))
            kept = await run_aside(piece.document, partial(_placed, kept, origins))
            await part.dispatch.carry_out(kept, replace(in_hand, message_id=piece.id), part.applied)
            transaction.add(part)
            part.raised = await self._raiser.decide_all(piece, decided.parts, transaction)
            await self._write([part], self._done)
        whole = [Part((), together.put_together())]
        answer = await run_aside(occasion.document, partial(_placed, whole, origins))
        told = [*message.refusals, *answers.reasons(effects_of(answer))]
        message.refusals = findings.kept(told, findings.MOST_TOLD)
        return await share.dispatch.carry_out(answer, in_hand, share.applied)

    def _occasion(self, message: Message, in_hand: InHand) -> MessageIn | Act:
        """The occasion that a message's document is: who decides a task acts, whoever else sends tells."""
        document = message.document
        assert document is not None, "only a read document has a flow"
        made = Act if isinstance(document, Decision) else MessageIn
        occasion = made(
            document.document_type,
            document,
            Actor(self._sender, self._payload.person_id, self._payload.role),
            in_hand.message_id,
            self._payload.received_at,
            in_hand.test,
        )
        if isinstance(occasion, MessageIn) and message.agreement is not None and message.agreement.without_declaration:
            return replace(occasion, without_declaration=True)
        return occasion

    async def _refuse(self, share: Share, message: Message, reasons: Sequence[Finding], in_hand: InHand) -> None:
        """Answer the sender with a response that gives every reason in its language."""
        document = refusal(message, reasons, in_hand, self._sender.language)
        await share.dispatch.hand_over(in_hand, self._sender, "response", document, DeliveryKind.RESPONSE, "", _REFUSAL)

    async def _commit(self, position: int, *, finished: bool = False) -> None:
        """Write the transaction and begin the next one. What the store refuses in it fails alone."""
        transaction, self._transaction = self._transaction, Transaction()
        with faults.caught() as fault:
            await self._write(transaction.shares, position, finished=finished)
            return
        log.warning("commit_split", payload=self._payload.id, reason=fault.text.strip().splitlines()[-1])
        await self._write_apart([share for share in transaction.shares if share.message is not None])
        if finished:
            # Written anew: they must name the messages that failed just now.
            await self._write_acknowledgements(position)
        await self._write([], position, finished=finished)

    async def _write_apart(self, shares: Sequence[Share]) -> None:
        """Write shares of messages in ever smaller transactions, until the one is found that the store refuses."""
        if not shares:
            return
        with faults.caught() as fault:
            await self._write(shares, shares[-1].number)
            return
        if len(shares) > 1:
            half = len(shares) // 2
            await self._write_apart(shares[:half])
            await self._write_apart(shares[half:])
            return
        message = shares[0].message
        assert message is not None, "acknowledgements are written by themselves"
        interchange = self._interchange_of(message.number)
        await self._write([await self._failure(message, interchange, fault.text, bare=True)], message.number)

    async def _write_acknowledgements(self, position: int) -> None:
        """Write each acknowledgement by itself; where the store refuses it, what is told in its place."""
        for index, interchange in enumerate(self._interchanges):
            if interchange.last < interchange.first or interchange.fault:
                await self._write([await self._noted(index, interchange)], position)
            with faults.caught() as fault:
                await self._write([await self._acknowledgement(index, interchange)], position)
            if fault:
                await self._write([await self._unacknowledged(index, interchange, fault.text)], position)

    async def _write(self, shares: Sequence[Share], position: int, *, finished: bool = False, failed: str = "") -> None:
        """One commit, and what the log is told of it."""
        shares = list(with_raised(shares))
        await self._store.commit(
            Outcome(
                work=self._work,
                position=max(position, self._done),
                finished=finished,
                interchanges=tuple(self._refs.items()),
                failed=failed,
                faults=len(self._failed) + sum(bool(i.fault) and i.last < i.first for i in self._interchanges),
                **gather_shares(shares),
            )
        )
        for share in shares:
            self._on_judged(share.records)
            share.dispatch.log_alerts()
            if share.fault:
                log.error("message_failed", payload=self._payload.id, number=share.number, fault=share.fault)
        self._refs = {}
        self._done = max(position, self._done)

    def _share(self, message: Message) -> Share:
        return Share(message.number, self._dispatch(), message)

    def _dispatch(self) -> Dispatch:
        return Dispatch(self._directory, self._renderer, self._readers)

    def _message_id(self, number: int) -> str:
        return derive_id(self._payload.id, number)

    def _in_hand(self, message_id: str, interchange: Interchange | None) -> InHand:
        syntax = interchange.syntax if interchange is not None else None
        return InHand(message_id, self._sender, self._now, self._is_test(interchange), syntax, self._payload.at_once)

    def _is_test(self, interchange: Interchange | None) -> bool:
        """Test traffic comes with a test key, or says so itself (UNB 0035, ISA15)."""
        envelope = interchange.envelope if interchange is not None else None
        return self._payload.test or (envelope is not None and envelope.test)

    def _record(self, message: Message, state: MessageState, case_id: str, *, bare: bool = False) -> MessageRecord:
        """What is kept of a message; a `bare` one without its interchange's words, which may be what the store refuses."""
        among = self._interchange_of(message.number)
        interchange = None if bare else among
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
            document=message.document.to_kept() if message.document is not None else None,
            findings=(*envelope, *message.findings, *message.refusals),
            case_id=case_id,
            test=self._is_test(among),
            schema_digest=message.schema,
            mapping_digest=message.mapping,
        )


def _count_lines(message: Message) -> int:
    """How much there is of a message: its segments, where they are kept, and the items of its document."""
    segments = len(message.sent.segments) if isinstance(message.sent, SegmentMessage) else 0
    return segments + (message.document.extent if message.document is not None else 0)


def _placed(parts: Sequence[Part], origins: Origins) -> list[Part]:
    """What a message comes to, each reason in its sender's own words for the place."""
    return [Part(part.origin, [answers.placed(effect, origins) for effect in part.effects]) for part in parts]


def _failed(message: Message, fault: str) -> Message:
    """`message` as it is kept where a fault of ours kept it from being processed: what it said, and nothing read of it."""
    reason = faults.finding(HEADERS.get(message.syntax, ""))
    found = message.findings if reason in message.findings else [*message.findings, reason]
    return replace(message, findings=found, refusals=[], document=None, document_type="", sent=None, fault=fault)


def _bare(message: Message, fault: str) -> Message:
    """The same, without what the message said, in which the fault may lie."""
    reason = faults.finding(HEADERS.get(message.syntax, ""))
    return Message(message.number, message.syntax, message.syntax.value, "", [reason], fault=fault)
