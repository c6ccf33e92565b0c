"""Self-attention that never materialises its weights."""

import torch
from mmcv.cnn.bricks.transformer import MultiheadAttention
from torch import Tensor
from torch.nn import functional as F


class FusedSelfAttention(MultiheadAttention):
    r"""mmcv's ``MultiheadAttention`` on torch's fused attention kernels.

    .. math::
        \text{head}_h = \text{softmax}\left(Q_h K_h^\top / \sqrt{d}\right) V_h

    (`Vaswani et al. <https://arxiv.org/abs/1706.03762>`_, Eq. 1). mmcv always asks
    torch for the attention weights, which stores ``heads x tokens x tokens`` numbers
    per layer. Parameters, their names and the output are the same; only self-attention,
    batch first and without masks is offered. Arguments are those of mmcv's class.

    Example:
        >>> import torch
        >>> attention = FusedSelfAttention(8, num_heads=2, batch_first=True)
        >>> tokens = torch.rand(1, 5, 8)  # a class token and four patches
        >>> attention(tokens).shape, attention.mean_patch_weights(tokens).shape
        (torch.Size([1, 5, 8]), torch.Size([1, 4, 4]))
    """

    def forward(
        self, query: Tensor, identity: Tensor | None = None, **kwargs: object
    ) -> Tensor:
        """Attend.

        Args:
            query: Tokens ``(B, n, embed_dims)``.
            identity: Added to the result; ``query`` if None. Defaults to None.
            **kwargs: Refused unless None, because they would be ignored.

        Returns:
            Tokens ``(B, n, embed_dims)``.

        Raises:
            ValueError: A mask, a position encoding or other keys were passed.
        """
        given = sorted(key for key, value in kwargs.items() if value is not None)
        if given:
            raise ValueError(f'FusedSelfAttention takes no {", ".join(given)}.')
        # One product for queries, keys and values, each (B, heads, n, d).
        batch, tokens, dims = query.shape
        heads = (batch, tokens, 3, self.num_heads, dims // self.num_heads)
        packed = F.linear(query, self.attn.in_proj_weight, self.attn.in_proj_bias)
        q, k, v = packed.view(heads).permute(2, 0, 3, 1, 4)
        # The kernel never writes the (B, heads, n, n) weights.
        dropout = self.attn.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        # Heads side by side again, (B, n, heads * d), and the residual connection.
        out = self.attn.out_proj(out.transpose(1, 2).reshape(batch, tokens, dims))
        identity = query if identity is None else identity
        return identity + self.dropout_layer(self.proj_drop(out))

    def mean_patch_weights(self, query: Tensor) -> Tensor:
        """Attention weights averaged over heads, without the class token.

        EXITS' similarity matrix S (section 3.2.1). Only queries and keys are computed,
        one head at a time, so that the memory is that of one head. The class token
        takes part in the softmax, therefore rows sum to at most 1.

        Args:
            query: Normalised tokens ``(B, 1 + n, embed_dims)``, class token first.

        Returns:
            ``(B, n, n)`` float32; row = attending patch.
        """
        # Queries and keys, the first two thirds of the packed weights.
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
        # The class token attends to nothing here (no row), but is attended to (it takes
        # part in the softmax, then its column is cut off).
        mean = query.new_zeros(batch, tokens - 1, tokens - 1, dtype=torch.float32)
        for head_q, head_k in zip(q, k, strict=True):
            scores = head_q[:, 1:] @ head_k.transpose(1, 2) * depth**-0.5
            mean += scores.float().softmax(-1)[:, :, 1:]
        return mean / self.num_heads
