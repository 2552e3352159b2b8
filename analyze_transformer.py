"""What GPT-2 networks learned: values and representation over x*, attention, state space.

    python analyze_transformer.py --network Networks/gpt-2/gpt-2_nTask24_run0.pth --out analysis

Writes .npz and pictures and prints the key numbers as analyze.py does for recurrent networks.

A head that averages the evidence evenly gives each of the t samples seen so far the weight 1 / t.
How far it is from that: with its weights w on the evidence scaled to add up to 1, it has
1 / sum(w^2) effective samples, t if even, 1 if all falls on one; its distance from even averaging
is the total variation, sum |w - 1 / t| / 2, from 0 to 1. Above the first layer, steps without
evidence hold some too.

Seen in five networks of N_task = 24 (Networks/gpt-2, runs 0 to 4, seed 0): they average the
evidence evenly when asked for the decision, not before. In the decision step 33 of the 40 heads
have 16.1 to 20.0 effective samples of 20, the other 7 look at the decision step alone. Median
[quartiles] of all heads: 19.4 [18.4, 19.6] there, 9.4 [6.8, 12.3] in the last stimulus step, where
28 % of the weight (median) is on the fixation step. The representation is then 400 times smaller
(root mean square distance from its mean 0.02, in the decision step 9), but x* can be read off both:
r2 0.963 to 0.970 and 0.974 to 0.976. In the decision step it is a flat sheet, top 2 PCs over 99 %,
and units are nearly linear in x*: multiple correlation 0.99, before it 0.48 to 0.68 (medians). 20 s
of processor time per network, most of it for the pictures (Intel Xeon, torch 2.13).
"""

import itertools
import textwrap
from typing import Any

import numpy as np
import torch

import study
import util
from study import Arrays, number, percent

Config = study.Config  # its settings are those that every analysis has


class TransformerStudy(study.Study):
    """Networks with attention.

    Attributes:
        ends: name -> step: the last one of the stimulus, and of the trial if that goes on.
    """

    def __init__(self, config: study.Config):
        super().__init__(config)
        lack = "no attention; analyze_transformer.py is for gpt-2"
        self.insist(hasattr(self.model.network, "attention"), lack)
        self.ends = {}
        for name, steps in self.tasks[0].steps.items():
            if steps.start < steps.stop and steps.stop - 1 in (self.last, len(self.n_seen) - 1):
                alone = steps.stop - steps.start == 1
                self.ends[f"{name} step" if alone else f"last {name} step"] = steps.stop - 1

    def attention(self, inputs: torch.Tensor, encoder_noise: Any = None) -> tuple[Any, Any]:
        """Values and weights, as `GPT2.attention`, for inputs (net, trial, time, channel)."""
        u = self.model.add_noise(self.model.encoder(inputs), encoder_noise)
        return self.model.network.attention(u)


def ends_of(nets: TransformerStudy, trials: Arrays) -> Arrays:
    """Noiseless trials at the ends, each end in principal components of its own."""
    projected, shares = [], []
    for step in nets.ends.values():
        rates = trials["noiseless_rates"][:, :, step]
        mean, axes, share = study.principal(rates)
        projected.append(study.first_three(rates, mean, axes))
        shares.append(study.three(share))
    return {
        "names": np.array(list(nets.ends)),
        "x": trials["noiseless_x"],
        "projected": np.stack(projected, 1),  # (net, end, trial, 3)
        "share": np.stack(shares, 1),
    }


def attention(nets: TransformerStudy) -> Arrays:
    """Attention weights in noisy trials, and how evenly they average the evidence.

    Arrays are means over trials; names with `sd` are standard deviations, those with `joint` are of
    the weights averaged over heads. What `evenness` measures is by the step that asks.
    """
    inputs, _, _, noise = nets.draw(nets.generators(2), nets.config.n_trial)
    weights, shown = nets.attention(inputs, **noise)[1], nets.tasks[0].evidence_steps
    joint = evenness(weights.mean(3), shown)  # over heads
    measures = evenness(weights, shown) | {f"joint_{name}": v for name, v in joint.items()}
    found = {"mean": weights, **measures}  # (net, layer, trial, head, query, key), (..., query)
    arrays: Arrays = {name: values.nanmean(2).numpy() for name, values in found.items()}
    for name, values in found.items():
        spread = (values - values.nanmean(2, keepdim=True)).square().nanmean(2).sqrt().numpy()
        arrays["sd" if name == "mean" else f"{name}_sd"] = spread
    return arrays | {
        "n_seen": nets.n_seen,  # samples seen so far, (time,)
        "evidence": np.array([shown.start, shown.stop - 1]),  # its first step and its last
        "queries": np.array(list(nets.ends.values())),
        "query_names": np.array(list(nets.ends)),
    }


