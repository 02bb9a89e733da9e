"""What moves the weights."""

import copy

import pytest
import torch
from torch import nn

from dslr_gan.errors import DslrGanError
from dslr_gan.training.optimizers import OPTIMIZERS, make_optimizer


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
    for each, state in zip((again, resumed), torch.load(tmp_path / "state"), strict=True):
        each.load_state_dict(state)
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
