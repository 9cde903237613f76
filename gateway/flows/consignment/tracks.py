"""The four tracks of a consignment: what each party has come to, side by side.

    declaration   declared -> in_review -> accepted            amending, cancelling; refused, cancelled
    inspection    none -> assigned -> ordered -> ... -> passed  failed, treating
    transfer      none -> sent -> taken                         declined, withdrawn, expired
    clearance     none -> notified -> matched -> released       mismatched, withdrawn, expired

`passed` is the bureau's word on the goods (放行), `notified` means that customs has the clearance notice (通关单),
`matched` that customs' own data agrees with it (核查一致), `released` that customs let the goods go (已通关).
"""

from __future__ import annotations

from enum import StrEnum

from gateway.decide.tracks import NONE, Track, make_row, to


class Declared(StrEnum):
    """Where the declaration itself stands."""

    DECLARED = "declared"
    IN_REVIEW = "in_review"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    AMENDING = "amending"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class Inspected(StrEnum):
    """How far the bureau's inspection of the goods has come."""

    NONE = NONE
    ASSIGNED = "assigned"
    ORDERED = "ordered"
    SAMPLED = "sampled"
    TESTING = "testing"
    PASSED = "passed"
    FAILED = "failed"
    TREATING = "treating"
    WAIVED = "waived"
    RETURNED = "returned"
    DESTROYED = "destroyed"


class Transferred(StrEnum):
    """Whether the port's bureau has the consignment from the one that inspected it."""

    NONE = NONE
    SENT = "sent"
    TAKEN = "taken"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Cleared(StrEnum):
    """How far customs has come with the clearance notice."""

    NONE = NONE
    NOTIFIED = "notified"
    MATCHED = "matched"
    MISMATCHED = "mismatched"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


_D, _I, _T, _C = Declared, Inspected, Transferred, Cleared
_IN_FORCE = (_D.ACCEPTED, _D.AMENDING, _D.CANCELLING)
"""A declaration that the bureau has accepted, whatever was asked for since."""
_AT_WORK = (_I.NONE, _I.ASSIGNED, _I.ORDERED, _I.SAMPLED, _I.TESTING, _I.TREATING)
_NO_NOTICE = (_C.NONE, _C.WITHDRAWN, _C.EXPIRED)
_NOT_FAILED = (_I.NONE, _I.ASSIGNED, _I.ORDERED, _I.SAMPLED, _I.TESTING, _I.PASSED, _I.WAIVED)
_UNDONE = (_I.FAILED, _I.TREATING, _I.RETURNED, _I.DESTROYED)
# What customs has notice of is changed by another notice first.
_AMENDABLE = {"inspection": _NOT_FAILED, "clearance": _NO_NOTICE}
# It may be asked for as long as customs has matched nothing, and is agreed once all that was made of it is taken back.
_CANCELLABLE = {"inspection": _NOT_FAILED, "clearance": (*_NO_NOTICE, _C.NOTIFIED, _C.MISMATCHED)}
_NOTHING_STANDS = {
    "inspection": _NOT_FAILED,
    "transfer": (_T.NONE, _T.WITHDRAWN, _T.EXPIRED),
    "clearance": _NO_NOTICE,
}
_WITH_CUSTOMS = (_C.NOTIFIED, _C.MATCHED, _C.RELEASED)

