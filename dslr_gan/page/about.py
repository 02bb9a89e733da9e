"""What the page says of its models: the same text as on their cards, from the same facts."""

import os
import re

from huggingface_hub.constants import ENDPOINT
from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt

from dslr_gan.errors import DslrGanError
from dslr_gan.models.phones import PHONES, Phone
from dslr_gan.page.phone_models import enhancer_for, source_of
from dslr_gan.page.uploads import KEEP_SECONDS
from dslr_gan.page.viewer import source
from hub_card import about as about_model

_TEMPLATE = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).from_string(source("about.html"))

_INTERVAL = re.compile(r"\([\d.]+ to [\d.]+\)")

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def about() -> str:
    """Give the text about the models and where their weights came from, as HTML."""
    models = []
    for phone in PHONES.values():
        try:
            facts = enhancer_for(phone.name).generator.facts
        except DslrGanError:
            facts = None  # source_of says why
        models.append(
            {
                "text": _html(about_model(facts)) if facts else "",
                "title": phone.title,
                "source": source_of(phone.name),
                "file": f"dslr_gan/weights/{phone.name}/README.md",
                "card": _card(phone),
            }
        )
    return _TEMPLATE.render(models=models, hours=KEEP_SECONDS // 3600)


def _card(phone: Phone) -> str | None:
    """The address of a phone's model card; None where the page knows none."""
    if phone.repository:
        return f"{ENDPOINT}/{phone.repository}"
    if space := os.environ.get("SPACE_ID"):  # which has the whole code
        return f"{ENDPOINT}/spaces/{space}/blob/main/dslr_gan/weights/{phone.name}/README.md"
    return None


def _html(text: str) -> str:
    """Markdown as HTML; a wide table scrolls, by keyboard, too, and no interval is broken."""
    scrolled = '<div class="dg-table" tabindex="0" role="group" aria-label="Table">'
    html = _INTERVAL.sub(r"<small>\g<0></small>", str(_MARKDOWN.render(text)))
    return html.replace("<table>", f"{scrolled}<table>").replace("</table>", "</table></div>")
