"""The two languages the gateway speaks, and which of them a language tag means."""

from __future__ import annotations

ENGLISH = "en"
CHINESE = "zh"
_CHINESE_LANGUAGES = frozenset({"zh", "zho", "chi", "cmn"})
"""Chinese and Mandarin (ISO 639-1, 639-2 and 639-3). Other Chinese languages are written in the same characters, but
whoever asks for one by its own code has not asked for this one."""
_ENGLISH_LANGUAGES = frozenset({"en", "eng"})


def maybe_language(tag: str) -> str | None:
    """ENGLISH or CHINESE as a tag says it (BCP 47: `zh`, `zh-CN`, `zh-Hans`, `en-GB`; or `zh_CN.UTF-8`); None for others."""
    language = tag.strip().replace("_", "-").partition(".")[0].partition("@")[0].partition("-")[0].lower()
    if language in _CHINESE_LANGUAGES:
        return CHINESE
    return ENGLISH if language in _ENGLISH_LANGUAGES else None


def choose_language(tag: str) -> str:
    """As `maybe_language`, and English where the tag means neither of the two."""
    return maybe_language(tag) or ENGLISH