def evenness(weights: torch.Tensor, evidence: slice) -> dict[str, torch.Tensor]:
    """How evenly attention averages the evidence seen so far.

    Args:
        weights: (..., query, key), causal; they add up to 1 over keys.
        evidence: slice of steps.

    Returns:
        dict of (..., query): effective samples and distance from even averaging, as above, both NaN
        where no evidence is attended to; elsewhere, the share of attention on other steps.
    """
    shown = weights[..., evidence]
    total = shown.sum(-1, keepdim=True)
    share = shown / total
    steps = torch.arange(weights.shape[-1])
    seen = (steps[evidence] <= steps[:, None]).to(weights)
    even = seen / seen.sum(1, keepdim=True)
    return {
        "n_effective": 1 / share.square().sum(-1),
        "distance": (share - even).abs().sum(-1) / 2,
        "elsewhere": 1 - total[..., 0],
    }


def report(nets: TransformerStudy, results: dict[str, Arrays]) -> str:
    """Tables of key numbers, as Markdown: how units follow x1 and x2, and what heads average."""
    found, responses, asked = results["attention"], [], []
    for net, name in enumerate(nets.names):
        each = enumerate(results["values"]["correlation"][net])
        what = [(f"values of layer {i}", pairs.reshape(-1, 2), "-") for i, pairs in each]
        for (end, step), file in zip(nets.ends.items(), ("", "_end"), strict=False):
            r_sq = f"{results[f'decoder{file}']['r_sq'][net, step]:.3f}"
            what.append((f"units, {end}", results[f"rate_maps{file}"]["correlation"][net], r_sq))
        for named, pairs, r_sq in what:
            row = {"network": name, "what": named, "responding": study.responding(pairs)}
            row |= {"correlation with x1": number(np.abs(pairs[:, 0]))}
            row |= {"x2": number(np.abs(pairs[:, 1])), "both": number(np.hypot(*pairs.T))}
            responses.append(row | {"r2 of x*": r_sq})
        for layer, (end, step) in itertools.product(
            range(found["mean"].shape[1]), nets.ends.items()
        ):
            at = net, layer, ..., step
            row = {"network": name, "layer": layer, "asked in the": end}
            row["of samples"] = found["n_seen"][step]
            row |= {f"head {head}": f"{n:.1f}" for head, n in enumerate(found["n_effective"][at])}
            row["mean of heads"] = f"{found['joint_n_effective'][at]:.1f}"
            row["distance from even"] = number(found["distance"][at])
            row["outside of the evidence"] = percent(np.median(found["elsewhere"][at]))
            asked.append(row)
    tables = study.space_numbers(nets, results), *map(study.key_numbers, (responses, asked))
    return "\n\n".join(tables)


def legend(nets: TransformerStudy) -> str:
    """What the tables mean."""
    config = nets.config
    text = f"""
        r2 of x*: ridge decoder fitted at the step, on noisy trials. Correlations: medians of their
        sizes, over {config.n_grid} x {config.n_grid} x* without noise, values at the last stimulus
        step; both: multiple correlation, 1 where linear in x*. Attention: means over
        {config.n_trial} noisy trials. Under each head: its effective samples, 1 / sum(w^2) of its
        weights on the evidence scaled to add up to 1; mean of heads: the same of weights averaged
        over heads. Distance: total variation from even averaging, 0 to 1; outside: share of the
        weights on steps without evidence; medians of the heads."""
    return textwrap.fill(" ".join(text.split()), 100)


def analyze(nets: TransformerStudy, save: study.Save) -> None:
    """Every analysis in turn, each saved as soon as it is there."""
    steps = {**nets.ends, "until the stimulus ends": slice(nets.last + 1)}
    trials, _, spaces = study.analyze(nets, save, steps)
    save("trajectories", study.trajectories(nets, trials, spaces))
    save("ends", ends_of(nets, trials))
    save("attention", attention(nets))
    at, attend = nets.last, nets.attention  # (net, x1, x2, layer, head, channel)
    maps = study.maps_of(nets, "values", lambda x: attend(x)[0][..., at, :].transpose(1, 2))
    save("values", maps)
    for step in list(nets.ends.values())[1:]:
        save("decoder_end", study.fit_decoder(nets, trials, step))
        save("rate_maps_end", study.rate_maps(nets, step))


def main(config: study.Config) -> None:
    """Compute, save, draw, print."""
    nets = TransformerStudy(config)
    results = study.run_analyses(nets, analyze)
    print(report(nets, results), legend(nets), f"saved in {config.out}", sep="\n\n")


if __name__ == "__main__":
    util.run_script(main, Config)
