"""Functions in Python, written after reading twenty text messages."""

import re

import consilience as cs

CHATTY = {"lol", "haha", "ur", "r", "gonna", "wanna", "dun", "lor", "wot", "sup", "yo", "tmr", "dont", "im"}


@cs.labeling_function("ham")
def chat(row) -> bool:
    """Friends write in shorthand and without figures; companies do not."""
    words = set(re.findall(r"[a-z']+", row.text.lower()))
    return bool(words & CHATTY) and not re.search(r"\d", row.text)


@cs.labeling_function("ham")
def about_me(row) -> bool:
    """A message that begins with its writer comes from a person."""
    return row.text.lower().startswith(("i ", "i'm ", "i'll ", "im ", "me ", "my "))


@cs.labeling_function("spam", "ham")
def text_to(row) -> str | None:
    """ "Text WIN to 80086" is spam; a message that asks nothing and has no figures is a chat."""
    if re.search(r"\b(txt|text|reply|send)\b.*\b(to|stop)\b", row.text, re.IGNORECASE) and re.search(r"\d", row.text):
        return "spam"
    if row.text.endswith("?") and not re.search(r"[\d£]", row.text):
        return "ham"
    return None
