"""Writes the regular expression by which the fast reader judges a whole segment."""

from __future__ import annotations

import re
from collections.abc import Container

from gateway.check import dates
from gateway.check.nodes import ElementUse, Node
from gateway.check.values import (
    CODE_CHARACTER,
    CONTROL,
    OUTER_CODE,
    PERIOD,
    PERIOD_FORM,
    QUALIFIERS,
    STRINGS,
    code_form,
    is_numeric,
    known_form,
    marks_of,
    needs_text,
    varies,
)
from gateway.parse.segments import Delimiters

_MAX_QUANTIFIER = 100_000
"""A longer maximum is no use in a regular expression; segments are capped before."""
_BY_USE = sorted(dates.FORMS, key=lambda code: (code not in {"102", "203", "204", "101"}, code))
"""The codes of forms, those that nearly all messages use first."""
_NO_BLANK = "(?<! )"
"""Ends a string of X12: all blank is a fault, and ending in a blank rare enough for `explain` to tell the two apart."""


_NEVER = "(?!)"
"""Matches nothing: what may not be there, or is the thorough reader's to judge."""


class _Patterned:
    """The values that match a guide's pattern and are of its codes, where it names some; and the absent one."""

    def __init__(self, pattern: str, codes: frozenset[str] | None) -> None:
        self._match, self._codes = re.compile(pattern).fullmatch, codes

    def __contains__(self, value: object) -> bool:
        if value is None:
            return True
        return (
            isinstance(value, str) and self._match(value) is not None and (self._codes is None or value in self._codes)
        )


