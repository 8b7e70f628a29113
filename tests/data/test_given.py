import pytest

from dlcli.data.given import given, natural
from dlcli.errors import UsageError


def test_numbers_in_names_are_ordered_by_their_value():
    assert sorted(["a10.png", "a2.png", "B1.png", "a1.png"], key=natural) == ["a1.png", "a2.png", "a10.png", "B1.png"]


def test_a_folder_stands_for_its_images_at_any_depth_and_counts_the_rest(tmp_path):
    for name in ("10.png", "2.JPG", "sub/1.webp", "notes.txt", ".hidden.png", ".git/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = given([str(tmp_path)])
    assert [str(path.relative_to(tmp_path)) for path in found.files] == ["2.JPG", "10.png", "sub/1.webp"]
    assert found.folders == ((tmp_path, 1),)


def test_a_file_named_twice_is_read_once(tmp_path):
    (tmp_path / "a.png").touch()
    assert given([str(tmp_path / "a.png"), str(tmp_path)]).files == (tmp_path / "a.png",)


def test_a_pattern_that_no_shell_expanded_is_expanded(tmp_path):
    for name in ("a10.png", "a2.png", "b.jpg"):
        (tmp_path / name).touch()
    assert [path.name for path in given([f"{tmp_path}/a*.png"]).files] == ["a2.png", "a10.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    (tmp_path / "a[1].png").touch()
    assert [path.name for path in given([str(tmp_path / "a[1].png")]).files] == ["a[1].png"]


def test_a_missing_file_is_answered_with_the_near_one(tmp_path):
    (tmp_path / "photo.png").touch()
    with pytest.raises(UsageError, match=r"there is no file .*phto.png.*did you mean 'photo.png'"):
        given([str(tmp_path / "phto.png")])


@pytest.mark.parametrize("typed", ["no/where/a.png", "*.nothing", "a\0b"])
def test_what_is_not_there_is_a_usage_error(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        given([typed])


def test_a_folder_without_images_names_a_table_that_is_in_it(tmp_path):
    (tmp_path / "people.csv").touch()
    with pytest.raises(UsageError, match="no files matched") as caught:
        given([str(tmp_path)])
    assert "people.csv" in caught.value.hint


def test_a_link_that_leads_round_in_circles_ends(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(given([str(tmp_path)]).files) == 1


def test_asking_loads_no_torch(python):
    answer = python("import sys; from dlcli.data.given import given; print('torch' in sys.modules)")
    assert answer.out == "False\n"
