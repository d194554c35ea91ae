"""Inception v3 of torchvision and a DINOv2 in a few lines of PyTorch, with random weights, for our own to be held against.

  python3 networks.py inception|dinov2 <folder>

reads <folder>/pictures.bin (bytes, [2, 3, side, side]) and writes weights.pth, a state dict as it is published, and
features.bin and, for Inception, logits.bin (float32); for DINOv2 resized.bin and smaller.bin, the bytes
that Pillow makes of the pictures at 224 and at 40. Debian: python3-torch, python3-torchvision, python3-pil.
"""

import math
import sys
import types
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

kind, folder = sys.argv[1], Path(sys.argv[2])
pictures = np.fromfile(folder / 'pictures.bin', np.uint8)
side = math.isqrt(len(pictures) // 6)
pictures = torch.from_numpy(pictures.reshape(2, 3, side, side))
torch.manual_seed(7)


def write(name, rows):
    rows.contiguous().numpy().astype('<f4').tofile(folder / f'{name}.bin')


def inception():
    from torchvision.models import inception as published

    net = published.inception_v3(weights=None, init_weights=False, aux_logits=False, num_classes=1008)
    net.eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.normal_(1, 0.2)
            module.bias.normal_(0, 0.2)
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    torch.save(net.state_dict(), folder / 'weights.pth')

    # Where the network of 2015 departs from torchvision's: zeros beyond the edge do not count in means, and the last
    # block takes the largest.
    pooling = {'kind': 'mean'}

    def pool(x, kernel_size, stride=None, padding=0):
        if pooling['kind'] == 'largest':
            return F.max_pool2d(x, kernel_size, stride, padding)
        return F.avg_pool2d(x, kernel_size, stride, padding, count_include_pad=False)

    published.F = types.SimpleNamespace(**{**vars(F), 'avg_pool2d': pool})
    net.Mixed_7c.register_forward_pre_hook(lambda *_: pooling.update(kind='largest'))
    kept = {}
    net.avgpool.register_forward_hook(lambda _, __, out: kept.update(features=out.flatten(1)))
    x = F.interpolate(pictures.float() / 255, size=(299, 299), mode='bilinear', align_corners=False)
    logits = net(2 * x - 1) - net.fc.bias
    write('features', kept['features'])
    write('logits', logits)


def dinov2(width=192, heads=3, blocks=3, grid=37):
    """A vision transformer (2010.11929) with the scaled branches of CaiT, under the names of the published weights."""
    from PIL import Image

    w = {
        'cls_token': torch.randn(1, 1, width),
        'mask_token': torch.zeros(1, width),
        'pos_embed': torch.randn(1, 1 + grid * grid, width),
        'patch_embed.proj.weight': torch.randn(width, 3, 14, 14) * 0.04,
        'patch_embed.proj.bias': torch.randn(width) * 0.2,
    }

    def normal(name):
        w[f'{name}.weight'], w[f'{name}.bias'] = 1 + 0.2 * torch.randn(width), 0.2 * torch.randn(width)

    def dense(name, inner, outer):
        w[f'{name}.weight'], w[f'{name}.bias'] = torch.randn(outer, inner) * 1.5 / inner**0.5, 0.2 * torch.randn(outer)

    for name in (f'blocks.{i}' for i in range(blocks)):
        normal(f'{name}.norm1')
        dense(f'{name}.attn.qkv', width, 3 * width)
        dense(f'{name}.attn.proj', width, width)
        w[f'{name}.ls1.gamma'] = torch.randn(width) * 0.5
        normal(f'{name}.norm2')
        dense(f'{name}.mlp.fc1', width, 4 * width)
        dense(f'{name}.mlp.fc2', 4 * width, width)
        w[f'{name}.ls2.gamma'] = torch.randn(width) * 0.5
    normal('norm')
    torch.save(w, folder / 'weights.pth')

    norm = lambda x, name: F.layer_norm(x, (width,), w[f'{name}.weight'], w[f'{name}.bias'], 1e-6)
    linear = lambda x, name: F.linear(x, w[f'{name}.weight'], w[f'{name}.bias'])
    resized, bytes_of = [], []
    for picture in pictures:
        image = Image.fromarray(picture.permute(1, 2, 0).numpy()).resize((224, 224), Image.BICUBIC)
        smaller = Image.fromarray(picture.permute(1, 2, 0).numpy()).resize((40, 40), Image.BICUBIC)
        bytes_of.append([image.tobytes(), smaller.tobytes()])
        resized.append(torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255)
    for name, parts in zip(('resized', 'smaller'), zip(*bytes_of)):
        (folder / f'{name}.bin').write_bytes(b''.join(parts))
    x = torch.stack(resized)
    x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    x = F.conv2d(x, w['patch_embed.proj.weight'], w['patch_embed.proj.bias'], stride=14).flatten(2).transpose(1, 2)
    table = w['pos_embed'][:, 1:].reshape(1, grid, grid, width).permute(0, 3, 1, 2)
    table = F.interpolate(table, scale_factor=(16.1 / grid, 16.1 / grid), mode='bicubic')
    positions = torch.cat([w['pos_embed'][:, :1], table.flatten(2).transpose(1, 2)], 1)
    x = torch.cat([w['cls_token'].expand(2, -1, -1), x], 1) + positions
    for name in (f'blocks.{i}' for i in range(blocks)):
        q, k, v = (
            part.reshape(2, -1, heads, width // heads).transpose(1, 2)
            for part in linear(norm(x, f'{name}.norm1'), f'{name}.attn.qkv').chunk(3, -1)
        )
        seen = torch.softmax(q @ k.transpose(-1, -2) / (width // heads) ** 0.5, -1) @ v
        x = x + w[f'{name}.ls1.gamma'] * linear(seen.transpose(1, 2).flatten(2), f'{name}.attn.proj')
        inner = F.gelu(linear(norm(x, f'{name}.norm2'), f'{name}.mlp.fc1'))
        x = x + w[f'{name}.ls2.gamma'] * linear(inner, f'{name}.mlp.fc2')
    write('features', norm(x, 'norm')[:, 0])


with torch.no_grad():
    {'inception': inception, 'dinov2': dinov2}[kind]()
