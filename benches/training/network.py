"""The head: hashed embedding sum, joined with the surface features, one hidden layer, sigmoid. NumPy alone."""
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


class Head:
    """p = sigmoid(a . u + relu(u W + b) . v + c), with u = [sum of weight x embedding, standardised surface]."""

    def __init__(self, dim, hidden, seed, buckets=BUCKETS):
        rng = np.random.default_rng(seed)
        wide = dim + len(SURFACE)
        f = np.float32
        self.p = {"E": rng.normal(0, .1, (buckets, dim)).astype(f), "W": (rng.normal(0, 1, (wide, hidden)) / np.sqrt(wide)).astype(f),
                  "b": np.zeros(hidden, f), "v": (rng.normal(0, 1, hidden) / np.sqrt(hidden)).astype(f),
                  "a": (rng.normal(0, 1, wide) / np.sqrt(wide)).astype(f), "c": np.zeros(1, f)}
        self.mean = np.zeros(len(SURFACE), f)
        self.std = np.ones(len(SURFACE), f)

    def forward(self, x, surface):
        u = np.concatenate([x @ self.p["E"], (surface - self.mean) / self.std], axis=1)
        h = u @ self.p["W"] + self.p["b"]
        logit = u @ self.p["a"] + np.maximum(h, 0) @ self.p["v"] + self.p["c"][0]
        return u, h, logit

    def predict(self, x, surface):
        return sigmoid(self.forward(x, surface)[2])

    def fit(self, x, surface, target, weight, epochs, batch, rate, decay, drop, seed, decay_head=1e-4):
        rng = np.random.default_rng(seed + 100)
        self.mean = np.average(surface, axis=0, weights=weight).astype(np.float32)
        self.std = np.maximum(np.sqrt(np.average((surface - self.mean) ** 2, axis=0, weights=weight)), .05).astype(np.float32)
        weight = (weight / weight.mean()).astype(np.float32)
        moment = {k: (np.zeros_like(v), np.zeros_like(v)) for k, v in self.p.items()}
        steps, step = epochs * (x.shape[0] // batch), 0
        dim = self.p["E"].shape[1]
        for _ in range(epochs):
            order = rng.permutation(x.shape[0])
            for first in range(0, len(order) - batch + 1, batch):
                rows = order[first:first + batch]
                xb, sb = x[rows], surface[rows]
                if drop:
                    xb.data = xb.data * (rng.random(len(xb.data)) >= drop) / np.float32(1 - drop)
                u, h, logit = self.forward(xb, sb)
                d = (sigmoid(logit) - target[rows]) * weight[rows] / batch
                dh = d[:, None] * self.p["v"] * (h > 0)
                du = d[:, None] * self.p["a"] + dh @ self.p["W"].T
                grads = {"E": xb.T @ du[:, :dim], "W": u.T @ dh, "b": dh.sum(0), "v": np.maximum(h, 0).T @ d,
                         "a": u.T @ d, "c": np.array([d.sum()])}
                step += 1
                lr = rate * .5 * (1 + np.cos(np.pi * step / steps))
                for k, g in grads.items():
                    m1, m2 = moment[k]
                    m1 += .1 * (g - m1)
                    m2 += .001 * (g * g - m2)
                    self.p[k] *= np.float32(1 - lr * (decay if k == "E" else decay_head))
                    self.p[k] -= (lr * (m1 / (1 - .9 ** step)) / (np.sqrt(m2 / (1 - .999 ** step)) + 1e-8)).astype(np.float32)
        return self
