"""What `gateway catalogue show` tells of versions that were approved in the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.cli.catalogue import tell_standing
from gateway.decide import china
from gateway.model import SubjectVersion


def test_each_approved_version_is_told_with_where_it_stands() -> None:
    """The one whose day came last is in force, those before it are replaced, those after it are to come."""
    today = china.day(datetime.now(UTC))
    days = {"1": today - timedelta(days=9), "2": today, "3": today + timedelta(days=2)}
    versions = [
        SubjectVersion(
            "code-list", "country", number, day, "approved", name, {"digest": name * 64}, "bureau", "m", None
        )
        for number, (name, day) in enumerate(days.items(), 1)
    ]
    told = [(one["list"], one["version"], one["standing"], one["sha256"]) for one in tell_standing(versions, today)]
    assert told == [
        ("country", "1", "replaced", "1" * 64),
        ("country", "2", "in force", "2" * 64),
        ("country", "3", "to come", "3" * 64),
    ]
