from .conv_stem import ConvStem
from .fused_attention import FusedSelfAttention
from .labeler_vit import LabelerViT
from .stem_level_resnet import StemLevelResNet

__all__ = ['ConvStem', 'FusedSelfAttention', 'LabelerViT', 'StemLevelResNet']
