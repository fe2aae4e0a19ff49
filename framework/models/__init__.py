"""Models: small files to read, and `create(name)` to build one."""

from .catalog import MODELS, create, entry
from .lenet import LeNet5
from .mlp import mlp
from .resnet import CifarResNet, resnet20
from .vgg import VGG11

__all__ = ["MODELS", "create", "entry", "mlp", "LeNet5", "CifarResNet", "resnet20", "VGG11"]
