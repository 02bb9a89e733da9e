"""The page's layout and the wiring of its events."""

from pathlib import Path
from typing import Any

import gradio as gr

from dslr_gan.models.phones import PHONES
from dslr_gan.page.handlers import check_on_page, enhance, enhance_on_page
from dslr_gan.page.phone_models import start_loading
from dslr_gan.page.uploads import EXAMPLE_FOLDER, EXAMPLES, KEEP_SECONDS

MAX_FILE_SIZE = "100mb"
MAX_WAITING = 20

ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}

THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="zinc",
    radius_size="lg",
    # The bold cut of the theme's own font lacks most letters in Gradio 6.31.
    font=["system-ui", "sans-serif"],
).set(
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_400",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_600",
)

CSS = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
SHOW_RESULT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
"""Scrolls to the result, which is below on a small screen, once the pictures are in their place."""

TITLE = "# dslr_gan\nUpload a phone photo and get back the photo a DSLR would have taken."
ABOUT = (
    "Method: a fully convolutional generator after Prakash and Phumbhra 2020, trained with data "
    "of DPED (Ignatov et al. 2017). The weights are for research use; their model cards say how "
    "each was trained."
)
CAMERAS = " and ".join(phone.camera for phone in PHONES.values())


def build() -> gr.Blocks:
    """Lay out the page and wire its events."""
    with gr.Blocks(
        title="dslr_gan", analytics_enabled=False, delete_cache=(3600, KEEP_SECONDS)
    ) as page:
        gr.Markdown(TITLE, elem_id="title")
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                photo = _upload_field("Phone photo", "photo", height=280)
                phone = gr.Radio(
                    [(phone.title, phone.name) for phone in PHONES.values()],
                    value=next(iter(PHONES)),
                    label="Phone",
                    info=f"Made for the {CAMERAS}. Another phone? Try both.",
                    elem_id="phone",
                )
                strength = gr.Slider(0, 1, value=1, step=0.05, label="Strength", elem_id="strength")
                button = gr.Button("Enhance", variant="primary", elem_id="enhance")
            with gr.Column(scale=7, min_width=300):
                slider = gr.ImageSlider(
                    label="Before | after: drag to compare",
                    format="png",
                    buttons=["fullscreen"],
                    interactive=False,
                    elem_id="result",
                )
                facts = gr.HTML(visible=False, elem_id="facts")
                download = gr.DownloadButton(visible=False, elem_id="download")
                with gr.Accordion("Measure quality with a DSLR photo", open=False, elem_id="dslr"):
                    reference = _upload_field(
                        "DSLR photo of the same scene, same size", "reference", height=220
                    )
        gr.Examples(
            [str(EXAMPLE_FOLDER / name) for name in EXAMPLES],
            photo,
            label="No photo at hand? Take one of these",
            cache_examples=False,
            api_visibility="private",
            elem_id="examples",
        )
        gr.Markdown(ABOUT, elem_id="about")
        inputs = [photo, phone, strength, reference]
        _wire_page(button, inputs, [slider, facts, download])
        _add_endpoint(inputs)
    return page


def _upload_field(label: str, name: str, height: int) -> gr.Image:
    return gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "clipboard"],
        buttons=["fullscreen"],
        alt_text="Your photo",
        height=height,
        elem_id=name,
    )


def _wire_page(button: gr.Button, inputs: list[Any], outputs: list[Any]) -> None:
    """Enhance at a click; again at a change, where there is a result to bring up to date."""
    photo, phone, strength, reference = inputs
    slider = outputs[0]
    yes, wanted = gr.State(True), gr.State(False)
    shared: dict[str, Any] = {
        "outputs": outputs,
        "show_progress_on": slider,
        "preprocess": False,
        "api_visibility": "private",
        **ONE_AT_A_TIME,
    }
    button.click(lambda: True, None, wanted, queue=False, api_visibility="private")
    first = button.click(enhance_on_page, [yes, *inputs], validator=check_on_page, **shared)
    first.success(None, js=SHOW_RESULT)
    again = gr.on(
        [strength.release, phone.change, reference.change],
        enhance_on_page,
        [wanted, *inputs],
        trigger_mode="always_last",
        **shared,
    )
    photo.change(
        lambda: (False, None, gr.HTML(visible=False), gr.DownloadButton(visible=False)),
        None,
        [wanted, *outputs],
        queue=False,
        cancels=[first, again],
        api_visibility="private",
    )


def _add_endpoint(inputs: list[Any]) -> None:
    """The one public endpoint: a file and a JSON object, through parts the page does not show."""
    outputs = [
        gr.File(label="Enhanced photo", visible=False),
        gr.JSON(label="Scores and source of the weights", visible=False),
    ]
    gr.Button(visible=False).click(
        enhance, inputs, outputs, preprocess=False, api_name="enhance", **ONE_AT_A_TIME
    )


def launch() -> None:
    """Serve the page until it is stopped."""
    start_loading()
    page = build().queue(max_size=MAX_WAITING)
    page.launch(
        theme=THEME,
        css=CSS,
        max_file_size=MAX_FILE_SIZE,
        footer_links=["api", "gradio", "settings"],
        run_history=False,
    )
