"""Optimizers, the schedule of their rates, and the average of the weights."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from dslr_gan.errors import DslrGanError
from dslr_gan.training.optimizers import (
    AdamSettings,
    go_on_from,
    make_optimizer,
    rate_factor,
    take_step,
    update_average,
)
from dslr_gan.training.options.groups import OPTIMIZERS, Schedule


def regression():
    """A linear student and data whose directions differ a hundredfold, none along an axis."""
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(8, 8))[0]
    inputs = torch.randn(256, 8) @ torch.diag(torch.logspace(0, -2, 8)) @ turn
    return nn.Linear(8, 8, bias=False), inputs, inputs @ torch.randn(8, 8)


def fit(student, optimizer, inputs, wanted, steps, idle=None):
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (student(inputs) - wanted).square().mean()
        (loss if idle is None else loss + 0 * idle.sum()).backward()
        optimizer.step()
    return (student(inputs) - wanted).square().mean().item()


def test_soap_gets_where_adam_does_not():
    student, inputs, wanted = regression()
    losses = {
        name: fit(twin := copy.deepcopy(student), make_optimizer(name, twin.parameters(), 0.03),
                  inputs, wanted, 300)
        for name in OPTIMIZERS
    }  # fmt: skip
    assert losses["soap"] < 0.1 * losses["adam"], losses


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_does_not_matter_to_the_loss_stays_as_it_is(name):
    student, inputs, wanted = regression()
    idle = nn.Parameter(torch.ones(4))
    optimizer = make_optimizer(name, [*student.parameters(), idle], 0.03)
    fit(student, optimizer, inputs, wanted, 3, idle)
    assert (idle == 1).all(), "weights decay"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stopped_and_gone_on_with_is_bit_identical(name, tmp_path):
    student, inputs, wanted = regression()
    optimizer = make_optimizer(name, student.parameters(), 0.03)
    fit(student, optimizer, inputs, wanted, 12)
    torch.save([student.state_dict(), optimizer.state_dict()], tmp_path / "state")
    fit(student, optimizer, inputs, wanted, 12)
    again = nn.Linear(8, 8, bias=False)
    resumed = make_optimizer(name, again.parameters(), 0.5)
    for part, state in zip((again, resumed), torch.load(tmp_path / "state"), strict=True):
        part.load_state_dict(state)
    fit(again, resumed, inputs, wanted, 12)
    assert torch.equal(again.weight, student.weight)


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="adam"):
        make_optimizer("sgd", [nn.Parameter(torch.ones(1))], 0.1)


def test_a_device_without_decompositions_is_refused(monkeypatch):
    def missing(*_):
        raise NotImplementedError("aten::_linalg_eigh.eigenvalues is not implemented here")

    monkeypatch.setattr(torch.linalg, "eigh", missing)
    with pytest.raises(DslrGanError, match="PyTorch cannot do on cpu; add --cpu"):
        make_optimizer("soap", [nn.Parameter(torch.ones(1))], 0.1)
    make_optimizer("adam", [nn.Parameter(torch.ones(1))], 0.1)


@pytest.mark.parametrize(
    ("schedule", "middle", "last"), [("cosine", 0.505, 0.01), ("linear", 0.505, 0.01),
                                     ("constant", 1, 1)]
)  # fmt: skip
def test_the_rate_warms_up_and_falls(schedule, middle, last):
    settings = Schedule(lr_scheduler=schedule, lr_warmup_steps=10, max_train_steps=1000)
    factors = [rate_factor(settings, step) for step in range(1001)]
    assert factors[0] == pytest.approx(0.1, rel=1e-3)
    assert factors[500] == pytest.approx(middle)
    assert factors[1000] == pytest.approx(last)
    assert max(factors) <= 1 and min(factors) > 0
    assert all(math.isfinite(factor) for factor in factors)


def test_a_schedule_that_is_gone_on_with_has_its_own_rates_and_not_the_checkpoint_s():
    def falling(steps, rate):
        settings = Schedule(lr_warmup_steps=2, max_train_steps=steps)
        weights = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
        optimizer = torch.optim.Adam([{"params": [weight]} for weight in weights], rate)
        return LambdaLR(optimizer, lambda step: rate_factor(settings, step)), settings

    first, _ = falling(10, 0.5)
    for _ in range(4):
        first.optimizer.step()
        first.step()
    longer, settings = falling(100, 0.25)
    longer.optimizer.load_state_dict(first.optimizer.state_dict())
    go_on_from(longer, 4)
    for step in (4, 5, 6):
        rates = [group["lr"] for group in longer.optimizer.param_groups]
        assert rates == [0.25 * rate_factor(settings, step)] * 2
        longer.optimizer.step()
        longer.step()


ACCELERATOR = SimpleNamespace(scaler=None)


@pytest.mark.parametrize("fused", [None, True])  # the latter as on a GPU
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_moves_nothing(fused, bad):
    weight = nn.Parameter(torch.ones(3))
    inner = torch.optim.Adam([weight], 0.1, fused=fused)
    optimizer = SimpleNamespace(optimizer=inner, step=inner.step)

    def step(gradient):
        weight.grad = torch.tensor([1.0, gradient, 1.0])
        take_step(ACCELERATOR, optimizer, weight.grad.norm())
        state = inner.state[weight]
        return [weight.detach().clone(), *(value.clone() for value in state.values())]

    before = step(1.0)
    assert (before[0] != 1).all()
    after = step(bad)
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))
    assert (step(1.0)[0] != before[0]).all(), "it moves again"


def test_adam_s_numbers_are_those_that_were_given():
    weight = nn.Parameter(torch.ones(1))
    plain = make_optimizer("adam", [weight], 0.1)
    assert type(plain) is torch.optim.Adam and plain.defaults["betas"] == (0.9, 0.999)
    other = make_optimizer("adam", [weight], 0.1, adam=AdamSettings(0.5, 0.9, 0.2))
    assert type(other) is torch.optim.AdamW and other.defaults["betas"] == (0.5, 0.9)
    weight.grad = torch.zeros(1)
    other.step()
    assert weight.item() == pytest.approx(1 - 0.1 * 0.2), "it shrinks apart from the gradient"


def test_the_average_follows_closely_at_first_and_slowly_later():
    network = nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(1)
    for step, moved in ((1, 0.9), (1_000_000, 0.01)):
        average = copy.deepcopy(network).requires_grad_(False)
        average.weight.zero_()
        update_average(average, network, 0.99, step)
        assert average.weight.item() == pytest.approx(moved, rel=1e-4)
    average = copy.deepcopy(network).requires_grad_(False)
    average.weight.zero_()
    update_average(average, network, 0.0, 5)
    assert average.weight.item() == 1, "no average"
