"""A linear probe both ways: the plain one, which runs the frozen network in every epoch, and dlcli's, which runs it once."""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch.nn.functional import cross_entropy

from dlcli.commands.best_epoch import fit_and_keep_best
from dlcli.commands.bundle import load_bundle
from dlcli.commands.console import Talk
from dlcli.commands.signals import StopFlag
from dlcli.commands.start import find_start, network_for
from dlcli.commands.strategy import prepare_finetuning
from dlcli.config.compose import compose
from dlcli.config.schema import FinetuneSettings, checked_settings

QUIET, CPU = Talk(quiet=True), torch.device("cpu")


def cached(settings: FinetuneSettings) -> float:
    """Seconds for features and all epochs, as ``dl finetune --strategy linear-probe`` does it."""
    bundle = load_bundle(settings)
    network = network_for(find_start(settings, QUIET), bundle.spec, settings, side=settings.size)
    started = time.perf_counter()
    job = prepare_finetuning(settings, network.model, bundle, node=network.node, device=CPU, talk=QUIET)
    fit_and_keep_best(job, StopFlag())
    return time.perf_counter() - started


def plain(settings: FinetuneSettings) -> float:
    """Seconds for the same epochs with the frozen network in the loop, in evaluation mode and without its gradients."""
    bundle = load_bundle(settings)
    network = network_for(find_start(settings, QUIET), bundle.spec, settings, side=settings.size)
    model = network.model.to(memory_format=torch.channels_last).eval().requires_grad_(False)
    head = model.get_submodule(str(network.head)).requires_grad_(True)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.005)
    started = time.perf_counter()
    for _ in range(settings.trainer.epochs):
        for batch in bundle.train.batches(torch.randperm(len(bundle.train)), settings.trainer.batch_size):
            optimizer.zero_grad()
            cross_entropy(model(batch.inputs), batch.targets).backward()
            optimizer.step()
        with torch.no_grad():
            for batch in bundle.val.batches(torch.arange(len(bundle.val)), settings.trainer.eval_batch_size):
                model(batch.inputs)
    return time.perf_counter() - started


def main() -> None:
    """Prints the seconds of one way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=["cached", "plain"])
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    recipe = ["trainer=transfer", "optimizer=adamw_transfer", "data=mnist", "labels=1000", "strategy=linear_probe"]
    settings = checked_settings("finetune", compose("finetune", [*recipe, *options.overrides]))
    assert isinstance(settings, FinetuneSettings)
    print(json.dumps({"training_seconds": {"cached": cached, "plain": plain}[options.way](settings)}))


if __name__ == "__main__":
    main()
