"""The page's layout and the wiring of its events."""

from typing import Any

import gradio as gr
from PIL import Image

from dslr_gan.models.phones import PHONES
from dslr_gan.page import handlers
from dslr_gan.page.about import about
from dslr_gan.page.endpoints import WAITING_CALLS, add_endpoints, launch_options
from dslr_gan.page.first_sight import first_sight, title_of
from dslr_gan.page.phone_models import start_loading
from dslr_gan.page.uploads import EXAMPLE_FOLDER, EXAMPLES, KEEP_SECONDS
from dslr_gan.page.viewer import gallery, source, thumbnail, viewer
from dslr_gan.page.work.look import MAX_FILE_MB
from dslr_gan.page.work.scores import DEFINITION
from dslr_gan.page.work.unpacking import MAX_PHOTOS

THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="zinc",
    radius_size="lg",
    # The bold cut of the theme's own font lacks most letters in Gradio 6.31.
    font=["system-ui", "sans-serif"],
).set(
    body_background_fill="#ffffff",
    body_background_fill_dark="#16181b",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_400",
    button_primary_background_fill="#0b6e66",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="#53c9bd",
    button_primary_background_fill_hover_dark="*primary_300",
    button_primary_text_color_dark="#06211e",
)

HEAD = (
    "<header class='dg-head'><h1>dslr_gan</h1>"
    "<p>A phone photo goes in, the photo a DSLR would have taken comes out.</p></header>"
)
TABS = {"photo": "Photo", "many": "Many photos", "about": "About", "programs": "For programs"}

FAILED = "() => {{ document.dispatchEvent(new Event('{}')); }}"

_COMMON = {
    "phones": [{"name": phone.name, "title": phone.title} for phone in PHONES.values()],
    "max_bytes": MAX_FILE_MB * 1_000_000,
}
"""What both tabs with photos know."""

EVENT: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "multiple",
}
QUEUED: dict[str, Any] = {
    **EVENT,
    "concurrency_limit": WAITING_CALLS,
    "concurrency_id": "model",
}


def build(first: dict[str, Any] | None = None) -> gr.Blocks:
    """Lay out the page and wire its events.

    Args:
        first: The example at first sight, as ``first_sight`` gives it; None shows none.
    """
    with gr.Blocks(
        title="dslr_gan", analytics_enabled=False, delete_cache=(3600, KEEP_SECONDS)
    ) as page:
        gr.HTML(HEAD, apply_default_css=False, elem_id="head")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(TABS["photo"], id="photo"):
                _photo_tab(first)
            with gr.Tab(TABS["many"], id="many", render_children=True):
                _many_tab()
            with gr.Tab(TABS["about"], id="about"):
                text = gr.HTML(apply_default_css=False)
            with gr.Tab(TABS["programs"], id="programs"):
                gr.HTML(source("programs.html"), apply_default_css=False)
        page.load(about, None, text, api_visibility="private")
        page.load(None, None, None, js=source("tabs.js"))
        page.unload(handlers.leave)
        add_endpoints()
    return page


def _photo_tab(first: dict[str, Any] | None) -> None:
    settings = {
        **_COMMON,
        "examples": [_example(name) for name in EXAMPLES],
        "first": first,
        "definition": DEFINITION,
    }
    picture = viewer(settings, handlers.RPC)
    for event, handler in (
        (picture.enhance, handlers.enhance_on_page),
        (picture.compare, handlers.compare_on_page),
    ):
        # What the handlers cannot answer: the server is gone, or refuses the request.
        event(handler, None, picture, **QUEUED).failure(None, js=FAILED.format("dg-failed"))
    picture.stop(handlers.stop_on_page, None, None, queue=False, **EVENT)


def _example(name: str) -> dict[str, Any]:
    photo = EXAMPLE_FOLDER / name
    with Image.open(photo) as opened:
        size = {"width": opened.width, "height": opened.height}
    return {"name": name, "title": title_of(name), "thumbnail": thumbnail(photo), "size": size}


def _many_tab() -> None:
    results = gallery({**_COMMON, "max_photos": MAX_PHOTOS})
    results.enhance(handlers.enhance_many_on_page, None, results, **QUEUED).failure(
        None, js=FAILED.format("dg-many-failed")
    )
    results.stop(handlers.stop_on_page, None, None, queue=False, **EVENT)


def launch() -> None:
    """Serve the page until it is stopped."""
    options = launch_options()  # comes first: it gives the page a folder of its own
    start_loading()
    page = build(first_sight()).queue()
    page.launch(
        theme=THEME,
        css=source("viewer.css"),
        footer_links=["api", "gradio", "settings"],
        run_history=False,
        **options,
    )
