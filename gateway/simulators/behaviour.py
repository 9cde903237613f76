"""What a test number asks of the simulated partners, by its prefix.

The test number is the contract number of a consignment: every document that a bureau or customs gets
carries it. An integrator who writes `REJ-0815` there sees a refusal, without arranging anything with
anybody; what carries no prefix is accepted. docs/demo.md lists what each role makes of each.
"""

from __future__ import annotations

from enum import Enum


class Behaviour(Enum):
    """What a test number's prefix asks for."""

    ACCEPT = "ACC"
    """Everything goes well."""
    INSPECT = "INS"
    """The bureau orders an inspection first, then releases."""
    HOLD = "HOL"
    """The bureau accepts, and does nothing more until something else comes: time for a change or a withdrawal."""
    REJECT = "REJ"
    """The bureau refuses: in review the declaration, later the goods."""
    EXCLUDE = "EXC"
    """The bureau hands over what the rules exclude from electronic transfer."""
    DESTINATION = "DST"
    """The port's bureau hands an import over to the destination's, which will examine it."""
    CHANGE = "CHG"
    """The port's bureau takes a transfer over, and waits for a change of it before it issues the notice."""
    LISTED = "LST"
    """The producing area's bureau issues a notice for goods that are the port's to let out, before it hands them over."""
    REPLACE = "RPL"
    """The bureau replaces its notice by one for half of the goods, and customs waits for that one."""
    EXPIRE = "EXP"
    """The bureau's notice is valid until tomorrow, and customs says nothing to it."""
    MISMATCH = "MIS"
    """Customs reports goods that differ from the notice."""
    CORRECT = "COR"
    """Customs reports goods that differ, and corrects itself."""
    SILENCE = "SIL"
    """Nobody answers."""


def behaviour(test_number: str) -> Behaviour:
    """The behaviour that the prefix of `test_number` asks for; ACCEPT where it asks for none."""
    return next((b for b in Behaviour if test_number.upper().startswith(b.value)), Behaviour.ACCEPT)
