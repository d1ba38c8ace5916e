"""Sentences from film reviews (subjective) and from summaries of plots (objective): the set subj."""

import re

import consilience as cs

from functions import listed

LABELS = ("subjective", "objective")

PERSON = re.compile(r"\b(he|she|his|her|him|they|their|them)\b")


@cs.labeling_function("objective")
def about_people(row) -> bool:
    """Plots are told of people: three or more pronouns for them."""
    return len(PERSON.findall(row.text)) >= 3


FUNCTIONS = {
    "speaks_of_film": cs.keywords(
        "subjective",
        listed(
            "film, films, movie, movies, cinema, comedy, screenplay, director, performance, picture, "
            "performances, cast, audience, audiences, filmmaker, hollywood, documentary, story's"
        ),
    ),
    "judges": cs.keywords(
        "subjective",
        listed(
            "funny, entertaining, charming, moving, dull, boring, predictable, clever, engaging, best, bad, "
            "good, great, worst, silly, compelling, enough, smart, fascinating"
        ),
    ),
    "addresses_reader": cs.keywords("subjective", listed("you, your, you're, you'll, i, we, us")),
    "weighs": cs.pattern("subjective", r"\bdespite\b|\bthough\b|\brather than\b|\btoo\b|\bnever quite\b|\bless\b"),
    "it_is": cs.pattern("subjective", r"^(it's|there's|it is|this is|an? \w+)\b"),
    "family": cs.keywords(
        "objective",
        listed(
            "father, mother, wife, husband, brother, sister, son, daughter, girlfriend, boyfriend, friend, "
            "friends, parents, uncle"
        ),
    ),
    "plot_verbs": cs.keywords(
        "objective",
        listed(
            "discovers, decides, meets, falls in love, begins, learns, returns, tries to, turns to, is "
            "forced, must, arrives, agrees, reveals, seeks, leaves, kills, helps, escape"
        ),
    ),
    "places_and_jobs": cs.keywords(
        "objective",
        listed(
            "police, town, village, school, gang, hospital, army, detective, house, money, murder, prison, "
            "world war, job, boss"
        ),
    ),
    "when": cs.pattern("objective", r"^(when|after|as|while|one day|set in|in the|on the)\b|\b(19|20)\d\d\b"),
    "about_people": about_people,
}
