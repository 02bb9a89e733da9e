import dataclasses
import json
import re

import huggingface_hub
import pytest
from markdown_it import MarkdownIt

import hub_card.card
from hub_card import (
    THIS_MODEL,
    ModelFacts,
    Picture,
    Score,
    Source,
    about,
    is_untouched,
    licence_file,
    markdown,
    marked,
    render,
    summary,
    unknown_facts,
)

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
        "Teachers and pretrained networks:\n\nnone\n",
        "| steps | 3000 |",
        "| batch size | 16 |",
        "| seed | 7 |",
        "| libraries | torch 2.13.0, accelerate 1.15.0 |",
        f"```sh\n{COMMAND}\npython second.py\n```",
        "| losses | 0.0 content + 0.3 texture + 0.2 color |\n",
        f"On {PAIRS}:",
        "- Noise of dark photos is amplified.\n- Very bright skies lose detail.\n",
        "## Speed\n\n- 1280x720 takes 0.2 s on two cores.\n",
        "![The sky is white.](sky.jpg)\n\n*The sky is white.*\n",
        "dped-research: Research use only; DPED names no licence for more.",
        "[https://example.org/terms](https://example.org/terms)",
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
        "| method | pairs | PSNR (dB) ↑ | MS-SSIM ↑ |\n"
        "|---|---|---|---|\n"
        "| input photo | 51 | 18.46 |  |\n"
        "| **this model** | 51 | 22.46 (22.10 to 22.90) | 0.9246 |\n"
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
        ("psnr", "PSNR", 22.46),
        ("ms_ssim", "MS-SSIM", 0.9246),
    ]
    assert results[0].metric_args == {"pairs": 51, "ci95": [22.1, 22.9]}
    assert results[1].metric_args == {"pairs": 51}
    assert {(r.task_type, r.dataset_name) for r in results} == {("image-to-image", PAIRS)}
    assert all(re.fullmatch(r"[\w.-]+", r.dataset_type) for r in results)


def test_only_what_learned_from_a_discriminator_is_tagged_as_a_gan(facts):
    for losses, tagged in [(facts.losses, True), (None, True), ({"content": 1.0}, False)]:
        card = render(dataclasses.replace(facts, losses=losses), None)
        assert ("gan" in read_metadata(card).tags) == tagged


def test_the_example_keeps_what_a_photo_carries(facts):
    text = str(render(facts, None))
    assert 'enhance_file(enhancer, "photo.jpg", "enhanced.jpg"' in text


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
    for section in ["Trained on what, and by whose leave", "Scores", "Speed", "Limits", "Licence"]:
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
        "licence_name": "unknown: Research use only; DPED names no licence for more.",
        "licence_text": "dped-research: unknown",
    }.items():
        text = str(render(dataclasses.replace(facts, **{name: None}), None))
        assert f"## Licence\n\n{line}\n" in text


def test_none_of_it_is_not_unknown():
    names = ["data", "teachers", "losses", "commands", "versions", "scores", "limits"]
    names += ["speed", "pictures"]
    empty = {name: {} if name in ("losses", "versions") else [] for name in names}
    text = str(render(dataclasses.replace(unknown_facts("t"), **empty), None))

    assert "## Trained on what, and by whose leave\n\nnone\n" in text
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


# What others wrote ----------------------------------------------------------------------------

FORGED = (
    "x\n# Official\n<script>alert(1)</script> [win](javascript:alert(1)) ![a](b) `c` *d* | e &lt;"
)


@pytest.fixture
def forged(facts) -> ModelFacts:
    """Facts of which every text tries to be more than text."""
    source = Source(name=FORGED, gave=FORGED, terms=FORGED, url="javascript:alert(1)",
                    dataset_id="../../evil\n- official/data")  # fmt: skip
    return dataclasses.replace(
        facts,
        title=FORGED,
        phone=FORGED,
        data=[source],
        teachers=[dataclasses.replace(source, url="https://a.b/c) [x](javascript:y")],
        losses={FORGED: 1.0},
        commands=["true\n```\n# Official\n<script>alert(1)</script>"],
        versions={FORGED: FORGED},
        scores=[
            Score(method=FORGED, dataset=FORGED, pairs=1, metric=FORGED, value=1.0, ci95=None),
            Score(method=THIS_MODEL, dataset=FORGED, pairs=1, metric=FORGED, value=1.0, ci95=None),
        ],
        limits=[FORGED, "# Official", "- nested", "1. one", "> said"],
        speed=[FORGED],
        pictures=[Picture(file="a.jpg", shows=FORGED)],
        licence_text=FORGED,
        licence_link="javascript:alert(1)",
        base_model="not an id](javascript:alert(1))",
    )


