import pytest

from dlcli.report.model_summary import cautions, class_figures, group_verdicts, headline, summary, threat_of, verdicts
from dlcli.report.page import Text


def test_the_headline_has_value_interval_and_sample_size(make_dossier):
    assert headline(make_dossier()) == "90.00 % [80.00 … 95.00 %] test accuracy (n = 100)"


def test_a_model_whose_interval_reaches_the_baseline_is_not_called_better(make_dossier, make_run, entry):
    def said(majority):
        metrics = {"test/accuracy": entry(0.9, 0.8, 0.95), "test/majority/accuracy": entry(majority)}
        return next(verdicts(make_dossier(model=make_run(metrics=metrics))))

    assert said(0.79).startswith("It is better than no model")
    assert said(0.8).startswith("By accuracy it is not shown to be better")


def test_whether_pretraining_helped_stands_first_and_a_garbled_record_of_it_is_left_out(make_dossier, make_run, entry):
    def said(verdict):
        return list(verdicts(make_dossier(model=make_run("finetune", metrics={}, information={"verdict": verdict}))))

    assert said("pretrained 96 % against from scratch 90 %") == ["Pretrained 96 % against from scratch 90 %."]
    assert said(3) == []


def test_the_class_with_the_lowest_recall_is_named(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9), "test/recall/0": entry(0.95), "test/recall/1": entry(0.4, 0.3, 0.5, 35)}
    (sentence,) = verdicts(make_dossier(model=make_run(metrics=metrics)))
    assert sentence == "The class that it misses most often is leaves: 40.00 % [30.00 … 50.00 %] of its 35 examples are found."


def test_calibration_is_said_before_and_after(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9), "test/ece": entry(0.1091), "test/calibrated/ece": entry(0.012)}
    (sentence,) = verdicts(make_dossier(measured=(make_run("evaluate", metrics=metrics),)))
    assert "off by 10.9 percentage points" in sentence
    assert sentence.endswith("after temperature scaling 1.2.")


def test_an_attack_is_told_with_its_threat_and_noise_of_the_same_size(make_dossier, make_run, entry):
    metrics = {f"attack/{name}_accuracy": entry(value) for name, value in (("clean", 0.99), ("noise", 0.91), ("robust", 0.06))}
    attack = make_run("attack", name="fgsm", metrics=metrics, config={"attack": {"norm": "linf", "epsilon": 0.1}})
    *_, sentence = verdicts(make_dossier(measured=(attack,)))
    assert sentence == (
        "Under fgsm (linf, epsilon 0.1) accuracy goes from 99.00 % to 6.00 %, n = 100; "
        "random noise of the same size leaves 91.00 %."
    )


def test_a_default_epsilon_is_looked_up_in_the_data_and_a_garbled_one_is_left_out(make_dossier, make_run):
    dossier = make_dossier(state={"spec": {"epsilon": {"linf": 0.3}}})
    auto = make_run("attack", config={"attack": {"norm": "linf", "epsilon": "auto"}})
    assert threat_of(auto, dossier) == " (linf, epsilon 0.3)"
    assert threat_of(make_run("attack", config={"attack": "x"}), dossier) == ""


def test_a_minimum_norm_attack_is_named_with_the_radius_that_its_accuracy_is_for(make_dossier, make_run):
    run = make_run("attack", config={"attack": {"norm": "l2"}}, metrics={"attack/epsilon": {"value": 2.0}})
    assert threat_of(run, make_dossier()) == " (l2, epsilon 2.0)"


def test_figures_that_flatter_are_marked(make_dossier, make_run, entry):
    on_train = make_run(metrics={"train/accuracy": entry(1.0)}, information={"fast_dev_run": True})
    said = " ".join(cautions(make_dossier(model=on_train, remarks=("evaluate x is broken and left out",))))
    assert "--fast-dev-run" in said
    assert "says nothing about others" in said
    assert "evaluate x is broken and left out" in said


def test_remarks_of_every_run_are_warnings(make_dossier, make_run):
    run = make_run("attack", remarks=("the picture 'x' is left out",))
    blocks = summary(make_dossier(measured=(run,))).blocks
    assert any(isinstance(block, Text) and block.tone == "warning" and "'x' is left out" in block.text for block in blocks)


def test_verdicts_on_groups_come_from_the_evaluation_and_garbled_ones_are_left_out(make_dossier, make_run):
    groups = {"columns": [{"column": "Gender", "verdict": "no difference is shown"}, "x", {"column": "Age", "verdict": 3}]}
    found = list(group_verdicts(make_dossier(measured=(make_run("evaluate", groups=groups),))))
    assert found == [("Gender", "no difference is shown")]


def test_class_figures_skip_what_is_no_class_or_no_number(entry):
    metrics = {"test/recall/0": entry(0.5), "test/recall/x": entry(0.5), "test/recall/1": entry(None), "val/recall/2": entry(0.1)}
    assert list(class_figures(metrics, "test", "recall")) == [0]


@pytest.mark.parametrize(("ece", "fault"), [(0.05, False), (0.1, True)])
def test_a_calibration_error_that_chance_makes_is_no_fault(ece, fault, make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9), "test/ece": entry(ece), "test/ece_if_calibrated": entry(0.04, 0.0, 0.07)}
    (sentence,) = verdicts(make_dossier(measured=(make_run("evaluate", metrics=metrics),)))
    assert "chance alone makes up to 7.0" in sentence
    assert sentence.endswith("so this shows no fault.") is not fault


def test_a_class_number_of_thousands_of_digits_is_no_class(entry):
    metrics = {"test/recall/0": entry(0.5), f"test/recall/{'1' * 5000}": entry(0.1), "test/recall/²": entry(0.1)}
    assert list(class_figures(metrics, "test", "recall")) == [0]


def test_an_evaluation_under_an_attack_gives_a_verdict(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9), "attack/robust_accuracy": entry(0.2)}
    config = {"attack": {"_target_": "dlcli.attacks.fgsm.FGSM", "norm": "linf", "epsilon": 0.1}}
    (sentence,) = verdicts(make_dossier(measured=(make_run("evaluate", metrics=metrics, config=config),)))
    assert sentence == "Under FGSM (linf, epsilon 0.1) accuracy goes from 90.00 % to 20.00 %, n = 100."
