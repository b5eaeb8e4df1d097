#!/usr/bin/env python3
"""Losses on preferences as TRL computes them -> tests/golden/preference/losses.json

The loss code of TRL's trainers runs unchanged, on objects made without their constructors: the model is a stub that returns
chosen log-probs, leaf tensors in float64, so the numbers are loss mathematics alone. Log-probs are multiples of 1/4096.

usage: make_preference.py OUT.json        (torch 2.13.0, trl 1.16.0)
"""
import contextlib, json, random, sys, types
from collections import defaultdict
import torch, trl
from trl.trainer import dpo_trainer, kto_trainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer
from trl.experimental.cpo.cpo_trainer import CPOTrainer
from trl.experimental.orpo.orpo_trainer import ORPOTrainer

rng = random.Random(20)
identity = lambda x: x
ACC = types.SimpleNamespace(gather=identity, gather_for_metrics=identity, device=torch.device("cpu"))


def tokens(n, scale):
    return [-round(rng.random() * scale * 4096) / 4096 - 1 / 4096 for _ in range(n)]


class Stub:
    """Log-probs by call: each call returns the next of `rows`, (B, T) with zeros where nothing counts."""

    def __init__(self, *rows):
        self.rows, self.training, self.at = rows, True, 0

    def __call__(self, **kwargs):
        row = self.rows[self.at % len(self.rows)]
        self.at += 1
        return types.SimpleNamespace(log_probs=row, entropy=row.detach(), mean_logits=row.detach(), is_top1=row.detach() > 0)


def base(cls, **attributes):
    t = cls.__new__(cls)
    for k, v in dict(accelerator=ACC, _metrics=defaultdict(lambda: defaultdict(list)), _total_train_tokens=0, _tp_size=1,
                     aux_loss_enabled=False, precompute_ref_logps=False, **attributes).items():
        setattr(t, k, v)
    return t


def padded(rows):
    n = max(map(len, rows))
    x = torch.zeros(len(rows), n + 1, dtype=torch.float64)
    mask = torch.zeros(len(rows), n + 1, dtype=torch.long)
    for i, r in enumerate(rows):
        x[i, : len(r)] = torch.tensor(r, dtype=torch.float64)
        mask[i, 1 : len(r) + 1] = 1
    return x[:, :-1].clone(), mask


def dpo(loss_type, beta, smoothing, c, r, rc, rr):
    logp, mask = padded([c, r])
    ref, _ = padded([rc, rr])
    logp.requires_grad_(True)
    t = base(DPOTrainer, ld_alpha=None, f_divergence_type="reverse_kl", loss_types=[loss_type], loss_weights=[1.0],
             beta=beta, label_smoothing=smoothing, use_weighting=False, ref_model=Stub(ref),
             args=types.SimpleNamespace(gradient_checkpointing=False, gradient_checkpointing_kwargs=None))
    model = Stub(logp)
    t.model = model
    inputs = dict(input_ids=torch.zeros_like(mask), attention_mask=torch.ones_like(mask), completion_mask=mask)
    loss = t._compute_loss(model, inputs, return_outputs=False)
    loss.backward()
    m = t._metrics["train"]
    return dict(loss=loss.item(), d_chosen=logp.grad[0, 0].item(), d_rejected=logp.grad[1, 0].item(),
                reward_chosen=m["rewards/chosen"][0], reward_rejected=m["rewards/rejected"][0])


def simpo(beta, smoothing, gamma, c, r):
    a, b = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (c, r))
    t = base(CPOTrainer, alpha=0.0, beta=beta, label_smoothing=smoothing, loss_type="simpo", simpo_gamma=gamma)
    losses, rc, rr = t.cpo_loss(a.mean()[None], b.mean()[None])
    losses.mean().backward()
    return dict(loss=losses.mean().item(), d_chosen=a.grad[0].item(), d_rejected=b.grad[0].item(),
                reward_chosen=rc.item(), reward_rejected=rr.item())


