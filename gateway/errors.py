"""The whole exception tree. Wrong input is data (findings), so what is raised here is our own or a peer's fault.

GatewayError
├── TemporaryError            trying again later may succeed
│   ├── TooSlow               a body came more slowly than is waited for (HTTP 408)
│   ├── Overloaded            more work is queued than the limits allow (HTTP 429)
│   ├── StorageFull           the disk watermark or the disk itself was reached (HTTP 503)
│   ├── StoreUnavailable      the database does not answer
│   ├── LogContradicted       the database is not the one whose log was signed last; a new name must be taken
│   ├── FactsMoved            a fact that a decision read has changed since; decide again
│   ├── LeaseLost             another worker has taken over the work in hand
│   ├── ExaminerLost          a worker process ended while it examined a payload
│   ├── EarlierUndecided      what the sender sent before must be decided first
│   ├── SecretUnreadable      a secret that the registry refers to is not there just now
│   ├── NoticeNotTaken        alerts could not be taken to the people who are told of them
│   └── DeliveryDeferred      the recipient did not take the delivery this time
└── PermanentError            trying again cannot succeed
    ├── ConfigurationInvalid  gateway.toml or an environment variable is wrong
    ├── SchemaInvalid         a table in schemas/ cannot be used
    ├── MappingInvalid        a table in mappings/ cannot be used
    ├── RulesInvalid          a rule set in schemas/rules cannot be used
    ├── CatalogueInvalid      a folder of tables, mappings, codes, rules and findings cannot be used as a whole
    ├── FlowsInvalid          two flows do not go together
    ├── TransportsInvalid     two transports do not go together
    ├── AcknowledgementInvalid  an acknowledgement of ours does not pass our own check
    ├── DecisionEndless       flows react to one another without end
    ├── LedgerRefused         a flow posts to an account what may not be, without having looked
    ├── SamplingUnkeyed       a sample is drawn, and there is no secret to draw it by
    ├── ExaminationFatal      a payload ends whatever process examines it
    ├── DirectoryUnreadable   a UN/EDIFACT directory archive cannot be imported
    ├── NotFound              no such thing in the store (HTTP 404)
    ├── RegistryRefused       a change of the registry is not allowed as things stand (HTTP 409)
    ├── NotAuthenticated      no valid credentials (HTTP 401)
    ├── NotPermitted          the credentials do not allow it (HTTP 403)
    ├── TransportIdReused     a transport id came again with other bytes (HTTP 409)
    ├── PayloadTooLarge       over the size limit of the partner (HTTP 413)
    ├── PayloadUnreadable     the bytes cannot be unpacked (HTTP 415)
    ├── TransitionRefused     the status table has no such transition
    ├── DeliveryRefused       the recipient refused the delivery for good
    ├── CmsInvalid            a message that is signed, encrypted or compressed does not hold
    ├── ReceiptInvalid        a receipt, proof or checkpoint does not verify
    ├── BodyLost              the file of a stored body is not in the payload folder any more
    ├── Archived              it was moved to an archive by age (HTTP 410)
    ├── BackupInvalid         a backup or an archive is not whole, or not what its manifest says
    ├── RestoreRefused        a backup cannot be restored here as things stand
    └── LogDamaged            the receipt log disagrees with its anchor or its own tree
"""

from __future__ import annotations


class GatewayError(Exception):
    """Something went wrong in the gateway."""

    def __init__(self, message: str = "", **details: object) -> None:
        """`message` defaults to the class's docstring; `details` are for the log, never for a partner."""
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.details = details


class TemporaryError(GatewayError):
    """This did not work now; trying again later may succeed."""

    retry_after: float = 1.0
    """Seconds to wait before trying again, as told to the peer."""


class Overloaded(TemporaryError):
    """The gateway has more work queued than its limits allow."""

    retry_after = 2.0


class TooSlow(TemporaryError):
    """The content came too slowly."""


class StorageFull(TemporaryError):
    """The gateway's storage is full."""

    retry_after = 30.0


class StoreUnavailable(TemporaryError):
    """The store does not answer."""

    retry_after = 5.0


