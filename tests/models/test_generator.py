"""The generator: shapes, reach, the published networks, and strict loading."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from dslr_gan.errors import DslrGanError
from dslr_gan.models.context import summarize
from dslr_gan.models.generator import Generator
from dslr_gan.models.registry import make_network
from tests.support import helpers
from tests.support.paths import SHARED

REFERENCES = SHARED / "reference_models"
SETTINGS = [
    {},
    {"downscale": 1, "blocks": 2},
    {"downscale": 4, "channels": 16, "blocks": 2, "dilations": [1, 3]},
    {"channels": 8, "coarse_channels": 8, "dilations": [1, 2]},
    {"channels": 8, "blocks": 3, "coarse_channels": 8, "context_channels": 8},
    {"channels": 8, "blocks": 1, "context_channels": 8, "context_width": 12},
    {"channels": 8, "blocks": 1, "downscale": 1, "end_kernel": 9, "residual": False},
    {"channels": 8, "blocks": 1, "downscale": 1, "residual": False, "skips": False},
]
NAMES = [
    *("default", "full-size", "folded by 4", "coarse", "context", "wide context", "absolute"),
    "plain",
]


def loud(settings):
    """A generator whose output varies, in double precision."""
    return helpers.loud(settings).double()


def test_the_default_is_the_paper_s_width_without_norm():
    generator = Generator()
    assert generator.config["channels"] == 32
    assert generator.config["norm"] is None
    assert not [name for name, _ in generator.named_parameters() if "norm" in name]


@pytest.mark.parametrize("settings", SETTINGS, ids=NAMES)
@pytest.mark.parametrize("size", [(1, 1), (1, 37), (33, 2), (65, 47)])
def test_every_size_comes_out_as_it_went_in(settings, size):
    image = torch.rand(2, 3, *size, dtype=torch.float64)
    result = loud(settings)(image)
    assert result.shape == image.shape
    assert torch.isfinite(result).all()


@pytest.mark.parametrize("settings", SETTINGS, ids=NAMES)
def test_receptive_radius_holds_and_is_not_idle(settings):
    generator = loud(settings)
    image = torch.rand(1, 3, 260, 260, dtype=torch.float64)
    context = generator.context(summarize(image)) if generator.uses_context else None
    reach = 0
    with torch.inference_mode():
        before = generator(image, context)
        for row, column in [(130, 130), (127, 133), (132, 129)]:
            touched = image.clone()
            touched[0, :, row, column] += 5
            changed = (generator(touched, context) - before).abs().amax(dim=(0, 1)) > 0
            rows, columns = changed.nonzero(as_tuple=True)
            reach = max(reach, *(rows - row).abs().tolist(), *(columns - column).abs().tolist())
    radius = generator.receptive_radius
    assert reach <= radius
    # An idle bound would only cost time; more than two cells of it would be a mistake.
    assert reach >= radius - 2 * generator.multiple


def plainly(generator, image):
    """The generator's result, by its description and with nothing done for speed."""
    settings, context = generator.config, None
    high, wide = (4 + -(side + 4) % generator.multiple for side in image.shape[-2:])
    padded = F.pad(image, (0, wide, 0, high), mode="replicate")
    if generator.uses_context:
        context = generator.context(summarize(image))

    def convolved(features, convolution, dilation=1):
        padding = dilation * (convolution.weight.shape[-1] // 2)
        weights = convolution.weight, convolution.bias
        return F.conv2d(features, *weights, padding=padding, dilation=dilation)

    def modulated(features, place):
        if context is None:
            return features
        scale, shift = generator.modulate[place].project(context)[..., None, None].chunk(2, dim=1)
        return features * (1 + scale) + shift

    features = convolved(F.pixel_unshuffle(padded, settings["downscale"]), generator.head).relu()
    if generator.coarse is not None:
        around = convolved(F.pixel_unshuffle(padded, 8), generator.coarse.fold).relu()
        for convolution, dilation in zip(generator.coarse.convolutions, (1, 1, 2, 1), strict=True):
            around = convolved(around, convolution, dilation).relu()
        around = convolved(around, generator.coarse.unfold)
        features = features + F.interpolate(around, size=features.shape[-2:], mode="bilinear")
    for place, (block, dilation) in enumerate(
        zip(generator.blocks, generator.dilations, strict=True)
    ):
        inner = features = modulated(features, place)
        for convolution in block.convolutions:
            inner = convolved(inner, convolution, dilation).relu()
        features = features + inner
    features = modulated(features, len(generator.blocks))
    for convolution in generator.merge:
        features = convolved(features, convolution).relu()
    means = F.avg_pool2d(F.pad(padded, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    detail = F.pixel_unshuffle(padded - means, settings["downscale"])
    output = convolved(torch.cat([features, detail], dim=1), generator.tail).tanh()
    result = padded + F.pixel_shuffle(output, settings["downscale"])
    return result[..., : image.shape[-2], : image.shape[-1]]


@pytest.mark.parametrize("settings", SETTINGS[:-2], ids=NAMES[:-2])
@pytest.mark.parametrize("size", [(3, 5), (40, 53)])
def test_it_works_out_what_it_is_described_by(settings, size):
    generator = loud({"end_kernel": 5, **settings})
    image = torch.rand(2, 3, *size, dtype=torch.float64)
    expected = plainly(generator, image)
    torch.testing.assert_close(generator(image), expected, rtol=0, atol=1e-10)
    with torch.inference_mode():  # some work is done in place where no gradient is wanted
        torch.testing.assert_close(generator(image), expected, rtol=0, atol=1e-10)


def test_the_paper_s_is_a_plain_stack_whose_output_is_the_picture():
    torch.manual_seed(0)
    generator = make_network("paper")
    layers = [layer for layer in generator.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.weight.shape[:2] for layer in layers] == [(32, 3), *[(32, 32)] * 10, (3, 32)]
    features = image = torch.rand(1, 3, 30, 40)
    for layer in layers[:-1]:
        features = layer(features).relu()
    expected = layers[-1](features).tanh() * 0.58 + 0.5
    torch.testing.assert_close(generator(image), expected, rtol=0, atol=1e-6)
    # A plain stack of PyTorch's own first weights has nearly the same output for all pictures.
    assert (generator(image) - generator(1 - image)).std() > 0.01


def test_a_network_of_before_the_setting_keeps_its_skips():
    config = dict(Generator(channels=8).config)
    assert config.pop("skips")
    assert all(block.skip for block in Generator(**config).blocks)


def test_instance_norm_sees_everything():
    assert Generator(channels=8, norm="instance").receptive_radius is None


def test_untrained_residual_generator_is_almost_the_identity():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 40, 40)
    assert (Generator()(image) - image).abs().max() < 0.2


def test_one_pixel_through_instance_norm():
    image = torch.rand(1, 3, 1, 1)
    assert torch.isfinite(Generator(channels=8, norm="instance", downscale=1)(image)).all()


@pytest.mark.parametrize("width", [0, 12])
def test_context_of_the_whole_steers_every_tile(width):
    generator = loud({"channels": 8, "context_channels": 8, "context_width": width})
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    own = generator(image)
    assert torch.equal(own, generator(image, generator.context(summarize(image))))
    other = generator(image, generator.context(summarize(image / 2)))
    assert (own - other).abs().max() > 1e-4


def test_context_where_there_is_none_is_refused():
    generator = Generator(channels=8)
    with pytest.raises(ValueError, match="no context"):
        generator.context(torch.rand(1, 9, 32, 32))
    with pytest.raises(ValueError, match="no context"):
        generator(torch.rand(1, 3, 8, 8), torch.rand(1, 4))


def test_channels_last_pictures_are_told_apart():
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\), got \(1, 8, 8, 3\)"):
        Generator(channels=8)(torch.rand(1, 8, 8, 3))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"channels": 0}, "channels"),
        ({"blocks": "four"}, "blocks"),
        ({"downscale": 1.5}, "downscale"),
        ({"norm": "batch"}, "norm"),
        ({"dilations": []}, "dilations"),
        ({"end_kernel": 4}, "end_kernel"),
        ({"coarse_channels": 8, "downscale": 3}, "downscale"),
    ],
)
def test_impossible_settings_are_a_sentence(settings, word):
    with pytest.raises(DslrGanError, match=word):
        Generator(**settings)