def orpo(beta, c, r):
    # TRL casts to float32 in odds_ratio_loss; `float` is lifted here so that the mathematics stays in float64
    a, b = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (c, r))
    t = base(ORPOTrainer, beta=beta)
    keep = torch.Tensor.float
    torch.Tensor.float = lambda self: self
    try:
        losses, rc, rr, *_ = t.odds_ratio_loss(a.mean()[None], b.mean()[None])
    finally:
        torch.Tensor.float = keep
    loss = -a.mean() - losses.mean()  # the likelihood term on the completion alone, as in the paper
    loss.backward()
    return dict(loss=loss.item(), d_chosen=a.grad[0].item(), d_rejected=b.grad[0].item(), reward_chosen=rc.item(),
                reward_rejected=rr.item())


def kto(beta, wd, wu, rows, refs, kls, kl_refs, labels):
    logp, mask = padded(rows)
    logp.requires_grad_(True)
    kl, klmask = padded(kls)
    t = base(KTOTrainer, calculate_KL=True, loss_type="kto", beta=beta, desirable_weight=wd, undesirable_weight=wu,
             ref_model=Stub(padded(kl_refs)[0], padded(refs)[0]),
             args=types.SimpleNamespace(gradient_checkpointing=False, gradient_checkpointing_kwargs=None))
    model = Stub(kl, logp)
    t.model = model
    inputs = dict(input_ids=torch.zeros_like(mask), attention_mask=torch.ones_like(mask), completion_mask=mask,
                  KL_input_ids=torch.zeros_like(klmask), KL_attention_mask=torch.ones_like(klmask),
                  KL_completion_mask=klmask, label=torch.tensor(labels))
    loss = t._compute_loss(model, inputs, return_outputs=False)
    loss.backward()
    return dict(loss=loss.item(), d=[logp.grad[i, 0].item() for i in range(len(rows))], kl=t._metrics["train"]["kl"][0])


def main():
    for module in (dpo_trainer, kto_trainer):
        module.is_peft_model = lambda model: False
        module.disable_gradient_checkpointing = lambda *a, **k: contextlib.nullcontext()
    pairs, singles = [], []
    types_ = ["sigmoid", "sigmoid_norm", "hinge", "ipo", "robust", "exo_pair", "bco_pair", "nca_pair", "sppo_hard", "apo_zero",
              "apo_down", "simpo", "orpo"]
    for name in types_:
        for k in range(6):
            n, m, beta = rng.randint(1, 9), rng.randint(1, 9), [0.05, 0.1, 0.5, 2.0][k % 4]
            scale = [0.5, 3.0, 8.0][k % 3]
            c, r, rc, rr = tokens(n, scale), tokens(m, scale), tokens(n, scale), tokens(m, scale)
            e = [0.1, 0.3][k % 2] if name == "exo_pair" or (name in ("robust", "simpo") and k % 2) else 0.0
            gamma = 0.25 * k
            out = (simpo(beta, e, gamma, c, r) if name == "simpo" else orpo(beta, c, r) if name == "orpo" else
                   dpo(name, beta, e, c, r, rc, rr))
            pairs.append(dict(loss_type=name, beta=beta, label_smoothing=e, simpo_gamma=gamma, chosen=c, rejected=r,
                              ref_chosen=rc, ref_rejected=rr, **out))
    for k in range(8):
        B = 4
        n = [rng.randint(1, 7) for _ in range(B)]
        seq = lambda: [tokens(x, 3.0) for x in n]
        args = dict(beta=[0.1, 0.5][k % 2], desirable_weight=[1.0, 1.33][k // 4], undesirable_weight=[1.0, 0.7][k // 4],
                    logp=seq(), ref_logp=seq(), kl_logp=seq(), kl_ref_logp=seq(), label=[bool((k + i) % 3) for i in range(B)])
        singles.append(dict(args, **kto(args["beta"], args["desirable_weight"], args["undesirable_weight"], args["logp"],
                                        args["ref_logp"], args["kl_logp"], args["kl_ref_logp"], args["label"])))
    made_by = dict(torch=torch.__version__, trl=trl.__version__)
    with open(sys.argv[1], "w") as f:
        json.dump(dict(made_by=made_by, pairs=pairs, singles=singles), f)
        f.write("\n")


main()