DECLARATION = Track(
    "declaration",
    {
        "review": make_row(to(_D.IN_REVIEW, _D.DECLARED), (_D.IN_REVIEW, *_IN_FORCE)),
        "accept": make_row(to(_D.ACCEPTED, _D.DECLARED, _D.IN_REVIEW), (*_IN_FORCE, _D.CANCELLED)),
        # A refusal after the acceptance is late; what the bureau finds while inspecting is the inspection's.
        "refuse": make_row(to(_D.REFUSED, _D.DECLARED, _D.IN_REVIEW), (_D.REFUSED, *_IN_FORCE, _D.CANCELLED)),
        "amend": make_row({_D.IN_REVIEW: _D.IN_REVIEW, **to(_D.AMENDING, _D.ACCEPTED, _D.AMENDING)}, needs=_AMENDABLE),
        "amendment_agreed": make_row(to(_D.ACCEPTED, _D.AMENDING), (_D.ACCEPTED, _D.CANCELLING, _D.CANCELLED)),
        "amendment_declined": make_row(to(_D.ACCEPTED, _D.AMENDING), (_D.ACCEPTED, _D.CANCELLING, _D.CANCELLED)),
        "replace": make_row(
            {
                **to(_D.DECLARED, _D.IN_REVIEW, _D.REFUSED),
                **to(_D.AMENDING, _D.ACCEPTED, _D.AMENDING),
            },
            needs=_AMENDABLE,
        ),
        "cancel": make_row(
            {**to(_D.CANCELLED, _D.DECLARED, _D.IN_REVIEW), **to(_D.CANCELLING, _D.ACCEPTED, _D.AMENDING)},
            (_D.CANCELLING, _D.CANCELLED),
            needs=_CANCELLABLE,
        ),
        "cancellation_agreed": make_row(
            to(_D.CANCELLED, *_IN_FORCE),
            (_D.CANCELLED,),
            needs=_NOTHING_STANDS,
            overtaken={"inspection": _UNDONE},
        ),
        "cancellation_declined": make_row(
            to(_D.ACCEPTED, _D.CANCELLING),
            (_D.ACCEPTED, _D.AMENDING, _D.CANCELLED),
            # An amendment that was open when the cancellation was asked for is open again.
            {_D.CANCELLING: (_D.AMENDING,)},
        ),
        # The bureau has gone on with the goods meanwhile: its word on a change or a cancellation comes too late.
        "overtake": make_row(to(_D.ACCEPTED, _D.AMENDING, _D.CANCELLING), (_D.ACCEPTED,)),
    },
)

_INSPECTED = {"declaration": _IN_FORCE}
_GONE = {"declaration": (_D.CANCELLED,)}
INSPECTION = Track(
    "inspection",
    {
        "assign": make_row(to(_I.ASSIGNED, _I.NONE), set(_I) - {_I.NONE}, needs=_INSPECTED, overtaken=_GONE),
        "order": make_row(
            to(_I.ORDERED, _I.NONE, _I.ASSIGNED),
            set(_I) - {_I.NONE, _I.ASSIGNED},
            needs=_INSPECTED,
            overtaken=_GONE,
        ),
        "sample": make_row(to(_I.SAMPLED, _I.ASSIGNED, _I.ORDERED), (_I.SAMPLED, _I.TESTING), needs=_INSPECTED),
        "send": make_row(to(_I.TESTING, _I.SAMPLED), (_I.TESTING,), needs=_INSPECTED),
        "pass": make_row(to(_I.PASSED, *_AT_WORK), (_I.PASSED, _I.WAIVED), needs=_INSPECTED),
        # "Failed" never outranks "passed": an officer with a reason reopens.
        "fail": make_row(to(_I.FAILED, *_AT_WORK), (_I.FAILED, _I.PASSED, _I.WAIVED), needs=_INSPECTED),
        "treat": make_row(to(_I.TREATING, _I.FAILED), (_I.TREATING,), needs=_INSPECTED),
        "reinspect": make_row(to(_I.ORDERED, _I.FAILED), (_I.ORDERED,), needs=_INSPECTED),
        "waive": make_row(to(_I.WAIVED, _I.NONE, _I.ASSIGNED), (_I.WAIVED, _I.PASSED), needs=_INSPECTED),
        "return": make_row(to(_I.RETURNED, _I.FAILED), (_I.RETURNED,), needs=_INSPECTED),
        "destroy": make_row(to(_I.DESTROYED, _I.FAILED), (_I.DESTROYED,), needs=_INSPECTED),
        "reopen": make_row(to(_I.ORDERED, _I.PASSED), (_I.ORDERED,), needs=_INSPECTED),
    },
)

