"""Models: small files to read, and `create(name)` to build one.

Models that torchvision has bear its names, as do their parameters, so its weights load.
"""

from .alexnet import AlexNet
from .catalog import MODELS, create, entry
from .densenet import DenseNet, densenet121
from .googlenet import GoogLeNet, GoogLeNetOutputs, googlenet_loss
from .lenet import LeNet5
from .mlp import mlp
from .nin import NetworkInNetwork
from .resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from .resnet_cifar import CifarResNet, resnet20, resnet32, resnet44, resnet56, resnet110
from .se_resnet import SqueezeExcitation, se_resnet50
from .vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg11_small,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)  # fmt: skip
from .zfnet import ZFNet

__all__ = [
    "MODELS", "create", "entry",
    "mlp", "LeNet5", "AlexNet", "ZFNet", "NetworkInNetwork",
    "VGG", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_small",
    "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn",
    "GoogLeNet", "GoogLeNetOutputs", "googlenet_loss",
    "ResNet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "CifarResNet", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110",
    "DenseNet", "densenet121", "SqueezeExcitation", "se_resnet50",
]  # fmt: skip