def html(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def test_text_of_others_stays_text(forged):
    """Told by an independent renderer of GitHub's Markdown, with raw HTML allowed."""
    card = render(forged, "me/x")
    for shown in (html(card.text), html(about(forged))):
        assert "<script" not in shown and 'href="javascript' not in shown
        assert not re.search(r"<h\d>\s*Official", shown)
        assert "<em>d</em>" not in shown and "<code>c</code>" not in shown
        assert set(re.findall(r'<img src="([^"]*)"', shown)) <= {"a.jpg"}
        assert shown.count("<blockquote>") == 0 and "<li>\n<ul>" not in shown
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown, "it is shown as it is"
    data = read_metadata(card)
    assert data.datasets is None and data.license_link == "LICENSE" and data.base_model is None
    assert data.model_name == FORGED, "in YAML it is quoted"


def test_what_is_harmless_is_left_as_it_is():
    for harmless in ("15% of ms_ssim, 3 x 4 (a/b); it's 0.5 - 1.0", "f/2.8, ISO 100: fine?"):
        assert markdown.text(harmless) == harmless


# The rest of the card --------------------------------------------------------------------------


def test_the_card_begins_with_a_photo_before_and_after(facts):
    first = Picture(file="before-after.jpg", shows="A rocket, before and after.")
    curves = Picture(file="curves.png", shows="The curves.")
    shown = dataclasses.replace(facts, before_after=first, training_pictures=[curves])
    text = render(shown, "me/x").text
    assert text.index("before-after.jpg") < text.index("A phone photo goes in")
    assert "![The curves.](curves.png)" in text
    assert shown.all_pictures == [first, *facts.pictures, curves]


def test_with_a_space_the_card_links_to_it_and_installs_from_it(facts):
    text = str(render(facts, "me/x", space="me/dslr-gan"))
    assert "(https://huggingface.co/spaces/me/dslr-gan)" in text
    assert 'pip install "dslr-gan @ git+https://huggingface.co/spaces/me/dslr-gan"\n' in text
    assert "huggingface.co/spaces" not in str(render(facts, "me/x"))


def test_what_it_was_made_from_is_its_base_model(facts):
    data = read_metadata(render(dataclasses.replace(facts, base_model="you/first"), "me/x"))
    assert data.base_model == "you/first"
    assert data.to_dict()["base_model_relation"] == "finetune"


def test_terms_without_a_page_are_in_a_file_beside_the_card(facts):
    assert licence_file(facts) is None, "there is a page"
    alone = dataclasses.replace(facts, licence_link=None)
    assert read_metadata(render(alone, None)).license_link == "LICENSE"
    text = licence_file(alone)
    assert facts.licence_text in text
    assert "- DPED | iPhone <https://example.org/dped>: free for research" in text
    assert "- Holiday photos: terms unknown" in text
    assert licence_file(unknown_facts("t")) is None


def test_a_summary_on_one_line(facts):
    assert summary(facts) == (
        "dslr_gan for iPhone: step 3000, PSNR 22.46, MS-SSIM 0.9246, on 51 pairs"
    )
    assert summary(unknown_facts("a\nb")) == "a b"


def test_a_card_is_known_again_until_somebody_changes_it(facts):
    card = str(render(facts, "me/x"))
    assert is_untouched(card) and is_untouched(card.replace("\n", "\r\n") + "\n\n")
    assert is_untouched(marked(card)) and marked(card) == card
    for changed in (
        card.replace("iPhone 3GS", "iPhone 4"),
        card.replace("license: other", "license: mit"),
        card + "\nAnd a word of mine.\n",
        "no marker",
        "",
    ):
        assert not is_untouched(changed)


def test_the_page_about_a_model_has_neither_pictures_nor_html_nor_metadata(facts):
    text = about(facts)
    assert "| **this model** | 51 | 22.46 (22.10 to 22.90) | 0.9246 |" in text
    assert "- Noise of dark photos is amplified." in text and "arXiv:1704.02470" in text
    assert not re.search(r"<\w|!\[|^---", text)
