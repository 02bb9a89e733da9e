import json
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save, save_file

import dslr_gan.hub.reading
import dslr_gan.metrics.vgg
from dslr_gan.errors import DslrGanError
from dslr_gan.metrics.vgg import VGGFeatures
from tests.support import hub_server
from tests.support.hub_faults import cut, drop, hang
from tests.support.hub_server import HubServer, hub_environment, take_for_the_hub

REPOSITORY = "timm/vgg16.tv_in1k"
ADVICE = r"--vgg_weights FILE .* --content_weight 0"
SHAPES = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128)}
SHAPES |= {12: (256, 256), 14: (256, 256)}
NEEDED_BYTES = 4 * sum(out * (9 * into + 1) for out, into in SHAPES.values())


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Random weights with VGG's keys, scaled so that the features neither vanish nor explode."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for place, (out, into) in SHAPES.items():
        weight = torch.randn((out, into, 3, 3), generator=generator)
        tensors[f"features.{place}.weight"] = weight * (2 / (9 * into)) ** 0.5
        tensors[f"features.{place}.bias"] = torch.randn(out, generator=generator) * 0.1
    return tensors


@pytest.fixture(scope="module")
def whole_vgg(weights) -> bytes:
    """A file with the layout of the real one: the wanted layers, and much that is not wanted."""
    surplus = {
        # By name this one lies between features.14 and features.2.
        "features.17.weight": torch.zeros(512, 256, 3, 3),
        "features.17.bias": torch.zeros(512),
        "head.fc.weight": torch.zeros(1000, 4096),
    }
    return save({**weights, **surplus}, metadata={"format": "pt"})


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub that this process takes for the real one, and an empty cache."""
    with HubServer() as server:
        take_for_the_hub(monkeypatch, server, tmp_path)
        yield server


def downloads(hub) -> list[hub_server.Logged]:
    return [each for each in hub.requests if each.method == "GET" and each.range]


def kept_files(tmp_path) -> list:
    found = (tmp_path / "assets").rglob("*.safetensors")
    return [path for path in found if path.is_file()]


def same_weights(network: VGGFeatures, weights: dict[str, torch.Tensor]) -> bool:
    state = network.state_dict()
    return state.keys() == weights.keys() and all(torch.equal(state[k], weights[k]) for k in state)


def load(tmp_path, tensors) -> VGGFeatures:
    save_file(tensors, tmp_path / "vgg.safetensors")
    return VGGFeatures.from_file(tmp_path / "vgg.safetensors")


def test_features_are_those_of_the_plain_computation(tmp_path, weights):
    network = load(tmp_path, weights)
    image = torch.rand((2, 3, 21, 34), generator=torch.Generator().manual_seed(1)) * 1.2 - 0.1

    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    expected = {}
    hidden = (image - mean) / deviation
    for block, places in {1: (0, 2), 2: (5, 7), 3: (10, 12, 14)}.items():
        if block > 1:
            hidden = F.max_pool2d(hidden, 2)
        for place in places:
            weight, bias = weights[f"features.{place}.weight"], weights[f"features.{place}.bias"]
            hidden = F.relu(F.conv2d(hidden, weight, bias, padding=1))
        expected[f"relu{block}_{len(places)}"] = hidden

    found = network(image)
    assert list(found) == ["relu2_2", "relu3_3"]
    assert found["relu2_2"].shape == (2, 128, 10, 17)
    assert found["relu3_3"].shape == (2, 256, 5, 8)
    for name, feature in found.items():
        assert feature.std() > 0.1  # not the trivial all-zero agreement
        torch.testing.assert_close(feature, expected[name])


def test_the_image_gets_a_gradient_and_the_weights_do_not(tmp_path, weights):
    network = load(tmp_path, weights)
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    sum(feature.square().mean() for feature in network(image).values()).backward()

    assert image.grad.abs().sum() > 0
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 8, 8, 3), (1, 3, 3, 8)])
def test_another_shape_is_refused(shape):
    with pytest.raises(DslrGanError, match=r"\(N, 3, H, W\)"):
        VGGFeatures()(torch.zeros(shape))


def test_a_whole_vgg_file_and_half_precision_are_read(tmp_path, weights, whole_vgg):
    path = tmp_path / "whole.safetensors"
    path.write_bytes(whole_vgg)
    assert same_weights(VGGFeatures.from_file(path), weights)

    network = load(tmp_path, {key: tensor.half() for key, tensor in weights.items()})
    assert same_weights(network, {key: tensor.half().float() for key, tensor in weights.items()})


def spoil(weights, how) -> dict[str, torch.Tensor]:
    spoilt = dict(weights)
    key = "features.7.weight"
    if how == "missing":
        del spoilt[key]
    elif how == "renamed":
        spoilt["module." + key] = spoilt.pop(key)
    elif how == "shape":
        spoilt[key] = spoilt[key][:, :64].contiguous()
    elif how == "integers":
        spoilt[key] = torch.zeros(128, 128, 3, 3, dtype=torch.int32)
    else:
        spoilt[key] = spoilt[key].clone()
        spoilt[key][5, 4, 1, 2] = float(how)
    return spoilt


SPOILT = {
    "missing": "features.7.weight is missing",
    "renamed": "features.7.weight is missing",
    "shape": r"features.7.weight has the shape \(128, 64, 3, 3\) instead of \(128, 128, 3, 3\)",
    "integers": "features.7.weight has values that are no finite numbers",
    "nan": "features.7.weight has values that are no finite numbers",
    "inf": "features.7.weight has values that are no finite numbers",
}


@pytest.mark.parametrize("how", SPOILT)
def test_spoilt_weights_in_a_file_are_refused(tmp_path, weights, how):
    with pytest.raises(DslrGanError, match=f"{SPOILT[how]}; pass {ADVICE}"):
        load(tmp_path, spoil(weights, how))


@pytest.mark.parametrize("content", [b"", b"short", b"\x80\x02pickled" * 99])
def test_a_file_that_is_no_safetensors_is_refused(tmp_path, content):
    path = tmp_path / "vgg.pth"
    path.write_bytes(content)
    with pytest.raises(
        DslrGanError, match=f"vgg.pth: .*such as .pth are never loaded.*{ADVICE}"
    ) as caught:
        VGGFeatures.from_file(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nothing.safetensors", "."])
def test_a_missing_file_and_a_folder_are_refused(tmp_path, name):
    with pytest.raises(DslrGanError, match=f"there is no such file; pass {ADVICE}"):
        VGGFeatures.from_file(tmp_path / name)


def test_from_hub_reads_the_needed_bytes_only(hub, weights, whole_vgg):
    commit = hub.add_file(REPOSITORY, "model.safetensors", whole_vgg)
    network = VGGFeatures.from_hub()

    assert same_weights(network, weights)
    assert network.source == f"{REPOSITORY} at commit {commit[:8]}"
    header = 8 + int.from_bytes(whole_vgg[:8], "little")
    assert len(whole_vgg) > 4 * NEEDED_BYTES
    assert sum(request.sent for request in hub.requests) < header + NEEDED_BYTES + 1000
    partial = [request for request in downloads(hub) if request.status == 206]
    assert sum(request.sent for request in partial) == header + NEEDED_BYTES
    # Length, header, features.0 to .14, features.2 to .7: neighbours come together.
    assert len(partial) == 4
    # All parts are of one commit, whatever happens to the branch meanwhile.
    asked = [request.path for request in downloads(hub) if request.status == 302]
    assert asked == [f"/{REPOSITORY}/resolve/{commit}/model.safetensors"] * 4


def test_from_hub_reads_once(hub, weights, whole_vgg):
    hub.add_file(REPOSITORY, "model.safetensors", whole_vgg)
    VGGFeatures.from_hub()
    asked = len(downloads(hub))

    assert same_weights(VGGFeatures.from_hub(), weights)
    assert len(downloads(hub)) == asked
    hub.fail_with(503)
    assert same_weights(VGGFeatures.from_hub(), weights)


def test_a_commit_that_is_kept_needs_no_hub(hub, weights, whole_vgg):
    commit = hub.add_file(REPOSITORY, "model.safetensors", whole_vgg)
    VGGFeatures.from_hub(revision=commit)
    asked = len(hub.requests)

    assert same_weights(VGGFeatures.from_hub(revision=commit), weights)
    assert len(hub.requests) == asked


def test_what_is_kept_belongs_to_its_commit(hub, weights, whole_vgg):
    first = hub.add_file(REPOSITORY, "model.safetensors", whole_vgg)
    assert same_weights(VGGFeatures.from_hub(), weights)
    others = {key: tensor + 1 for key, tensor in weights.items()}
    hub.add_file(REPOSITORY, "model.safetensors", save(others))

    assert same_weights(VGGFeatures.from_hub(), others)
    assert same_weights(VGGFeatures.from_hub(revision=first), weights)


def test_what_is_kept_and_spoilt_is_read_anew(hub, weights, tmp_path):
    hub.add_file(REPOSITORY, "model.safetensors", save(weights))
    VGGFeatures.from_hub()
    (kept,) = kept_files(tmp_path)
    for content in [kept.read_bytes()[:-4], b"", save(spoil(weights, "nan"))]:
        kept.write_bytes(content)
        assert same_weights(VGGFeatures.from_hub(), weights)


@pytest.mark.parametrize("how", SPOILT)
def test_spoilt_weights_on_the_hub_are_refused_and_not_kept(hub, weights, tmp_path, how):
    hub.add_file(REPOSITORY, "model.safetensors", save(spoil(weights, how)))
    with pytest.raises(DslrGanError, match=f"{SPOILT[how]}; pass {ADVICE}"):
        VGGFeatures.from_hub()
    assert not kept_files(tmp_path)


def spoilt_header(weights, **changes) -> bytes:
    """A large safetensors file whose header says something else of one tensor."""
    content = save({**weights, "head.fc.weight": torch.zeros(1000, 4096)})
    stop = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:stop])
    header["features.7.weight"] = {**header["features.7.weight"], **changes}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[stop:]


@pytest.mark.parametrize(
    "changes",
    [
        {"data_offsets": [0, 10**12]},
        {"data_offsets": [-8, 8]},
        {"data_offsets": ["a", "b"]},
        {"data_offsets": None},
        {"dtype": "F63"},
        {"dtype": "F16"},
        {"shape": 7},
    ],
)
def test_a_header_that_makes_no_sense_is_refused(hub, weights, changes):
    hub.add_file(REPOSITORY, "model.safetensors", spoilt_header(weights, **changes))
    with pytest.raises(DslrGanError, match=ADVICE):
        VGGFeatures.from_hub()
    assert sum(request.sent for request in hub.requests) < NEEDED_BYTES + 10_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"\x80\x02pickled" * 99_999,
        (0).to_bytes(8, "little") + b"{}",
        (4).to_bytes(8, "little") + b"[{}]" + bytes(99),
        (4).to_bytes(8, "little") + b"\xff\xfe{}" + bytes(99),
        (400).to_bytes(8, "little") + b"{}",
    ],
)
def test_a_file_of_the_hub_that_is_no_safetensors_is_refused(hub, content):
    hub.add_file(REPOSITORY, "model.safetensors", content)
    with pytest.raises(DslrGanError, match=ADVICE) as caught:
        VGGFeatures.from_hub()
    assert "\n" not in str(caught.value)
    assert sum(request.sent for request in hub.requests) < 1000


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"repo": "nobody/nothing"}, "there is no such repository"),
        ({"filename": "other.safetensors"}, "there is no such file"),
        ({"revision": "v9"}, "there is no such revision"),
        ({"revision": "0" * 40}, "there is no such revision"),
        ({"repo": "a/b/c"}, "Repo id must be"),
    ],
)
def test_what_is_not_on_the_hub_is_named(hub, weights, asked, message):
    hub.add_file(REPOSITORY, "model.safetensors", save(weights))
    VGGFeatures.from_hub()  # what is kept never stands in for something else
    with pytest.raises(DslrGanError, match=f"{message}.*{ADVICE}"):
        VGGFeatures.from_hub(**asked)


def test_what_has_gone_from_the_hub_is_not_taken_from_what_is_kept(hub, weights):
    hub.add_file(REPOSITORY, "model.safetensors", save(weights))
    VGGFeatures.from_hub()
    hub.repositories.clear()
    with pytest.raises(DslrGanError, match=f"there is no such repository.*{ADVICE}"):
        VGGFeatures.from_hub()


def test_an_outage_with_nothing_kept_is_told(hub):
    hub.fail_with(503)
    with pytest.raises(DslrGanError, match=f"on the Hub: .*503.*{ADVICE}") as caught:
        VGGFeatures.from_hub()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["/timm/.*", "/[0-9a-f]{64}"])
@pytest.mark.parametrize("fault", [hub_server.Answer({}, {}, 503), drop, cut])
def test_a_hub_that_is_busy_or_breaks_off_at_first_is_asked_again(hub, weights, path, fault):
    hub.add_file(REPOSITORY, "model.safetensors", save(weights))
    hub.faults.add(path, fault, times=3)
    assert same_weights(VGGFeatures.from_hub(), weights)


def test_a_hub_that_never_answers_ends_at_the_deadline(hub, weights):
    hub.add_file(REPOSITORY, "model.safetensors", save(weights))
    hub.faults.add("/[0-9a-f]{64}", hang)
    began = time.monotonic()
    with pytest.raises(DslrGanError, match=f"did not answer within 0.5 seconds.*{ADVICE}"):
        VGGFeatures.from_hub(timeout=0.5)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("module", [dslr_gan.metrics.vgg, dslr_gan.hub.reading])
def test_a_full_disk_costs_nothing_but_a_warning(hub, weights, monkeypatch, caplog, module):
    def full(*_):
        raise OSError(28, "No space left on device")

    hub.add_file(REPOSITORY, "model.safetensors", save(weights))
    monkeypatch.setattr(module, "written_whole", full)
    assert same_weights(VGGFeatures.from_hub(), weights)
    (line,) = caplog.messages
    assert line.endswith("(No space left on device)")


def test_a_hub_that_is_gone_is_told(hub):
    hub.stop()
    with pytest.raises(DslrGanError, match=f"on the Hub: .*refused.*{ADVICE}"):
        VGGFeatures.from_hub()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda content: hub_server.Answer(content), "does not answer byte ranges"),
        (lambda content: hub_server.Answer(b"12", {}, 206), "sent 2 bytes instead of 8"),
    ],
)
def test_a_server_without_ranges_is_told(hub, monkeypatch, answer, message):
    hub.add_file(REPOSITORY, "model.safetensors", save({"a": torch.zeros(9)}))
    monkeypatch.setattr(hub_server, "part", lambda request, content, headers: answer(content))
    with pytest.raises(DslrGanError, match=f"{message}.*{ADVICE}"):
        VGGFeatures.from_hub()


PROGRAM = """
import torch
from dslr_gan.metrics.vgg import VGGFeatures

print(float(VGGFeatures.from_hub()(torch.full((1, 3, 8, 8), 0.5))["relu3_3"].sum()))
"""


@pytest.mark.slow
def test_a_program_reads_from_its_endpoint_and_the_next_needs_no_network(
    tmp_path, weights, whole_vgg
):
    expected = load(tmp_path, weights)(torch.full((1, 3, 8, 8), 0.5))["relu3_3"].sum()

    def run() -> float:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    with HubServer() as server:
        server.add_file(REPOSITORY, "model.safetensors", whole_vgg)
        environment = hub_environment(server, tmp_path / "home")
        assert run() == pytest.approx(float(expected), rel=1e-5)
        assert sum(request.sent for request in server.requests) < len(whole_vgg) / 3
    assert run() == pytest.approx(float(expected), rel=1e-5)
