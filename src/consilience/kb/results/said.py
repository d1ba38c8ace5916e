"""What grounding and updates say they did, in a line for people; and whether what changed bears on the weights."""

from __future__ import annotations

from consilience.kb.grounding.delta import Update, UpdateReport
from consilience.kb.grounding.ground import GroundReport


def teaches(done: Update) -> bool:
    """Whether there are weights that nothing was learned for, or other labels than those that were learned from."""
    change = done.change
    if change is None or done.report.soft_changed or len(change.evidence_at):
        return True
    return bool((~change.weight_is_fixed).any() or (change.evidence >= 0).any())


def grounded_line(report: GroundReport) -> str:
    """How much there is of everything, and where labels disagree."""
    rows, factors = sum(report.rows.values()), sum(report.factors.values())
    said = (
        f"{rows:,} rows, {sum(report.variables.values()):,} variables, {factors:,} factors, {report.weights:,} weights"
    )
    conflicts = sum(report.conflicts.values())
    return said + (f"; labels of {conflicts:,} variables disagree" if conflicts else "")


def updated_line(report: UpdateReport) -> str:
    """How much came and went, and what had to be derived whole."""
    if report.whole is not None:
        return f"everything anew: {report.whole}"
    came = sum(n for n in report.rows.values() if n > 0)
    new, gone = sum(report.variables_new.values()), sum(report.variables_gone.values())
    added, removed = sum(report.factors_added.values()), sum(report.factors_removed.values())
    counts = {"row": came, "variable": new, "variable gone": gone, "label": report.evidence}
    counts |= {"factor": added, "factor gone": removed, "weight": report.weights_new}
    said = [f"{n:,} {_plural(what) if n != 1 else what}" for what, n in counts.items() if n]
    recomputed = [f"{rule} derived whole ({why})" for rule, why in report.recomputed.items()]
    return "; ".join([", ".join(said) or "nothing changed", *recomputed])


def _plural(what: str) -> str:
    """As `factors gone` of `factor gone`."""
    first, _, rest = what.partition(" ")
    return " ".join(filter(None, [f"{first}s", rest]))
