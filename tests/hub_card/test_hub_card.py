import dataclasses
import json
import re

import huggingface_hub
import pytest

import hub_card.card
from hub_card import THIS_MODEL, ModelFacts, Picture, Score, Source, render, unknown_facts

PAIRS = "DPED iPhone test patches"
COMMAND = "accelerate launch train_accelerate.py \\\n  --pairs dped/iphone --max_train_steps 3000"


def score(method: str, metric: str, value: float, ci95: tuple[float, float] | None = None) -> Score:
    return Score(method=method, dataset=PAIRS, pairs=51, metric=metric, value=value, ci95=ci95)


@pytest.fixture
def facts() -> ModelFacts:
    return ModelFacts(
        title="dslr_gan for iPhone",
        phone="iPhone 3GS",
        camera="Canon 70D",
        architecture="32 channels, 4 blocks, downscale 2, no normalisation",
        parameters=81_234,
        data=[
            Source(
                name="DPED | iPhone",
                gave="249 training pairs",
                terms="free for research",
                url="https://example.org/dped",
                dataset_id=None,
            ),
            Source(
                name="Holiday photos", gave="12 pairs", terms=None, url=None, dataset_id="me/photos"
            ),
        ],
        teachers=[],
        steps=3000,
        batch_size=16,
        losses={"content": 0.0, "texture": 0.3, "color": 0.2},
        seed=7,
        commands=[COMMAND, "python second.py"],
        versions={"torch": "2.13.0", "accelerate": "1.15.0"},
        scores=[
            score("input photo", "PSNR", 18.46),
            score(THIS_MODEL, "PSNR", 22.456, (22.101, 22.9)),
            score(THIS_MODEL, "MS-SSIM", 0.92461),
        ],
        limits=["Noise of dark photos is amplified.", "Very bright skies lose detail."],
        licence_name="dped-research",
        licence_text="Research use only; DPED names no licence for more.",
        licence_link="https://example.org/terms",
        date="2026-01-31",
        speed=["1280x720 takes 0.2 s on two cores."],
        pictures=[Picture(file="sky.jpg", shows="The sky is white.")],
    )


def read_metadata(card: huggingface_hub.ModelCard) -> huggingface_hub.ModelCardData:
    """The metadata as the Hub would read it from the written file."""
    return huggingface_hub.ModelCard(str(card)).data


def test_every_fact_stands_in_the_card(facts):
    text = str(render(facts, "me/dslr-gan-iphone"))

    for words in [
        "# dslr_gan for iPhone",
        "| phone | iPhone 3GS |",
        "| camera it learned from | Canon 70D |",
        "| architecture | 32 channels, 4 blocks, downscale 2, no normalisation |",
        "| parameters | 81234 |",
        "| training ended | 2026-01-31 |",
        "| [DPED \\| iPhone](https://example.org/dped) | 249 training pairs | free for research |",
        "| Holiday photos | 12 pairs | unknown |",
        "### Teachers and pretrained networks\n\nnone\n",
        "| steps | 3000 |",
        "| batch size | 16 |",
        "| seed | 7 |",
        "| libraries | torch 2.13.0, accelerate 1.15.0 |",
        f"```sh\n{COMMAND}\npython second.py\n```",
        "| content | 0.0 |\n| texture | 0.3 |\n| color | 0.2 |\n",
        f"### {PAIRS}",
        "- Noise of dark photos is amplified.\n- Very bright skies lose detail.\n",
        "## Speed\n\n- 1280x720 takes 0.2 s on two cores.\n",
        "![The sky is white.](sky.jpg)\n\n*The sky is white.*\n",
        "`dped-research`: Research use only; DPED names no licence for more.",
        "<https://example.org/terms>",
        'PhotoEnhancer.from_pretrained("me/dslr-gan-iphone")',
        "--model me/dslr-gan-iphone",
        "dslr_gan export --model me/dslr-gan-iphone --out model.onnx",
    ]:
        assert words in text
    assert "Image Enhancement using Generative Adversarial Networks" in text
    assert "DSLR-Quality Photos on Mobile Devices with Deep Convolutional Networks" in text
    assert "None" not in text


