from __future__ import annotations

import pytest

from gateway.web.language import choose


@pytest.mark.parametrize(
    ("accept", "fallback", "chosen"),
    [
        ("", "zh", "zh"),  # nothing said: the partner's language
        ("", "fr", "en"),  # a language we do not speak
        ("zh-CN", "en", "zh"),
        ("zh-Hant-TW, en;q=0.5", "en", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "zh", "en"),
        ("fr, de;q=0.9", "zh", "zh"),  # none of ours
        ("fr, zh;q=0.1", "en", "zh"),  # the only one of ours
        ("zh;q=0, en", "zh", "en"),  # q=0: not that one
        ("zh;q=nonsense, en;q=0.2", "zh", "en"),
        ("EN", "zh", "en"),
        (",;,", "zh", "zh"),
    ],
)
def test_the_language_follows_the_header(accept, fallback, chosen):
    """Accept-Language decides between English and Chinese, by its weights."""
    assert choose(accept, fallback) == chosen
