from .conv_stem import ConvStem
from .five_level_resnet import FiveLevelResNet
from .fused_attention import FusedSelfAttention
from .labeler_vit import LabelerViT

__all__ = ['ConvStem', 'FiveLevelResNet', 'FusedSelfAttention', 'LabelerViT']
