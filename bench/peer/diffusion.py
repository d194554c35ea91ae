"""Mask-and-replace diffusion in log space, over K codes and the mask, the way VQ-Diffusion's authors compute it.

Every distribution is a [batch, K + 1, tokens] tensor of natural logarithms, clamped to [-70, 0].
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

LOG_ZERO = -70.0
TINY = 1e-30


def log_add_exp(a, b):
    top = torch.maximum(a, b)
    return top + torch.log(torch.exp(a - top) + torch.exp(b - top))


def log_one_hot(index, classes):
    return torch.log(F.one_hot(index, classes).permute(0, 2, 1).float().clamp(min=TINY))


class Schedule:
    """Linear cumulative schedules; entry T of the cumulative ones is the clean state (1, 0, 0)."""

    def __init__(self, steps, codes, alpha_start=0.99999, alpha_end=9e-6, gamma_start=9e-6, gamma_end=0.99999):
        self.steps, self.codes = steps, codes
        ramp = torch.arange(steps, dtype=torch.float64) / (steps - 1)
        one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        self.alpha_bar = torch.cat([ramp * (alpha_end - alpha_start) + alpha_start, one])
        self.gamma_bar = torch.cat([ramp * (gamma_end - gamma_start) + gamma_start, zero])
        self.beta_bar = (1 - self.alpha_bar - self.gamma_bar) / codes

    def to(self, device):
        """Where the times that it is asked about are."""
        for name in ('alpha_bar', 'beta_bar', 'gamma_bar'):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def logs(self, t, column=(-1, 1, 1)):
        """log alpha_bar, beta_bar, gamma_bar and 1 - gamma_bar at times t; -1 is clean."""
        at = [x[t] for x in (self.alpha_bar, self.beta_bar, self.gamma_bar)]
        at.append(1 - at[2])
        return [torch.log(x.clamp(min=1e-40)).float().reshape(column) for x in at]

    def step_logs(self, s, t, column=(-1, 1, 1)):
        """The same for the transition from an earlier time s to t."""
        alpha = self.alpha_bar[t] / self.alpha_bar[s]
        gamma = 1 - (1 - self.gamma_bar[t]) / (1 - self.gamma_bar[s])
        beta = (1 - alpha - gamma) / self.codes
        return [torch.log(x.clamp(min=1e-40)).float().reshape(column) for x in (alpha, beta, gamma, 1 - gamma)]


def q_pred(log_x, logs):
    """q(x_later | x) for log x over K + 1 classes."""
    log_a, log_b, log_c, log_keep = logs
    codes, mask = log_x[:, :-1], log_x[:, -1:]
    return torch.cat([log_add_exp(codes + log_a, log_b), log_add_exp(mask + log_keep, log_c)], dim=1)


def q_posterior(log_x0, log_xt, xt, s, t, schedule):
    """p(x_s | x_t) for s < t, summed over x_0 with probabilities log_x0; s and t are [batch]."""
    codes = schedule.codes
    masked = (xt == codes).unsqueeze(1)
    log_tiny = torch.full_like(log_x0[:, :1], math.log(TINY))
    bar = schedule.logs(t)
    log_qt = torch.where(masked, bar[2].expand(-1, codes, xt.shape[1]), q_pred(log_xt, bar)[:, :-1])
    step = schedule.step_logs(s, t)
    log_step = torch.cat([q_pred(log_xt, step)[:, :-1], log_tiny], dim=1)
    from_mask = torch.cat([step[2].expand(-1, codes, xt.shape[1]), torch.zeros_like(log_tiny)], dim=1)
    log_step = torch.where(masked, from_mask, log_step)
    q = torch.cat([log_x0[:, :-1] - log_qt, log_tiny], dim=1)
    total = torch.logsumexp(q, dim=1, keepdim=True)
    return (q_pred(q - total, schedule.logs(s)) + log_step + total).clamp(LOG_ZERO, 0)


def predict_start(logits):
    """log p(x_0) over K + 1 classes from logits [batch, tokens, K]: log-softmax in float64, and a row for the mask."""
    log_p = F.log_softmax(logits.permute(0, 2, 1).double(), dim=1).float()
    mask = torch.full_like(log_p[:, :1], LOG_ZERO)
    return torch.cat([log_p, mask], dim=1).clamp(LOG_ZERO, 0)


def kl(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(dim=1)


class Diffusion(nn.Module):
    """The denoiser with the learned null condition, and its training loss."""

    def __init__(self, transformer, condition_dim, schedule, auxiliary_weight):
        super().__init__()
        self.transformer = transformer
        self.empty_text_embed = nn.Parameter(torch.randn(1, condition_dim))
        self.schedule, self.auxiliary_weight = schedule, auxiliary_weight

    def loss(self, x0, xt, t, pt, condition, dropped):
        schedule = self.schedule
        nothing = F.normalize(self.empty_text_embed, dim=-1)
        condition = torch.where(dropped.bool(), nothing, condition)
        log_x0, log_xt = log_one_hot(x0, schedule.codes + 1), log_one_hot(xt, schedule.codes + 1)
        log_recon = predict_start(self.transformer(xt, t, condition))
        log_model = q_posterior(log_recon, log_xt, xt, t - 1, t, schedule)
        log_true = q_posterior(log_x0, log_xt, xt, t - 1, t, schedule)

        nll = -(log_x0.exp() * log_model).sum(dim=1).sum(dim=1)
        first = (t == 0).float()
        bound = first * nll + (1 - first) * kl(log_true, log_model).sum(dim=1)
        auxiliary = first * nll + (1 - first) * kl(log_x0[:, :-1], log_recon[:, :-1]).sum(dim=1)
        scale = self.auxiliary_weight * (2 - t / schedule.steps)
        return ((bound + scale * auxiliary) / pt).sum() / x0.numel()

    @torch.no_grad()
    def guided(self, xt, t, condition, scale):
        """log p(x_0) over K + 1 classes, guided; both halves in one batch, as the official program runs them."""
        nothing = F.normalize(self.empty_text_embed, dim=-1).expand_as(condition)
        logits = self.transformer(torch.cat([xt, xt]), torch.cat([t, t]), torch.cat([condition, nothing]))
        given, free = predict_start(logits).chunk(2)
        mixed = free[:, :-1] + scale * (given[:, :-1] - free[:, :-1])
        mixed = (mixed - torch.logsumexp(mixed, dim=1, keepdim=True)).clamp(LOG_ZERO, 0)
        return torch.cat([mixed, given[:, -1:]], dim=1)

    @torch.no_grad()
    def reverse_step(self, xt, s, t, condition, scale, truncation):
        """Draws x_s from x_t, s < t: network, guidance, truncation, posterior and a Gumbel draw over all classes."""
        at, before = (torch.full((xt.shape[0],), time, device=xt.device) for time in (t, s))
        log_x0 = truncate(self.guided(xt, at, condition, scale), truncation)
        log_xt = log_one_hot(xt, self.schedule.codes + 1)
        log_xs = q_posterior(log_x0, log_xt, xt, before, at, self.schedule)
        gumbel = -torch.log(-torch.log(torch.rand_like(log_xs) + TINY) + TINY)
        return (log_xs + gumbel).argmax(dim=1)

    def sample(self, condition, times, tokens, scale, truncation):
        """From all masks down the times, the last of which is -1."""
        x = torch.full((condition.shape[0], tokens), self.schedule.codes, device=condition.device)
        for t, s in zip(times[:-1], times[1:]):
            x = self.reverse_step(x, s, t, condition, scale, truncation)
        return x.clamp(max=self.schedule.codes - 1)


def truncate(log_x0, rate):
    """Keeps the likeliest classes until their probability reaches the rate; the rest become impossible."""
    if rate is None:
        return log_x0
    ordered, index = torch.sort(log_x0, dim=1, descending=True)
    before = torch.cumsum(ordered.exp(), dim=1) - ordered.exp()
    keep = torch.zeros_like(before, dtype=torch.bool).scatter(1, index, before < rate)
    return torch.where(keep, log_x0, torch.full_like(log_x0, LOG_ZERO))
