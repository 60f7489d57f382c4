"""The heads: hashed embedding sum joined with the surface features, linear or with one hidden layer. NumPy alone.

Two things keep a head from learning which benchmark a prompt comes from instead of how hard it is: sources weigh
by the square root of their rows, and half of the loss allows each source an offset of its own.
"""
import numpy as np
import scipy.sparse as sp

from features import BUCKETS, SURFACE


def sparse(samples):
    """Samples of `features.features` as one CSR matrix and one surface matrix."""
    ids = np.concatenate([s[0] for s in samples])
    weights = np.concatenate([s[1] for s in samples])
    starts = np.concatenate([[0], np.cumsum([len(s[0]) for s in samples])])
    return (sp.csr_matrix((weights, ids, starts), shape=(len(samples), BUCKETS), dtype=np.float32),
            np.stack([s[2] for s in samples]))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Adam:
    """Adam with decoupled weight decay and a cosine schedule."""

    def __init__(self, parameters, rate, decay, steps):
        self.parameters, self.rate, self.decay, self.steps, self.step = parameters, rate, decay, steps, 0
        self.moment = {k: (np.zeros_like(v), np.zeros_like(v)) for k, v in parameters.items()}

    def update(self, grads):
        self.step += 1
        lr = self.rate * .5 * (1 + np.cos(np.pi * self.step / self.steps))
        for k, g in grads.items():
            m1, m2 = self.moment[k]
            m1 += .1 * (g - m1)
            m2 += .001 * (g * g - m2)
            self.parameters[k] *= np.float32(1 - lr * self.decay.get(k, 1e-4))
            self.parameters[k] -= (lr * (m1 / (1 - .9 ** self.step)) / (np.sqrt(m2 / (1 - .999 ** self.step)) + 1e-8)).astype(np.float32)


class Head:
    """logit = a . u + relu(u W + b) . v + c, with u = [sum of weight x embedding, standardised surface].

    `hidden` 0 leaves the linear part alone; `uses` names the surface features that the head may see."""

    def __init__(self, dim, hidden, seed, buckets=BUCKETS, uses=SURFACE):
        rng = np.random.default_rng(seed)
        wide, f = dim + len(SURFACE), np.float32
        self.p = {"E": rng.normal(0, .1, (buckets, dim)).astype(f), "a": (rng.normal(0, 1, wide) / np.sqrt(wide)).astype(f),
                  "c": np.zeros(1, f), "W": (rng.normal(0, 1, (wide, hidden)) / np.sqrt(wide)).astype(f),
                  "b": np.zeros(hidden, f), "v": (rng.normal(0, 1, hidden) / np.sqrt(max(hidden, 1))).astype(f)}
        self.uses = np.array([name in uses for name in SURFACE], f)
        self.mean = np.zeros(len(SURFACE), f)
        self.std = np.ones(len(SURFACE), f)

    def forward(self, x, surface):
        u = np.concatenate([x @ self.p["E"], (surface - self.mean) / self.std * self.uses], axis=1)
        h = u @ self.p["W"] + self.p["b"]
        return u, h, u @ self.p["a"] + np.maximum(h, 0) @ self.p["v"] + self.p["c"][0]

    def logit(self, x, surface):
        return self.forward(x, surface)[2]

    def fit(self, x, surface, target, weight, source, epochs, batch, rate, decay, drop, seed):
        """Soft-label BCE: half on the logit, half on the logit plus a free offset per source (anchors: no offset)."""
        rng = np.random.default_rng(seed + 100)
        names, which = np.unique(source, return_inverse=True)
        free = source != "anchors"
        self.mean = np.average(surface, axis=0, weights=weight).astype(np.float32)
        self.std = np.maximum(np.sqrt(np.average((surface - self.mean) ** 2, axis=0, weights=weight)), .05).astype(np.float32)
        weight = (weight / weight.mean()).astype(np.float32)
        dim, steps = self.p["E"].shape[1], epochs * (x.shape[0] // batch)
        adam = Adam(self.p, rate, {"E": decay}, steps)
        offset = np.zeros(len(names), np.float32)
        offset_adam = Adam({"offset": offset}, 3 * rate, {}, steps)
        for _ in range(epochs):
            order = rng.permutation(x.shape[0])
            for first in range(0, len(order) - batch + 1, batch):
                rows = order[first:first + batch]
                xb, sb = x[rows], surface[rows]
                xb.data = xb.data * (rng.random(len(xb.data)) >= drop) / np.float32(1 - drop)
                u, h, logit = self.forward(xb, sb)
                plain = sigmoid(logit) - target[rows]
                shifted = sigmoid(logit + offset[which[rows]]) - target[rows]
                share = weight[rows] / batch
                d = np.where(free[rows], (plain + shifted) / 2, plain) * share
                dh = d[:, None] * self.p["v"] * (h > 0)
                du = d[:, None] * self.p["a"] + dh @ self.p["W"].T
                adam.update({"E": xb.T @ du[:, :dim], "W": u.T @ dh, "b": dh.sum(0), "v": np.maximum(h, 0).T @ d,
                             "a": u.T @ d, "c": np.array([d.sum()])})
                offset_adam.update({"offset": np.bincount(which[rows], weights=free[rows] * shifted * share,
                                                          minlength=len(names)).astype(np.float32)})
        return self


class Mix:
    """The weighted mean of several heads' logits, less `length` standard deviations of the stem's log length."""

    def __init__(self, heads, shares, length=0.0):
        self.heads, self.shares, self.length = heads, shares, length

    def logit(self, x, surface):
        first = self.heads[0]
        longer = (surface[:, 0] - first.mean[0]) / first.std[0]
        return sum(s * h.logit(x, surface) for h, s in zip(self.heads, self.shares)) - self.length * longer
