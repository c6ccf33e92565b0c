from .backbone_encoder import BackboneEncoder
from .conv_stem import ConvStem
from .dilated_vgg import DilatedVGG
from .efficientnet_lite import EfficientNetLite
from .fused_attention import FusedSelfAttention
from .labeler_vit import LabelerViT
from .stem_level_resnet import StemLevelResNet

__all__ = [
    'BackboneEncoder',
    'ConvStem',
    'DilatedVGG',
    'EfficientNetLite',
    'FusedSelfAttention',
    'LabelerViT',
    'StemLevelResNet',
]
