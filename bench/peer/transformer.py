"""The denoiser in plain PyTorch: adaptive layer norms of time and CLIP embedding, attention, convolutional MLP."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class GELU2(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class TokenEmbedding(nn.Module):
    def __init__(self, codes, grid, dim):
        super().__init__()
        self.emb = nn.Embedding(codes + 1, dim)
        self.height_emb = nn.Embedding(grid, dim)
        self.width_emb = nn.Embedding(grid, dim)

    def forward(self, tokens):
        rows = self.height_emb.weight.unsqueeze(1)
        columns = self.width_emb.weight.unsqueeze(0)
        return self.emb(tokens) + (rows + columns).flatten(0, 1)


class AdaLayerNorm(nn.Module):
    """LayerNorm without affine part, times (1 + scale), plus shift; both from an embedding of the condition."""

    def __init__(self, emb, dim):
        super().__init__()
        self.emb = emb
        self.linear = nn.Linear(dim, 2 * dim)
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)

    def forward(self, x, condition):
        scale, shift = self.linear(F.silu(self.emb(condition))).unsqueeze(1).chunk(2, dim=2)
        return self.norm(x) * (1 + scale) + shift


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.key, self.query, self.value, self.proj = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x):
        batch, tokens, dim = x.shape
        split = lambda y: y.view(batch, tokens, self.heads, dim // self.heads).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = F.softmax((q @ k.transpose(-2, -1)) * (1 / math.sqrt(k.shape[-1])), dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, dim))


class ConvMlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.conv1 = nn.Conv2d(dim, hidden, 3, padding=1)
        self.act = GELU2()
        self.conv2 = nn.Conv2d(hidden, dim, 3, padding=1)

    def forward(self, x):
        batch, tokens, dim = x.shape
        side = math.isqrt(tokens)
        image = x.transpose(1, 2).reshape(batch, dim, side, side)
        return self.conv2(self.act(self.conv1(image))).flatten(2).transpose(1, 2)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        dim, hidden = c['dim'], round(c['dim'] * c['mlpRatio'])
        self.ln1 = AdaLayerNorm(nn.Embedding(c['timesteps'], dim), dim)
        self.attn = Attention(dim, c['heads'])
        self.ln2 = AdaLayerNorm(nn.Linear(c['conditionDim'], dim), dim)
        fc = lambda: nn.Sequential(nn.Linear(dim, hidden), GELU2(), nn.Linear(hidden, dim))
        self.mlp = ConvMlp(dim, hidden) if c['mlp'] == 'conv' else fc()

    def forward(self, x, t, condition):
        x = x + self.attn(self.ln1(x, t))
        return x + self.mlp(self.ln2(x, condition))


class Transformer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.content_emb = TokenEmbedding(c['codes'], c['grid'], c['dim'])
        self.blocks = nn.ModuleList(Block(c) for _ in range(c['layers']))
        self.to_logits = nn.Sequential(nn.LayerNorm(c['dim']), nn.Linear(c['dim'], c['codes']))

    def forward(self, tokens, t, condition):
        """Logits [batch, tokens, codes]."""
        x = self.content_emb(tokens)
        for block in self.blocks:
            x = block(x, t, condition)
        return self.to_logits(x)
