"""The fourteen keyword signals published with the set `sst2`: a word counts wherever its letters occur.

The data has only their votes, on the 3,998 rows they cover, and does not say which rows these are. Applied to the
texts, the words below vote on 3,998 rows, and on these exactly as weak_signals.npy says (`text_sets` checks it at each
run): that gives the votes their rows back, and the test texts their votes.
Source: the word lists of SST_2_generator in github.com/jianhui-chen/Constrained-Weak-Supervision,
datasets/generate_weak_signals.py. How its authors came by the words is not said there.
"""

import consilience as cs

LABELS = ("negative", "positive")

POSITIVE = (
    "good great nice delight wonderful",
    "love best genuine well thriller",
    "clever enjoy fine deliver fascinating",
    "super excellent charming pleasure strong",
    "fresh comedy interesting fun entertain charm clever",
    "amazing romantic intelligent classic stunning",
    "rich compelling delicious intriguing smart",
)
NEGATIVE = (
    "bad better leave never disaster",
    "nothing action fail suck difficult",
    "mess dull dumb bland outrageous",
    "slow terrible boring insult weird damn",
    "drag no not awful waste flat",
    "horrible ridiculous stupid annoying painful",
    "poor pathetic pointless offensive silly",
)


def _signal(label: str, words: str):
    return cs.pattern(label, "|".join(words.split()), ignore_case=True)


FUNCTIONS = {f"{words.split()[0]}_words": _signal("positive", words) for words in POSITIVE} | {
    f"{words.split()[0]}_words": _signal("negative", words) for words in NEGATIVE
}
