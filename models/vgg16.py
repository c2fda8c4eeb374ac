"""VGG16 (Simonyan and Zisserman 2015, configuration D), wide as published or narrow for live use."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from .errors import ModelError

Head = Literal["full", "pooled"]

# Configuration D: the output channels of each 3×3 convolution; "pool" halves the picture.
_CONFIGURATION: tuple[int | str, ...] = (
    *(64, 64, "pool"),
    *(128, 128, "pool"),
    *(256, 256, 256, "pool"),
    *(512, 512, 512, "pool"),
    *(512, 512, 512, "pool"),
)
_HIDDEN = 4096
_GRID = 7
SMALLEST_INPUT = 32
"""Five poolings leave one pixel of an input of this side."""


class VGG16(nn.Module):
    """Map a picture [N, 3, H, W] float32 to logits [N, num_classes].

    `head="full"` is the published one: 7×7 pooled features and two hidden layers of 4096. At `width=1`
    its parameters have the names and shapes of torchvision's `vgg16`, so ImageNet weights load into it
    with `load_state_dict`. `head="pooled"` averages the last feature maps and has one linear layer: 14.7
    million parameters at `width=1`, and any input size from 32 pixels up. `width` scales all channels.
    """

    def __init__(
        self, num_classes: int, *, width: float = 1.0, head: Head = "full", dropout: float = 0.5
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ModelError(f"num_classes is {num_classes}, must be 2 or more")
        if not 0 < width <= 4:
            raise ModelError(f"width is {width}, must be above 0 and at most 4")
        self.features, channels = _features(width)
        if head == "full":
            hidden = _scaled(_HIDDEN, width)
            self.avgpool = nn.AdaptiveAvgPool2d(_GRID)
            self.classifier = nn.Sequential(
                *(nn.Linear(channels * _GRID * _GRID, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout)),
                *(nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout)),
                nn.Linear(hidden, num_classes),
            )
        elif head == "pooled":
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, num_classes))
        else:
            raise ModelError(f"head is {head!r}, must be 'full' or 'pooled'")
        self._initialise()

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Give the logits [N, num_classes]; softmax makes probabilities of them."""
        pooled: torch.Tensor = self.avgpool(self.features(picture))
        logits: torch.Tensor = self.classifier(torch.flatten(pooled, 1))
        return logits

    def _initialise(self) -> None:
        """Keep the signal's variance through the ReLUs (He et al. 2015); the last layer starts small."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.01)
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)


def _features(width: float) -> tuple[nn.Sequential, int]:
    layers: list[nn.Module] = []
    channels = 3
    for item in _CONFIGURATION:
        if isinstance(item, str):
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        scaled = _scaled(item, width)
        layers += [nn.Conv2d(channels, scaled, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
        channels = scaled
    return nn.Sequential(*layers), channels


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))
