import json


def test_each_thing_has_a_mark_and_a_state(dl):
    answer = dl("doctor")
    assert answer.code == 0
    assert all(line[:4] in {"ok  ", "--  "} for line in answer.out.splitlines())
    for what in ("python", "torch", "device", "disk", "data mnist", "weights builtin:mnist"):
        assert any(line[4:].startswith(what) for line in answer.out.splitlines()), what


def test_the_same_as_json(dl):
    content = json.loads(dl("doctor", "--json").out)
    assert list(content) == ["schema", "verb", "items"]
    assert all(set(item) == {"what", "ok", "state"} for item in content["items"])


def test_nothing_is_written(dl, tmp_path):
    dl("doctor")
    assert list(tmp_path.iterdir()) == []
