"""What an entry of a feed holds for each audience: the document as that audience sees it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from gateway.check.views import ViewRules
from gateway.decide.audience import EVERYONE, Audience, Scope
from gateway.decide.effects import Publish
from gateway.decide.views import Subject, find_views
from gateway.documents.base import Document
from gateway.model import Partner, Role


def audiences_of(effect: Publish) -> tuple[Audience, ...]:
    """To whom an effect addresses its document."""
    if effect.audience:
        return effect.audience
    return (Audience(Scope.PARTNER, effect.partner_id),) if effect.partner_id else (EVERYONE,)


def cut_entries(
    effect: Publish,
    rules: ViewRules,
    readers: Collection[Role],
    partners: Mapping[str, Partner],
    cases: Collection[Subject],
) -> Iterator[tuple[str, Document | None]]:
    """(name of the audience, document as it sees it) for each entry that an effect makes; None where it may see nothing.

    `readers` are the roles that read the feed: where they do not see the same, what is for everyone is an entry for each.
    `partners` are those that are addressed by id.
    """
    for audience in audiences_of(effect):
        if audience.scope is Scope.EVERYONE:
            yield from _for_everyone(effect, rules, readers, cases)
        else:
            reader = partners[audience.value] if audience.scope is Scope.PARTNER else audience.reader
            yield audience.name, rules.cut(effect.document, find_views(rules, reader, *cases))


def _for_everyone(
    effect: Publish, rules: ViewRules, readers: Collection[Role], cases: Collection[Subject]
) -> Iterator[tuple[str, Document | None]]:
    """What all readers see, once; or what each role sees."""
    by_role = [Audience(Scope.ROLE, role.value) for role in sorted(readers)]
    shown = [(one.name, rules.cut(effect.document, find_views(rules, one.reader, *cases))) for one in by_role]
    seen = [document for _, document in shown if document is not None]
    if not seen:
        yield EVERYONE.name, None
    elif all(document == seen[0] for _, document in shown):
        yield EVERYONE.name, seen[0]
    else:
        yield from ((name, document) for name, document in shown if document is not None)
