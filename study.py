"""Networks under study: their trials, a decoder of x*, principal components, rate maps.

This is what any network is asked; analyze.py adds what needs a state that a step maps to the next,
analyze_transformer.py what needs attention. An analysis returns a dict of arrays, the networks
along the first axis; a comment behind an array says its shape.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import batches
import decoders
import tasks
import theory
import util
from checkpoint import load_ensemble
from settings import seeds_of
from util import UserError

Arrays = dict[str, Any]
Save = Callable[[str, Arrays], Arrays]  # saves an analysis under a name, and gives it back
Row = dict[str, Any]  # of a table of key numbers: header -> cell
N_FOLD = 4  # parts of the trials, left out in turn to choose the penalty of the decoder
AT_ONCE = 256  # trials per forward pass, which keeps memory small with many networks
N_LABEL = 241  # points per factor at which true labels are worked out


@dataclass
class Config:
    """Settings of every analysis; edit them here. More: docs/protocol.md."""

    network: tuple[str, ...]  # checkpoints of networks of one kind: files, folders, globs
    out: Path = Path("analysis")  # folder to write into
    overwrite: bool = False  # write into a folder that has files in it
    keep: tuple[str, ...] = ()  # write these .npz only, as 'pca lines'; none: all of them
    pictures: bool = True  # draw; no-pictures: only the .npz
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as 'n_task=24'
    seed: int = 0  # of trials and starts
    n_trial: int = 256  # trials without noise, as many with noise, and as many for attention
    n_fit: int = 2048  # noisy trials on which the decoder of x* is fitted
    n_grid: int = 8  # rate maps and cells of the square: points per factor
    n_fine: int = 61  # classification lines: points per factor
    rule: int = 0  # networks with a rule input: which rule is cued


class Study:
    """The networks of a script's settings, and what every analysis needs to know of them."""

    LOWEST = {"seed": 0, "n_trial": 8, "n_fit": 100, "n_grid": 2, "n_fine": 2, "rule": 0}

    def __init__(self, config: Any):
        util.check_least(config, self.LOWEST)
        if not config.network:
            raise UserError("network needs at least one checkpoint")
        self.config, self.paths = config, util.find_checkpoints(config.network)
        self.names = [path.stem for path in self.paths]
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise UserError(f"two networks are called {twice[0]}; analyze them one at a time")
        self.model, self.configs = load_ensemble(self.paths, config.assume)
        self.tasks = [tasks.make_task(c, seeds_of(c)["task"]) for c in self.configs]
        for task in self.tasks:
            task.cue_only(config.rule)
        self.n_task = [task.n_out for task in self.tasks]
        self.last = task.steps["stimulus"].stop - 1  # last step of the stimulus
        first, stop = task.evidence_steps.start, task.evidence_steps.stop
        self.n_seen = (np.arange(task.n_step) - first + 1).clip(0, stop - first)  # by step

    def insist(self, suits: bool, lack: str) -> None:
        """UserError, which names what the networks lack, unless they suit the analysis."""
        if not suits:
            raise UserError(f"{self.paths[0]}: a network {self.configs[0]['network']} has {lack}")

    def generators(self, purpose: int) -> list[torch.Generator]:
        """One generator per network, the same for the same purpose."""
        return decoders.fit_generators(self.config, self.configs, purpose, "cpu")

    def draw(self, rngs: list[torch.Generator], n_trial: int) -> tuple[Any, ...]:
        """Noisy trials: inputs, targets and x* as from `batches.sample`, the network's noise."""
        inputs, targets, x = batches.sample(self.tasks, rngs, n_trial)
        return inputs, targets, x, self.model.draw_noise(n_trial, inputs.shape[2], rngs)

    def show(self, x: torch.Tensor) -> torch.Tensor:
        """Noise-free inputs (net, trial, time, channel) for x* (net or 1, trial, D)."""
        return self.tasks[0].noiseless(x.expand(len(self.tasks), -1, -1))

    def logits(self, rates: torch.Tensor) -> torch.Tensor:
        """(net, trial, time, task) for (net, trial, time, unit); NaN without a readout."""
        if self.model.readout is None:
            return torch.full((*rates.shape[:3], max(self.n_task)), torch.nan)
        return self.model.readout(rates)


