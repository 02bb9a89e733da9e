"""The collapse guard: when it stops a run, when it does not, and what it says."""

import math

import pytest

from dslr_gan.errors import DslrGanError
from dslr_gan.training.keeping.collapse import MAX_STUCK, CollapseGuard, TrainingFailed


def decided(steps, accuracy=1.0, patience=5):
    guard = CollapseGuard(patience)
    for step in range(1, steps + 1):
        guard.check_step(step, {"l1": 0.1, "discriminator_accuracy": accuracy})
    return guard


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_stops_and_says_where_the_best_is(value):
    guard = CollapseGuard(5)
    with pytest.raises(DslrGanError, match=r"the l1 loss became .* step 3.*no generator was kept"):
        guard.check_step(3, {"texture": 0.7, "l1": value})
    guard.check_validation(2, 0.9, 0.8)
    with pytest.raises(DslrGanError, match=r"best generator, of step 2, is in .*best\."):
        guard.check_step(3, {"l1": value})


@pytest.mark.parametrize("accuracy", [1.0, 0.0])
def test_a_decided_discriminator_and_pictures_worse_than_the_input_are_a_collapse(accuracy):
    guard = decided(5, accuracy)
    guard.best_score, guard.best_step = 0.9, 100
    with pytest.raises(DslrGanError, match=r"collapsed: for 5 steps .*0\.7000.*0\.8000.*step 100"):
        guard.check_validation(200, 0.7, 0.8)


def test_neither_alone_is_a_collapse():
    assert decided(50).check_validation(50, 0.81, 0.8), "decided, but better than the input"
    assert decided(4).check_validation(4, 0.7, 0.8), "worse, but not decided for long enough"
    assert decided(50, accuracy=0.9).check_validation(50, 0.7, 0.8), "worse, but undecided"


def test_one_undecided_step_starts_the_count_anew():
    guard = decided(4)
    guard.check_step(5, {"discriminator_accuracy": 0.9})
    guard.check_step(6, {"discriminator_accuracy": 1.0})
    assert guard.decided == 1


def test_without_a_discriminator_there_is_nothing_to_decide():
    guard = CollapseGuard(1)
    for step in range(10):
        guard.check_step(step, {"l1": 0.5})
    assert guard.check_validation(10, 0.1, 0.9)


def test_the_best_is_the_highest_and_the_first_of_equals():
    guard = CollapseGuard(5)
    scores = [0.8, 0.9, 0.9, 0.85, 0.91]
    kept = [guard.check_validation(step, score, 0.5) for step, score in enumerate(scores, start=1)]
    assert kept == [True, True, False, False, True]
    assert (guard.best_score, guard.best_step) == (0.91, 5)


def test_its_state_goes_through_a_checkpoint():
    guard = decided(3)
    guard.check_validation(3, 0.9, 0.8)
    other = CollapseGuard(7)
    other.load_state_dict(guard.state_dict())
    assert (other.decided, other.best_score, other.best_step, other.patience) == (3, 0.9, 3, 7)


def test_gradients_that_are_not_finite_are_borne_for_a_while():
    guard = CollapseGuard(5)
    for step in range(1, MAX_STUCK):
        guard.check_step(step, {"l1": 0.1, "gradient_norm": float("nan")})
    guard.check_step(MAX_STUCK, {"l1": 0.1, "gradient_norm": 1.0})
    assert guard.stuck == 0
    with pytest.raises(TrainingFailed, match=f"not finite in {MAX_STUCK} steps on end"):
        for step in range(MAX_STUCK):
            norms = {"gradient_norm": 1.0, "discriminator_gradient_norm": float("inf")}
            guard.check_step(step, {"l1": 0.1} | norms)