def test_the_score_table_has_a_row_per_method_and_a_column_per_metric(facts):
    text = str(render(facts, None))

    assert (
        "| method | pairs | PSNR | MS-SSIM |\n"
        "|---|---|---|---|\n"
        "| input photo | 51 | 18.46 | not measured |\n"
        "| this model | 51 | 22.46 (22.10 to 22.90) | 0.9246 |\n"
    ) in text


def test_two_values_for_one_place_in_the_table_are_refused(facts):
    twice = dataclasses.replace(facts, scores=[score("a", "PSNR", 1), score("a", "PSNR", 2)])
    with pytest.raises(ValueError, match="two values of PSNR"):
        render(twice, None)


def test_the_hub_reads_the_metadata(facts):
    data = read_metadata(render(facts, "me/dslr-gan-iphone"))

    assert data.license == "other"
    assert data.license_name == "dped-research"
    assert data.license_link == "https://example.org/terms"
    assert data.library_name == "dslr_gan"
    assert data.pipeline_tag == "image-to-image"
    assert {"image-enhancement", "dslr", "dped", "gan"} <= set(data.tags)
    assert data.datasets == ["me/photos"]
    assert data.model_name == "dslr_gan for iPhone"


def test_only_the_models_own_scores_are_its_results(facts):
    results = read_metadata(render(facts, None)).eval_results

    assert [(r.metric_type, r.metric_name, r.metric_value) for r in results] == [
        ("psnr", "PSNR", 22.456),
        ("ms_ssim", "MS-SSIM", 0.92461),
    ]
    assert results[0].metric_args == {"pairs": 51, "ci95": [22.101, 22.9]}
    assert results[1].metric_args == {"pairs": 51}
    assert {(r.task_type, r.dataset_name) for r in results} == {("image-to-image", PAIRS)}
    assert all(re.fullmatch(r"[\w.-]+", r.dataset_type) for r in results)


def test_only_what_learned_from_a_discriminator_is_tagged_as_a_gan(facts):
    for losses, tagged in [(facts.losses, True), (None, True), ({"content": 1.0}, False)]:
        card = render(dataclasses.replace(facts, losses=losses), None)
        assert ("gan" in read_metadata(card).tags) == tagged


def test_the_example_keeps_what_a_photo_carries(facts):
    text = str(render(facts, None))
    assert 'enhance(open_photo("photo.jpg")' in text and "save_photo(enhanced" in text


def test_a_generator_in_a_folder_is_loaded_from_a_folder(facts):
    text = str(render(facts, None))
    assert 'PhotoEnhancer.from_pretrained("path/to/this/folder")' in text
    assert "--model path/to/this/folder" in text


def test_unknown_facts_are_called_unknown():
    card = render(unknown_facts("Found on a disk"), None)
    text = str(card)

    assert "# Found on a disk" in text
    for row in ["phone", "architecture", "parameters", "steps", "seed", "libraries"]:
        assert f"| {row} | unknown |" in text
    for section in ["Training data", "Scores", "Speed", "Limits", "Licence"]:
        assert f"## {section}\n\nunknown\n" in text
    assert "None" not in text

    data = read_metadata(card)
    assert data.license == "unknown"  # the Hub's own word for it
    assert data.license_name is None
    assert data.eval_results is None
    assert data.datasets is None
    assert "dped" not in data.tags


def test_a_licence_half_known(facts):
    for name, line in {
        "licence_name": "`unknown`: Research use only; DPED names no licence for more.",
        "licence_text": "`dped-research`: unknown",
    }.items():
        text = str(render(dataclasses.replace(facts, **{name: None}), None))
        assert f"## Licence\n\n{line}\n" in text


