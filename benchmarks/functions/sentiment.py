"""Praise and blame, for film reviews (rt-polarity, SST-2), products (CR) and phrases of news opinion (MPQA) alike."""

import consilience as cs

from functions import listed

LABELS = ("negative", "positive")

PRAISE = listed(
    "good, great, excellent, wonderful, best, amazing, fantastic, brilliant, superb, perfect, perfectly, "
    "outstanding, impressive, beautiful, beautifully, gorgeous, terrific, remarkable, exceptional, nice, "
    "fine"
)
BLAME = listed(
    "bad, worst, worse, terrible, awful, horrible, poor, poorly, boring, dull, stupid, silly, tedious, "
    "bland, lousy, mess, pointless, ridiculous, predictable, formulaic, lame, flat, waste, ugly"
)

FUNCTIONS = {
    "praise": cs.keywords("positive", PRAISE),
    "delight": cs.keywords(
        "positive",
        listed(
            "love, loves, loved, enjoy, enjoyable, charming, delightful, happy, pleased, fun, pleasure, "
            "funny, entertaining"
        ),
    ),
    "moved": cs.keywords(
        "positive",
        listed(
            "moving, touching, powerful, compelling, absorbing, engaging, honest, clever, smart, fresh, "
            "inventive, warm, warmth, wit, witty, fascinating, intelligent, subtle"
        ),
    ),
    "handy": cs.keywords(
        "positive",
        listed("easy, easily, recommend, comfortable, clear, clarity, sharp, worth, reliable"),
    ),
    "goodwill": cs.keywords(
        "positive",
        listed(
            "support, peace, hope, success, successful, welcome, agree, friendly, legitimate, freedom, "
            "cooperation, praised, progress"
        ),
    ),
    "blame": cs.keywords("negative", BLAME),
    "complaint": cs.keywords(
        "negative",
        listed(
            "problem, problems, complaint, fails, failed, failure, broken, disappointed, disappointing, "
            "disappointment, annoying, regret, difficult, unfortunately, lack, lacks, lacking"
        ),
    ),
    "hostility": cs.keywords(
        "negative",
        listed(
            "criticism, criticized, condemned, crime, criminals, terrorists, terrorism, threat, evil, deny, "
            "fear, concerned, violation, attack, anger, against"
        ),
    ),
    "too_much": cs.pattern("negative", r"\btoo (much|many|long|hard|loud|slow|small|big|often|far|little|\w+y)\b"),
    "praise_denied": cs.pattern(
        "negative", rf"(\bnot|\bnever|\bnothing|\bhardly|n 't|n't)\s+(\w+\s+){{0,2}}({'|'.join(PRAISE)}|work|worth)\b"
    ),
    "should_have": cs.pattern("negative", r"\b(should|could) have\b|\bwould have been better\b|\bsupposed to\b"),
}
