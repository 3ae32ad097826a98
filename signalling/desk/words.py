"""The words by which somebody asks for a human being; they must work the first time."""

from __future__ import annotations

import re
import unicodedata

_CHINESE = re.compile(
    r"(?<!不要)(?<!不用)(?<!不想)(?<!不必)(?<!不需要)(?<!别)"
    r"(?:(?:转|轉|接|找|要|换|叫|请|用|有|联系|呼叫)(?:个|一个|一下|一位)?|^)"
    r"(?:人工(?!智能|呼吸|湖|降雨|授粉|合成|降水|翻译|繁殖)|真人|活人)"
    r"|(?<!不要)(?<!不用)(?<!不想)(?<!不必)(?<!不需要)(?<!别)人工(?:服务|客服|坐席|老师)"
)
"""「转人工」「我要人工服务」「接人工」「人工」, but neither 「人工智能」 nor 「不要转人工」."""

_NEGATED = re.compile(r"(?:不要|不用|不想|不必|不需要|别|无需)(?:转|接|找|叫)?(?:个|一个)?(?:人工|真人)")

_ENGLISH_WORD = r"(?:humans?|agents?|real person|live person|representative|operator|human being)"
_ENGLISH = re.compile(
    rf"^(?:an? |the |please )*(?:live |real |human )?{_ENGLISH_WORD}(?: please| now| support| agent)*$"
    rf"|\b(?:talk|speak|chat|connect|transfer|switch|put|get|want|need|give|call|find)\b"
    rf"(?: \w+){{0,5}}? {_ENGLISH_WORD}\b(?! (?:body|rights|biology|history|anatomy|geography|being s))"
)
_ENGLISH_NEGATED = re.compile(rf"\b(?:don t|do not|no|not)\b(?: \w+){{0,4}} {_ENGLISH_WORD}\b")

MAX_CHARS = 200
"""Longer texts are stories, not requests; only their beginning is looked at."""


def asks_for_human(text: str) -> bool:
    """Whether a message asks for a human instead of a bot.

    Rather too often than too seldom: a needless human is a cost, a refused one is a complaint.
    """
    plain = unicodedata.normalize("NFKC", text[:MAX_CHARS]).casefold()
    words = re.sub(r"[^\w]+", " ", plain).strip()
    for part in re.split(r"[\s,,。.!!??;;、]+", plain):
        chinese = _NEGATED.sub("", part)
        if _CHINESE.search(chinese):
            return True
    if _CHINESE.search(_NEGATED.sub("", words.replace(" ", ""))):
        return True
    return bool(_ENGLISH.search(_ENGLISH_NEGATED.sub("", words)))
