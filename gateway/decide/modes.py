"""Which mode of supervision a consignment has: the strictest that its goods and its enterprises ask for.

no goods on the list                 the mode of its direction for goods off the list
goods on the list                    the mode that their line of the list names
an enterprise on the blacklist       the mode of its direction for such enterprises, at least
several of these                     the one with the greatest rank
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.check.modes import Mode, ModeRules


def choose_mode(rules: ModeRules, direction: str, hs_codes: Iterable[str | None], *, excluded: bool = False) -> Mode:
    """The mode of a consignment of this direction, with goods under `hs_codes`.

    `excluded` says that one of its enterprises is on a blacklist.
    """
    choice = rules.choices[direction]
    chosen = {choice.off}
    for hs_code in hs_codes:
        line = rules.find_listed(hs_code, direction)
        if line is not None:
            chosen.add(line.mode or choice.on[0])
    if excluded:
        chosen.add(choice.blacklisted)
    return max((rules.modes[id_] for id_ in chosen), key=lambda mode: mode.rank)
