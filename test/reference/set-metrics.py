"""Metrics of sets of pictures by NumPy, SciPy and scikit-learn, for test/fixtures/set-metrics.json.

Each is written here from its paper, over other people's linear algebra, neighbours, rank tests and clusters; the tests
hold our own against what comes out. Debian: python3-numpy python3-scipy python3-sklearn.

  python3 test/reference/set-metrics.py > test/fixtures/set-metrics.json
"""

import json

import numpy as np
from scipy.linalg import sqrtm
from scipy.special import softmax
from scipy.stats import entropy, mannwhitneyu, norm
from sklearn.cluster import KMeans
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

DIM, NEIGHBOURS, FEWEST = 5, 5, 20
random = np.random.default_rng(20)


def drawn(rows, columns, scale=1.0, shift=0.0):
    """Numbers that a file holds exactly."""
    return np.round(random.normal(shift, scale, (rows, columns)), 3)


def frechet(a, b):
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return mean + np.trace(first + second - 2 * sqrtm(first @ second).real)


def kernel(a, b):
    def among(x):
        k = polynomial_kernel(x, degree=3, gamma=1 / x.shape[1], coef0=1)
        return (k.sum() - np.trace(k)) / (len(x) * (len(x) - 1))

    return among(a) + among(b) - 2 * polynomial_kernel(a, b, degree=3, gamma=1 / DIM, coef0=1).mean()


def neighbourhoods(real, made):
    def radius(x):
        # The first is the picture itself.
        return NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(x).kneighbors(x)[0][:, -1]

    apart = np.linalg.norm(real[:, None] - made[None], axis=2)
    in_real, in_made = apart <= radius(real)[:, None], apart <= radius(made)[None]
    return {
        'precision': in_real.any(0).mean(),
        'recall': in_made.any(1).mean(),
        'density': in_real.sum(0).mean() / NEIGHBOURS,
        'coverage': in_real.any(1).mean(),
    }


def mind(a, b):
    """Over the line there is one direction; both sets are brought to as many values by repeating them."""
    size = np.lcm(len(a), len(b))
    x, y = (np.sort(np.repeat(rows[:, 0], size // len(rows))) for rows in (a, b))
    return 3 * ((x - y) ** 2).mean()


def inception(logits, parts=10):
    chances, scores = softmax(logits, axis=1), []
    for i in range(parts):
        part = chances[i * len(chances) // parts : (i + 1) * len(chances) // parts]
        scores.append(np.exp(entropy(part, part.mean(0)[None], axis=1).mean()))
    return {'value': np.mean(scores), 'deviation': np.std(scores)}


def memorisation(made, held_out, training, cells):
    clusters = KMeans(n_clusters=cells, n_init=10, random_state=0).fit(training)
    of_made, of_held_out = clusters.predict(made), clusters.predict(held_out)
    tested = []
    for cell in range(cells):
        near = NearestNeighbors(n_neighbors=1).fit(training[clusters.labels_ == cell])
        a, b = (near.kneighbors(x)[0][:, 0] for x in (made[of_made == cell], held_out[of_held_out == cell]))
        if min(len(a), len(b)) < FEWEST:
            continue
        # Its p is one-sided and with half a rank for continuity: Z is where the normal distribution has it.
        p = mannwhitneyu(a, b, alternative='less', method='asymptotic', use_continuity=True).pvalue
        tested.append({'z': norm.ppf(p), 'made': len(a), 'heldOut': len(b)})
    z = np.array([cell['z'] for cell in tested])
    share = np.array([cell['heldOut'] for cell in tested]) / sum(cell['heldOut'] for cell in tested)
    return {
        'cells': sorted(tested, key=lambda cell: cell['z']),
        'z': share @ z,
        'p': norm.cdf(share @ z / np.sqrt((share**2).sum())),
        'worst': min(1, len(z) * norm.cdf(z.min())),
    }


made, real = drawn(60, DIM, 0.8, 0.3), drawn(75, DIM)
line = {'a': drawn(12, 1), 'b': drawn(20, 1, 2, 1)}
logits = drawn(43, 6, 1.5)
centres = np.eye(DIM)[:3] * 40
around = lambda counts, scale=1.0: np.concatenate([c + drawn(n, DIM, scale) for c, n in zip(centres, counts)])
training, held_out = around([50, 40, 30]), around([40, 30, 25])
# Copies in the first cell, too far away in the second, too few in the third.
copied = np.concatenate([training[:30] + drawn(30, DIM, 0.3), centres[1] + drawn(35, DIM, 1.3), centres[2] + drawn(9, DIM)])

inputs = {'made': made, 'real': real, 'line.a': line['a'], 'line.b': line['b'], 'logits': logits}
inputs |= {'training': training, 'heldOut': held_out, 'copied': copied}
print(
    json.dumps(
        {
            'inputs': {k: {'dim': v.shape[1], 'rows': np.round(v, 3).ravel().tolist()} for k, v in inputs.items()},
            'frechet': frechet(made, real),
            'kernel': kernel(made, real),
            'neighbourhoods': {'k': NEIGHBOURS, **neighbourhoods(real, made)},
            'mind': mind(line['a'], line['b']),
            'inception': inception(logits),
            'memorisation': memorisation(copied, held_out, training, 3),
        },
    )
)