class LogContradicted(TemporaryError):
    """The receipt log in the database contradicts what was signed; the gateway takes a new name for it."""


class FactsMoved(TemporaryError):
    """A fact that the decision rests on has changed since it was read."""


class LeaseLost(TemporaryError):
    """Another worker has taken over this work."""


class ExaminerLost(TemporaryError):
    """A worker process ended while it examined a payload."""

    retry_after = 5.0


class EarlierUndecided(TemporaryError):
    """What the sender sent before is not decided yet, and this changes it."""


class SecretUnreadable(TemporaryError):
    """A secret that the registry refers to cannot be read."""


class NoticeNotTaken(TemporaryError):
    """A notice of alerts was not taken."""


class DeliveryDeferred(TemporaryError):
    """The recipient did not take the delivery this time."""


class EndpointGone(DeliveryDeferred):
    """The recipient's endpoint says that it is there no more: nothing goes to it before a person resumes it."""


class PermanentError(GatewayError):
    """This cannot work, however often it is tried."""


class ConfigurationInvalid(PermanentError):
    """The configuration is invalid."""


class SchemaInvalid(PermanentError):
    """A schema table is invalid."""


class MappingInvalid(PermanentError):
    """A mapping table is invalid."""


class RulesInvalid(PermanentError):
    """A rule set is invalid."""


class CatalogueInvalid(PermanentError):
    """The catalogue is invalid."""


class FlowsInvalid(PermanentError):
    """The flows that are installed do not go together."""


class TransportsInvalid(PermanentError):
    """The transports that are installed do not go together."""


class AcknowledgementInvalid(PermanentError):
    """An acknowledgement of ours does not pass our own check."""


class DecisionEndless(PermanentError):
    """Flows react to one another without end."""


class LedgerRefused(PermanentError):
    """What may not be posted to an account was decided all the same."""


class SamplingUnkeyed(PermanentError):
    """A sample is to be drawn, and there is no secret to draw it by: see sampling.key_file."""


class ExaminationFatal(PermanentError):
    """It ended the process that examined it, which examined nothing else."""


class DirectoryUnreadable(PermanentError):
    """The directory archive cannot be read."""


class NotFound(PermanentError):
    """There is no such thing."""


class RegistryRefused(PermanentError):
    """The registry does not allow this change."""


class NotAuthenticated(PermanentError):
    """Valid credentials are required."""


class NotPermitted(PermanentError):
    """The credentials do not allow this."""


class TransportIdReused(PermanentError):
    """This transport id was used before with other content."""


class PayloadTooLarge(PermanentError):
    """The payload is larger than allowed."""


class PayloadUnreadable(PermanentError):
    """The payload cannot be unpacked."""


class TransitionRefused(PermanentError):
    """The status table does not allow this transition."""


class DeliveryRefused(PermanentError):
    """The recipient refused the delivery for good."""


class CmsInvalid(PermanentError):
    """A message that is signed, encrypted or compressed does not hold."""

    def __init__(self, message: str = "", *, failure: str = "unexpected-processing-error", **details: object) -> None:
        """`failure` is the word by which AS2 tells its sender why, such as `authentication-failed` (RFC 4130, 7.4.3)."""
        super().__init__(message, **details)
        self.failure = failure


class ReceiptInvalid(PermanentError):
    """The receipt does not verify."""


class BodyLost(PermanentError):
    """The file of a stored body is missing from the payload folder (store.payload_folder); put it back from a copy."""

    @classmethod
    def of(cls, sha256: str) -> BodyLost:
        """The error about the body of that digest, which is its file's name."""
        return cls(f"{str(cls()).removesuffix('.')}: {sha256[:2]}/{sha256}.", sha256=sha256)


class Archived(PermanentError):
    """This was moved to an archive."""

    @classmethod
    def of(cls, archive: str) -> Archived:
        """The error about what is in the archive of that name."""
        return cls(f"This was moved to the archive {archive}.", archive=archive)


class BackupInvalid(PermanentError):
    """The backup or archive is damaged."""


class RestoreRefused(PermanentError):
    """The backup cannot be restored here."""


class LogDamaged(PermanentError):
    """The receipt log is damaged."""
