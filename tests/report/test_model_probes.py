from dlcli.report.model_probes import explanations, robustness
from dlcli.report.page import Items, Missing, Picture, Table, Text


def test_a_new_attack_needs_no_word_here(make_dossier, make_run, entry, shot):
    files = {"landscape": "plots/landscape.png", "queries": "queries.csv"}
    run = make_run("attack", name="brand_new", metrics={"attack/new_figure": entry(0.5)}, shots={"landscape": shot}, files=files)
    (part,) = robustness(make_dossier(measured=(run,))).parts
    table, picture, _, others = part.blocks
    assert part.title == "brand_new"
    assert isinstance(table, Table)
    assert table.rows[0][:2] == ("new figure", "0.5000")
    assert isinstance(picture, Picture)
    assert others == Items(("queries: queries.csv",))


def test_explainers_are_shown_apart_from_attacks(make_dossier, make_run):
    dossier = make_dossier(measured=(make_run("explain", name="gradcam"), make_run("attack", name="fgsm")))
    assert [part.title for part in explanations(dossier).parts] == ["gradcam"]
    assert [part.title for part in robustness(dossier).parts] == ["fgsm"]


def test_what_was_not_measured_names_its_command_and_tables_are_told_why_not(make_dossier):
    images = make_dossier(state={})
    assert robustness(images).blocks[0].command == "dl attack fgsm --run 20260101-000000.000-train"
    assert isinstance(explanations(images).blocks[0], Missing)
    assert isinstance(robustness(make_dossier()).blocks[0], Text)


def test_an_attack_on_other_weights_data_or_a_few_examples_says_so(make_dossier, make_run):
    config = {"attack": {"norm": "linf", "epsilon": 0.3}, "checkpoint": "last", "split": "train", "limit": 5}
    (part,) = robustness(make_dossier(measured=(make_run("attack", name="fgsm", config=config),))).parts
    assert part.title == "fgsm (linf, epsilon 0.3), checkpoint last, on training data, limit 5"


def test_an_evaluation_under_an_attack_is_evidence(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9), "attack/robust_accuracy": entry(0.2)}
    config = {"attack": {"_target_": "dlcli.attacks.fgsm.FGSM", "norm": "linf", "epsilon": 0.1}}
    run = make_run("evaluate", metrics=metrics, config=config)
    (said,) = robustness(make_dossier(state={}, measured=(run,))).blocks
    assert said == Text(f"Robust accuracy under FGSM (linf, epsilon 0.1): 20.00 %, by evaluate {run.id}; see Results.")