def run_trials(study: Study) -> Arrays:
    """Trials without noise and with it. UserError for a network in which no unit responds."""
    rngs, represent = study.generators(0), study.model.represent
    inputs, targets, x, noise = study.draw(rngs, study.config.n_trial)
    rates = represent(inputs, **noise)
    logits = study.logits(rates[:, :, -1:])
    right = ((logits > 0) == (targets[:, :, -1:] > 0)).float().where(~logits.isnan(), torch.nan)
    accuracy = [own[..., :n].mean() for own, n in zip(right, study.n_task, strict=True)]
    quiet_x = torch.empty_like(x)
    for net, rng in enumerate(rngs):
        study.tasks[net].draw_latents(quiet_x[net], rng)
    quiet_rates = represent(study.show(quiet_x))
    for path, ends in zip(study.paths, quiet_rates[:, :, study.last], strict=True):
        if (ends.amax(0) == ends.amin(0)).all():
            raise UserError(f"{path}: all its units are dead: none responds to the stimulus")
    return {
        "noiseless_x": quiet_x.numpy(),  # (net, trial, D)
        "noiseless_rates": quiet_rates.numpy(),  # (net, trial, time, unit)
        "noisy_x": x.numpy(),
        "noisy_inputs": inputs.numpy(),  # (net, trial, time, channel)
        "noisy_targets": targets.numpy(),  # (net, trial, 1 or time, task)
        "noisy_rates": rates.numpy(),
        "accuracy": np.array(accuracy),  # (net,), of the last step; NaN without a readout
    }


def fit_decoder(study: Study, trials: Arrays, step: int) -> Arrays:
    """Ridge decoder of x* from states at a step of fresh noisy trials; r2 in those of `trials`."""
    rngs, hs, xs = study.generators(1), [], []
    for _ in range(0, study.config.n_fit, AT_ONCE):
        inputs, _, x, noise = study.draw(rngs, AT_ONCE)
        hs.append(study.model.represent(inputs, **noise)[:, :, step])
        xs.append(x)
    h, x = (torch.cat(v, 1).unflatten(1, (N_FOLD, -1)) for v in (hs, xs))
    *fitted, best = decoders.best_ridge(decoders.quadrant_moments(h, x), range(N_FOLD))
    weight, bias = (v.numpy() for v in fitted)
    missed = decode(trials["noisy_rates"], weight, bias) - trials["noisy_x"][:, :, None]
    seen = np.where(study.n_seen > 0, study.n_seen, np.nan)
    return {
        "weight": weight,  # (net, unit, D)
        "bias": bias,  # (net, 1, D)
        "penalty": np.asarray(decoders.PENALTIES)[best.numpy()],
        "r_sq": 1 - (missed**2).mean((1, 3)) / theory.VARIANCE,  # (net, time)
        "theory": theory.r2_mean(seen, theory.sigma_of(study.configs[0])),  # (time,), or NaN
        "last": step,
    }


