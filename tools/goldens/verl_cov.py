#!/usr/bin/env python3
"""Write tests/golden/rlmath/verl_cov.json: verl's own Clip-Cov and KL-Cov losses, their gradients and metrics, in float64.

usage: tools/goldens/verl_cov.py      needs torch and verl (pip install --no-deps verl; written with 0.9.1, torch 2.14.1)

verl's dependencies that losses do not need (ray, tensordict, ...) are replaced by empty modules. Clip-Cov leaves out a
random choice of the tokens in its band; the cases here leave out all of the band, so that they say what the band is.
"""
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
import types


class Empty(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Missing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Behind all other finders: a dependency of verl that is not installed is an empty module."""

    names = {"omegaconf", "tensordict", "ray", "hydra", "codetiming"}

    def find_spec(self, name, path=None, target=None):
        known = name.split(".")[0] in self.names
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec):
        return Empty(spec.name)

    def exec_module(self, module):
        pass


def load_verl():
    """core_algos with what it imports of verl itself: the packages' own __init__ would load everything."""
    root = importlib.util.find_spec("verl").submodule_search_locations[0]
    for name, members in {"verl": (), "verl.trainer": (), "verl.trainer.config": ("AlgoConfig",), "verl.workers": (),
                          "verl.workers.config": ("ActorConfig",), "verl.trainer.ppo": (),
                          "verl.utils": ("as_torch_index", "group_mean_std")}.items():
        package = types.ModuleType(name)
        package.__path__ = [os.path.join(root, *name.split(".")[1:])]
        for member in members:
            setattr(package, member, type(member, (), {}))
        sys.modules[name] = package
    sys.meta_path.append(Missing())
    import verl.trainer.ppo.core_algos as algos
    return algos


import torch

torch.set_default_dtype(torch.float64)
algos = load_verl()
B, T = 5, 6
LENGTHS = [6, 2, 0, 4, 4]


def numbers(shape, scale):
    """Multiples of 2^-12: exact in f32, so that nobody rounds the inputs."""
    return (torch.randn(shape, generator=draw) * scale * 4096).round() / 4096


draw = torch.Generator().manual_seed(20)
mask = torch.tensor([[float(t < n) for t in range(T)] for n in LENGTHS])
old = -numbers((B, T), 1.5).abs() - 0.01171875
logp = torch.minimum(old + numbers((B, T), 0.3), torch.tensor(-0.0009765625))
per_token = numbers((B, T), 1.5)
advantages = {"per_token": per_token, "per_sequence": per_token[:, :1].expand(B, T)}


def run(mode, agg, which, clip, policy_loss):
    config = types.SimpleNamespace(clip_ratio=clip[0], clip_ratio_low=clip[0], clip_ratio_high=clip[1], global_batch_info={},
                                   policy_loss=types.SimpleNamespace(**policy_loss))
    x = logp.clone().requires_grad_(True)
    loss, metrics = algos.get_policy_loss_fn(mode)(old, x, advantages[which].clone(), mask, agg, config)
    loss.backward()
    options = {**policy_loss, **({"clip_ratio_low": clip[0], "clip_ratio_high": clip[1]} if mode == "clip_cov" else {})}
    return {"loss_mode": mode, "agg": agg, "advantages": which, "is_weights": False, "options": options,
            "loss": loss.item(), "dloss_dlogp": x.grad.tolist(), "metrics": metrics}


cases = []
for agg in ("token-mean", "seq-mean-token-sum", "seq-mean-token-mean"):
    for which in advantages:
        for clip in ((0.2, 0.2), (0.1, 0.3)):
            for low, high in ((0.25, 5.0), (-0.5, 0.5), (50.0, 60.0)):  # the last band is empty
                cases.append(run("clip_cov", agg, which, clip,
                                 {"clip_cov_ratio": 1.0, "clip_cov_lb": low, "clip_cov_ub": high}))
        for ratio, coef in ((0.0002, 1.0), (0.2, 1.0), (0.5, 0.25), (1.0, 2.0)):
            cases.append(run("kl_cov", agg, which, (0.2, 0.2), {"kl_cov_ratio": ratio, "ppo_kl_coef": coef}))

import importlib.metadata

out = {"made_by": {name: importlib.metadata.version(name) for name in ("torch", "verl")}, "mask": mask.int().tolist(),
       "logp": logp.tolist(), "old_logp": old.tolist(), "advantages": {k: v.tolist() for k, v in advantages.items()},
       "policy": cases}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "rlmath", "verl_cov.json")
with open(path, "w") as f:
    json.dump(out, f)
    f.write("\n")
print(len(cases), "cases")
