"""Phone photo in, DSLR photo out.

All names are imported when they are first used, so that ``--help``, the version and the error type
do not wait for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dslr_gan.enhance.enhancer import PhotoEnhancer
    from dslr_gan.enhance.photo_file import enhance_file
    from dslr_gan.errors import DslrGanError
    from dslr_gan.evaluation.evaluate import evaluate
    from dslr_gan.models.generator import Generator
    from dslr_gan.photo import open_photo, save_photo

__version__ = "0.2.0"
"""Of the package; ``pyproject.toml`` reads it from here."""

__all__ = [
    "DslrGanError",
    "Generator",
    "PhotoEnhancer",
    "__version__",
    "enhance_file",
    "evaluate",
    "open_photo",
    "save_photo",
]

_HOMES = {
    "DslrGanError": "dslr_gan.errors",
    "Generator": "dslr_gan.models.generator",
    "PhotoEnhancer": "dslr_gan.enhance.enhancer",
    "enhance_file": "dslr_gan.enhance.photo_file",
    "evaluate": "dslr_gan.evaluation.evaluate",
    "open_photo": "dslr_gan.photo",
    "save_photo": "dslr_gan.photo",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
