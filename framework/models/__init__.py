"""Models: small files to read, and `create(name)` to build one.

Models that torchvision has bear its names, as do their parameters, so its weights load.
"""

from . import boxes
from .alexnet import AlexNet
from .autoencoder import (
    Autoencoder,
    autoencoder_step,
    contractive,
    dense_autoencoder,
    gaussian_noise,
    masking,
    sparse,
    sparse_kl,
    stage,
)
from .batches import each_batch
from .catalog import MODELS, create, entry
from .char_rnn import CharRNN, char_lstm, char_rnn
from .dbn import DBN, dbn_classifier, pretrain_dbn
from .densenet import DenseNet, densenet121
from .fast_rcnn import Detection, FasterRCNN, RoIHead
from .fcn import FCN, FCNOutputs, fcn8s, fcn16s, fcn32s, fcn_resnet50
from .gan import GAN, conv_gan, dense_gan, gan_step
from .googlenet import GoogLeNet, GoogLeNetOutputs, googlenet_loss
from .infogan import InfoGAN, infogan_step
from .lenet import LeNet5
from .mlp import mlp
from .neocognitron import Neocognitron
from .nin import NetworkInNetwork
from .rbm import RBM, contrastive_divergence, rbm_step
from .resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from .resnet_cifar import CifarResNet, resnet20, resnet32, resnet44, resnet56, resnet110
from .rpn import RPN, RPNHead, RPNOutputs
from .sampling import next_token
from .se_resnet import SqueezeExcitation, se_resnet50
from .siamese import Siamese, siamese
from .stacked import pretrain_stack, with_classifier
from .tagger import Tagger
from .transformer import Transformer, gpt2_state, sinusoidal_positions
from .vae import VAE, vae_step
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
    "FCN", "FCNOutputs", "fcn32s", "fcn16s", "fcn8s", "fcn_resnet50",
    "Siamese", "siamese", "Neocognitron",
    "boxes", "RPN", "RPNHead", "RPNOutputs", "RoIHead", "FasterRCNN", "Detection",
    "CharRNN", "char_rnn", "char_lstm", "Tagger", "Transformer",
    "gpt2_state", "sinusoidal_positions", "next_token",
    "Autoencoder", "dense_autoencoder", "stage", "autoencoder_step", "masking", "gaussian_noise",
    "sparse", "sparse_kl", "contractive", "pretrain_stack", "with_classifier",
    "VAE", "vae_step", "GAN", "dense_gan", "conv_gan", "gan_step", "InfoGAN", "infogan_step",
    "RBM", "contrastive_divergence", "rbm_step", "DBN", "pretrain_dbn", "dbn_classifier",
    "each_batch",
]  # fmt: skip
