"""Phone photo in, DSLR photo out.

Names are handed on when they are first used, so that ``--help`` and the error type do not wait
for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dslr_gan.enhance.enhancer import PhotoEnhancer
    from dslr_gan.errors import DslrGanError
    from dslr_gan.evaluation.evaluate import evaluate
    from dslr_gan.models.generator import Generator

__all__ = ["DslrGanError", "Generator", "PhotoEnhancer", "evaluate"]

_HOMES = {
    "DslrGanError": "dslr_gan.errors",
    "Generator": "dslr_gan.models.generator",
    "PhotoEnhancer": "dslr_gan.enhance.enhancer",
    "evaluate": "dslr_gan.evaluation.evaluate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
