"""What a strategy makes of one network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from dlcli.commands.bundle import load_bundle
from dlcli.commands.console import Talk
from dlcli.commands.signals import StopFlag
from dlcli.commands.start import find_start, network_for
from dlcli.commands.strategy import Layout, checked_words, layout_of, prepare_finetuning
from dlcli.commands.training import Job
from dlcli.config.compose import compose
from dlcli.config.schema import FinetuneSettings, checked_settings
from dlcli.engine.fit import fit
from dlcli.engine.state import Progress
from dlcli.errors import UsageError
from dlcli.models.stages import Stage

CPU = torch.device("cpu")
TALK = Talk(quiet=True)


def settings(*overrides: str) -> FinetuneSettings:
    few = ["run=builtin:mnist", "labels=100", "limit_test=50", "trainer.epochs=2", "trainer.log_every=1"]
    found = checked_settings("finetune", compose("finetune", [*few, *overrides]))
    assert isinstance(found, FinetuneSettings)
    return found


def job(own: FinetuneSettings, check: Callable[[], None] = lambda: None) -> Job:
    bundle = load_bundle(own)
    network = network_for(find_start(own, TALK), bundle.spec, own)
    return prepare_finetuning(own, network.model, bundle, node=network.node, device=CPU, talk=TALK, check=check)


def moved(own: Job, *, steps: int) -> set[str]:
    """The parameters that ``steps`` steps change."""
    before = {name: parameter.detach().clone() for name, parameter in own.model.named_parameters()}
    progress = Progress()
    for _ in fit(own.parts, own.plan, progress, stop=lambda: 1 if progress.step >= steps else None):
        pass
    assert progress.step == steps
    return {name for name, parameter in own.model.named_parameters() if not torch.equal(parameter, before[name])}


def stages(own: FinetuneSettings) -> list[tuple[str, ...]]:
    return [stage.parameters for stage in layout_of(job(own).model, own.strategy).stages]


def test_all_layers_move_with_the_default_and_the_body_at_a_tenth() -> None:
    own = settings()
    fitted = job(own)
    shares = {group["rate"] for group in fitted.parts.optimizer.param_groups}
    rates = {round(group["initial_lr"] / own.optimizer["lr"], 6) for group in fitted.parts.optimizer.param_groups}
    assert shares == rates == {1.0, 0.1}
    assert moved(fitted, steps=1) == {name for name, _ in fitted.model.named_parameters()}


def test_the_last_stage_alone_moves_with_the_head() -> None:
    own = settings("strategy=last_stages")
    assert moved(job(own), steps=2) == {name for stage in stages(own)[-2:] for name in stage}


def test_gradual_unfreezing_wakes_one_stage_more_each_epoch() -> None:
    own = settings("strategy=gradual", "trainer.epochs=4")
    found = stages(own)
    steps = job(own).plan.steps_per_epoch(80)
    assert moved(job(own), steps=steps) == set(found[-1])
    assert moved(job(own), steps=steps + 1) == {*found[-1], *found[-2]}
    assert moved(job(own), steps=2 * steps + 1) == {*found[-1], *found[-2], *found[-3]}


def test_each_stage_learns_slower_than_the_one_above_it_where_rates_decay() -> None:
    own = settings("strategy.stage_decay=0.5", "strategy.body_lr=0.2")
    rates = layout_of(job(own).model, own.strategy).rates()
    assert [rates[stage[0]] for stage in reversed(stages(own))][:3] == pytest.approx([1.0, 0.2, 0.1])


def test_a_linear_probe_moves_the_head_on_features_and_nothing_else() -> None:
    own = settings("strategy=linear_probe")
    fitted = job(own)
    assert fitted.parts.train.targets.tolist() == fitted.bundle.train.targets.tolist()
    batch = next(iter(fitted.parts.train.batches(torch.arange(4), 4)))
    images = next(iter(fitted.bundle.train.batches(torch.arange(4), 4))).inputs
    assert batch.inputs.ndim == 2
    with torch.no_grad():
        assert torch.allclose(fitted.parts.forward(batch.inputs), fitted.model.eval()(images), atol=1e-5)
    assert moved(fitted, steps=3) == set(stages(own)[-1])


def test_a_linear_probe_is_trained_for_the_strategys_epochs_and_to_their_end() -> None:
    assert (job(settings("strategy=linear_probe")).plan.epochs, job(settings("strategy=linear_probe")).plan.patience) == (
        30,
        None,
    )
    own = job(settings("strategy=linear_probe", "strategy.probe_epochs=0", "trainer.epochs=7", "trainer.patience=2"))
    assert (own.plan.epochs, own.plan.patience) == (7, 2)


def test_features_of_a_linear_probe_stop_where_they_are_asked_to() -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        job(settings("strategy=linear_probe"), check=stop)


def test_batch_norms_statistics_stay_or_move_as_asked() -> None:
    for choice, stay in (("frozen", True), ("trained", False)):
        fitted = job(settings("strategy=full", f"strategy.batch_norm={choice}"))
        before = {name: buffer.clone() for name, buffer in fitted.model.named_buffers() if name.endswith("running_mean")}
        assert before
        moved(fitted, steps=2)
        after = dict(fitted.model.named_buffers())
        assert all(torch.equal(after[name], mean) for name, mean in before.items()) is stay


def test_the_head_is_trained_before_the_first_step_and_the_body_waits() -> None:
    fitted = job(settings())
    assert fitted.begin is not None
    before = {name: tensor.detach().clone() for name, tensor in fitted.model.state_dict().items()}
    fitted.begin(TALK, StopFlag())
    changed = {name for name, tensor in fitted.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"net.head.weight", "net.head.bias"}


def test_a_head_trained_first_knows_more_than_a_random_one() -> None:
    fitted = job(settings())

    def hits() -> int:
        batch = next(iter(fitted.bundle.train.batches(torch.arange(80), 80)))
        with torch.no_grad():
            return int((fitted.model.eval()(batch.inputs).argmax(1) == batch.targets).sum())

    before = hits()
    assert fitted.begin is not None
    fitted.begin(TALK, StopFlag())
    assert hits() > before + 20


def test_an_average_of_weights_begins_with_the_head_that_was_trained() -> None:
    fitted = job(settings("trainer.ema=0.99"))
    assert fitted.begin is not None
    assert fitted.parts.average is not None
    fitted.begin(TALK, StopFlag())
    averaged = fitted.parts.average.tensors()
    assert all(torch.equal(averaged[name], tensor) for name, tensor in fitted.model.state_dict().items())


def test_where_epochs_are_few_gradual_unfreezing_reaches_all_stages_all_the_same() -> None:
    own = settings("strategy=gradual", "strategy.stage_epochs=5")
    layout = layout_of(job(own).model, own.strategy)
    begins = layout.thawing(steps_per_epoch=10, epochs=2).begins
    assert max(begins.values()) < 20
    assert len(set(begins.values())) == len(layout.stages)


def test_no_head_is_trained_first_where_none_is_asked_for() -> None:
    assert job(settings("strategy=full")).begin is None
    assert job(settings("strategy.probe_epochs=0")).begin is None


def test_more_stages_than_there_are_is_refused_with_their_names() -> None:
    with pytest.raises(UsageError, match=r"--strategy last-9: before its head the network has \d stages, "):
        job(settings("strategy=last_stages", "strategy.last=9"))


@pytest.mark.parametrize(
    ("override", "said"),
    [("augment=shift", "augment has no place"), ("lr_find=true", "lr_find"), ("trainer.watch=true", "watch")],
)
def test_what_needs_the_whole_network_has_no_place_in_a_linear_probe(override: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        job(settings("strategy=linear_probe", override))


def test_what_is_trained_and_what_is_frozen_is_put_into_words() -> None:
    own = settings()
    model = job(own).model
    said = {
        name: layout_of(model, settings(f"strategy={name}").strategy).words()
        for name in ("head_first", "full", "linear_probe", "gradual", "last_stages")
    }
    assert "all" in said["head_first"]
    assert "these at 0.1 of the head's rate" in said["head_first"]
    assert "rate" not in said["full"]
    assert said["linear_probe"].startswith("trained: the head 'head' alone; frozen: all")
    assert "one stage more after every epoch from the head down, or sooner" in said["gradual"]
    names = [f"'{stage.name.removeprefix('net.')}'" for stage in layout_of(model, own.strategy).stages]
    assert said["last_stages"].startswith(f"trained: the head 'head' and the last 1, {names[-2]}, before it")
    assert said["last_stages"].endswith(f"; frozen: {', '.join(names[:-2])}")


def test_more_than_three_stages_are_counted_and_not_named() -> None:
    stages = (*(Stage(f"net.{number}", (f"net.{number}.weight",)) for number in range(18)), Stage("net.fc", ("net.fc.weight",)))
    assert Layout(stages, 16, settings().strategy).words().endswith("; frozen: 16 of 18 stages")
    assert "the last 15 of 18 stages before it" in Layout(stages, 3, settings().strategy).words()


def test_the_words_tell_the_interval_that_there_is_and_why_it_is_not_the_one_that_was_asked_for() -> None:
    for asked, epochs, said in (
        (1, 10, "one stage more after every 12 steps from the head down (1 epoch)"),
        (2, 20, "one stage more after every 24 steps from the head down (2 epochs)"),
        (5, 3, "one stage more after every 7 steps from the head down (strategy.stage_epochs=5 would be 60 steps, too long"),
    ):
        own = settings("strategy=gradual", f"strategy.stage_epochs={asked}").strategy
        layout = Layout(tuple(Stage(f"net.{number}", (f"net.{number}.weight",)) for number in range(5)), 0, own)
        assert said in layout.words(steps_per_epoch=12, epochs=epochs)
        begins = sorted(layout.thawing(steps_per_epoch=12, epochs=epochs).begins.values())
        assert f" {begins[1] - begins[0]} steps " in said


def test_more_stages_than_steps_are_refused_with_the_epochs_that_would_do() -> None:
    own = settings("strategy=gradual", "trainer.epochs=1", "trainer.batch_size=40")
    model = job(own).model
    count = len(layout_of(model, own.strategy).stages)
    assert count > 2
    with pytest.raises(UsageError, match=f"2 steps are too few for {count} stages to begin one after the other") as refused:
        checked_words(own, model, examples=80)
    assert refused.value.hint is not None
    epochs = int(refused.value.hint.split()[1])
    assert epochs * 2 >= count > (epochs - 1) * 2
    enough = settings("strategy=gradual", f"trainer.epochs={epochs}", "trainer.batch_size=40")
    assert "one stage more after every step" in checked_words(enough, model, examples=80)
    tried = settings("strategy=gradual", "trainer.epochs=1", "trainer.batch_size=40", "fast_dev_run=true")
    assert "from the head down" in checked_words(tried, model, examples=80)
