"""The network that ``dl finetune --backbone NAME --weights …`` starts from: published weights, a file's, or none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dlcli.classifier import Classifier
from dlcli.commands.console import Talk
from dlcli.commands.pretrained import published_weights
from dlcli.data.fetchable import readable
from dlcli.errors import UsageError, nearest, suggestion
from dlcli.models.foreign_weights import fitted
from dlcli.models.pretrained import DEFAULTS, PREFIX, Pretrained, describe
from dlcli.models.weight_files import tensors_of
from dlcli.runs.given_weights import ENDINGS, is_path, is_there, read_given

NONE = "none"
_TYPED = "--backbone "


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A network to adapt, and the weights that it starts from.

    Args:
        published: the architecture: its configuration, preprocessing and classes.
        tensors: the weights under the names that they have where they come from; None for random ones.
        source: where they come from, for messages: the file's name, or the model reference.
        reference: what goes into ``parent``: ``pretrained:NAME``; None for a file, whose content no reference names, and for
            random weights.
        origin: what goes into the run's record: the backbone, its set of weights or file or "none", and the sha256 of these,
            of published ones as far as it is published.
    """

    published: Pretrained
    tensors: Mapping[str, Tensor] | None
    source: str
    reference: str | None
    origin: Mapping[str, str]


def load_backbone(name: str, weights: str, talk: Talk, *, size: int | None = None) -> Backbone:
    """Returns a network by its name, with weights.

    Args:
        name: of a classifier of torchvision, ``efficientnet_lite0``, 1 or 2, or ``timm/NAME``; with ``@SET`` its set of weights.
        weights: ``imagenet`` (the network's default), the name of a set, a file that ends in .safetensors, .pth, .pt or .bin, or
            ``none``. Of a file's network the architecture and the preprocessing are the published ones of ``name``.
        size: the input side that somebody wants, which a network of one size may refuse before its weights are fetched.

    Raises:
        UsageError: there is no such network, set or file, or it takes images of another size alone. DataError: what is there is
        no weights, or others than published. StorageError: they are not here and cannot be reached, or not read.
    """
    named = describe(name.removeprefix(PREFIX), typed=_TYPED)
    listed = weights.casefold() != NONE and not is_path(weights)
    published = _with_set(name.removeprefix(PREFIX), weights) if listed else named
    if published.one_size:
        refuse_other_size(published.reference if listed else published.network, published.preprocessing.shape[1], size)
    if weights.casefold() == NONE:
        talk.line(f"no pretrained weights: {named.network} starts from random ones")
        origin = {"backbone": named.network, "weights": NONE}
        return Backbone(published=named, tensors=None, source=named.network, reference=None, origin=origin)
    if is_path(weights):
        return _of_file(named, weights, talk)
    tensors = published_weights(published, talk)
    origin = {"backbone": published.network, "weights": published.weights}
    origin |= {"sha256": published.digest} if published.digest else {}
    return Backbone(
        published=published, tensors=tensors, source=published.reference, reference=published.reference, origin=origin
    )


def refuse_other_size(name: str, own: int, asked: int | None) -> None:
    """Raises UsageError where a network that takes images of one size alone is asked for another one."""
    if asked not in {None, own}:
        reason = f"{name} takes images of {own} x {own} px alone, with one learned vector for each position"
        raise UsageError(f"{reason}; got size {asked}", hint=f"--size {own}, or a convolutional backbone")


def start_weights(backbone: Backbone, model: Classifier, *, head: str, talk: Talk) -> dict[str, Tensor]:
    """Returns a whole state for ``model``: the body of the backbone's weights, the head as the model has it.

    Args:
        model: freshly built from the backbone's configuration, for any classes.
        head: the dotted name of the layer in it that gives the logits, such as ``net.net.fc``.

    Raises:
        DataError: the weights are of another network, with the first five tensors that differ.
    """
    own = model.state_dict()
    if backbone.tensors is None:
        return own
    found = fitted(backbone.tensors, own, head=head, source=backbone.source)
    if backbone.reference is None:  # what fits of published weights is no news
        talk.line(f"{found.note}{'; a new head is made all the same' if found.head else ''}")
    return {name: found.body.get(name, tensor) for name, tensor in own.items()}


def _of_file(named: Pretrained, weights: str, talk: Talk) -> Backbone:
    data = read_given(weights)
    file = Path(weights).name
    tensors = tensors_of(data, source=file)
    talk.line(f"weights: {file}, {readable(len(data))}; preprocessing as published for {named.name}")
    origin = {"backbone": named.network, "weights": file, "sha256": hashlib.sha256(data).hexdigest()}
    return Backbone(published=named, tensors=tensors, source=file, reference=None, origin=origin)


def _with_set(name: str, weights: str) -> Pretrained:
    """The network with a set of weights; what is typed wrong may also have been meant for ``none`` or a file."""
    try:
        return describe(name, weights, typed=_TYPED)
    except UsageError as error:
        if is_there(weights):
            reason = f"--weights {weights}: a file of weights ends in {', '.join(ENDINGS)}"
            raise UsageError(reason, hint=f"--weights FILE{ENDINGS[0]}, or another of these") from error
        expected = f"expected {DEFAULTS[0]}, {NONE}, the name of a set or a file ({', '.join(ENDINGS)})"
        near = nearest(weights, [NONE, *DEFAULTS], limit=1)
        if near and not weights.casefold().startswith(near[0]):  # IMAGENET1K_V9 was meant for one of the network's own sets
            raise UsageError(f"--weights {weights}: {expected}{suggestion(near)}", hint=f"--weights {near[0]}") from error
        own = (error.hint or "").rpartition("@")[2] if "@" in (error.hint or "") else DEFAULTS[0]
        raise UsageError(f"--weights {weights}: {error.message}", hint=f"--weights {own}") from error
