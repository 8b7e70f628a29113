"""Class activation maps by one library on ResNet-18 and the same images, or dlcli's attributions for every row of a table."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

CPU = torch.device("cpu")
SIDE = 224
LAYER = "layer4.1"  # the last block
CAMS = ("gradcam", "gradcam_pp", "hirescam", "layercam", "xgradcam", "eigencam")
Run = Callable[[Tensor, Tensor], Tensor]


def ours(model: nn.Module) -> Run:
    """dlcli's Grad-CAM, in a process that keeps freed memory as ``dl`` does."""
    from dlcli.cli.memory import keep_freed_memory
    from dlcli.explainers.gradcam import GradCAM

    keep_freed_memory()
    explainer = GradCAM(layer=LAYER)
    return lambda images, classes: explainer(model, images, classes)


def six(model: nn.Module) -> Run:
    """Six of dlcli's maps from one pass, Grad-CAM's returned."""
    from dlcli.cli.memory import keep_freed_memory
    from dlcli.config.build import build
    from dlcli.config.compose import compose
    from dlcli.explainers.cam import together

    keep_freed_memory()
    chosen = {name: compose("explain", [f"explainer={name}", f"explainer.layer={LAYER}"]) for name in CAMS}
    explainers = {name: build("explainer", found["explainer"]) for name, found in chosen.items()}
    return lambda images, classes: together(explainers, model, images, classes)["gradcam"]


def captum(model: nn.Module) -> Run:
    """captum's Grad-CAM on the last block, enlarged as its own helper does it."""
    from captum.attr import LayerAttribution, LayerGradCam

    method = LayerGradCam(model, model.get_submodule(LAYER))

    def run(images: Tensor, classes: Tensor) -> Tensor:
        maps = method.attribute(images, target=classes, relu_attributions=True)
        return LayerAttribution.interpolate(maps, (SIDE, SIDE), interpolate_mode="bilinear")[:, 0].detach()

    return run


def grad_cam(model: nn.Module) -> Run:
    """grad-cam's Grad-CAM on the last block."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    method = GradCAM(model=model, target_layers=[model.get_submodule(LAYER)])

    def run(images: Tensor, classes: Tensor) -> Tensor:
        return torch.from_numpy(method(input_tensor=images, targets=[ClassifierOutputTarget(int(each)) for each in classes]))

    return run


LIBRARIES = {"dlcli": ours, "dlcli-six": six, "captum": captum, "grad-cam": grad_cam}


def scaled(maps: Tensor) -> Tensor:
    """Maps from 0 to 1 each, as grad-cam returns them."""
    low = maps.amin(dim=(1, 2), keepdim=True)
    return (maps - low) / (maps.amax(dim=(1, 2), keepdim=True) - low).clamp(min=1e-12)


def photos(count: int) -> Tensor:
    """Smooth colour images, the same in every process."""
    cells = torch.rand(count, 3, 14, 14, generator=torch.Generator().manual_seed(0))
    return nn.functional.interpolate(cells, size=(SIDE, SIDE), mode="bicubic").clamp(0, 1)


def measured(run: Run, images: Tensor, classes: Tensor, batch: int) -> tuple[float, Tensor]:
    """Seconds for all images, after a first batch that does not count, and the maps."""
    run(images[:batch], classes[:batch])
    started = time.perf_counter()
    maps = [run(*part) for part in zip(images.split(batch), classes.split(batch), strict=True)]
    return time.perf_counter() - started, torch.cat(maps)


def people(reference: str) -> dict[str, float]:
    """Integrated gradients of a table's network for every row of all splits."""
    from dlcli.commands.console import Talk
    from dlcli.commands.models import data_source, load_model
    from dlcli.engine.attribute import attribute
    from dlcli.explainers.integrated_gradients import IntegratedGradients

    loaded = load_model(reference, which="best", device=CPU, talk=Talk(quiet=True))
    splits = data_source(loaded.data, source=reference).load()
    started, count = time.perf_counter(), 0
    for split in (splits.train, splits.val, splits.test):
        if split is not None:
            count += sum(len(part.maps) for part in attribute(loaded.model, IntegratedGradients(), split, batch_size=500, seed=0))
    return {"rows": count, "explain_seconds": time.perf_counter() - started}


def main() -> None:
    """Prints seconds and images per second, and writes the maps for comparison."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=[*LIBRARIES, "people"])
    parser.add_argument("--run")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--maps", type=Path)
    options = parser.parse_args()
    if options.library == "people":
        print(json.dumps(people(options.run)))
        return
    from torchvision.models import resnet18

    torch.manual_seed(0)
    model = resnet18(weights=None).eval()
    images = photos(options.images)
    with torch.no_grad():
        classes = torch.cat([model(part).argmax(dim=1) for part in images.split(options.batch)])
    seconds, maps = measured(LIBRARIES[options.library](model), images, classes, options.batch)
    np.save(options.maps, scaled(maps.float()).numpy())
    print(json.dumps({"explain_seconds": seconds, "images_per_second": len(images) / seconds}))


if __name__ == "__main__":
    main()
