import pytest

from dlcli.config.compose import compose
from dlcli.config.library import LIBRARIES, spelled_out
from dlcli.config.mistakes import check
from dlcli.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("model=timm/convnext_atto", ["model=timm", "model.name=convnext_atto"]),
        ("model=timm/vit_tiny_patch16_224.augreg", ["model=timm", "model.name=vit_tiny_patch16_224.augreg"]),
        ("model=torchvision/resnet18, torchvision/vgg11", ["model=torchvision", "model.name=resnet18,vgg11"]),
        ("model=torchvision", ["model=torchvision"]),
        ("model=resnet18,vgg11", ["model=resnet18,vgg11"]),
        ("model=mine/resnet18", ["model=mine/resnet18"]),
        ("data.root=torchvision/resnet18", ["data.root=torchvision/resnet18"]),
        ("+model=x", ["+model=x"]),
        ("~model", ["~model"]),
        ("strategy=linear-probe", ["strategy=linear_probe"]),
        ("strategy=last-2", ["strategy=last_stages", "strategy.last=2"]),
        ("strategy=full,gradual", ["strategy=full,gradual"]),
        ("strategy=last-1,last-2", ["strategy=last_stages", "strategy.last=1,2"]),
        ("strategy=my-own,head-first", ["strategy=my-own,head_first"]),
        ("strategy.last=3", ["strategy.last=3"]),
    ],
)
def test_one_word_is_spelled_out_and_all_else_stays(typed, meant):
    assert spelled_out(["seed=1", typed, "model.outputs=2"]) == ["seed=1", *meant, "model.outputs=2"]


@pytest.mark.parametrize("mixed", ["model=timm/resnet18,torchvision/resnet18", "model=small_cnn,torchvision/resnet18"])
def test_one_sweep_over_several_libraries_is_refused(mixed):
    with pytest.raises(UsageError, match="one sweep takes networks of one library"):
        spelled_out([mixed])


def test_one_sweep_over_last_stages_and_other_strategies_is_refused():
    with pytest.raises(UsageError, match="one sweep takes last-N alone"):
        spelled_out(["strategy=last-2,full"])


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_entry_takes_the_name(library):
    values = compose("train", spelled_out([f"model={library}/densenet121"]))
    assert values["model"]["name"] == "densenet121"


def test_a_misspelt_network_is_answered_with_the_near_ones():
    overrides = spelled_out(["model=torchvision/densnet121"])
    (mistake,) = check("train", compose("train", overrides), overrides=overrides)[1]
    assert mistake.startswith("model.name must be a classifier of torchvision, got 'densnet121'; did you mean 'densenet121'")


def test_no_last_stage_at_all_is_the_probe_and_says_so():
    with pytest.raises(UsageError, match="no stage before the head is the head alone") as refused:
        spelled_out(["strategy=last-0"])
    assert refused.value.hint == "--strategy linear-probe, or last-1"
