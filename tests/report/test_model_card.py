import pytest

from dlcli.errors import UsageError
from dlcli.report.model_card import FIELDS, card, read_notes
from dlcli.report.page import Text

NOTES = """
## Intended use
To show
how it works.

Not for more.
# OUT OF SCOPE
- people
- animals
"""


def texts(section, tone):
    return [block.text for part in section.parts for block in part.blocks if isinstance(block, Text) and block.tone == tone]


def test_every_field_that_nobody_filled_is_marked(make_dossier):
    assert len(texts(card(make_dossier()), "fill")) == len(FIELDS) == 5


def test_what_a_person_wrote_stands_in_its_field_instead_of_the_mark(make_dossier):
    section = card(make_dossier(notes=read_notes(NOTES)))
    assert len(texts(section, "fill")) == 3
    assert {"To show how it works.", "Not for more.", "- people", "- animals"} <= set(texts(section, "plain"))


def test_paragraphs_and_items_are_apart_and_headings_are_known_in_any_case():
    assert read_notes(NOTES) == {
        "Intended use": ("To show how it works.", "Not for more."),
        "Out of scope": ("- people", "- animals"),
    }
    assert read_notes("") == {}
    assert read_notes("## Factors\n\n## Ethical considerations\nx") == {"Ethical considerations": ("x",)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("## Intended usage\nx", "did you mean 'Intended use'?"),
        ("just text", "expected a heading"),
        ("## Factors\na\n## Factors\nb", "is there twice"),
    ],
)
def test_other_notes_are_refused_with_what_was_expected(text, words):
    with pytest.raises(UsageError) as raised:
        read_notes(text)
    assert words in raised.value.message
    assert raised.value.hint


def test_facts_are_said_where_they_are_known(make_dossier, make_run):
    plain = " ".join(texts(card(make_dossier(state={})), "plain"))
    assert "Nobody has tried to fool it." in plain
    assert "No groups were measured" in plain
    assert "not measured on data from elsewhere" in plain
    shifted = make_run("evaluate", config={"data": {"x": 1}})
    known = " ".join(texts(card(make_dossier(measured=(shifted, make_run("attack"), make_run("evaluate", groups={})))), "plain"))
    assert "measured on other data than its own by" in known
    assert "Nobody has tried" not in known
    assert "Groups were measured" in known


def test_the_size_of_the_training_data_is_named(make_dossier, make_run):
    model = make_run(information={"data": {"sizes": {"train": 1030}}})
    assert "Training data: 1 030 examples" in " ".join(texts(card(make_dossier(model=model)), "plain"))


def test_an_evaluation_under_an_attack_tried_to_fool_it(make_dossier, make_run, entry):
    run = make_run("evaluate", metrics={"test/accuracy": entry(0.9), "attack/robust_accuracy": entry(0.2)})
    assert "Nobody has tried" not in " ".join(texts(card(make_dossier(state={}, measured=(run,))), "plain"))
