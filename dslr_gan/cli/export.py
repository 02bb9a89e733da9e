"""``export``: a model as ONNX."""

import argparse

from dslr_gan.cli.common import (
    KNOWN_MODELS,
    PROGRAM,
    Commands,
    add_command,
    add_hub,
    check_writable,
    hub_options,
    model_option,
    path_option,
    say,
)
from dslr_gan.errors import DslrGanError


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "export",
        _run,
        "Write a model as ONNX, for other runtimes, checked against PyTorch; the module "
        "dslr_gan.models.export shows how to run it.",
        f"{PROGRAM} export --model iphone --out iphone.onnx",
    )
    command.add_argument(
        "--model",
        default="iphone",
        type=model_option,
        metavar="NAME",
        help=f"{KNOWN_MODELS} (default: iphone)",
    )
    command.add_argument(
        "--out",
        type=path_option,
        required=True,
        metavar="FILE.onnx",
        help="file for the network; a model that uses a context gets FILE.context.onnx, too",
    )
    add_hub(command)
    command.add_argument(
        "--overwrite", action="store_true", help="replace files that exist already"
    )


def _run(options: argparse.Namespace) -> int:
    out = options.out
    if out.suffix != ".onnx":
        raise DslrGanError(f"--out {out} is not the name of an .onnx file; name one.")
    check_writable("out", out)

    from dslr_gan.enhance.enhancer import PhotoEnhancer
    from dslr_gan.models.export import context_file, export_onnx

    enhancer = PhotoEnhancer.from_pretrained(options.model, device="cpu", **hub_options(options))
    network = enhancer.generator
    for file in (out, context_file(out)) if network.uses_context else (out,):
        if file.is_dir() or (file.exists() and not options.overwrite):
            raise DslrGanError(f"{file} exists already; add --overwrite or name another file.")
    exported = export_onnx(network, out)
    inputs = "image and context" if exported.context_file else "image"
    say(f"{out}: {inputs} -> enhanced, from {enhancer.source}")
    if exported.context_file:
        say(f"{exported.context_file}: image of the whole photo -> context")
    say(f"Batch, height and width are free; at most {exported.difference:.1g} from PyTorch.")
    return 0
