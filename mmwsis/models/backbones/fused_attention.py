"""Self-attention that never materialises its weights."""

import torch
from mmcv.cnn.bricks.transformer import MultiheadAttention
from torch import Tensor
from torch.nn import functional as F


class FusedSelfAttention(MultiheadAttention):
    """mmcv's ``MultiheadAttention`` on torch's fused attention kernels.

    mmcv always asks torch for the attention weights, which stores
    ``heads x tokens x tokens`` numbers a layer. Parameters, their names and the output
    are the same; only self-attention, batch first and without masks is offered.
    """

    def forward(
        self, query: Tensor, identity: Tensor | None = None, **kwargs: object
    ) -> Tensor:
        """Attend.

        Args:
            query: Tokens ``(B, n, embed_dims)``.
            identity: Added to the result; ``query`` if None.
            **kwargs: Refused unless None, because they would be ignored.

        Returns:
            Tokens ``(B, n, embed_dims)``.

        Raises:
            ValueError: A mask, a position encoding or other keys were passed.
        """
        given = sorted(key for key, value in kwargs.items() if value is not None)
        if given:
            raise ValueError(f'FusedSelfAttention takes no {", ".join(given)}.')
        batch, tokens, dims = query.shape
        heads = (batch, tokens, 3, self.num_heads, dims // self.num_heads)
        packed = F.linear(query, self.attn.in_proj_weight, self.attn.in_proj_bias)
        q, k, v = packed.view(heads).permute(2, 0, 3, 1, 4)
        dropout = self.attn.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        out = self.attn.out_proj(out.transpose(1, 2).reshape(batch, tokens, dims))
        identity = query if identity is None else identity
        return identity + self.dropout_layer(self.proj_drop(out))

    def mean_patch_weights(self, query: Tensor) -> Tensor:
        """Attention weights averaged over heads, without the class token.

        Only queries and keys are computed, one head at a time, so that the memory is
        that of one head. The class token takes part in the softmax, therefore rows sum
        to at most 1.

        Args:
            query: Normalised tokens ``(B, 1 + n, embed_dims)``, class token first.

        Returns:
            ``(B, n, n)`` float32; row = attending patch.
        """
        batch, tokens, dims = query.shape
        depth = dims // self.num_heads
        bias = self.attn.in_proj_bias
        packed = F.linear(
            query,
            self.attn.in_proj_weight[: 2 * dims],
            None if bias is None else bias[: 2 * dims],
        )
        q, k = packed.view(batch, tokens, 2, self.num_heads, depth).permute(
            2, 3, 0, 1, 4
        )
        mean = query.new_zeros(batch, tokens - 1, tokens - 1, dtype=torch.float32)
        for head_q, head_k in zip(q, k, strict=True):
            scores = head_q[:, 1:] @ head_k.transpose(1, 2) * depth**-0.5
            mean += scores.float().softmax(-1)[:, :, 1:]
        return mean / self.num_heads
