"""Model cards from typed facts; stands alone, needs huggingface_hub and Jinja only."""

from hub_card.card import render
from hub_card.facts import (
    THIS_MODEL,
    ModelFacts,
    Picture,
    Score,
    Source,
    read_facts,
    unknown_facts,
)

__all__ = [
    "THIS_MODEL",
    "ModelFacts",
    "Picture",
    "Score",
    "Source",
    "read_facts",
    "render",
    "unknown_facts",
]
