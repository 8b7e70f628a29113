"""Where ``--backbone NAME --weights …`` starts: torchvision's own networks are the files, a loopback server their publisher."""

import hashlib
import http.server
import io
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision import models

from dlcli.classifier import Classifier
from dlcli.commands import backbone as module
from dlcli.commands.backbone import load_backbone, start_weights
from dlcli.commands.console import Talk
from dlcli.contracts import DataSpec
from dlcli.errors import DataError, StorageError, UsageError
from dlcli.models.pretrained import describe
from dlcli.models.torchvision_model import TorchvisionModel
from dlcli.models.weight_files import as_safetensors
from dlcli.runs import download as downloading
from dlcli.runs.weights import kept_folder

HEAD = "net.net.classifier.1"  # of SqueezeNet, a convolution
SPEC = DataSpec(name="any", shape=(3, 64, 64), classes=tuple("abc"), mean=(0.5,) * 3, std=(0.5,) * 3, epsilon={})


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(downloading, "PAUSES", (0.01, 0.01))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return models.squeezenet1_1(weights=None).state_dict()


@pytest.fixture
def model():
    torch.manual_seed(1)
    return Classifier(SPEC, TorchvisionModel(spec=SPEC, name="squeezenet1_1", small_images=False))


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.fixture
def publish(monkeypatch):
    """Publishes bytes as the weights of SqueezeNet on a loopback server: ``publish(data, digest_of, cuts)``."""
    servers = []

    def start(data, digest_of=None, cuts=()):
        left = list(cuts)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
                self.send_response(206 if begin else 200)
                if begin:
                    self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - begin))
                self.end_headers()
                self.wfile.write(data[begin:][: left.pop(0) if left else None])
                self.close_connection = True

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        digest = hashlib.sha256(data if digest_of is None else digest_of).hexdigest()[:8]
        file = f"squeezenet1_1-{digest}.pth"
        url = f"http://127.0.0.1:{server.server_port}/{file}"
        published = replace(describe("squeezenet1_1"), file=file, digest=digest, url=url)
        monkeypatch.setattr(module, "describe", lambda *_, **__: published)
        return published

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def assert_starts_from(weights, network, model):
    """The body is the file's and the head the model's."""
    own = model.state_dict()
    assert weights.keys() == own.keys()
    for name, tensor in weights.items():
        expected = own[name] if name.startswith(HEAD) else network[name.removeprefix("net.net.")]
        assert torch.equal(tensor, expected), name


def test_published_weights_come_over_a_cut_line_once_and_start_the_body(publish, network, model, monkeypatch):
    published = publish(saved(network), cuts=[0, 1_000_000, 2_000_000])
    for url in (published.url, "http://127.0.0.1:9/none"):
        monkeypatch.setattr(module, "describe", lambda *_, url=url, **__: replace(published, url=url))
        backbone = load_backbone("squeezenet1_1", "imagenet", Talk(quiet=True))
        assert_starts_from(start_weights(backbone, model, head=HEAD, talk=Talk(quiet=True)), network, model)
        assert backbone.reference == backbone.source == "pretrained:squeezenet1_1"
        assert backbone.origin == {"backbone": "squeezenet1_1", "weights": "IMAGENET1K_V1", "sha256": published.digest}


def test_a_file_with_another_hash_is_deleted_and_said(publish, network):
    published = publish(saved(network), digest_of=b"what was published")
    with pytest.raises(DataError, match=f"expected {published.digest}") as caught:
        load_backbone("squeezenet1_1", "imagenet", Talk(quiet=True))
    assert "what came was deleted" in caught.value.message
    assert not list(kept_folder(published).parent.glob("*"))


def test_what_cannot_be_reached_is_an_error_and_never_random_weights(publish, network, monkeypatch):
    published = publish(saved(network))
    monkeypatch.setattr(module, "describe", lambda *_, **__: replace(published, url="http://127.0.0.1:9/none"))
    with pytest.raises(StorageError, match="are not here"):
        load_backbone("squeezenet1_1", "imagenet", Talk(quiet=True))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("own.pth", saved),
        ("own.pt", lambda state: saved({"epoch": 1, "state_dict": {f"module.{name}": value for name, value in state.items()}})),
        ("own.safetensors", as_safetensors),
        ("own.bin", lambda state: saved({name: value.half() for name, value in state.items()})),
    ],
)
def test_a_file_starts_the_body_and_what_became_of_it_is_said(file, content, network, model, capsys):
    data = content(network)
    Path(file).write_bytes(data)
    backbone = load_backbone("squeezenet1_1", f"./{file}", Talk())
    weights = start_weights(backbone, model, head=HEAD, talk=Talk())
    half = {name: value.half().float() for name, value in network.items()}
    assert_starts_from(weights, half if file == "own.bin" else network, model)
    assert (backbone.reference, backbone.source) == (None, file)
    assert backbone.origin == {"backbone": "squeezenet1_1", "weights": file, "sha256": hashlib.sha256(data).hexdigest()}
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"weights: {file}, ")
    assert lines[0].endswith("preprocessing as published for squeezenet1_1")
    assert lines[1].startswith(f"{file}: 50 tensors fit")  # 25 convolutions with weights and biases, besides the head
    assert "its head is 1000 x 512 x 1 x 1 (1000 outputs), yours has 3: a new head is made" in lines[1]


def test_a_head_that_would_fit_is_new_all_the_same(model, tmp_path, capsys):
    (tmp_path / "own.safetensors").write_bytes(as_safetensors({name: value + 1 for name, value in model.state_dict().items()}))
    backbone = load_backbone("squeezenet1_1", "own.safetensors", Talk())
    weights = start_weights(backbone, model, head=HEAD, talk=Talk())
    assert torch.equal(weights[f"{HEAD}.weight"], model.state_dict()[f"{HEAD}.weight"])
    assert capsys.readouterr().err.splitlines()[1].endswith("as yours; a new head is made all the same")


