"""What a published network is called, and its tensors."""

from dataclasses import replace

import pytest
import torch

from dlcli.models.pretrained import describe
from dlcli.models.published import digest_in


@pytest.mark.parametrize(
    ("file", "digest"),
    [("resnet18-f37072fd.pth", "f37072fd"), ("net-0123456789ab.pth", "0123456789ab"), ("net-cafe.pth", ""), ("net.pth", "")],
)
def test_the_hash_is_read_from_a_hub_files_name(file, digest):
    assert digest_in(file) == digest


def test_the_network_is_the_name_before_its_set():
    found = replace(describe("resnet50"), name="resnet50@IMAGENET1K_V1")
    assert found.network == "resnet50"
    assert found.reference == "pretrained:resnet50@IMAGENET1K_V1"


def test_auxiliary_heads_have_no_place_also_where_a_set_is_named():
    found = replace(describe("googlenet"), name="googlenet@SOME")
    assert list(found.own_weights({"aux1.conv.weight": torch.zeros(1), "fc.bias": torch.zeros(1)})) == ["net.net.fc.bias"]
