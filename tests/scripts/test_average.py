"""The mean of generators: its weights, what its card says, and what is refused."""

import dataclasses

import pytest
import torch

from dslr_gan.models.baselines import SRCNN
from dslr_gan.models.generator import Generator
from dslr_gan.models.registry import load_network
from hub_card import unknown_facts
from scripts.average import main


def generator(folder, level, command, channels=4):
    network = Generator(channels=channels, blocks=1)
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, level)
    network.facts = dataclasses.replace(unknown_facts("a run"), commands=["start", command])
    network.save_pretrained(folder)
    return str(folder)


def test_the_mean_has_the_mean_weights_and_all_commands(tmp_path):
    runs = [generator(tmp_path / str(n), level, f"run {n}") for n, level in enumerate((0, 1, 0.5))]
    out = str(tmp_path / "mean")
    main([*runs, "--out", out])
    mean = load_network(out)
    assert all((values == 0.5).all() for values in mean.state_dict().values())
    assert mean.facts.commands[:4] == ["start", "run 0", "run 1", "run 2"]
    assert mean.facts.commands[4].startswith("python -m scripts.average ")
    assert mean.facts.scores is None  # those of a run are not the mean's


def test_shares_say_how_much_of_each(tmp_path):
    runs = [generator(tmp_path / str(n), level, f"run {n}") for n, level in enumerate((0, 1))]
    main([f"{runs[0]}=1", f"{runs[1]}=3", "--out", str(tmp_path / "mean")])
    state = load_network(str(tmp_path / "mean")).state_dict()
    assert all((values == 0.75).all() for values in state.values())


def test_what_has_no_mean_is_a_sentence(tmp_path):
    one = generator(tmp_path / "one", 1, "run")
    wide = generator(tmp_path / "wide", 1, "run", channels=8)
    SRCNN().save_pretrained(tmp_path / "srcnn")
    for others, words in [
        ([], "at least two"),
        ([wide], "different shapes"),
        ([str(tmp_path / "srcnn")], "different shapes"),
        ([str(tmp_path / "nothing")], "there is no"),
        ([f"{one}=0.5"], "give every generator a share"),
        ([f"{one}=much"], "must be a positive number"),
        ([f"{one}=-1"], "must be a positive number"),
        ([f"{one}=nan"], "must be a positive number"),
    ]:
        with pytest.raises(SystemExit, match=words):
            main([one, *others, "--out", str(tmp_path / "out")])
        assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit, match="exists already"):
        main([one, one, "--out", one])
