from dlcli.report.model_results import calibration, classes, metrics_table, mistakes, results, shots
from dlcli.report.page import Missing, Picture, Table, Text


def tables(section):
    return [block for block in section.blocks if isinstance(block, Table)]


def test_known_metrics_come_first_and_unknown_ones_are_not_lost(entry):
    metrics = {
        "test/brand_new": entry(0.5),
        "test/nll": entry(0.1),
        "test/accuracy": entry(0.9, 0.8, 0.95),
        "test/recall/0": entry(1),
    }
    rows = metrics_table("x", metrics).rows
    assert [row[0] for row in rows] == ["accuracy", "negative log-likelihood (nats)", "brand new"]
    assert rows[0] == ("accuracy", "90.00 %", "80.00 … 95.00 %", "100")


def test_metrics_of_two_parts_name_their_part(entry):
    rows = metrics_table("x", {"test/accuracy": entry(0.9), "val/accuracy": entry(0.8)}).rows
    assert [row[0] for row in rows] == ["test accuracy", "val accuracy"]


def test_figures_of_the_network_from_scratch_are_not_taken_for_the_models_own(entry):
    own = {"test/accuracy": entry(0.9), "test/from_scratch/accuracy": entry(0.8), "val/accuracy": entry(0.8)}
    assert [row[0] for row in metrics_table("x", own).rows] == ["test accuracy", "from scratch: test accuracy", "val accuracy"]
    del own["val/accuracy"]
    assert [row[0] for row in metrics_table("x", own).rows] == ["accuracy", "from scratch: accuracy"]


def test_without_an_evaluation_its_command_is_shown(make_dossier):
    (missing,) = [block for block in results(make_dossier()).blocks if isinstance(block, Missing)]
    assert missing.command == "dl evaluate --run 20260101-000000.000-train"


def test_baselines_stand_beside_the_model_and_not_among_its_metrics(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9), "test/auroc": entry(0.8), "test/majority/accuracy": entry(0.84)}
    own, beside = tables(results(make_dossier(model=make_run(metrics=metrics))))
    assert len(own.rows) == 2
    assert beside.header == ("metric", "this model", "the most frequent class")
    assert beside.rows == (("accuracy", "90.00 %", "84.00 %"), ("area under the ROC curve", "0.8000", "–"))


def test_every_evaluation_has_its_own_part(make_dossier, make_run, entry):
    runs = (make_run("evaluate", id="1"), make_run("evaluate", id="2", metrics={"val/accuracy": entry(0.5)}))
    (part,) = results(make_dossier(measured=runs)).parts
    assert part.title == "Evaluation on validation data: thing (n = 100)"


def test_an_evaluation_under_an_attack_or_on_other_data_says_so(make_dossier, make_run):
    config = {"data": {"_target_": "x"}, "attack": {"_target_": "dlcli.attacks.fgsm.FGSM"}}
    (part,) = results(make_dossier(measured=(make_run("evaluate", config=config),))).parts
    assert part.title == "Evaluation on test data, other data, under FGSM: thing (n = 100)"


def test_figures_of_each_class_are_named_and_very_many_are_left_to_the_record(entry):
    few = metrics_table("x", {f"attack/robust_recall/{number}": entry(0.5) for number in range(3)})
    assert [row[:2] for row in few.rows][:1] == [("robust recall, class 0", "50.00 %")]
    many = metrics_table(
        "x", {"attack/robust_accuracy": entry(0.5), **{f"attack/robust_recall/{n}": entry(0.5) for n in range(99)}}
    )
    assert len(many.rows) == 1
    assert "result.json" in many.caption


def test_each_class_is_a_row_by_name(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9)}
    for number in (0, 1):
        metrics |= {f"test/{kind}/{number}": entry(0.5, 0.4, 0.6, 35) for kind in ("precision", "recall", "f1")}
    (table,) = tables(classes(make_dossier(model=make_run(metrics=metrics))))
    assert [row[0] for row in table.rows] == ["stays", "leaves"]
    assert table.rows[0][1:] == ("50.00 %", "50.00 %", "40.00 … 60.00 %", "50.00 %", "35")


def test_of_very_many_classes_those_found_least_are_shown(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9), **{f"test/recall/{number}": entry(1 - number / 1000) for number in range(100)}}
    section = classes(make_dossier(model=make_run(metrics=metrics), state={}))
    (table,) = tables(section)
    assert [row[0] for row in table.rows] == [f"class {number}" for number in range(99, 59, -1)]
    assert any(isinstance(block, Text) and "40 of 100" in block.text for block in section.blocks)


def test_calibration_stands_before_and_after(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9), "test/ece": entry(0.1), "test/calibrated/ece": entry(0.02)}
    metrics["calibration/temperature"] = entry(1.5)
    section = calibration(make_dossier(measured=(make_run("evaluate", metrics=metrics),)))
    (table,) = tables(section)
    assert table.rows[0][1:] == ("0.1000", "0.0200")
    assert any(isinstance(block, Text) and "1.500: above 1, it was too sure" in block.text for block in section.blocks)


def test_the_temperature_of_the_checkpoint_counts_where_no_evaluation_says_it(make_dossier):
    section = calibration(make_dossier(state={"calibration": {"temperature": 0.5}}))
    assert "0.500: below 1" in section.blocks[0].text


def test_thresholds_show_where_they_are_and_what_they_do(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9)}
    metrics |= {f"test/threshold/top_5/{kind}": entry(0.25) for kind in ("precision", "recall", "selected")}
    metrics["test/threshold/top_5/at"] = entry(0.61)
    (part,) = calibration(make_dossier(measured=(make_run("evaluate", metrics=metrics),))).parts
    (table,) = tables(part)
    assert table.rows == (("capacity for 5 % of all", "0.6100", "25.00 %", "25.00 %", "25.00 %"),)
    assert "leaves" in table.caption


def test_pictures_of_the_evaluation_have_words(make_dossier, make_run, shot):
    run = make_run("evaluate", shots={"confusion": shot, "reliability": shot, "mistakes": shot})
    dossier = make_dossier(measured=(run,), state={})
    for section in (classes, calibration, mistakes):
        (picture,) = [block for block in section(dossier).blocks if isinstance(block, Picture)]
        assert len(picture.alt) > 20


def test_mistakes_of_a_table_point_to_its_predictions(make_dossier, make_run):
    run = make_run("evaluate", files={"predictions": "predictions.csv"})
    assert "predictions.csv of evaluate" in mistakes(make_dossier(measured=(run,))).blocks[0].text
    assert isinstance(mistakes(make_dossier()).blocks[0], Missing)


def test_a_picture_of_an_unknown_name_is_shown_by_its_name(make_run, shot):
    (picture,) = shots(make_run("attack", name="pgd", shots={"some_new_thing": shot}, files={"some_new_thing": "plots/x.png"}))
    assert (picture.alt, picture.caption) == ("some new thing of attack pgd", "some new thing: plots/x.png")


def test_an_evaluation_of_other_weights_says_so(make_dossier, make_run):
    (part,) = results(make_dossier(measured=(make_run("evaluate", config={"checkpoint": "last"}),))).parts
    assert part.title == "Evaluation on test data, checkpoint last: thing (n = 100)"