def test_no_weights_are_said_to_be_random_and_are_the_models_own(model, capsys):
    backbone = load_backbone("squeezenet1_1", "none", Talk())
    assert "no pretrained weights: squeezenet1_1 starts from random ones" in capsys.readouterr().err
    weights = start_weights(backbone, model, head=HEAD, talk=Talk())
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())
    assert (backbone.reference, backbone.origin) == (None, {"backbone": "squeezenet1_1", "weights": "none"})


def test_a_set_is_named_behind_the_backbone_or_by_weights(monkeypatch):
    monkeypatch.setattr(module, "published_weights", lambda published, talk: {})
    found = [
        load_backbone(name, weights, Talk(quiet=True))
        for name, weights in (
            ("resnet50@IMAGENET1K_V1", "imagenet"),
            ("resnet50", "IMAGENET1K_V1"),
            ("pretrained:resnet50@IMAGENET1K_V1", "imagenet"),
        )
    ]
    assert {one.reference for one in found} == {"pretrained:resnet50@IMAGENET1K_V1"}
    assert found[0].origin == {"backbone": "resnet50", "weights": "IMAGENET1K_V1", "sha256": "0676ba61"}


def test_a_files_preprocessing_is_that_of_the_set_behind_the_backbone():
    backbone = load_backbone("vit_b_16@IMAGENET1K_SWAG_E2E_V1", "none", Talk(quiet=True))
    assert backbone.published.preprocessing.shape == (3, 384, 384)


@pytest.mark.parametrize(
    ("name", "weights", "said", "hint"),
    [
        ("resnet81", "imagenet", "there is no model 'resnet81'; .*did you mean 'resnet18'", "--backbone resnet18"),
        ("resnet81", "none", "there is no model 'resnet81'", "--backbone resnet18"),
        ("fcn_resnet50", "imagenet", "is a network for segmentation, not a classifier", "--backbone resnet50"),
        ("resnet50", "IMAGENET1K_V3", "it has IMAGENET1K_V1 and IMAGENET1K_V2", "--weights IMAGENET1K_V2"),
        (
            "resnet50",
            "something",
            "--weights something: resnet50 has no weights 'something'; it has IMAGENET1K_V1 and",
            "--weights IMAGENET1K_V1",
        ),
        (
            "resnet50",
            "imagnet",
            "expected imagenet, none, the name of a set or a file .*; did you mean 'imagenet'",
            "--weights imagenet",
        ),
        ("resnet50", "nonne", "did you mean 'none'", "--weights none"),
        ("resnet50", "weights", "a file of weights ends in .safetensors", "--weights FILE.safetensors, or another of these"),
        ("resnet50", "ownn.pth", "there is no such file", "--weights own.pth"),
    ],
)
def test_what_is_typed_wrong_is_answered_with_what_to_type(name, weights, said, hint, tmp_path):
    (tmp_path / "weights").write_bytes(b"")
    (tmp_path / "own.pth").write_bytes(b"")
    with pytest.raises(UsageError, match=said) as caught:
        load_backbone(name, weights, Talk(quiet=True))
    assert caught.value.hint == hint


class Evil:
    """Its pickle would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {"state_dict": {"a": evil}}, lambda evil: [evil]])
@pytest.mark.parametrize("file", ["evil.pth", "evil.pt", "evil.bin", "evil.safetensors"])
def test_a_malicious_file_is_refused_and_nothing_of_it_runs(wrap, file, tmp_path):
    goal = tmp_path / "created"
    (tmp_path / file).write_bytes(saved(wrap(Evil(goal))))
    with pytest.raises(DataError):
        load_backbone("squeezenet1_1", file, Talk(quiet=True))
    assert not goal.exists()


def test_a_whole_module_is_answered_with_what_to_save(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(DataError, match="more than weights; nothing of it was run") as caught:
        load_backbone("squeezenet1_1", "whole.pth", Talk(quiet=True))
    assert "torch.save(model.state_dict(), FILE)" in str(caught.value.hint)


@pytest.mark.parametrize("cut", [0, 10, 1000, -1000])
def test_a_truncated_file_is_refused(cut, network, tmp_path):
    (tmp_path / "cut.pth").write_bytes(saved(network)[:cut])
    with pytest.raises(DataError, match=r"cut\.pth is (damaged|cut off)"):
        load_backbone("squeezenet1_1", "cut.pth", Talk(quiet=True))


def test_weights_of_another_network_are_refused_by_the_tensors_that_differ(model, tmp_path):
    torch.save(models.mobilenet_v3_small(weights=None).state_dict(), tmp_path / "other.pth")
    backbone = load_backbone("squeezenet1_1", "other.pth", Talk(quiet=True))
    with pytest.raises(DataError, match=r"other\.pth holds weights of another network: features\.0\.weight is missing") as caught:
        start_weights(backbone, model, head=HEAD, talk=Talk(quiet=True))
    assert caught.value.hint == "--weights imagenet, or the backbone that the file was made with"


@pytest.mark.parametrize("weights", ["imagenet", "IMAGENET1K_V1", "none", "missing.pth"])
def test_a_size_that_a_network_never_takes_is_refused_before_its_weights_are_looked_for(weights, monkeypatch):
    def looked_for(*_):
        pytest.fail("the weights were looked for")

    monkeypatch.setattr(module, "published_weights", looked_for)
    with pytest.raises(UsageError, match=r"takes images of 224 x 224 px alone, .*; got size 96") as refused:
        load_backbone("vit_b_16", weights, Talk(quiet=True), size=96)
    assert refused.value.hint == "--size 224, or a convolutional backbone"
