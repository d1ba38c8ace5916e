"""CoNLL: sentences with sound lines and tags come in, the others are set aside with the line at fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import read
from consilience.data.sources.conll import check_tags
from consilience.errors import DataError


def rows_of(tmp_path, content, **options):
    path = tmp_path / "rows.conll"
    path.write_text(content, "utf-8")
    return read(path, **options)


CONLL03 = """-DOCSTART- -X- O O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

-DOCSTART- -X- O O

# NN B-NP O
Peter NNP I-NP B-PER
"""


def test_sentences_have_tokens_tags_text_and_document(tmp_path):
    table = rows_of(tmp_path, CONLL03)
    assert table.unit == "sentence" and table.lines.to_list() == [3, 8]
    assert table.frame.drop("id").rows() == [
        ("EU rejects", ["EU", "rejects"], ["B-ORG", "O"], 1),
        ("# Peter", ["#", "Peter"], ["O", "B-PER"], 2),
    ]


def test_columns_are_named_and_left_out(tmp_path):
    table = rows_of(tmp_path, CONLL03, columns=("tokens", "pos", "_", "tags"))
    assert table.frame.columns == ["id", "text", "tokens", "pos", "tags", "document"]
    assert table.frame["pos"].to_list() == [["NNP", "VBZ"], ["NN", "NNP"]]


def test_comments_are_skipped_and_tokens_that_look_like_them_kept(tmp_path):
    table = rows_of(tmp_path, "# sent_id = 1\n# text = a b\na\tO\n#\tO\n\n# newdoc\n#\tO\n")
    assert table.frame["tokens"].to_list() == [["a", "#"], ["#"]] and not table.rejects


def test_a_broken_line_sets_its_sentence_aside_with_its_number(tmp_path):
    table = rows_of(tmp_path, "a O\nb O\n\nc O\nd\ne O\n\nf O\n")
    assert table.frame["tokens"].to_list() == [["a", "b"], ["f"]]
    (reject,) = table.rejects
    assert (reject.line, reject.content) == (5, "d") and "1 columns where the first line has 2" in reject.reason


def test_tags_that_make_no_span_set_their_sentence_aside(tmp_path):
    table = rows_of(tmp_path, "a B-X\nb I-X\n\nc O\nd I-X\n\ne B-X\nf I-Y\n\ng X\n\nh O\n")
    assert [(reject.line, reject.reason.split(";")[0]) for reject in table.rejects] == [
        (5, "the tag 'I-X' continues nothing"),
        (8, "the tag 'I-Y' continues nothing"),
        (10, "the tag 'X' is none of BIO"),
    ]


def test_tags_of_another_scheme_are_told_apart(tmp_path):
    assert len(rows_of(tmp_path, "a S-X\nb B-X\nc E-X\n\nd B-X\ne O\n")) == 1
    assert len(rows_of(tmp_path, "a U-X\nb B-X\nc L-X\n")) == 1
    assert len(rows_of(tmp_path, "a NN\nb VBZ\nc B-X\n")) == 1  # parts of speech are in no scheme
    assert rows_of(tmp_path, "a I-X\nb I-Y\nc B-Y\n", tag_scheme="iob1").frame["tags"][0].to_list() == [
        "B-X",
        "B-Y",
        "B-Y",
    ]
    with pytest.raises(DataError, match=r"no tag scheme 'bios'.\nFix: Did you mean 'bio"):
        rows_of(tmp_path, "a O\n", tag_scheme="bios")


KINDS = st.sampled_from(["X", "Y-Z"])


@given(
    st.lists(st.tuples(KINDS | st.none(), st.integers(1, 3)), min_size=1, max_size=5),
    st.sampled_from(["bio", "bioes", "bilou"]),
)
def test_tags_made_of_spans_are_sound_and_lose_it_with_their_first(spans, scheme):
    single, last = {"bio": "BI", "bioes": "SE", "bilou": "UL"}[scheme]
    tags = []
    for kind, length in spans:
        inner = [f"I-{kind}"] * max(0, length - 2)
        whole = [f"{single}-{kind}"] if length == 1 else [f"B-{kind}", *inner, f"{last}-{kind}"]
        tags += ["O"] * length if kind is None else whole
    assert check_tags(tags, scheme) is None
    for place, tag in enumerate(tags):
        if tag.startswith("B-") and place + 1 < len(tags) and tags[place + 1][0] in "IEL":
            assert check_tags([*tags[:place], "O", *tags[place + 1 :]], scheme) is not None
