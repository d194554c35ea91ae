"""The reference's two networks as PyTorch modules, written from the equations: they have its parameter names, and so load what it loads.

Reads a JSON document on stdin, {"tokenizer": file, "diffusion": file, "heads": h, inputs...}, loads both exports strictly, and prints
what the networks make of the inputs.
"""

import json
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn


def group_norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


def swish(x):
    return x * torch.sigmoid(x)


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm1, self.conv1 = group_norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = group_norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        h = self.conv2(swish(self.norm2(self.conv1(swish(self.norm1(x))))))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class AttentionBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = group_norm(channels)
        for name in ("q", "k", "v", "proj_out"):
            setattr(self, name, nn.Conv2d(channels, channels, 1))

    def forward(self, x):
        q, k, v = (layer(self.norm(x)).flatten(2) for layer in (self.q, self.k, self.v))
        weights = torch.softmax(q.transpose(1, 2) @ k / math.sqrt(x.shape[1]), -1)
        return x + self.proj_out((v @ weights.transpose(1, 2)).reshape(x.shape))


class Resample(nn.Module):
    def __init__(self, channels, down):
        super().__init__()
        self.down = down
        self.conv = nn.Conv2d(channels, channels, 3, stride=2) if down else nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.down else F.interpolate(x, scale_factor=2.0, mode="nearest"))


def middle(channels):
    stack = nn.Module()
    stack.block_1, stack.attn_1, stack.block_2 = ResidualBlock(channels, channels), AttentionBlock(channels), ResidualBlock(channels, channels)
    return stack


def run_middle(stack, x):
    return stack.block_2(stack.attn_1(stack.block_1(x)))


def level(inputs, outputs, blocks, attends):
    stack = nn.Module()
    stack.block = nn.ModuleList(ResidualBlock(inputs if i == 0 else outputs, outputs) for i in range(blocks))
    stack.attn = nn.ModuleList(AttentionBlock(outputs) for _ in range(blocks if attends else 0))
    return stack


def run_level(stack, x):
    for i, block in enumerate(stack.block):
        x = block(x)
        if len(stack.attn) > 0:
            x = stack.attn[i](x)
    return x


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        widths = [c["channels"] * m for m in c["multipliers"]]
        self.conv_in = nn.Conv2d(3, c["channels"], 3, padding=1)
        self.down = nn.ModuleList()
        for i, width in enumerate(widths):
            stack = level(widths[i - 1] if i > 0 else c["channels"], width, c["blocks"], c["size"] >> i in c["attention"])
            if i + 1 < len(widths):
                stack.downsample = Resample(width, True)
            self.down.append(stack)
        self.mid, self.norm_out = middle(widths[-1]), group_norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], c["latents"], 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for stack in self.down:
            x = run_level(stack, x)
            if hasattr(stack, "downsample"):
                x = stack.downsample(x)
        return self.conv_out(swish(self.norm_out(run_middle(self.mid, x))))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        widths = [c["channels"] * m for m in c["multipliers"]]
        last = len(widths) - 1
        self.conv_in, self.mid = nn.Conv2d(c["latents"], widths[-1], 3, padding=1), middle(widths[-1])
        self.up = nn.ModuleList()
        for i, width in enumerate(widths):
            stack = level(widths[min(i + 1, last)], width, c["blocks"] + 1, c["size"] >> i in c["attention"])
            if i > 0:
                stack.upsample = Resample(width, False)
            self.up.append(stack)
        self.norm_out, self.conv_out = group_norm(widths[0]), nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z):
        x = run_middle(self.mid, self.conv_in(z))
        for stack in reversed(self.up):
            x = run_level(stack, x)
            if hasattr(stack, "upsample"):
                x = stack.upsample(x)
        return self.conv_out(swish(self.norm_out(x)))


