"""consilience explain: why a row has its label."""

from __future__ import annotations

from typing import Annotated

import typer

from consilience.cli.session import HERE, Folder, Json, opened, session


def explain(
    row: Annotated[str, typer.Argument(help="Id of a row, as `consilience show` gives it.")],
    project: Folder = HERE,
    json: Json = False,
) -> None:
    """Show how much each vote counted for a row's label, by the label model fitted last."""
    with session("explain", json) as talk, opened(project) as work:
        import numpy as np

        from consilience.label_models.explain import place_of

        matrix, model = work.open_matrix(), work.label_model()
        alone = matrix.take(np.array([place_of(matrix, row)]))
        view = model.explain(alone, alone.ids[0])
        if alone.table is not None and alone.table.text_column:
            talk.answer["text"] = alone.table.texts[0]
            talk.say(alone.table.texts[0])
        shares = dict(zip(model.labels_, model.predict_proba(alone)[0].round(6).tolist(), strict=True))
        talk.show(view, row=row, label=model.predict(alone)[0], probabilities=shares, parts=view.records())
        talk.next(f"consilience show --where '{_who_voted(view)}'" if _who_voted(view) else "consilience show")


def _who_voted(view: object) -> str:
    """The function that counted most, if its name can stand in a query."""
    names = [line[0] for line in view.rows if line[1] not in ("", "(silent)")]  # type: ignore[attr-defined]
    return names[0] if names and str(names[0]).isidentifier() else ""