def test_none_of_it_is_not_unknown():
    names = ["data", "teachers", "losses", "commands", "versions", "scores", "limits"]
    names += ["speed", "pictures"]
    empty = {name: {} if name in ("losses", "versions") else [] for name in names}
    text = str(render(dataclasses.replace(unknown_facts("t"), **empty), None))

    assert "## Training data\n\nnone\n" in text
    assert "| libraries | none |" in text
    assert "## Scores\n\nnone\n" in text
    assert "## Speed\n\nnot measured\n" in text
    assert "## Limits\n\nnone known\n" in text


@pytest.mark.parametrize("name", ["facts.colour_of_the_sky", "nobody", "facts.phone.maker"])
def test_a_template_with_an_undefined_name_is_an_error(facts, name):
    template = hub_card.card.TEMPLATE.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=name.split(".")[-1]):
        hub_card.card.fill(template + "{{ " + name + " }}", facts, None)


def test_the_template_starts_with_its_metadata():
    assert hub_card.card.TEMPLATE.read_text().startswith("---\n{{ card_data }}\n---\n")


def test_json_round_trip(facts):
    assert ModelFacts.from_json(facts.to_json()) == facts
    assert ModelFacts.from_json(unknown_facts("t").to_json()) == unknown_facts("t")


def test_json_survives_integers_where_numbers_are_wanted(facts):
    value = json.loads(facts.to_json())
    value["losses"] = {"l1": 1}
    read = ModelFacts.from_json(json.dumps(value))
    assert read.losses == {"l1": 1.0}
    assert type(read.losses["l1"]) is float


def change(path: list, value):
    """A function that sets one place in the JSON; `...` as the value removes it."""

    def apply(facts: dict) -> None:
        for step in path[:-1]:
            facts = facts[step]
        if value is ...:
            del facts[path[-1]]
        else:
            facts[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change(["steps"], ...), "facts lacks steps"),
        (change(["weather"], "fine"), "facts has weather"),
        (change(["data", 0, "terms"], ...), r"facts.data\[0\] lacks terms"),
        (change(["scores", 1, "colour"], 1), r"facts.scores\[1\] has colour"),
        (change(["steps"], "many"), "facts.steps must be of type int, got 'many'"),
        (change(["steps"], True), "facts.steps must be of type int, got True"),
        (change(["title"], None), "facts.title must be of type str"),
        (change(["losses"], [1]), "facts.losses must be"),
        (change(["losses", "texture"], "0.3"), "facts.losses.texture must be of type float"),
        (change(["scores", 1, "ci95"], [1.0]), r"facts.scores\[1\].ci95 must be"),
        (change(["data"], ["DPED"]), r"facts.data\[0\] must be an object"),
        (change(["scores", 0, "value"], float("nan")), "must be finite"),
        (change(["licence_name"], "Research Only!"), "licence_name must consist"),
        (change(["pictures", 0, "file"], "../sky.jpg"), r"picture '../sky.jpg' must be a plain"),
        (change(["pictures", 0, "file"], "README.md"), r"picture 'README.md' must be a plain"),
    ],
)
def test_spoilt_json_is_refused_by_name(facts, spoil, message):
    value = json.loads(facts.to_json())
    spoil(value)
    with pytest.raises(ValueError, match=message):
        ModelFacts.from_json(json.dumps(value))


def test_facts_that_were_saved_before_a_fact_was_known_are_read(facts):
    value = json.loads(facts.to_json())
    del value["speed"], value["pictures"]
    assert ModelFacts.from_json(json.dumps(value)) == dataclasses.replace(
        facts, speed=None, pictures=None
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"facts"'])
def test_text_that_is_no_facts_is_refused(text):
    with pytest.raises(ValueError, match=r"valid JSON|must be an object"):
        ModelFacts.from_json(text)


def test_every_field_of_the_facts_must_be_given():
    with pytest.raises(TypeError, match="missing"):
        ModelFacts(title="t")