def published_arithmetic(weights, blocks, image):
    """The published networks' arithmetic as their readme writes it, line by line."""
    from torch.nn import functional as F

    def conv(index, value):
        kernel = weights[f"conv{index}.weight"]
        return F.conv2d(value, kernel, weights[f"conv{index}.bias"], padding=kernel.shape[-1] // 2)

    def norm(index, value):
        mean = value.mean(dim=(2, 3), keepdim=True)
        variance = ((value - mean) ** 2).mean(dim=(2, 3), keepdim=True)
        scale, shift = weights[f"norm{index}.weight"], weights[f"norm{index}.bias"]
        return (
            scale[:, None, None] * (value - mean) / (variance + 1e-3).sqrt() + shift[:, None, None]
        )

    value = F.relu(conv(1, image))
    for block in range(1, blocks + 1):
        i = 2 * block
        inner = F.relu(norm(i - 1, conv(i, value)))
        value = F.relu(norm(i, conv(i + 1, inner))) + value
    value = F.relu(conv(2 * blocks + 2, value))
    value = F.relu(conv(2 * blocks + 3, value))
    return torch.tanh(conv(2 * blocks + 4, value)) * 0.58 + 0.5


def test_published_layout_computes_the_published_arithmetic(tmp_path):
    torch.manual_seed(0)
    weights = helpers.published_like(channels=8, blocks=2)
    save_file(weights, tmp_path / "published.safetensors")
    generator = Generator.from_published(tmp_path / "published.safetensors")
    assert generator.config["channels"] == 8 and generator.config["blocks"] == 2
    image = torch.rand(1, 3, 31, 45)
    error = (generator(image) - published_arithmetic(weights, 2, image)).abs()
    # float32 sums in another order; the two differ by some 1e-7.
    assert error.max() < 1e-5, f"maximum {error.max()}, mean {error.mean()}"


@pytest.mark.skipif(not REFERENCES.is_dir(), reason="the published networks are not here")
@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("dped_iphone_12_64", "iphone"),
        ("dped_sony_12_64", "sony"),
        ("dped_blackberry_12_64", "blackberry"),
        ("pirm_dped_resnet_8_32", "resnet_8_32"),
    ],
)
def test_published_networks_reproduce_their_recorded_output(file, key):
    recorded = load_file(REFERENCES / "reference_io.safetensors")
    generator = Generator.from_published(REFERENCES / f"{file}.safetensors")
    with torch.inference_mode():
        error = (generator(recorded["input"]) - recorded[key]).abs()
    # The original TensorFlow graphs in float32 against ours: 1.3e-6 was seen.
    assert error.max() < 1e-5, f"maximum {error.max()}, mean {error.mean()}"


