"""What a flow is given beside the facts: the document, who sent it, and how its parts are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.documents.base import Document
from gateway.model import Partner, Role, derive_id


@dataclass(frozen=True, slots=True)
class Incoming:
    """A checked document as it comes into the trip's middle.

    `answers` is what the recipient's business answer refers to: for a `response` that names one of our
    deliveries by its reference, the case that delivery was about and the type of document it carried.
    """

    document_type: str
    document: Document
    sender: Partner
    message_id: str
    test: bool = False
    answers: Mapping[str, str] = field(default_factory=dict)
    """`case` and `document_type` of the delivery this answers, where the pipeline found it; else empty."""

    def derive(self, *parts: object) -> str:
        """An id for something this message makes: the same each time it is decided."""
        return derive_id(self.message_id, *parts)

    def sent_by(self, *roles: Role) -> bool:
        """Whether the sender has one of `roles`."""
        return not self.sender.roles.isdisjoint(roles)
