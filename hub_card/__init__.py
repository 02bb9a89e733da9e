"""Model cards from typed facts; stands alone, needs huggingface_hub and Jinja only."""

from hub_card.card import LICENCE, about, licence_file, render, summary
from hub_card.facts import (
    THIS_MODEL,
    ModelFacts,
    Picture,
    Score,
    Source,
    read_facts,
    unknown_facts,
)
from hub_card.marker import is_untouched, marked

__all__ = [
    "LICENCE",
    "THIS_MODEL",
    "ModelFacts",
    "Picture",
    "Score",
    "Source",
    "about",
    "is_untouched",
    "licence_file",
    "marked",
    "read_facts",
    "render",
    "summary",
    "unknown_facts",
]
