"""What timm publishes, by a stand-in for its lists where it is not installed."""

import sys
import types
from dataclasses import dataclass

import pytest

from dlcli.errors import UsageError
from dlcli.models.published_timm import of_timm


@dataclass
class Record:
    """The fields of timm's own record that are read here."""

    tag: str
    num_classes: int = 1000
    input_size: tuple[int, ...] = (3, 288, 288)
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.25, 0.25, 0.25)
    crop_pct: float = 0.9
    interpolation: str = "bicubic"
    fixed_input_size: bool = False
    url: str | None = None
    hf_hub_id: str = "timm/net"


@pytest.fixture
def timm(monkeypatch):
    records = {
        "net.a_in1k": Record("a_in1k"),
        "net.b_in22k": Record("b_in22k", num_classes=21841),
        "other": Record("", fixed_input_size=True),
    }
    module = types.SimpleNamespace(
        list_models=lambda pretrained: list(records),
        get_pretrained_cfg=lambda name: records.get(name, records["net.a_in1k"]),
    )
    monkeypatch.setitem(sys.modules, "timm", module)


def described(name, weights=None):
    return of_timm(name, weights, typed="--backbone ")


def test_a_network_without_a_set_keeps_its_name_and_says_which_set_it_is(timm):
    found = described("timm/net")
    assert (found.reference, found.weights, found.package) == ("pretrained:timm/net", "a_in1k", "timm/net")
    assert found.node["name"] == "net"


def test_preprocessing_is_that_of_timms_record(timm):
    found = described("timm/net").preprocessing
    assert (found.shape, found.mean, found.std, found.interpolation) == ((3, 288, 288), (0.5,) * 3, (0.25,) * 3, "bicubic")
    assert found.resize == 320  # 288 / 0.9


def test_whether_a_network_takes_one_size_alone_is_what_timm_says(timm):
    assert [described(f"timm/{name}").one_size for name in ("net", "other")] == [False, True]


def test_a_set_goes_behind_the_dot_as_in_timm(timm):
    found = described("timm/net", "a_in1k")
    assert found == described("timm/net.a_in1k")
    assert (found.reference, found.node["name"]) == ("pretrained:timm/net.a_in1k", "net.a_in1k")


@pytest.mark.parametrize(
    ("name", "weights", "said"),
    [
        ("timm/nett", None, "timm has no pretrained 'nett'; did you mean 'net'"),
        ("timm/net", "a_in2k", "timm's net has no weights 'a_in2k'; it has a_in1k, b_in22k; did you mean 'a_in1k'"),
        ("timm/net.zzz", None, "timm's net has no weights 'zzz'; it has a_in1k, b_in22k"),
        ("timm/net", "b_in22k", "has 21841 outputs, which are not ImageNet's"),
    ],
)
def test_what_timm_has_not_is_refused_with_what_it_has(timm, name, weights, said):
    with pytest.raises(UsageError, match=said):
        described(name, weights)


def test_timm_is_asked_for_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match="--backbone timm/net needs timm") as caught:
        described("timm/net")
    assert caught.value.hint == "pip install timm"