def test_a_file_of_another_kind_is_no_published_generator(tmp_path):
    file = tmp_path / "other.safetensors"
    save_file({"layer.weight": torch.zeros(2)}, file)
    with pytest.raises(DslrGanError, match="no published DPED generator"):
        Generator.from_published(file)
    with pytest.raises(DslrGanError, match="there is no"):
        Generator.from_published(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("change", ["missing", "surplus", "misshapen", "nan"])
def test_published_loading_is_strict(tmp_path, change):
    weights = helpers.published_like(channels=8, blocks=1)
    if change == "missing":
        del weights["conv3.bias"]
    elif change == "surplus":
        weights["conv9.weight"] = torch.zeros(1)
    elif change == "misshapen":
        weights["conv3.bias"] = torch.zeros(9)
    else:
        weights["conv3.bias"][0] = float("nan")
    save_file(weights, tmp_path / "file.safetensors")
    word = {"missing": "lacks", "misshapen": "shape", "nan": "NaN"}.get(change, change)
    with pytest.raises(DslrGanError, match=word):
        Generator.from_published(tmp_path / "file.safetensors")


@pytest.mark.parametrize("name", ["plain", "coarse", "published"])
@pytest.mark.parametrize("inner", [(40, 90, 70, 150), (0, 60, 100, 201), (61, 183, 0, 1)])
def test_a_part_is_what_the_whole_has_there(name, inner):
    config = {
        "plain": {"channels": 8, "blocks": 1},
        "coarse": {"channels": 8, "blocks": 1, "coarse_channels": 8, "context_channels": 4},
        "published": {"channels": 4, "blocks": 1, "downscale": 1, "norm": "instance"},
    }[name]
    network = loud(config)
    image = torch.rand(1, 3, 183, 201, dtype=torch.float64)
    part = slice(*inner[:2]), slice(*inner[2:])
    seen = []
    network.merge[1].register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0][0, 0].numel())
    )
    with torch.inference_mode():
        expected = network(image)[..., *part]
        delivered = network.forward_tile(image, part)
    torch.testing.assert_close(delivered, expected, rtol=0, atol=1e-10)
    assert (seen[1] == seen[0]) if name == "published" else seen[1] < 0.75 * seen[0]
