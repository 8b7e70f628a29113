"""What is said of weights, from weights that are known."""

from __future__ import annotations

from dlcli.commands.columns_words import Difference, csv_files, difference_arrays, group_tables, weight_table, words_of
from dlcli.contracts import Metric

WEIGHTS = {"Pay": Metric(0.2, 0.1, 0.3, 9, "bootstrap"), "Over": Metric(0.5, 0.4, 0.6, 9, "bootstrap")}
RISES = {"Pay": Metric(0.01, -0.1, 0.1, 9, "t"), "Over": Metric(0.3, 0.2, 0.4, 9, "t")}
CLEAR = Difference("Sex: f less m", "Over", Metric(-0.3, -0.4, -0.2, 9, "bootstrap"))
UNCLEAR = Difference("Sex: f less m", "Pay", Metric(0.1, -0.1, 0.2, 9, "bootstrap"))


def test_a_table_has_the_columns_in_their_order() -> None:
    assert weight_table(["Over", "Pay"], WEIGHTS, RISES)[1] == ["Over", "0.500 [0.400, 0.600]", "0.300 [0.200, 0.400]"]


def test_only_differences_whose_interval_excludes_zero_are_shown_and_all_are_kept() -> None:
    ((_, rows),) = group_tables([UNCLEAR, CLEAR], 5)
    assert [row[1] for row in rows] == ["column", "Over"]
    assert group_tables([UNCLEAR], 5) == []
    assert difference_arrays([UNCLEAR, CLEAR])["differences"] == [[0.1, -0.1, 0.2], [-0.3, -0.4, -0.2]]
    assert difference_arrays([]) == {}


def test_words_count_what_is_sure() -> None:
    said = words_of(["Over", "Pay"], RISES, 0.5, 9, [UNCLEAR, CLEAR])
    assert said[0] == "Over weighs most of 2 columns, n = 9; shuffling 1 of them surely costs"
    assert said[2].startswith("groups: 1 of 2 differences exclude zero")
    assert not any(line.startswith("groups") for line in words_of(["Over", "Pay"], RISES, 0.5, 9, []))


def test_files_have_every_figure_with_its_bounds_and_groups_where_there_are_some() -> None:
    files = csv_files(["Pay", "Over"], WEIGHTS, RISES, [CLEAR])
    lines = files["weights.csv"].decode().splitlines()
    assert lines[0] == "column,importance,importance_low,importance_high,permutation,permutation_low,permutation_high"
    assert lines[1] == "Pay,0.200000,0.100000,0.300000,0.010000,-0.100000,0.100000"
    assert files["groups.csv"].decode().splitlines()[1] == "Sex: f less m,Over,-0.300000,-0.400000,-0.200000"
    assert set(csv_files(["Pay"], WEIGHTS, RISES, [])) == {"weights.csv"}
    bare = {"Pay": Metric(0.2, n=1)}
    assert csv_files(["Pay"], bare, bare, [])["weights.csv"].decode().splitlines()[1] == "Pay,0.200000,,,0.200000,,"