class Builder:
    """Writes the regular expression of one segment. Values hold no service character, so it cannot backtrack far."""

    def __init__(self, delimiters: Delimiters, *, released: bool = False, padded: bool = False) -> None:
        self.delimiters = delimiters
        self.padded = padded
        service = delimiters.terminator + delimiters.element + delimiters.component
        self.service = re.escape(service + delimiters.release + delimiters.repetition)
        self.character = f"[^{self.service}]"
        """What a value is made of."""
        if released:
            self.character = f"(?:{self.character}|{re.escape(delimiters.release)}.)"
        self.printable = f"[^{self.service}{CONTROL}]"
        """What a value of X12's strings is made of; X12 has no release character."""
        self.element = re.escape(delimiters.element)
        self.component = re.escape(delimiters.component)
        self.codes: list[Container[str | None]] = []

    def segment(self, node: Node) -> str:
        """The whole segment: nested optional tails, no trailing separator."""
        bodies = [self._element(use) for use in node.elements]
        tail, required = "", False
        for use, body in reversed(list(zip(node.elements, bodies, strict=True))):
            required = required or bool(use.mandatory)
            tail = self.element + (body if use.mandatory else self._optional(body)) + tail
            if not required:
                tail = f"(?:{tail}|)"
        return f"{node.tag}{tail}(?<!{self.element})"

    def _element(self, use: ElementUse) -> str:
        """One repetition; more of them are left to the thorough reader."""
        if not use.used or (self.delimiters.repetition and use.fewest > 1):
            return _NEVER
        if not use.components:
            return self._value(use, 0)
        if not self.component:
            return self._value(use.components[0], 0)
        tail, beyond, required = "", "", False
        parts = []
        for index, component in enumerate(use.components):
            followers = 0
            while (
                index + followers + 1 < len(use.components) and use.components[index + followers + 1].item in QUALIFIERS
            ):
                followers += 1
            parts.append(self._value(component, followers))
        for index in reversed(range(len(parts))):
            mandatory = bool(use.components[index].mandatory)
            required = required or mandatory
            own = (parts[index] if mandatory else self._optional(parts[index])) + tail
            if [u.item for u in use.components[index : index + 2]] == [PERIOD, PERIOD_FORM]:
                own = self._period(parts[index], use.components[index + 1], parts[index + 1], beyond)
            beyond, tail = tail, (self.component if index else "") + own
            if index and not required:
                tail = f"(?:{tail}|)"
        # A composite that is there holds something, and does not end in a separator.
        present = f"(?!{self.element}|$)" if use.mandatory and not required else ""
        return f"{present}{tail}(?<!{self.component})"

    def _period(self, value: str, form: ElementUse, form_value: str, beyond: str) -> str:
        """A period, its form and what stands `beyond` them: of a form that is known, it is one; of another, any value.

        A period may be left out beside its form.
        """
        anything = self.character
        known = [code for code in _BY_USE if form.codes is None or code in form.codes]
        forms = "|".join(
            dates.expression(dates.FORMS[code]).replace(r"[^\s]", anything) + self.component + code for code in known
        )
        other = f"(?:{value}{self.component}(?!(?:{'|'.join(known)})(?!{anything}))|{self.component}){form_value}"
        alone = "" if form.mandatory else f"|{value}"
        return f"(?:(?:(?:{forms})(?!{anything})|{other}){beyond}{alone})"

    def _optional(self, part: str) -> str:
        """`part` or nothing; as an alternative, which the engine tries much faster than a repetition of 0 to 1."""
        for character in (self.character, self.printable, CODE_CHARACTER):
            size = part.removeprefix(character)
            if found := re.fullmatch(rf"\{{1,([0-9]*\}}(?:{re.escape(_NO_BLANK)})?)", size):
                return f"{character}{{0,{found[1]}"
        return f"(?:{part}|)"

    def _value(self, use: ElementUse, followers: int) -> str:
        """One value; a code that up to `followers` qualifiers may say is from another list is captured if none does."""
        shortest, longest = use.min_length or 1, "" if use.max_length is None else min(use.max_length, _MAX_QUANTIFIER)
        size = f"{{{shortest},{longest}}}"
        if not use.used:
            return _NEVER
        if use.kind == "B":
            return f"{self.character}+"
        if known := known_form(use):
            value = f"(?=[0-9]{size}(?![0-9])){known[0]}"
        elif is_numeric(use.kind):
            mark = f"[{marks_of(use.kind, self.delimiters)}]"
            lead = ""
            behind = "+" if use.decimals is None else f"{{1,{use.decimals}}}" if use.decimals else "{0}(?!)"
            form = f"[0-9]+{mark}[0-9]{behind}"
            if use.kind == "R":
                form, lead = rf"(?:[0-9]+\.[0-9]{behind}|\.[0-9]{behind})", r"\.?"
            digits = f"(?={lead}(?:[0-9]{mark}?){size}(?![0-9]|{mark})){form}"
            whole = "" if self.padded or not varies(use) else "(?!0[0-9])"
            # A number with an exponent is rare enough for `explain`.
            value = f"-?{whole}(?:[0-9]{size}|{digits})"
        elif use.kind == "ID" and use.codes is None:
            # A code that is filled up to its least length is rare enough for `explain`.
            value = f"{CODE_CHARACTER}{size}"
            if code_form(use) is OUTER_CODE:
                most = "" if longest == "" else int(longest) - 1
                value = f"{CODE_CHARACTER}[A-Z0-9 ./-]{{{shortest - 1},{most}}}{_NO_BLANK}"
        elif self.padded and use.kind in STRINGS:
            value = (f"(?= *[^ {self.service}{CONTROL}])" if needs_text(use) else "") + self.printable + size
        elif use.kind == "a":
            value = f"[^{self.service}0-9]{size}" + ("" if self.padded or not varies(use) else _NO_BLANK)
        elif use.kind in STRINGS:
            value = self.printable + size + (_NO_BLANK if needs_text(use) else "")
        elif use.kind == "an" and varies(use) and not self.padded:
            value = f"{self.character}{size}{_NO_BLANK}"
        else:
            value = f"{self.character}{size}"
        if use.codes is None and not use.pattern:
            return value
        self.codes.append(_Patterned(use.pattern, use.codes) if use.pattern else (use.codes or frozenset()) | {None})
        if not followers:
            return f"({value})"
        other = "|".join(self.component * n + self.character for n in range(1, followers + 1))
        return f"(?:{value}(?={other})|({value}))"
