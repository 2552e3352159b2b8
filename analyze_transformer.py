"""What GPT-2 networks learned: values and representation over x*, attention, state space.

    python analyze_transformer.py --network Networks/gpt-2/gpt-2_nTask24_run0.pth --out analysis

Writes one .npz per analysis into `out`, the networks along the first axis of every array, and for
each network a folder of pictures (PNG, PDF) and `trajectories.html`, which turns. Prints the key
numbers. The sibling of analyze.py, which is for recurrent networks.

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
and units are nearly linear in x*: multiple correlation 0.99, before it 0.48 to 0.68 (medians of
each network's units). Time: about 20 s of processor time for one network, most of it for the
pictures (Intel Xeon, torch 2.13).
"""

import ctrl_c  # noqa: F401

# isort: split
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import tasks
import util
from study import (
    Study,
    carry_out,
    check_settings,
    classification_lines,
    correlations,
    encoder_pca,
    first_three,
    fit_decoder,
    number,
    one_trial,
    pca,
    percent,
    principal,
    rate_maps,
    report_space,
    run_trials,
    square,
    trajectories,
)
from transformer import GPT2
from util import UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell."""

    network: tuple[str, ...]  # checkpoints of gpt-2 networks of one kind: files, folders, globs
    out: Path = Path("analysis")  # folder to write into
    overwrite: bool = False  # write into a folder that has files in it
    keep: tuple[str, ...] = ()  # write these .npz only, as 'pca lines'; none: all of them
    pictures: bool = True  # draw; no-pictures: only the .npz
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as 'n_task=24'
    seed: int = 0  # of trials
    n_trial: int = 256  # trials without noise, as many with noise, and as many for attention
    n_fit: int = 2048  # noisy trials on which the decoder of x* is fitted
    n_grid: int = 8  # rate maps: points per factor
    n_fine: int = 61  # classification lines: points per factor
    rule: int = 0  # networks with a rule input: which rule is cued

    def check(self):
        """Raise UserError for settings that cannot be meant."""
        check_settings(self)


class TransformerStudy(Study):
    """Networks with attention.

    Attributes:
        ends: dict name -> step: the last one of the stimulus, and of the trial if that goes on.
        others: as `Study`.
    """

    def __init__(self, config):
        super().__init__(config)
        if not isinstance(self.model.network, GPT2):
            raise UserError(
                f"{self.paths[0]}: a network {self.configs[0]['network']} has no attention; "
                "analyze_transformer.py is for gpt-2"
            )
        task = self.tasks[0]
        self.ends = {end_name(task, step): step for step in sorted({self.last, task.n_step - 1})}

    def attention(self, inputs, encoder_noise=None):
        """Values and weights, as `GPT2.attention`, for inputs (net, trial, time, channel)."""
        u = self.model.add_noise(self.model.encoder(inputs), encoder_noise)
        return self.model.network.attention(u)


def end_name(task, step):
    """'decision step', or 'last stimulus step', for the last step of a period."""
    period, steps = next(item for item in task.steps.items() if item[1].stop == step + 1)
    return f"{period} step" if steps.stop - steps.start == 1 else f"last {period} step"


# ------------------------------------------------------------------ state space


def components(study, trials):
    """As `study.pca`, at the ends, and from the beginning until the stimulus ends."""
    steps = {**study.ends, "until the stimulus ends": slice(study.last + 1)}
    return pca(study, trials, steps)


def ends_of(study, trials):
    """Noiseless trials at the ends, each end in principal components of its own.

    Returns:
        dict: names (end,); x (net, trial, D); projected (net, end, trial, 3); share (net, end, 3).
    """
    projected, shares = [], []
    for step in study.ends.values():
        rates = trials["noiseless_rates"][:, :, step]
        mean, axes, share = principal(rates)
        projected.append(first_three(rates, mean, axes))
        shares.append(np.pad(share, ((0, 0), (0, 3)))[:, :3])
    return {
        "names": np.array(list(study.ends)),
        "x": trials["noiseless_x"],
        "projected": np.stack(projected, 1),
        "share": np.stack(shares, 1),
    }


# ------------------------------------------------------------------ values


def value_maps(study):
    """Value vectors at the last stimulus step of noiseless trials over the square.

    Returns:
        dict: x (n_grid,) of either factor; values (net, x1, x2, layer, head, channel); correlation
        (net, layer, head, channel, 2) with x1 and x2, NaN for channels that do not respond.
    """
    n = study.config.n_grid
    x = square(n, study.tasks[0].n_dim)
    values = study.attention(study.show(x))[0][..., study.last, :].transpose(1, 2).numpy()
    return {
        "x": x[0, :n, 1].numpy(),
        "values": values.reshape(len(values), n, n, *values.shape[2:]),
        "correlation": correlations(values, x[0, :, :2].numpy()),
    }


# ------------------------------------------------------------------ attention


def attention(study):
    """Attention weights in noisy trials, and how evenly they average the evidence.

    Returns:
        dict: mean, sd (net, layer, head, query, key) of the weights over trials, the step that asks
        first. Means over trials of what `evenness` measures, of each step that asks: n_effective,
        distance, elsewhere (net, layer, head, time), and the same of weights averaged over heads,
        joint_n_effective, ... (net, layer, time); their standard deviations over trials,
        n_effective_sd, joint_n_effective_sd, ... n_seen (time,), samples seen so far; evidence
        (2,), its first step and its last; queries and query_names, the steps in `Study.ends`.
    """
    rngs, task = study.generators(2), study.tasks[0]
    inputs, _, _ = tasks.sample(study.tasks, rngs, study.config.n_trial)
    noise = study.model.draw_noise(*inputs.shape[1:3], rngs)
    weights = study.attention(inputs, **noise)[1]
    shown = task.evidence_steps
    measures = evenness(weights, shown)
    joint = evenness(weights.mean(3), shown)  # over heads
    measures |= {f"joint_{name}": values for name, values in joint.items()}
    found = {name: over_trials(values) for name, values in measures.items()}
    mean, sd = over_trials(weights)
    return {
        "mean": mean,
        "sd": sd,
        **{name: middle for name, (middle, _) in found.items()},
        **{f"{name}_sd": spread for name, (_, spread) in found.items()},
        "n_seen": (np.arange(task.n_step) - shown.start + 1).clip(0, shown.stop - shown.start),
        "evidence": np.array([shown.start, shown.stop - 1]),
        "queries": np.array(list(study.ends.values())),
        "query_names": np.array(list(study.ends)),
    }


def evenness(weights, evidence):
    """How evenly attention averages the evidence seen so far.

    Args:
        weights: (..., query, key) tensor, causal; they add up to 1 over keys.
        evidence: slice of steps.

    Returns:
        dict of tensors (..., query): n_effective, 1 / sum(w^2) of the weights on the evidence
        scaled to add up to 1; distance, sum |w - 1 / t| / 2 of these from even ones; elsewhere, the
        share of attention on other steps. The first two are NaN where no evidence is attended to.
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


