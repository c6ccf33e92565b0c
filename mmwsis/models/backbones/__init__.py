from .backbone_encoder import BackboneEncoder
from .conv_stem import ConvStem
from .efficientnet_lite import EfficientNetLite
from .fused_attention import FusedSelfAttention
from .labeler_vit import LabelerViT
from .stem_level_resnet import StemLevelResNet

__all__ = [
    'BackboneEncoder',
    'ConvStem',
    'EfficientNetLite',
    'FusedSelfAttention',
    'LabelerViT',
    'StemLevelResNet',
]
