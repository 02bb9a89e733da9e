"""Optimizers, the schedule of their rates, and the average of the weights."""

import copy
import math

import pytest
import torch
from torch import nn

from dslr_gan.errors import DslrGanError
from dslr_gan.training.optimizers import make_optimizer, rate_factor, set_rate, update_average
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


def test_a_rate_is_set_for_all_weights():
    optimizer = torch.optim.Adam([{"params": [nn.Parameter(torch.zeros(1))]},
                                  {"params": [nn.Parameter(torch.zeros(1))]}], 1)  # fmt: skip
    set_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


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
