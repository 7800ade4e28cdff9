"""fastai's xresnet34 written from its description, with its names: what mwalimu-128's files hold."""

import torch
from torch import nn


def conv_layer(inputs, outputs, kernel=3, stride=1, act=True):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.ReLU()] if act else []))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.convpath = nn.Sequential(
            conv_layer(inputs, outputs, 3, stride), conv_layer(outputs, outputs, 3, act=False)
        )
        shortcut = [] if stride == 1 else [nn.AvgPool2d(2, ceil_mode=True)]
        shortcut += [] if inputs == outputs else [conv_layer(inputs, outputs, 1, act=False)]
        self.idpath = nn.Sequential(*shortcut)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.convpath(x) + self.idpath(x))


class ConcatPool(nn.Module):
    """[max, avg], as fastai has it."""

    def forward(self, x):
        return torch.cat([x.amax(dim=(2, 3)), x.mean(dim=(2, 3))], dim=1)


def xresnet34():
    """Feature maps to a 1,024-d embedding, as the original cut and pooled it."""
    stem = [conv_layer(3, 32, stride=2), conv_layer(32, 32), conv_layer(32, 64)]
    sizes, layers = [64, 64, 128, 256, 512], []
    for stage, count in enumerate((3, 4, 6, 3)):
        blocks = [
            Block(sizes[stage] if n == 0 else sizes[stage + 1], sizes[stage + 1], 2 if n == 0 and stage else 1)
            for n in range(count)
        ]
        layers.append(nn.Sequential(*blocks))
    return nn.Sequential(*stem, nn.MaxPool2d(3, 2, 1), *layers, ConcatPool())
