"""The encoder: any timm network by name, and how its last feature map becomes an embedding."""

from __future__ import annotations

import difflib
from typing import cast

import timm
import torch
from torch import Tensor, nn

from rice_ssl.config import EncoderConfig
from rice_ssl.errors import InputError

ALIASES = {"xresnet34": "resnet34d"}
"""fastai's xresnet34 and timm's resnet34d are the same computation (shared/seed/README.md of the project)."""


class Encoder(nn.Module):
    """Images to embeddings, with the last feature map at hand for CAMs.

    Args:
        config: name, options and pooling. Weights are random: nothing is downloaded.

    Attributes:
        embedding_size: length of an embedding; twice the channels with ``concat`` pooling.

    Raises:
        InputError: timm knows no such name, or does not take the options.
    """

    def __init__(self, config: EncoderConfig) -> None:
        """Make the network with random weights."""
        super().__init__()
        name = ALIASES.get(config.name, config.name)
        if not timm.is_model(name):
            close = difflib.get_close_matches(name, timm.list_models(), n=3)
            hint = f" Did you mean {', '.join(close)}?" if close else " `timm.list_models()` lists them."
            raise InputError(f"encoder.name is {config.name!r}, which timm does not know.{hint}")
        self.name, self.options = name, dict(config.options)
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in config.options.items()}
        try:
            self.network = timm.create_model(name, pretrained=False, num_classes=0, global_pool="", **options)
        except (TypeError, ValueError, AssertionError, RuntimeError, IndexError, KeyError) as error:
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"encoder.options {config.options} do not fit {name}: {problem}. Correct them.") from None
        self.pooling = config.pooling
        channels = int(self.network.num_features)
        self.embedding_size = 2 * channels if config.pooling == "concat" else channels

    def feature_map(self, images: Tensor) -> Tensor:
        """Last feature map, shape (B, D, h', w'), of normalised images, shape (B, 3, h, w).

        Tokens of a vision transformer are laid out on their grid; class and register tokens are left out.
        """
        features = cast(Tensor, self.network.forward_features(images))
        if features.ndim == 3:
            tokens = features[:, int(getattr(self.network, "num_prefix_tokens", 0)) :]
            patch = self.network.patch_embed.patch_size
            height, width = images.shape[2] // patch[0], images.shape[3] // patch[1]
            return tokens.transpose(1, 2).reshape(len(tokens), -1, height, width)
        if features.shape[1] != self.network.num_features and features.shape[3] == self.network.num_features:
            return features.permute(0, 3, 1, 2)  # e.g. Swin gives channels last
        return features

    def refuse_unfit(self, size: tuple[int, int]) -> None:
        """Try the network on black images of a size before any work is done.

        Args:
            size: height and width, in pixels.

        Raises:
            InputError: it does not take such images, or gives no feature map of them.
        """
        was = self.training
        self.eval()
        try:
            with torch.no_grad():
                found = self.feature_map(torch.zeros(2, 3, *size))
            fault = "" if found.ndim == 4 and found.shape[1] == self.network.num_features else "it gives no feature map"
        except (RuntimeError, ValueError, AssertionError, TypeError, AttributeError, IndexError, KeyError) as error:
            fault = str(error).splitlines()[0] if str(error) else type(error).__name__
        finally:
            self.train(was)
        if fault:
            raise InputError(
                f"encoder {self.name} with options {self.options} does not take images of {size[0]}x{size[1]} px "
                f"({fault}): take another size or encoder; a vision transformer may want the option "
                "dynamic_img_size: true."
            )

    def pool(self, features: Tensor) -> Tensor:
        """Embedding, shape (B, embedding_size), of a feature map, shape (B, D, h', w'); ``concat`` is [max, avg]."""
        parts = []
        if self.pooling in {"max", "concat"}:
            parts.append(features.amax(dim=(2, 3)))
        if self.pooling in {"avg", "concat"}:
            parts.append(features.mean(dim=(2, 3)))
        return torch.cat(parts, dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings, shape (B, embedding_size), of normalised images, shape (B, 3, h, w)."""
        return self.pool(self.feature_map(images))
