import pytest

from dlcli.commands import doctor
from dlcli.commands.doctor import examine


def state_of(what: str) -> dict:
    return next(item for item in examine() if item["what"] == what)


def test_everything_that_runs_need_is_looked_at():
    found = [item["what"] for item in examine()]
    assert found[:3] == ["python", "dlcli", "torch"]
    assert {
        "device",
        "threads",
        "bf16 units",
        "disk",
        "runs writable",
        "data mnist",
        "data digits",
        "weights builtin:mnist",
    } <= set(found)
    assert all(isinstance(item["ok"], bool) and item["state"] for item in examine())


def test_what_is_missing_says_what_it_costs(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "ASSETS", tmp_path)
    assert state_of("data mnist") == {"what": "data mnist", "ok": False, "state": "missing: reinstall dlcli (12 MB)"}
    assert not state_of("weights builtin:mnist")["ok"]


def test_a_runs_folder_is_judged_by_the_nearest_folder_that_exists(monkeypatch, tmp_path):
    monkeypatch.setenv("DL_RUNS", str(tmp_path / "not" / "yet"))
    assert state_of("runs writable")["ok"]


def test_a_disk_without_room_is_marked(monkeypatch):
    monkeypatch.setattr(doctor.platform, "free_bytes", lambda path: 10)
    assert not state_of("disk")["ok"]
    monkeypatch.setattr(doctor.platform, "free_bytes", lambda path: None)
    assert state_of("disk")["state"] == "unknown"


@pytest.mark.parametrize("fast", [True, False])
def test_a_processor_without_bf16_units_is_told_to_keep_fp32(fast, monkeypatch):
    monkeypatch.setattr(doctor, "has_fast_bf16", lambda device: fast)
    assert (state_of("bf16 units")["state"] == "yes") == fast
