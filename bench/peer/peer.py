"""The PyTorch side of `npm run bench -- peer`: one job a process, calls as JSON lines on stdin, replies on stdout."""

import json
import platform
import struct
import sys
import time

import numpy
import torch

from diffusion import Diffusion, Schedule
from tokenizer import Tokenizer
from transformer import Transformer

DTYPES = {'F32': numpy.float32, 'I32': numpy.int32}


class Weights:
    """A safetensors file, read tensor by tensor: a model need not be in memory twice."""

    def __init__(self, path, device):
        self.path, self.device = path, device
        with open(path, 'rb') as file:
            (size,) = struct.unpack('<Q', file.read(8))
            self.entries = json.loads(file.read(size))
        self.entries.pop('__metadata__', None)
        self.start = 8 + size

    def read(self, name):
        """One tensor; int32 widens to the int64 that PyTorch wants of indices."""
        entry = self.entries[name]
        begin, end = entry['data_offsets']
        dtype = numpy.dtype(DTYPES[entry['dtype']])
        with open(self.path, 'rb') as file:
            file.seek(self.start + begin)
            array = numpy.fromfile(file, dtype=dtype, count=(end - begin) // dtype.itemsize).reshape(entry['shape'])
        return torch.from_numpy(array.astype(numpy.int64) if dtype == numpy.int32 else array).to(self.device)

    def feeds(self):
        names = [name for name in self.entries if name.startswith('feeds.')]
        return {name[len('feeds.') :]: self.read(name) for name in names}

    @torch.no_grad()
    def load(self, model, prefix):
        """Moves a model to the device and copies every parameter; the file must hold exactly those."""
        model.to(self.device)
        parameters = dict(model.named_parameters())
        held = {name[len(prefix) :] for name in self.entries if name.startswith(prefix)}
        if held != set(parameters):
            raise ValueError(f'parameters differ: {sorted(held ^ set(parameters))[:5]}')
        for name, p in parameters.items():
            p.copy_(self.read(prefix + name))
        return model


def peak_mb():
    """The most memory this process has held. (`ru_maxrss` would count the parent it was forked from.)"""
    with open('/proc/self/status') as status:
        line = next(line for line in status if line.startswith('VmHWM'))
    return int(line.split()[1]) / 1024


def diffusion_model(job, weights):
    c = job['transformer']
    schedule = Schedule(c['timesteps'], c['codes'], *job['schedule']).to(weights.device)
    return weights.load(Diffusion(Transformer(c), c['conditionDim'], schedule, job['auxiliaryWeight']), 'model.')


class Training:
    """Loss, backward pass, torch.optim.AdamW, and as the job says gradient clipping and an average of the weights."""

    def __init__(self, job, model, loss):
        o = job['optimizer']
        self.model, self.loss, self.clip, self.decay = model, loss, o.get('clipNorm'), o.get('emaDecay')
        self.parameters = [p.detach() for p in model.parameters()]
        self.average = [p.clone() for p in self.parameters] if self.decay else []
        options = dict(lr=o['lr'], betas=(o['beta1'], o['beta2']), weight_decay=o['weightDecay'], eps=1e-8)
        self.optimizer = torch.optim.AdamW(model.parameters(), **options)

    def run(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        if self.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        if self.average:
            torch._foreach_mul_(self.average, self.decay)
            torch._foreach_add_(self.average, self.parameters, alpha=1 - self.decay)
        return [loss.item()]


def diffusion_training(job, weights):
    model = diffusion_model(job, weights)
    batch = weights.feeds()
    return Training(job, model, lambda: model.loss(**batch))


def tokenizer_training(job, weights):
    model = weights.load(Tokenizer(job['tokenizer'], job['imageSize']), 'model.')
    f = weights.feeds()
    batch, tokens, codes = f['gumbel'].shape
    side = round(tokens**0.5)
    gumbel = f['gumbel'].permute(0, 2, 1).reshape(batch, codes, side, side).contiguous()
    return Training(job, model, lambda: model.loss(f['x'], gumbel, job['temperature'], job['klWeight']))


class ReverseStep:
    def __init__(self, job, weights):
        self.job, self.model, self.feeds = job, diffusion_model(job, weights), weights.feeds()

    def check(self):
        """Some log-probabilities of the guided network, to be compared with ours."""
        tokens, condition = self.feeds['tokens'], self.feeds['condition']
        t = torch.full((tokens.shape[0],), self.job['from'], device=tokens.device)
        log_p = self.model.guided(tokens, t, condition, self.job['guidanceScale'])[:, :-1]
        return log_p.permute(0, 2, 1).reshape(-1)[:: self.job['stride']].tolist()

    def run(self):
        j, f = self.job, self.feeds
        s = self.model.reverse_step(f['tokens'], j['to'], j['from'], f['condition'], j['guidanceScale'], j['truncation'])
        return [int(s[0, 0])]


class WholeImage:
    def __init__(self, job, weights):
        self.job, self.feeds = job, weights.feeds()
        self.model = diffusion_model(job, weights)
        self.tokenizer = weights.load(Tokenizer(job['tokenizer'], job['imageSize']), 'tokenizer.')

    @torch.no_grad()
    def check(self):
        return self.tokenizer.decode(self.feeds['codes']).reshape(-1)[:: self.job['stride']].tolist()

    @torch.no_grad()
    def run(self):
        j = self.job
        tokens = j['transformer']['grid'] ** 2
        codes = self.model.sample(self.feeds['condition'], j['times'], tokens, j['guidanceScale'], j['truncation'])
        return [float(self.tokenizer.decode(codes).mean())]


JOBS = {
    'train': diffusion_training,
    'tokenizer': tokenizer_training,
    'reverse': ReverseStep,
    'image': WholeImage,
}


def allow_tf32(allowed):
    """Whether CUDA may round the factors of matrix products and convolutions to 10 bits, for its tensor cores."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def synchronize(state):
    if state['device'] == 'cuda':
        torch.cuda.synchronize()


def versions(device):
    versions = {'python': platform.python_version(), 'torch': torch.__version__}
    return {**versions, 'cuda': torch.version.cuda, 'gpu': torch.cuda.get_device_name()} if device == 'cuda' else versions


def answer(kind, request, state):
    if kind == 'prepare':
        state['device'] = device = 'cuda' if request['pytorch'] == 'gpu' and torch.cuda.is_available() else 'cpu'
        torch.set_num_threads(request['threads'])
        torch.set_flush_denormal(True)
        torch.manual_seed(0)
        torch.backends.cudnn.benchmark = True
        allow_tf32(False)
        state['job'] = JOBS[request['job']['kind']](request['job'], Weights(request['file'], device))
        synchronize(state)
        return {'versions': versions(device), 'threads': torch.get_num_threads(), 'device': device}
    if kind == 'check':
        job = state['job']
        return job.check() if hasattr(job, 'check') else [v for _ in range(3) for v in job.run()]
    if kind == 'round':
        allow_tf32(request.get('tf32', False))
        return timed(state, request['leastMs'])
    return peak_mb()


def timed(state, least_ms):
    """Mean milliseconds of steps that follow each other for so long."""
    synchronize(state)
    start, steps, passed = time.perf_counter(), 0, 0.0
    while steps == 0 or passed < least_ms:
        state['job'].run()
        synchronize(state)
        steps += 1
        passed = 1000 * (time.perf_counter() - start)
    return passed / steps


def main():
    state = {}
    for line in sys.stdin:
        call = json.loads(line)
        try:
            result = {'reply': answer(call['kind'], call['request'], state)}
        except Exception as error:  # One line for the caller; the next request may still be answered.
            result = {'error': f'{type(error).__name__}: {error}'}
        print(json.dumps({'id': call['id'], **result}), flush=True)


main()
