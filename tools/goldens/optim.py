#!/usr/bin/env python3
"""Golden values of optimisers and of ReduceLROnPlateau from torch: tests/golden/optim/{plateau,optimisers}.json.

usage: tools/goldens/optim.py DIR     (torch 2.13.0, numpy 2.4.6; CPU, one thread)

optimisers.json: per case options, tensors (init), grads per step, and params after each step. sgd and muon are torch.optim's own
in float64, but muon's Newton-Schulz iteration, which torch does in bfloat16, runs in float64 here, and Lion, which torch has
not, is Chen et al.'s Algorithm 2 written out in float64.
"""
import json
import random
import sys

import torch

torch.set_num_threads(1)
torch.manual_seed(7)
RANDOM = random.Random(7)


def plateau_case(lr, greater, metric, **kwargs):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=lr)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max" if greater else "min", **kwargs)
    rates = []
    for value in metric:
        scheduler.step(value)
        rates.append(optimizer.param_groups[0]["lr"])
    return {"base_lr": lr, "greater": greater, "kwargs": kwargs, "metric": metric, "lr": rates}


def walk(n, start, drift):
    value, out = start, []
    for _ in range(n):
        value += drift + RANDOM.uniform(-1, 1) * 0.2
        out.append(round(value, 4))
    return out


def plateau():
    return [
        plateau_case(1e-3, False, walk(40, 3.0, -0.01), patience=2),
        plateau_case(1e-3, False, walk(60, 3.0, 0.0), patience=3, factor=0.5, cooldown=4),
        plateau_case(0.1, True, walk(60, 0.0, 0.01), patience=2, threshold=0.05, threshold_mode="abs"),
        plateau_case(0.1, True, walk(60, 5.0, 0.0), patience=1, min_lr=1e-3, factor=0.3),
        plateau_case(1e-2, False, walk(60, -4.0, 0.0), patience=0, factor=0.9, eps=1e-3),
        plateau_case(1e-2, False, [1.0] * 30),
        plateau_case(1e-2, True, walk(50, 2.0, 0.0), patience=2, threshold=0.1, cooldown=1),
    ]


class Lion:
    def __init__(self, params, lr, betas, weight_decay):
        self.params, self.lr, self.betas, self.wd = params, lr, betas, weight_decay
        self.m = [torch.zeros_like(p) for p in params]

    def step(self):
        b1, b2 = self.betas
        with torch.no_grad():
            for p, m in zip(self.params, self.m):
                update = torch.sign(b1 * m + (1 - b1) * p.grad)
                p.sub_(self.lr * (update + self.wd * p))
                m.copy_(b2 * m + (1 - b2) * p.grad)


def zeropower64(grad, ns_coefficients, ns_steps, eps):
    a, b, c = ns_coefficients
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / max(x.norm().item(), eps)
    for _ in range(ns_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if grad.size(0) > grad.size(1) else x


def run(name, make, options, shapes, steps=8, clip=None):
    init = [torch.randn(s, dtype=torch.float64) for s in shapes]
    grads = [[torch.randn(s, dtype=torch.float64) for s in shapes] for _ in range(steps)]
    init = [t.float().double() for t in init]
    grads = [[t.float().double() for t in g] for g in grads]
    params = [torch.nn.Parameter(t.clone()) for t in init]
    optimizer = make(params)
    out = []
    for g in grads:
        for p, t in zip(params, g):
            p.grad = t.clone()
        optimizer.step()
        out.append([[float(f"{x:.10g}") for x in p.detach().flatten().tolist()] for p in params])
    flat = lambda ts: [[float(f"{x:.9g}") for x in t.flatten().tolist()] for t in ts]
    return {"name": name, "options": options, "shapes": [list(s) for s in shapes], "init": flat(init),
            "grads": [flat(g) for g in grads], "params": out}


def optimisers():
    vectors, matrices = [(9,), (3, 5)], [(4, 4), (3, 7), (6, 2), (1, 5)]
    sgd = lambda **k: lambda ps: torch.optim.SGD(ps, foreach=False, **k)
    torch.optim._muon._zeropower_via_newtonschulz = zeropower64
    muon = lambda **k: lambda ps: torch.optim.Muon(ps, adjust_lr_fn="match_rms_adamw", **k)
    lion = lambda **k: lambda ps: Lion(ps, **k)
    return [
        run("sgd", sgd(lr=0.1), {"optim": "sgd", "lr": 0.1}, vectors),
        run("sgd momentum", sgd(lr=0.05, momentum=0.9), {"optim": "sgd", "lr": 0.05, "momentum": 0.9}, vectors),
        run("sgd nesterov", sgd(lr=0.05, momentum=0.8, nesterov=True),
            {"optim": "sgd", "lr": 0.05, "momentum": 0.8, "nesterov": True}, vectors),
        run("sgd decay", sgd(lr=0.05, momentum=0.9, weight_decay=0.1),
            {"optim": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}, [(3, 5)]),
        run("lion", lion(lr=0.01, betas=(0.9, 0.99), weight_decay=0.1),
            {"optim": "lion", "lr": 0.01, "adam_beta1": 0.9, "adam_beta2": 0.99, "weight_decay": 0.1}, [(3, 5)]),
        run("muon", muon(lr=0.02, weight_decay=0.1, momentum=0.95, nesterov=True),
            {"optim": "muon", "lr": 0.02, "weight_decay": 0.1, "muon_momentum": 0.95}, matrices),
        run("muon 3 steps", muon(lr=0.05, weight_decay=0.0, momentum=0.8, nesterov=True, ns_steps=3),
            {"optim": "muon", "lr": 0.05, "weight_decay": 0.0, "muon_momentum": 0.8, "ns_steps": 3}, matrices),
    ]


def main():
    made_by = {"torch": torch.__version__, "script": "tools/goldens/optim.py"}
    for name, cases in (("plateau", plateau()), ("optimisers", optimisers())):
        with open(f"{sys.argv[1]}/{name}.json", "w") as f:
            json.dump({"made_by": made_by, "cases": cases}, f, separators=(",", ":"))
            f.write("\n")


main()
