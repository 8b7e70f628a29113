"""Eighteen faults found in attack libraries, and where it is tested that they are not ours."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from torch import nn

from dlcli.attacks.autoattack import AutoAttack

TESTS = Path(__file__).parents[1]
# What is wrong elsewhere: the tests that would fail if it were wrong here.
FAULTS: dict[str, dict[str, tuple[str, ...]]] = {
    "an ensemble runs with a tenth of its budget": {
        "attacks/test_autoattack.py": (
            "test_the_defaults_are_the_originals_budgets",
            "test_a_standing_example_costs_what_the_standard_version_costs",
        )
    },
    "black and white pixels never move, as atanh of them is infinite": {
        "attacks/test_cw.py": (
            "test_pixels_that_are_quite_black_or_white_move_too",
            "test_logits_below_zero_make_no_difference",
            "test_the_search_finds_a_weight_wherever_it_begins",
        )
    },
    "frozen modules come back in training mode, and after an exception nothing is restored": {
        "contracts/test_attacks.py": (
            "test_everything_borrowed_is_given_back",
            "test_everything_borrowed_is_given_back_after_an_exception",
        )
    },
    "parameters are left with gradients": {
        "contracts/test_attacks.py": ("test_everything_borrowed_is_given_back",),
        "attacks/test_climb.py": ("test_the_model_comes_back_as_it_was_and_gets_no_gradient",),
    },
    "a zero gradient makes momentum NaN, and the example is never attacked again": {
        "attacks/test_ascent.py": (
            "test_where_there_is_no_gradient_at_all_momentum_gives_no_nan",
            "test_momentum_carries_a_climb_over_a_place_without_gradient",
        ),
        "attacks/test_ddn.py": ("test_where_the_gradient_is_zero_it_goes_off_at_random_and_arrives",),
        "contracts/test_attacks.py": ("test_a_constant_model_gives_finite_inputs",),
    },
    "only three channels and ten classes work": {
        "contracts/test_attacks.py": ("test_the_result_is_an_image_inside_the_box_and_the_ball",),
        "attacks/test_losses.py": ("test_of_three_classes_the_last_can_still_be_climbed_to",),
        "attacks/test_windows.py": ("test_a_window_fits_into_any_image",),
    },
    "an interrupted evaluation cannot go on": {
        "commands/test_attack_report.py": ("test_an_interrupted_report_goes_on_behind_its_finished_attacks",),
        "commands/test_attack_store.py": ("test_what_was_kept_comes_back_bit_for_bit",),
    },
    "debuggers and coverage are switched off": {
        "attacks/test_known_faults.py": ("test_whoever_traces_the_program_goes_on_tracing",)
    },
    "the global generator is reseeded, and results depend on the batch size": {
        "contracts/test_attacks.py": (
            "test_a_model_that_draws_random_numbers_leaves_the_global_generator_alone",
            "test_the_result_depends_neither_on_the_size_nor_on_the_order_of_the_batch",
        )
    },
    "normalised images are clamped without a word, or images a rounding error outside are refused": {
        "contracts/test_attacks.py": ("test_images_that_were_normalised_before_are_refused",),
        "attacks/test_balls.py": ("test_images_outside_the_box_by_rounding_and_tables_anywhere_are_fine",),
    },
    "the last point is returned and not the best, and the final step is never looked at": {
        "attacks/test_ascent.py": (
            "test_the_best_point_is_kept_and_not_the_last",
            "test_what_comes_back_from_more_steps_and_restarts_is_never_worse",
        ),
        "attacks/test_ddn.py": ("test_the_last_point_is_looked_at_too",),
        "contracts/test_attacks.py": ("test_what_fails_comes_back_no_better_classified_than_it_was",),
    },
    "a projection stretches small changes to the sphere": {
        "attacks/test_balls.py": ("test_a_change_inside_the_ball_stays_as_it_is",),
        "attacks/test_fmn.py": ("test_a_change_inside_the_ball_is_not_stretched_to_its_edge",),
    },
    "steps are too short to cross the ball, and shrink with tiny gradients and large batches": {
        "attacks/test_pgd.py": ("test_the_step_is_two_and_a_half_radii_over_all_steps_unless_given",),
        "attacks/test_balls.py": ("test_a_gradient_too_small_to_be_squared_keeps_its_direction",),
        "attacks/test_gradients.py": ("test_an_example_has_the_same_gradient_alone_and_in_a_batch",),
    },
    "saved images are cut off to 8 bits and not asked again": {
        "commands/test_attack_files.py": (
            "test_levels_are_rounded_and_not_cut_off",
            "test_success_is_asked_again_of_the_rounded_images",
        )
    },
    "large logits and half precision flush the gradient to zero": {
        "attacks/test_losses.py": ("test_where_the_gradient_of_the_cross_entropy_underflows_that_of_the_log_odds_does_not",),
        "attacks/test_apgd.py": ("test_a_model_that_is_a_thousand_times_as_sure_falls_just_as_fast",),
        "attacks/test_climb.py": ("test_a_divergence_near_the_clean_point_survives_half_precision",),
    },
    "points of adversarial training are found in whatever mode the model is in": {
        "attacks/test_adversarial.py": ("test_points_are_found_in_evaluation_mode_so_batch_norm_sees_only_what_is_learned_from",)
    },
    "TRADES flips the whole model's mode, and starts are left outside the box": {
        "attacks/test_trades.py": (
            "test_the_clean_answers_are_found_in_evaluation_mode",
            "test_points_stay_in_the_ball_and_the_box",
        ),
        "attacks/test_adversarial.py": ("test_a_compiled_model_gives_the_same_and_gets_its_mode_back",),
    },
    "what is called AutoAttack is something else, and a targeted attack flees its goal": {
        "attacks/test_peers.py": ("test_autoattack_leaves_the_same_digits_standing_as_the_original",),
        "attacks/test_autoattack.py": ("test_each_attack_sees_only_what_still_stands",),
        "contracts/test_attacks.py": ("test_goals_pull_towards_their_class_and_leave_alone_what_is_taken_for_it_already",),
    },
}


def test_all_eighteen_are_listed() -> None:
    assert len(FAULTS) == 18


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_tests_of_its_own(fault: str) -> None:
    for file, names in FAULTS[fault].items():
        there = {node.name for node in ast.parse((TESTS / file).read_text()).body if isinstance(node, ast.FunctionDef)}
        assert set(names) <= there


def test_whoever_traces_the_program_goes_on_tracing(linear: Any) -> None:
    def trace(frame: FrameType, event: str, argument: object) -> None:
        return None

    model, inputs, targets = linear(4)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        AutoAttack(epsilon=0.01, steps=2, queries=2)(nn.Sequential(model), inputs, targets)
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)
    assert torch.is_grad_enabled()
