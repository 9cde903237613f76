"""One log's name and secret, bound to the receipts that are written into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.model import Delivery, Exhibit, Finding, MessageState, Partner, Payload, Role, Stage
from gateway.receipt import signed


@dataclass(frozen=True, slots=True)
class Notary:
    """Writes receipts for one log; `secret` hides recipients from senders (see `signed.recipient_salt`)."""

    origin: Callable[[], str]
    """Gives the log's present name, which is another one after a database was set back."""
    secret: bytes = field(repr=False)

    @property
    def log(self) -> str:
        """The name of the log that receipts are written for now."""
        return self.origin()

    def received(self, payload: Payload) -> bytes:
        """These bytes are ours now."""
        return signed.received(payload, log=self.log)

    def received_exhibit(self, exhibit: Exhibit) -> bytes:
        """This piece of evidence is ours now."""
        return signed.received_exhibit(exhibit, log=self.log)

    def checked(
        self,
        payload: Payload,
        *,
        at: datetime,
        message_id: str,
        reference: str,
        format: str,  # noqa: A002 -- the field's name everywhere in the gateway
        verdict: MessageState,
        findings: Sequence[Finding],
        schema: str,
        mapping: str,
        parent: str = "",
    ) -> bytes:
        """What syntax and schema made of one message; `parent` is the occasion that raised it, where one did."""
        return signed.checked(
            payload,
            log=self.log,
            at=at,
            message_id=message_id,
            reference=reference,
            format=format,
            verdict=verdict,
            findings=findings,
            schema=schema,
            mapping=mapping,
            parent=parent,
        )

    def handed_over(
        self, stage: Stage, delivery: Delivery, recipient: Partner, *, at: datetime, evidence: str, answer: bytes
    ) -> bytes:
        """The recipient's system, or a relay (`stage` says which), has a delivery."""
        write = signed.relayed if stage is Stage.RELAYED else signed.delivered
        return write(
            delivery,
            log=self.log,
            at=at,
            role=_role(recipient),
            salt=signed.recipient_salt(self.secret, delivery.id),
            evidence=evidence,
            answer=answer,
        )

    def answered(
        self, delivery: Delivery, recipient: Partner, *, at: datetime, verdict: str, message_id: str, answer: str
    ) -> bytes:
        """The recipient's business answer to a delivery; `answer` is the sha256 of the payload that brought it."""
        return signed.answered(
            delivery,
            log=self.log,
            at=at,
            role=_role(recipient),
            salt=signed.recipient_salt(self.secret, delivery.id),
            verdict=verdict,
            message_id=message_id,
            answer=answer,
        )


def _role(partner: Partner) -> Role:
    """The role a receipt names a partner by: the first it has, in the order of `Role`."""
    return next((role for role in Role if role in partner.roles), Role.ENTERPRISE)
