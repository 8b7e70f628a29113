from markdown_it import MarkdownIt  # comes with rich

from dlcli.report.model_page import SECTIONS, model_page
from dlcli.report.page_html import html
from dlcli.report.page_markdown import markdown

HOSTILE = '"><script>alert(1)</script>'


def test_a_report_on_hostile_names_has_no_fault_and_no_more_tags_than_a_plain_one(
    faults, read_page, make_dossier, make_run, shot
):
    def page(name):
        spec = {"name": name, "kind": "image", "shape": [1, 2, 2], "classes": [name, name]}
        entry = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 5}
        metrics = {"test/accuracy": entry, **{f"test/recall/{number}": entry for number in (0, 1)}, f"test/{name}": entry}
        groups = {
            "positive": name,
            "columns": [{"column": name, "verdict": name, "groups": [{"name": name, "metrics": {name: entry}}]}],
        }
        fields = {"name": name, "config_text": name, "files": {name: name, "x": name}, "shots": {name: shot}, "remarks": (name,)}
        information = {"command": name, "versions": {name: name}, "data": {"notes": [name], "sizes": {name: 3}}}
        model = make_run(information=information, metrics=metrics, **fields)
        measured = tuple(make_run(verb, metrics=metrics, groups=groups, **fields) for verb in ("evaluate", "attack", "explain"))
        notes = {"Intended use": (name,)}
        dossier = make_dossier(
            model=model, state={"spec": spec}, measured=measured, notes=notes, missing_parent=name, remarks=(name,)
        )
        return model_page(dossier)

    hostile = html(page(HOSTILE))
    assert faults(hostile) == []
    assert [tag for tag, _ in read_page(hostile).tags] == [tag for tag, _ in read_page(html(page("plain"))).tags]
    tokens = MarkdownIt("commonmark").parse(markdown(page(HOSTILE)).decode())
    kinds = {
        each.type for token in tokens for each in (token, *(token.children or ())) if "made by dl report" not in each.content
    }
    assert "inline" in kinds
    assert not kinds & {"html_block", "html_inline", "link_open"}


def test_every_section_is_there_even_where_nothing_is_known(make_dossier, make_run, faults):
    empty = make_dossier(model=make_run(metrics={}, information={}, config_text=""), state={})
    page = model_page(empty)
    assert len(page.sections) == len(SECTIONS) == 13
    assert faults(html(page)) == []
    assert all(section.blocks or section.parts for section in page.sections)
