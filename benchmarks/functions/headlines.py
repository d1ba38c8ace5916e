"""Headlines that beg for a click, and headlines of newspapers (clickbait)."""

import consilience as cs

from functions import listed

LABELS = ("news", "clickbait")


@cs.labeling_function("news")
def written_as_a_sentence(row) -> bool:
    """News agencies leave most words small; the others Put A Capital On Every Word."""
    words = [word for word in row.text.split() if word.isalpha() and len(word) > 3]
    return len(words) >= 3 and sum(word.islower() for word in words) / len(words) > 0.5


@cs.labeling_function("clickbait")
def every_word_capital(row) -> bool:
    """Even "a", "the" and "of" have a capital."""
    small = [word for word in row.text.split() if word.lower() in ("a", "an", "the", "of", "to", "in", "and", "on")]
    return len(small) > 0 and all(word[0].isupper() for word in small)


FUNCTIONS = {
    "counts_things": cs.pattern("clickbait", r"^\d+ (\S+ ){0,4}(Things|Times|Ways|Reasons|Facts|Signs|People|Kids)\b"),
    "begins_with_number": cs.pattern("clickbait", r"^\d+ [A-Z]"),
    "you": cs.pattern("clickbait", r"(?i)\b(you|your|you're|you'll|you've)\b"),
    "quiz": cs.pattern("clickbait", r"^(Which|What|Can|Do|Are|How|Should)\b.*\b(You|Your|I)\b|\bQuiz\b"),
    "points": cs.pattern("clickbait", r"\b(This|These|Here's|Here Are|We|I)\b"),
    "chatty": cs.keywords("clickbait", listed("crap, awesome, perfect, perfectly, totally, actually, crush")),
    "dies": cs.keywords(
        "news",
        listed("dies, killed, dead, kills, attack, attacks, bomb, crash, earthquake, police, arrested"),
    ),
    "politics": cs.keywords(
        "news",
        listed(
            "president, minister, election, government, governor, senate, bill, court, parliament, protests, "
            "opposition, voters, mayor, united nations"
        ),
    ),
    "country": cs.keywords(
        "news",
        listed("u.s., us, uk, iraq, china, israel, russia, japan, india, iran, pakistan, usa"),
    ),
    "business": cs.keywords(
        "news",
        listed("profit, bankruptcy, bank, stocks, economy, company, jobs, deal"),
    ),
    "reports": cs.keywords(
        "news",
        listed("says, reports, reported, declares, announces, approves, tells"),
    ),
    "written_as_a_sentence": written_as_a_sentence,
    "every_word_capital": every_word_capital,
}
