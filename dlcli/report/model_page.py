"""The report on a model: which sections it has, and in which order. A new section is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable

from dlcli.report.dossier import Dossier
from dlcli.report.model_card import card
from dlcli.report.model_groups import groups
from dlcli.report.model_probes import explanations, robustness
from dlcli.report.model_record import data, lineage, repeat, training
from dlcli.report.model_results import calibration, classes, mistakes, results
from dlcli.report.model_summary import headline, summary
from dlcli.report.page import Page, Section

SECTIONS: tuple[Callable[[Dossier], Section], ...] = (
    summary,
    card,
    data,
    training,
    results,
    classes,
    calibration,
    groups,
    mistakes,
    robustness,
    explanations,
    lineage,
    repeat,
)


def model_page(dossier: Dossier) -> Page:
    """Returns the page that tells everything a dossier knows."""
    return Page(
        title=f"{dossier.model.name}: report on a model",
        lead=headline(dossier),
        sections=tuple(section(dossier) for section in SECTIONS),
        foot=dossier.made,
    )
