"""Spam among text messages (sms_raw): prizes, premium numbers and codes; people chatting."""

import re

import consilience as cs

from functions import listed

LABELS = ("ham", "spam")

PERSONAL = re.compile(r"\b(i|i'm|im|me|my|u|ur|he|she|him|her|we)\b")


@cs.labeling_function("ham")
def personal(row) -> bool:
    """People speak of themselves and each other; sellers of prizes do not."""
    return len(PERSONAL.findall(row.text.lower())) >= 3


@cs.labeling_function("spam")
def shouting(row) -> bool:
    """Several words all in capitals."""
    return sum(word.isupper() and len(word) > 3 for word in row.text.split()) >= 3


FUNCTIONS = {
    "phone_number": cs.pattern("spam", r"\b0\d{9,10}\b"),
    "short_code": cs.pattern("spam", r"\b(to|on|2)\s+\d{5}\b", ignore_case=True),
    "price": cs.pattern("spam", r"£|\b\d+\s?p\b|\bper min|\bp/m", ignore_case=True),
    "prize": cs.keywords(
        "spam",
        listed("won, win, winner, prize, award, awarded, guaranteed, claim, cash"),
    ),
    "free": cs.keywords("spam", listed("free, offer, ringtone, voucher, bonus")),
    "urges": cs.pattern("spam", r"\burgent\b|\bcall now\b|\breply\b.*\bstop\b|\bopt ?out\b|\bt&c", ignore_case=True),
    "link": cs.pattern("spam", r"https?://|www\.|\.co\.uk|\.com\b", ignore_case=True),
    "chat_words": cs.keywords("ham", listed("lol, ok, k, lor, haha, sorry, yeah, gonna, da, hey")),
    "smiley": cs.pattern("ham", r"[:;]-?[)(DP]|\.\.\.? "),
    "home_life": cs.keywords(
        "ham",
        listed("home, dinner, sleep, tomorrow, tonight, love you, class, mum"),
    ),
    "personal": personal,
    "shouting": shouting,
}
