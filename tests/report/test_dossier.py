def test_the_figures_are_those_of_an_evaluation_of_test_where_there_is_one(make_dossier, make_run):
    evaluation = make_run("evaluate")
    assert make_dossier(measured=(evaluation,)).figures is evaluation
    assert make_dossier().figures.verb == "train"


def test_an_evaluation_of_val_does_not_replace_test_figures_of_training(make_dossier, make_run, entry):
    val = make_run("evaluate", metrics={"val/accuracy": entry(0.99)})
    assert make_dossier(measured=(val,)).figures.verb == "train"


def test_an_evaluation_of_other_data_never_stands_for_the_model(make_dossier, make_run):
    shifted = make_run("evaluate", config={"data": {"_target_": "other"}})
    dossier = make_dossier(measured=(shifted,))
    assert dossier.figures.verb == "train"
    assert dossier.evaluations == ()
    assert dossier.of("evaluate") == (shifted,)


def test_the_newest_evaluation_that_has_something_gives_it(make_dossier, make_run, entry, shot):
    plain = make_run("evaluate", id="2")
    older = make_run(
        "evaluate", id="1", shots={"confusion": shot}, metrics={"test/accuracy": entry(0.9), "fairness/x": entry(0.1)}
    )
    dossier = make_dossier(measured=(plain, older))
    assert dossier.with_shot("confusion") is older
    assert dossier.with_metric("fairness/") is older
    assert dossier.with_shot("nothing") is None


def test_classes_without_a_checkpoint_are_numbers(make_dossier):
    assert make_dossier().class_name(1) == "leaves"
    empty = make_dossier(state={})
    assert (empty.class_name(1), empty.classes, empty.is_table) == ("class 1", (), False)


def test_garbled_state_is_no_state(make_dossier):
    dossier = make_dossier(state={"spec": [1]})
    assert dossier.spec == {}
    assert dossier.data_facts == {}


def test_of_two_evaluations_the_one_with_more_examples_stands_for_the_model(make_dossier, make_run, entry):
    few = make_run("evaluate", id="2", metrics={"test/accuracy": entry(0.9, n=100)})
    all_of_them = make_run("evaluate", id="1", metrics={"test/accuracy": entry(0.8, n=10_000)})
    assert make_dossier(measured=(few, all_of_them)).figures is all_of_them


def test_an_evaluation_of_other_weights_never_stands_for_the_model(make_dossier, make_run):
    last = make_run("evaluate", config={"checkpoint": "last"})
    assert make_dossier(measured=(last,)).evaluations == ()


def test_an_evaluation_of_a_few_examples_does_not_replace_the_models_own_figures(make_dossier, make_run, entry, shot):
    model = make_run(metrics={"test/accuracy": entry(0.99, n=10_000)})
    few = make_run("evaluate", metrics={"test/accuracy": entry(1.0, n=10)}, shots={"confusion": shot})
    dossier = make_dossier(model=model, measured=(few,))
    assert dossier.figures is model
    assert dossier.evaluations == (few,)
    assert dossier.with_shot("confusion") is None
    whole = make_run("evaluate", metrics={"test/accuracy": entry(0.98, n=10_000)})
    assert make_dossier(model=model, measured=(few, whole)).figures is whole


def test_of_attacks_that_asked_the_same_the_one_with_most_examples_counts(make_dossier, make_run, entry):
    def attack(n, epsilon, checkpoint="best"):
        config = {"attack": {"norm": "linf", "epsilon": epsilon}, "checkpoint": checkpoint}
        return make_run("attack", name="fgsm", metrics={"attack/robust_accuracy": entry(0.5, n=n)}, config=config)

    few, strong, many, last = attack(5, 0.001), attack(100, 0.3), attack(100, 0.001), attack(1000, 0.3, "last")
    dossier = make_dossier(measured=(last, few, strong, many))
    assert dossier.probes == (many, strong)
    assert len(dossier.attempts) == 4