def over_trials(values):
    """Mean and standard deviation of (net, layer, trial, ...) over trials, NaN left out."""
    mean = values.nanmean(2, keepdim=True)
    sd = (values - mean).square().nanmean(2).sqrt()
    return mean[:, :, 0].numpy(), sd.numpy()


# ------------------------------------------------------------------ the key numbers


def report(study, results):
    """The tables of key numbers, as Markdown."""
    parts = report_space, report_responses, report_attention
    return "\n\n".join(part(study, **results) for part in parts)


def report_responses(study, values, rate_maps, decoder, rate_maps_end=None, decoder_end=None, **_):
    """How values and units follow x1 and x2, and r2 of x* decoded from the units."""
    header = ["network", "what", "responding", "correlation with x1", "x2", "both", "r2 of x*"]
    of_units = list(zip((rate_maps, rate_maps_end), (decoder, decoder_end), strict=True))
    rows = []
    for net, name in enumerate(study.names):
        for layer, each in enumerate(values["correlation"][net]):
            row = correlation_words(each.reshape(-1, 2))
            rows.append([name, f"values of layer {layer}", *row, "-"])
        for (end, step), (maps, fitted) in zip(study.ends.items(), of_units, strict=False):
            row = correlation_words(maps["correlation"][net])
            rows.append([name, f"units, {end}", *row, f"{fitted['r_sq'][net, step]:.3f}"])
    return util.table(header, rows)


