"""The Gumbel VQ-GAN tokenizer in plain PyTorch, with the patches and the latent norm of our presets."""

import torch
from torch import nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    def __init__(self, source, target, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, source, eps=1e-6)
        self.conv1 = nn.Conv2d(source, target, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, target, eps=1e-6)
        self.conv2 = nn.Conv2d(target, target, 3, padding=1)
        if source != target:
            self.nin_shortcut = nn.Conv2d(source, target, 1)

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return (self.nin_shortcut(x) if hasattr(self, 'nin_shortcut') else x) + h


class AttentionBlock(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2) for layer in (self.q, self.k, self.v))
        weights = F.softmax(q.transpose(1, 2) @ k * q.shape[1] ** -0.5, dim=-1)
        return x + self.proj_out((v @ weights.transpose(1, 2)).view_as(x))


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode='nearest'))


class Level(nn.Module):
    def __init__(self, source, target, blocks, groups, attention):
        super().__init__()
        sizes = [source] + [target] * (blocks - 1)
        self.block = nn.ModuleList(ResidualBlock(size, target, groups) for size in sizes)
        self.attn = nn.ModuleList(AttentionBlock(target, groups) for _ in range(blocks if attention else 0))

    def forward(self, x):
        for i, block in enumerate(self.block):
            x = block(x)
            if len(self.attn) > 0:
                x = self.attn[i](x)
        return x


class Middle(nn.Module):
    def __init__(self, channels, groups, attention):
        super().__init__()
        self.block_1 = ResidualBlock(channels, channels, groups)
        if attention:
            self.attn_1 = AttentionBlock(channels, groups)
        self.block_2 = ResidualBlock(channels, channels, groups)

    def forward(self, x):
        x = self.block_1(x)
        return self.block_2(self.attn_1(x) if hasattr(self, 'attn_1') else x)


class Encoder(nn.Module):
    def __init__(self, c, image_size):
        super().__init__()
        self.patch = c['patchSize']
        widths, groups = [c['channels'] * m for m in c['channelMultipliers']], c['normGroups']
        self.conv_in = nn.Conv2d(3 * self.patch**2, c['channels'], 3, padding=1)
        self.down = nn.ModuleList()
        for i, width in enumerate(widths):
            attention = image_size / self.patch / 2**i in c['attentionResolutions']
            source = widths[i - 1] if i > 0 else c['channels']
            level = Level(source, width, c['residualBlocks'], groups, attention)
            if i < len(widths) - 1:
                level.downsample = Downsample(width)
            self.down.append(level)
        self.mid = Middle(widths[-1], groups, c['middleAttention'])
        self.norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[-1], c['latentChannels'], 3, padding=1)

    def forward(self, x):
        x = self.conv_in(F.pixel_unshuffle(x, self.patch))
        for level in self.down:
            x = level(x)
            if hasattr(level, 'downsample'):
                x = level.downsample(x)
        return self.conv_out(F.silu(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    def __init__(self, c, image_size):
        super().__init__()
        self.patch = c['patchSize']
        widths, groups = [c['channels'] * m for m in c['channelMultipliers']], c['normGroups']
        self.conv_in = nn.Conv2d(c['latentChannels'], widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1], groups, c['middleAttention'])
        self.up = nn.ModuleList()
        for i, width in enumerate(widths):
            attention = image_size / self.patch / 2**i in c['attentionResolutions']
            source = widths[i + 1] if i + 1 < len(widths) else widths[-1]
            level = Level(source, width, c['residualBlocks'] + 1, groups, attention)
            if i > 0:
                level.upsample = Upsample(width)
            self.up.append(level)
        self.norm_out = nn.GroupNorm(groups, widths[0], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[0], 3 * self.patch**2, 3, padding=1)

    def forward(self, z):
        x = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            x = level(x)
            if hasattr(level, 'upsample'):
                x = level.upsample(x)
        return F.pixel_shuffle(self.conv_out(F.silu(self.norm_out(x))), self.patch)


class Quantizer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv2d(c['codeDim'], c['codes'], 1)
        self.embed = nn.Embedding(c['codes'], c['codeDim'])


class Tokenizer(nn.Module):
    def __init__(self, c, image_size):
        super().__init__()
        self.normalize = c['normalizeLatents']
        self.encoder, self.decoder = Encoder(c, image_size), Decoder(c, image_size)
        self.quant_conv = nn.Conv2d(c['latentChannels'], c['codeDim'], 1)
        self.post_quant_conv = nn.Conv2d(c['codeDim'], c['latentChannels'], 1)
        self.quantize = Quantizer(c)

    def loss(self, x, gumbel, temperature, kl_weight):
        """mean |x - x'| + w KL(q, uniform), soft Gumbel codes; `gumbel` is [batch, codes, h, w]."""
        z = self.quant_conv(self.encoder(x))
        if self.normalize:
            z = F.layer_norm(z.permute(0, 2, 3, 1), z.shape[1:2], eps=1e-6).permute(0, 3, 1, 2)
        logits = self.quantize.proj(z)
        soft = F.softmax((logits + gumbel) / temperature, dim=1)
        mixed = torch.einsum('bnhw,nd->bdhw', soft, self.quantize.embed.weight)
        image = self.decoder(self.post_quant_conv(mixed))
        q = F.softmax(logits, dim=1)
        divergence = (q * torch.log(q * q.shape[1] + 1e-10)).sum(dim=1).mean()
        return (x - image).abs().mean() + kl_weight * divergence

    def decode(self, codes):
        batch, tokens = codes.shape
        side = round(tokens**0.5)
        z = self.quantize.embed(codes).view(batch, side, side, -1).permute(0, 3, 1, 2)
        return self.decoder(self.post_quant_conv(z))
