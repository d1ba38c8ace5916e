"""PubTator: documents with spans that are where they say; the others are set aside."""

from __future__ import annotations

from consilience import read

SOUND = "1|t|Aspirin helps\n1|a|It does.\n1\t0\t7\tAspirin\tChemical\tD001241\n1\tCID\tD001241\tD006261\n"


def test_documents_have_text_spans_and_relations(tmp_path):
    (tmp_path / "rows.pubtator").write_text(SOUND + "\n2|t|No abstract\n2|a|\n")
    table = read(tmp_path / "rows.pubtator")
    assert table.unit == "document" and table.ids.to_list() == ["1", "2"]
    assert table.texts == ["Aspirin helps It does.", "No abstract"]
    span = {"start": 0, "end": 7, "text": "Aspirin", "label": "Chemical", "identifier": "D001241"}
    assert table.frame["spans"].to_list() == [[span], []]
    assert table.frame["relations"][0].to_list() == [{"label": "CID", "subject": "D001241", "object": "D006261"}]


def test_broken_documents_are_set_aside_with_their_line(tmp_path):
    bad = [
        "2|t|Hi\n2\t0\t2\tHo\tX\n",
        "3|t|Hi\nnonsense\n",
        "4|t|Hi\n5|t|Ho\n",
        "6\t0\t1\tx\tX\n",
        "7|t|Hi\n7\t-1\t2\tHi\tX\n",
    ]
    (tmp_path / "rows.pubtator").write_text("\n".join([SOUND, *bad]))
    table = read(tmp_path / "rows.pubtator")
    assert len(table) == 1 and [reject.line for reject in table.rejects] == [7, 10, 13, 15, 18]
    assert table.rejects[0].reason.startswith("the text at 0 to 2 is 'Hi', not 'Ho'")