def correlation_words(correlation):
    """How many of (map, 2) there are, and median sizes: with x1, with x2, with both together."""
    responding = np.isfinite(correlation[:, 0]).sum()
    sizes = [*np.abs(correlation.T), np.hypot(*correlation.T)]
    return [f"{responding} of {len(correlation)}", *map(number, sizes)]


def report_attention(study, attention, **_):
    """Effective samples per head, and the other measures over heads."""
    n_head, last = study.configs[0]["n_head"], attention["queries"]
    header = ["network", "layer", "asked in the", "of samples"]
    header += [f"head {head}" for head in range(n_head)]
    header += ["mean of heads", "distance from even", "outside of the evidence"]
    rows = []
    for net, layer in np.ndindex(*attention["mean"].shape[:2]):
        for query, period in zip(last, attention["query_names"], strict=True):
            row = [study.names[net], layer, period, attention["n_seen"][query]]
            row += [f"{n:.1f}" for n in attention["n_effective"][net, layer, :, query]]
            row += [f"{attention['joint_n_effective'][net, layer, query]:.1f}"]
            row += [number(attention["distance"][net, layer, :, query])]
            row += [percent(np.median(attention["elsewhere"][net, layer, :, query]))]
            rows.append(row)
    return util.table(header, rows)


def legend(study):
    """What the tables mean."""
    config = study.config
    grid = f"{config.n_grid} x {config.n_grid} x*"
    text = (
        "r2 of x*: ridge decoder fitted at the step, on noisy trials. Correlations: medians of "
        f"their sizes, over {grid} without noise, values at the last stimulus step; both: multiple "
        "correlation, 1 where linear in x*. Attention: means over "
        f"{config.n_trial} noisy trials. Under each head: its effective samples, 1 / sum(w^2) of "
        "its weights on the evidence scaled to add up to 1; mean of heads: the same of weights "
        "averaged over heads. Distance: total variation from even averaging, 0 to 1; outside: "
        "share of the weights on steps without evidence; medians of the heads."
    )
    return textwrap.fill(text, 100)


# ------------------------------------------------------------------ all of it


def analyze(study, save):
    """Every analysis in turn, each saved as soon as it is there. Returns dict name -> arrays."""
    trials = save("trials", run_trials(study))
    decoder = save("decoder", fit_decoder(study, trials))
    spaces = save("pca", components(study, trials))
    results = {
        "trials": trials,
        "decoder": decoder,
        "pca": spaces,
        "trajectories": save("trajectories", trajectories(study, trials, spaces)),
        "ends": save("ends", ends_of(study, trials)),
        "attention": save("attention", attention(study)),
        "values": save("values", value_maps(study)),
        "rate_maps": save("rate_maps", rate_maps(study)),
        "encoder": save("encoder", encoder_pca(study, trials)),
        "lines": save("lines", classification_lines(study)),
        "one_trial": save("one_trial", one_trial(study, trials, decoder)),
    }
    for step in list(study.ends.values())[1:]:
        results["decoder_end"] = save("decoder_end", fit_decoder(study, trials, step))
        results["rate_maps_end"] = save("rate_maps_end", rate_maps(study, step))
    return results


def main(config):
    """Compute, save, draw, print."""
    config.check()
    study = TransformerStudy(config)
    results = carry_out(study, analyze)
    print(report(study, results), legend(study), f"saved in {config.out}", sep="\n\n")


if __name__ == "__main__":
    util.run_script(main, Config)
