"""Networks as ONNX: what another runtime computes is what PyTorch computes."""

import re
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage import data

from dslr_gan.errors import DslrGanError
from dslr_gan.models import export as module
from dslr_gan.models.baselines import SRCNN
from dslr_gan.models.context import summarize
from dslr_gan.models.export import context_file, export_onnx
from dslr_gan.models.generator import Generator
from tests.support.command_line import names, refused, run
from tests.support.helpers import loud, published_like

SIZES = ((1, 1, 1), (1, 8, 8), (3, 64, 50), (1, 7, 301), (2, 129, 40))

SETTINGS = {
    # As shipped, but smaller: context, coarse branch, dilations, two foldings.
    "shipped": {
        "channels": 8, "blocks": 1, "dilations": (2,), "end_kernel": 5, "coarse_channels": 8,
        "context_channels": 8, "context_width": 8,
    },
    "paper": {"channels": 8, "blocks": 1, "downscale": 1},
    "instance norm": {
        "channels": 8, "blocks": 1, "downscale": 1, "norm": "instance", "end_kernel": 9,
        "residual": False,
    },
    "folded without residual": {"channels": 8, "blocks": 1, "downscale": 4, "residual": False},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("onnx")


@pytest.mark.parametrize(
    "name",
    [*(pytest.param(name, marks=pytest.mark.slow) for name in SETTINGS), "srcnn"],
)
def test_another_runtime_computes_the_same_at_any_size(name, folder):
    if name == "srcnn":
        torch.manual_seed(0)
        network = SRCNN().eval()
    else:
        network = loud(SETTINGS[name])
    exported = export_onnx(network, folder / f"{name}.onnx")
    assert exported.difference <= 1e-4
    onnx.checker.check_model(exported.file)
    session = onnxruntime.InferenceSession(exported.file)
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata.get("receptive_radius") == (
        None if network.receptive_radius is None else str(network.receptive_radius)
    )
    assert metadata["multiple"] == str(network.multiple)
    assert (exported.context_file is not None) == network.uses_context
    for batch, height, width in SIZES:
        image = torch.rand(batch, 3, height, width)
        inputs = {"image": image.numpy()}
        with torch.inference_mode():
            expected = network(image)  # with context: that of the image itself
            if exported.context_file:
                describe = onnxruntime.InferenceSession(exported.context_file)
                (inputs["context"],) = describe.run(None, inputs)
                context = network.context(summarize(image)).numpy()
                # float32 sums in another order; measured: below 1e-6 of values around 1
                np.testing.assert_allclose(inputs["context"], context, atol=1e-4)
                assert np.ptp(context) > 0.01
        (found,) = session.run(None, inputs)
        assert found.shape == (batch, 3, height, width)
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
        assert height == 1 or np.abs(found - image.numpy()).max() > 0.01


@pytest.mark.slow
def test_the_docstring_s_example_runs(folder, monkeypatch):
    network = loud(SETTINGS["shipped"])
    if not (folder / "shipped.onnx").exists():
        export_onnx(network, folder / "shipped.onnx")
    code = re.search(r"numpy::\n\n(.*?)\n\nThe context", module.__doc__, re.DOTALL)[1]
    code = re.sub(r"^    ", "", code, flags=re.MULTILINE).replace("iphone", "shipped")
    code = code.replace("enhanced.jpg", "enhanced.png")  # without losses
    monkeypatch.chdir(folder)
    Image.fromarray(data.coffee()).resize((75, 50)).save("photo.jpg")
    exec(code, {})
    photo = torch.from_numpy(np.array(Image.open("photo.jpg"), np.float32)).permute(2, 0, 1) / 255
    with torch.inference_mode():
        expected = network(photo[None])[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255
    off = np.abs(np.array(Image.open("enhanced.png")) - expected).max()
    assert off <= 0.55, f"{off} steps of 8 bits, of which rounding takes a half"


@pytest.fixture
def published(tmp_path) -> Path:
    torch.manual_seed(0)
    save_file(published_like(8, 1), tmp_path / "published.safetensors")
    return tmp_path / "published.safetensors"


def test_the_command(published, tmp_path, capsys):
    out = tmp_path / "new/published.onnx"
    assert run("export", "--model", published, "--out", out) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert str(out) in first and str(published) in first and "free" in second
    assert names(out.parent) == ["published.onnx"]
    image = np.random.default_rng(0).random((1, 3, 20, 31), np.float32)
    (found,) = onnxruntime.InferenceSession(out).run(None, {"image": image})
    expected = Generator.from_published(published)(torch.from_numpy(image))
    np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-4)
    assert "--overwrite" in refused(capsys, "export", "--model", published, "--out", out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "a.safetensors"], ".onnx"),
        (["--out", "a.onnx", "--model", "nokia"], "nokia"),
        (["--out", "a.onnx", "--revision", "v1"], "revision"),
    ],
)
def test_a_wrong_option_is_refused(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, "export", *arguments)
    assert names(tmp_path) == []


@pytest.mark.parametrize("library", ["onnx", "onnxscript", "onnxruntime"])
def test_a_library_that_is_missing_is_named_with_its_remedy(library, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DslrGanError, match=f"{library} is missing.*pip install onnx"):
        export_onnx(SRCNN(), tmp_path / "a.onnx")


class Odd(SRCNN):
    """Computes something else wherever the exporter does not look."""

    def forward(self, image, context=None):
        result = super().forward(image)
        return result if torch.compiler.is_exporting() else result + 0.001


class Narrow(SRCNN):
    """Cannot be traced for a free size: what it does depends on its numbers."""

    def forward(self, image, context=None):
        result = super().forward(image)
        return result if image.mean() > 0.4 else -result


@pytest.mark.parametrize(("kind", "words"), [(Odd, "differs from"), (Narrow, "cannot be exported")])
def test_what_is_not_the_same_is_not_written(kind, words, tmp_path):
    with pytest.raises(DslrGanError, match=words):
        export_onnx(kind().eval(), tmp_path / "new/a.onnx")
    assert not list(tmp_path.glob("new/*"))


def test_the_context_is_beside_its_network():
    assert context_file(Path("a/b.c.onnx")) == Path("a/b.c.context.onnx")
