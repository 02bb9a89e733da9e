"""The viewer: the photo tab as one component of the page, in its own HTML, CSS and JavaScript."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

_HERE = Path(__file__).parent


def source(*names: str) -> str:
    """Give the text of files of this folder, one after the other."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)


def viewer(settings: dict[str, Any], answers: list[Callable[..., Any]]) -> gr.HTML:
    """Make the viewer.

    Args:
        settings: What ``viewer.js`` reads once: ``phones``, ``examples``, ``first``,
            ``max_bytes``, ``definition``.
        answers: Functions that the browser calls by their names, each with one JSON object.

    Returns:
        The component. Its events ``enhance``, ``compare`` and ``stop`` carry JSON objects; its
        value is the last answer to one of them.
    """
    return gr.HTML(
        None,
        html_template=source("viewer.html"),
        js_on_load=source("shared.js", "compare.js", "viewer.js", "asking.js", "controls.js"),
        apply_default_css=False,
        elem_id="viewer",
        server_functions=answers,
        settings=settings,
    )


def gallery(settings: dict[str, Any]) -> gr.HTML:
    """Make the tab for many photos.

    Args:
        settings: What ``gallery.js`` reads once: ``phones``, ``max_bytes``, ``max_photos``.

    Returns:
        The component. Its event ``enhance`` carries a JSON object, ``stop`` nothing; its value is
        the last answer.
    """
    return gr.HTML(
        None,
        html_template=source("gallery.html"),
        js_on_load=source("shared.js", "compare.js", "gallery.js"),
        apply_default_css=False,
        elem_id="gallery",
        settings=settings,
    )


def thumbnail(photo: Path, side: int = 200) -> str:
    """Give a small picture of a photo as a data URL."""
    with Image.open(photo) as opened:
        small = opened.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