def decode(rates: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """x* read off representations (net, ..., unit): (net, ..., D)."""
    bias = bias.reshape(len(bias), *(1,) * (rates.ndim - 2), -1)
    return np.einsum("n...u,nud->n...d", rates, weight) + bias


def principal(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal components of (net, ..., unit) over all axes but the first and the last.

    Mean (net, unit), axes (net, unit, component), share of the variance (net, component).
    """
    flat = rates.reshape(len(rates), -1, rates.shape[-1]).astype(np.float64)
    mean = flat.mean(1)
    centred = flat - mean[:, None]
    values, axes = np.linalg.eigh(centred.transpose(0, 2, 1) @ centred)
    values, axes = values[:, ::-1].clip(0), axes[:, :, ::-1]
    total = values.sum(1, keepdims=True)
    return mean, axes, np.divide(values, total, out=np.zeros_like(values), where=total > 0)


def three(values: np.ndarray) -> np.ndarray:
    """The first three along the last axis, 0 where there are fewer."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, 3)])[..., :3]


def first_three(rates: np.ndarray, mean: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Projection of (net, ..., unit) on the first three components."""
    centred = rates - mean.reshape(len(mean), *(1,) * (rates.ndim - 2), -1)
    return three(np.einsum("n...u,nuk->n...k", centred, axes[..., :3]))


def pca(trials: Arrays, steps: dict[str, Any]) -> Arrays:
    """Spectra over x* and steps of the trial: a name -> a step, or a slice of them.

    Mean and axes are those of noiseless trials over the last of `steps`.
    """
    found = {
        f"{kind}, {name}": principal(trials[f"{kind}_rates"][:, :, some])
        for kind in ("noiseless", "noisy")
        for name, some in steps.items()
    }
    mean, axes, _ = list(found.values())[len(steps) - 1]
    share = np.stack([share for _, _, share in found.values()], 1)  # (net, condition, component)
    return {"conditions": np.array(list(found)), "share": share, "mean": mean, "axes": axes}


def trajectories(study: Study, trials: Arrays, spaces: Arrays) -> Arrays:
    """Noiseless trials until the stimulus ends, in the components of `pca`."""
    paths = trials["noiseless_rates"][:, :, : study.last + 1]
    shown = len(spaces["conditions"]) // 2 - 1  # the condition of mean and axes
    return {
        "trajectory": first_three(paths, spaces["mean"], spaces["axes"]).astype(np.float32),
        "x": trials["noiseless_x"],
        "share": three(spaces["share"][:, shown]),
    }


def encoder_pca(study: Study, trials: Arrays) -> Arrays:
    """x* of the noiseless trials as the encoder shows them to the network."""
    x = trials["noiseless_x"]
    encoded = study.model.encoder(study.show(torch.tensor(x)))
    features = encoded[:, :, study.last, study.model.encoder.features].numpy()
    mean, axes, share = principal(features)
    return {"x": x, "projected": first_three(features, mean, axes), "share": share}


def square(n: int, n_dim: int, ends: bool = False) -> torch.Tensor:
    """The middles of n x n cells, with other factors 0: (1, n * n, D); `ends`: border to border."""
    line = torch.linspace(-0.5, 0.5, n) if ends else (torch.arange(n) + 0.5) / n - 0.5
    x = torch.zeros(n, n, n_dim)
    x[..., 0], x[..., 1] = line[:, None], line
    return x.flatten(0, 1)[None]


def maps_of(study: Study, name: str, respond: Callable[[torch.Tensor], torch.Tensor]) -> Arrays:
    """Responses over the square; `respond`: noise-free inputs -> (net, trial, ...)."""
    n = study.config.n_grid
    x = square(n, study.tasks[0].n_dim)
    maps = respond(study.show(x)).numpy()
    return {
        "x": x[0, :n, 1].numpy(),
        name: maps.reshape(len(maps), n, n, *maps.shape[2:]),  # (net, x1, x2, ...)
        "correlation": correlations(maps, x[0, :, :2].numpy()),  # with x1 and x2, (net, ..., 2)
    }


def rate_maps(study: Study, step: int) -> Arrays:
    """Rates of the units at a step."""
    return maps_of(study, "rates", lambda inputs: study.model.represent(inputs)[:, :, step])


def correlations(maps: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Correlation of maps (net, point, ...) with factors (point, 2), whose mean is 0.

    (net, ..., 2), NaN for maps that vary by less than 1e-6 of what is largest in the network.
    """
    largest = np.abs(maps).max(tuple(range(1, maps.ndim)), keepdims=True)[:, 0]
    deviation = maps - maps.mean(1, keepdims=True)
    norm = np.linalg.norm(deviation, axis=1)
    product = np.einsum("np...,pf->n...f", deviation, factors)
    varies = norm > 1e-6 * np.sqrt(len(factors)) * largest
    norm = np.where(varies, norm, np.nan)[..., None] * np.linalg.norm(factors, axis=0)
    return product / norm


def classification_lines(study: Study) -> Arrays:
    """Labels over the square, true and as the network gives them in noiseless trials."""
    n_dim, n_fine, n_net = study.tasks[0].n_dim, study.config.n_fine, len(study.tasks)
    x, x_labels = (square(n, n_dim, ends=True) for n in (n_fine, N_LABEL))
    labels = np.zeros((n_net, N_LABEL**2, max(study.n_task)), np.uint8)
    for own, task in zip(labels, study.tasks, strict=True):
        own[:, : task.n_out] = task.labels(x_labels[0]).numpy()
    ends = [study.model.represent(study.show(some))[:, :, -1:] for some in x.split(AT_ONCE, 1)]
    logits = study.logits(torch.cat(ends, 1)).numpy()
    return {
        "x": x[0, :n_fine, 1].numpy(),
        "logits": logits.reshape(n_net, n_fine, n_fine, -1),  # (net, x1, x2, task)
        "x_labels": x_labels[0, :N_LABEL, 1].numpy(),
        "labels": labels.reshape(n_net, N_LABEL, N_LABEL, -1),
        "n_task": study.n_task,  # (net,); what follows is padding
        "n_dim": n_dim,
    }


def one_trial(study: Study, trials: Arrays, decoder: Arrays) -> Arrays:
    """The first noisy trial; outputs are probabilities, or actions if trained by squared error."""
    task, probable = study.tasks[0], study.configs[0]["CE_loss"]
    rates, largest = trials["noisy_rates"][:, :1], task.largest_action
    logits = study.logits(torch.tensor(rates))[:, 0]
    outputs = torch.sigmoid(logits) if probable else largest * torch.tanh(logits)
    return {
        "time": np.arange(task.n_step) * task.dt,  # ms
        "inputs": trials["noisy_inputs"][:, 0],  # (net, time, channel)
        "rates": rates[:, 0],
        "decoded": decode(rates, decoder["weight"], decoder["bias"])[:, 0],  # (net, time, D)
        "x": trials["noisy_x"][:, 0],
        "outputs": outputs.numpy(),  # (net, time, task), NaN without a readout
        "targets": trials["noisy_targets"][:, 0],  # actions of the last step, or of all
        "range": np.array((0, 1) if probable else (-largest, largest)),  # of outputs
        "evidence": np.array([task.evidence.start, task.evidence.stop]),  # channels
        "n_task": study.n_task,
    }


def count_cells(x: np.ndarray, kept: np.ndarray, n_grid: int) -> np.ndarray:
    """Points x (..., point, D), those `kept` (..., point), per cell: (..., n_grid, n_grid)."""
    edges: Any = np.linspace(-0.5, 0.5, n_grid + 1)
    cells = np.zeros((*kept.shape[:-1], n_grid, n_grid), int)
    for at in np.ndindex(kept.shape[:-1]):
        x1, x2 = x[at][kept[at]][:, :2].T
        cells[at] = np.histogram2d(x1, x2, bins=(edges, edges))[0]
    return cells


def covered_by_chance(n_point: Any, n_grid: int) -> Any:
    """Share of the cells that so many points at random places are expected to cover."""
    return 1 - (1 - 1 / n_grid**2) ** n_point


def analyze(study: Study, save: Save, steps: dict[str, Any]) -> tuple[Arrays, Arrays, Arrays]:
    """Every analysis of this module, each saved: trials, decoder, and `pca` over `steps`."""
    trials = save("trials", run_trials(study))
    decoder = save("decoder", fit_decoder(study, trials, study.last))
    spaces = save("pca", pca(trials, steps))
    save("rate_maps", rate_maps(study, study.last))
    save("encoder", encoder_pca(study, trials))
    save("lines", classification_lines(study))
    save("one_trial", one_trial(study, trials, decoder))
    return trials, decoder, spaces


def number(values: Any) -> str:
    """Median of what there is, or '-'."""
    values = np.asarray(values)[np.isfinite(values)]
    return f"{np.median(values):.2g}" if values.size else "-"


def percent(share: float) -> str:
    """A share in per cent, or '-'."""
    return f"{100 * share:.0f} %" if np.isfinite(share) else "-"


def responding(correlation: np.ndarray) -> str:
    """'15 of 64', of units or channels, from their correlations (unit, 2) with x1 and x2."""
    return f"{np.isfinite(correlation[:, 0]).sum()} of {len(correlation)}"


def key_numbers(rows: list[Row]) -> str:
    """A Markdown table."""
    return util.markdown(rows[0], [row.values() for row in rows])


def space_numbers(study: Study, results: dict[str, Arrays]) -> str:
    """Accuracy, decoding, units that respond, principal components."""
    pcs, rows = results["pca"], []
    steps = [name.removeprefix("noiseless, ") for name in pcs["conditions"]]
    steps[0] = "top 3 PCs (noiseless / noisy): " + steps[0]
    for net, name in enumerate(study.names):
        row: Row = {"network": name, "accuracy": f"{results['trials']['accuracy'][net]:.3f}"}
        row["r2 of x*"] = f"{results['decoder']['r_sq'][net, study.last]:.3f}"
        row["responding units"] = responding(results["rate_maps"]["correlation"][net])
        top = pcs["share"][net, :, :3].sum(1).reshape(2, -1).T  # noiseless, noisy
        both = [" / ".join(map(percent, shares)) for shares in top]
        rows.append(row | dict(zip(steps, both, strict=False)))
    return key_numbers(rows)


def run_analyses(study: Study, analyze: Callable[..., None]) -> dict[str, Arrays]:
    """Run analyze(study, save), save each analysis as soon as it is there, draw all pictures.

    Raises UserError for files in the folder without `overwrite`, and for an unknown `keep`.
    """
    config, results = study.config, {}
    out = util.make_folder(config.out)
    if any(out.iterdir()) and not config.overwrite:
        raise UserError(f"{out}: has files in it; another --out, or --overwrite")
    about = util.about_arrays(util.provenance(config, study.paths))

    def save(name: str, arrays: Arrays) -> Arrays:
        results[name] = arrays
        if not config.keep or name in config.keep:
            util.save_npz(out / f"{name}.npz", **arrays, **about)
        return arrays

    with torch.no_grad():
        analyze(study, save)
    unknown = set(config.keep) - set(results)
    if unknown:
        raise UserError(f"keep: no analysis {min(unknown)}; analyses: {', '.join(results)}")
    if config.pictures:
        sys.path.append(str(Path(__file__).resolve().parent / "Figures"))
        import portraits  # needs Figures/ on the path; matplotlib and plotly only from here on

        for net, name in enumerate(study.names):
            portraits.draw_all(results, net, util.make_folder(out / name))
    return results