class GumbelVQ(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.encoder, self.decoder, self.quantize = Encoder(c), Decoder(c), nn.Module()
        self.quantize.proj, self.quantize.embed = nn.Conv2d(c["latents"], c["codes"], 1), nn.Embedding(c["codes"], c["latents"])
        self.quant_conv, self.post_quant_conv = nn.Conv2d(c["latents"], c["latents"], 1), nn.Conv2d(c["latents"], c["latents"], 1)

    def logits(self, x):
        return self.quantize.proj(self.quant_conv(self.encoder(x)))

    def decode(self, codes):
        return self.decoder(self.post_quant_conv(self.quantize.embed(codes).permute(0, 3, 1, 2)))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        dim, hidden = c["dim"], c["hidden"]
        self.heads, self.grid = c["heads"], c["grid"]
        self.ln1, self.ln2, self.attn, self.mlp = nn.Module(), nn.Module(), nn.Module(), nn.Module()
        self.ln1.emb, self.ln1.linear = nn.Embedding(c["timesteps"], dim), nn.Linear(dim, 2 * dim)
        self.ln2.emb, self.ln2.linear = nn.Linear(c["condition"], dim), nn.Linear(dim, 2 * dim)
        for name in ("key", "query", "value", "proj"):
            setattr(self.attn, name, nn.Linear(dim, dim))
        if c["mlp"] == "conv":
            self.mlp.conv1, self.mlp.conv2 = nn.Conv2d(dim, hidden, 3, padding=1), nn.Conv2d(hidden, dim, 3, padding=1)
        else:
            self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.Identity(), nn.Linear(hidden, dim))

    def modulate(self, norm, x, embedding):
        scale, shift = norm.linear(F.silu(embedding)).unsqueeze(1).chunk(2, -1)
        return F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift

    def attend(self, x):
        batch, tokens, dim = x.shape
        q, k, v = (
            layer(x).view(batch, tokens, self.heads, -1).transpose(1, 2)
            for layer in (self.attn.query, self.attn.key, self.attn.value)
        )
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(dim // self.heads), -1)
        return self.attn.proj((weights @ v).transpose(1, 2).reshape(x.shape))

    def feed_forward(self, x):
        gelu2 = lambda y: y * torch.sigmoid(1.702 * y)
        if not hasattr(self.mlp, "conv1"):
            return self.mlp[2](gelu2(self.mlp[0](x)))
        grid = x.transpose(1, 2).unflatten(2, (self.grid, self.grid))
        return self.mlp.conv2(gelu2(self.mlp.conv1(grid))).flatten(2).transpose(1, 2)

    def forward(self, x, t, condition):
        x = x + self.attend(self.modulate(self.ln1, x, self.ln1.emb(t)))
        return x + self.feed_forward(self.modulate(self.ln2, x, self.ln2.emb(condition)))


class DiffusionTransformer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.transformer = net = nn.Module()
        net.content_emb = nn.Module()
        net.content_emb.emb = nn.Embedding(c["codes"] + 1, c["dim"])
        net.content_emb.height_emb, net.content_emb.width_emb = nn.Embedding(c["grid"], c["dim"]), nn.Embedding(c["grid"], c["dim"])
        net.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        net.to_logits = nn.Sequential(nn.LayerNorm(c["dim"]), nn.Linear(c["dim"], c["codes"]))
        self.empty_text_embed = nn.Parameter(torch.zeros(1, c["condition"]))
        steps = c["timesteps"]
        for name in ("log_at", "log_bt", "log_ct", "log_1_min_ct", "Lt_history", "Lt_count"):
            self.register_buffer(name, torch.zeros(steps))
        for name in ("log_cumprod_at", "log_cumprod_bt", "log_cumprod_ct", "log_1_min_cumprod_ct"):
            self.register_buffer(name, torch.zeros(steps + 1))

    def logits(self, tokens, t, condition):
        net, places = self.transformer, self.transformer.content_emb
        x = places.emb(tokens) + (places.height_emb.weight[:, None] + places.width_emb.weight[None]).flatten(0, 1)
        for block in net.blocks:
            x = block(x, t, condition)
        return net.to_logits(x)


def main():
    task = json.load(sys.stdin)
    tokenizer, diffusion = GumbelVQ(task["tokenizer"]).eval(), DiffusionTransformer(task["diffusion"]).eval()
    tokenizer.load_state_dict(torch.load(task["tokenizerFile"], map_location="cpu")["state_dict"], strict=True)
    diffusion.load_state_dict(torch.load(task["diffusionFile"], map_location="cpu"), strict=True)
    tensor = lambda name, dtype: torch.tensor(task[name]["data"], dtype=dtype).view(task[name]["shape"])
    with torch.no_grad():
        codes = tokenizer.logits(tensor("x", torch.float32)).argmax(1)
        outputs = {
            "codes": codes,
            "decoded": tokenizer.decode(codes),
            "logits": diffusion.logits(tensor("tokens", torch.int64), tensor("t", torch.int64), tensor("condition", torch.float32)),
            "log_at": diffusion.log_at,
            "empty_text_embed": diffusion.empty_text_embed,
        }
    print(json.dumps({name: value.flatten().tolist() for name, value in outputs.items()}))


if __name__ == "__main__":
    main()
