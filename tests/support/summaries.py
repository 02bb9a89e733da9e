"""What a photo's summary averages, by its definition and with nothing done for speed."""

import torch

from dslr_gan.models.context import SUMMARY_STEPS


def detail_maps(image):
    """The image and, for each step, its absolute changes to the right and down, added."""
    maps = [image]
    for step in SUMMARY_STEPS:
        changes = torch.zeros_like(image)
        for row in range(image.shape[2]):
            for column in range(image.shape[3]):
                here = image[..., row, column]
                if column + step < image.shape[3]:
                    changes[..., row, column] += (image[..., row, column + step] - here).abs()
                if row + step < image.shape[2]:
                    changes[..., row, column] += (image[..., row + step, column] - here).abs()
        maps.append(changes)
    return torch.cat(maps, dim=1)
