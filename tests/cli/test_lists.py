import json

import pytest

from dlcli.config.catalog import LISTED, entries


@pytest.mark.parametrize("kind", [kind for kind in LISTED if kind != "studies"])
def test_each_kind_is_listed_one_line_each_with_what_it_is_for(kind, dl):
    answer = dl("list", kind)
    names = [name for group in LISTED[kind] for name in entries(group)]
    lines = answer.out.splitlines()
    assert [line.split()[0] for line in lines] == names
    assert all(len(line.split()) > 4 for line in lines)


def test_the_same_as_json(dl):
    content = json.loads(dl("list", "attacks", "--json").out)
    assert [item["name"] for item in content["items"]] == list(entries("attack"))
    assert {tuple(item) for item in content["items"]} == {("name", "group", "description")}


def test_the_users_own_are_listed_with_their_control_characters_made_visible(dl, tmp_path):
    (tmp_path / "attack").mkdir()
    (tmp_path / "attack" / "mine.yaml").write_text("# Mine \x1b[31m, the best\n")
    lines = dl("list", "attacks", "--config-dir", str(tmp_path)).out.splitlines()
    assert next(line for line in lines if line.startswith("mine")).endswith("Mine \\x1b[31m, the best")


def test_a_kind_without_entries_says_so(dl, tmp_path, monkeypatch):
    monkeypatch.setitem(LISTED, "studies", ("study/none",))
    answer = dl("list", "studies")
    assert (answer.code, answer.out, answer.err) == (0, "", "no studies yet\n")
