from .conv_stem import ConvStem
from .fused_attention import FusedSelfAttention
from .labeler_vit import LabelerViT

__all__ = ['ConvStem', 'FusedSelfAttention', 'LabelerViT']
