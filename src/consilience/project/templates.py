"""The two files of example functions that `init` writes, to be edited."""

DECLARED_TEMPLATE = """\
# Labeling functions that need no code: one table each, named as the function.
# After an edit, `consilience apply` computes again only the functions that changed.
#
# [asks]
# label = "spam"
# keywords = ["subscribe", "check out"]     # whole words, whatever their case
#
# [link]
# label = "spam"
# pattern = 'https?://|www\\.'               # regular expression without look-around
# ignore_case = true
#
# [short]
# label = "ham"
# expression = "length(text) < 20"          # SQL condition over the columns
#
# [like]
# neighbours = { spam = ["win a prize"], ham = ["see you at home"] }   # what the most similar example says
# [names]
# label = "spam"
# lexicon = "channels.txt"                  # a file of terms in this folder; one of .tsv may have a label a term
#
# [anna]
# recorded = "anna"                         # says what column "anna" says
#
# [known]
# label = "spam"
# lookup = "senders.csv"                    # a table of known facts, in this folder
# on = "sender"                             # the column that must agree
#
# [sure]
# model = "model.npz"                       # saved by TextClassifier.save, or an .onnx file
# threshold = 0.9                           # abstains where it is less sure
#
# [crew]
# crowd = "answers.csv"                     # item, worker, label: a function for each worker
#
# A label may be a set of labels: label = "not spam", label = "cat|dog", or a name under [groups] in consilience.toml.
"""

WRITTEN_TEMPLATE = '''\
"""Labeling functions in Python: each gets one row and returns a label name, True, or None to abstain."""

import consilience as cs

# @cs.labeling_function("ham")
# def short_praise(row) -> bool:
#     """Short comments that praise the song come from people, not bots."""
#     words = row.text.lower().split()
#     return len(words) < 8 and bool({"love", "great", "beautiful"} & set(words))

# What several functions need is made once:
#
# from consilience.labeling.preprocessors import tokens
#
# @cs.labeling_function("spam", uses=[tokens])
# def shouts(row) -> bool:
#     return sum(word.isupper() for word in row.tokens) > 3
'''