_ACCEPTED = {"declaration": (_D.ACCEPTED,)}
_PASSED = {"inspection": (*_AT_WORK, _I.PASSED, _I.WAIVED)}
TRANSFER = Track(
    "transfer",
    {
        "send": make_row(
            to(_T.SENT, _T.NONE, _T.DECLINED, _T.WITHDRAWN, _T.EXPIRED),
            (_T.SENT, _T.TAKEN),
            needs={**_ACCEPTED, **_PASSED},
            overtaken={"clearance": _WITH_CUSTOMS},
        ),
        "take": make_row(to(_T.TAKEN, _T.SENT, _T.EXPIRED), (_T.TAKEN,)),
        "decline": make_row(to(_T.DECLINED, _T.SENT), (_T.DECLINED, _T.TAKEN), overtaken={"clearance": _WITH_CUSTOMS}),
        "withdraw": make_row(
            to(_T.WITHDRAWN, _T.SENT, _T.DECLINED),
            (_T.WITHDRAWN,),
            needs={"clearance": (_C.NONE, _C.MISMATCHED, _C.WITHDRAWN, _C.EXPIRED)},
        ),
        # What the other office has taken is withdrawn with its agreement.
        "withdrawal_agreed": make_row(
            to(_T.WITHDRAWN, _T.TAKEN),
            (_T.WITHDRAWN,),
            needs={"clearance": (_C.NONE, _C.MISMATCHED, _C.WITHDRAWN, _C.EXPIRED)},
        ),
        "withdrawal_declined": make_row(to(_T.TAKEN, _T.TAKEN)),
        # A change beyond what the other office may make by itself stands once both agree.
        "change_agreed": make_row({_T.SENT: _T.SENT, _T.TAKEN: _T.TAKEN}, needs={"clearance": _NO_NOTICE}),
        "change_declined": make_row({_T.SENT: _T.SENT, _T.TAKEN: _T.TAKEN}),
        "expire": make_row(to(_T.EXPIRED, _T.SENT), (_T.EXPIRED, _T.TAKEN, _T.DECLINED, _T.WITHDRAWN)),
    },
)

CLEARANCE = Track(
    "clearance",
    {
        "notify": make_row(
            to(_C.NOTIFIED, _C.NONE, _C.WITHDRAWN, _C.EXPIRED, _C.MISMATCHED),
            (_C.NOTIFIED, _C.MATCHED, _C.RELEASED),
            needs={**_ACCEPTED, **_PASSED},
        ),
        # Customs refuses the notice itself: the case is held as by a difference, until a corrected one comes.
        "decline": make_row(to(_C.MISMATCHED, _C.NOTIFIED), (_C.MISMATCHED, _C.MATCHED, _C.RELEASED)),
        # What was received before the notice expired counts, however late it is decided.
        "match": make_row(to(_C.MATCHED, _C.NOTIFIED, _C.MISMATCHED, _C.EXPIRED), (_C.MATCHED, _C.RELEASED)),
        # Before customs let the goods go, its data may still change; a release is never taken back.
        "mismatch": make_row(to(_C.MISMATCHED, _C.NOTIFIED, _C.MATCHED), (_C.MISMATCHED, _C.RELEASED)),
        "customs_release": make_row(to(_C.RELEASED, _C.MATCHED, _C.EXPIRED), (_C.RELEASED,)),
        "withdraw": make_row(to(_C.WITHDRAWN, _C.NOTIFIED, _C.MISMATCHED), (_C.WITHDRAWN,)),
        "expire": make_row(
            to(_C.EXPIRED, _C.NOTIFIED, _C.MISMATCHED), (_C.EXPIRED, _C.MATCHED, _C.RELEASED, _C.WITHDRAWN)
        ),
    },
)
