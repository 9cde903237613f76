"""What a flow is given beside the facts: the document, who sent it, and ids for what it makes."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.documents.base import Document
from gateway.model import Partner, Role, derive_id


@dataclass(frozen=True, slots=True)
class Incoming:
    """A checked document as it comes into the trip's middle."""

    document_type: str
    document: Document
    sender: Partner
    message_id: str
    test: bool = False

    def derive(self, *parts: object) -> str:
        """An id for something this message makes: the same each time it is decided."""
        return derive_id(self.message_id, *parts)

    def sent_by(self, *roles: Role) -> bool:
        """Whether the sender has one of `roles`."""
        return not self.sender.roles.isdisjoint(roles)
