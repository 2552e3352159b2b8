"""Networks under study: their trials, a decoder of x*, principal components, rate maps.

What any network is asked; what needs the state of a recurrent one is in analyze.py, what needs
attention in analyze_transformer.py. Every analysis returns a dict of arrays, the networks along the
first axis.
"""

import sys
from pathlib import Path

import numpy as np
import torch

import generalize
import tasks
import util
from model import load_ensemble
from train import seeds_of
from util import UserError

LOWEST = {"seed": 0, "n_trial": 8, "n_fit": 100, "n_grid": 2, "n_fine": 2, "rule": 0}


def check_settings(config, **lowest):
    """Raise UserError for no networks, and for settings below those in `LOWEST` and `lowest`."""
    for name, low in (LOWEST | lowest).items():
        if not getattr(config, name) >= low:
            raise UserError(f"{name} must be at least {low}, not {getattr(config, name)}")
    if not config.network:
        raise UserError("network needs at least one checkpoint")


class Study:
    """The networks, and what every analysis needs to know of them.

    Args:
        config: settings of the script: network, assume, seed, n_trial, n_fit, n_grid, n_fine, rule.

    Attributes:
        model: the ensemble.
        paths, names, configs, tasks: one per network.
        last: the last stimulus step.
    """

    def __init__(self, config):
        self.config, self.paths = config, util.find_checkpoints(config.network)
        self.names = [path.stem for path in self.paths]
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise UserError(f"two networks are called {twice[0]}; analyze them one at a time")
        self.model, self.configs = load_ensemble(self.paths, config.assume)
        self.tasks = [tasks.make_task(c, seeds_of(c)["task"]) for c in self.configs]
        self.last = self.tasks[0].steps["stimulus"].stop - 1
        for task in self.tasks:
            if task.n_rule and config.rule >= len(task.cued):
                raise UserError(f"rule counts from 0 to {len(task.cued) - 1}, not {config.rule}")
            if task.n_rule:
                task.cued = (task.cued[config.rule],)

    def generators(self, purpose):
        """One generator per network, the same for the same purpose (a number)."""
        return generalize.fit_generators(self.config, self.configs, purpose, "cpu")

    def show(self, x):
        """Noise-free inputs (net, trial, time, channel) for x* (net or 1, trial, D)."""
        task = self.tasks[0]
        inputs = torch.zeros(len(self.tasks), x.shape[1], task.n_step, task.n_channel)
        if task.n_fix:
            inputs[:, :, : task.steps["decision"].start, 0] = 1
        evidence = slice(task.n_fix, task.n_fix + task.n_dim)
        inputs[:, :, task.evidence_steps, evidence] = x[:, :, None]
        if task.n_rule:
            inputs[..., task.n_fix + task.n_dim + task.cued[0]] = 1
        return inputs


# ------------------------------------------------------------------ trials and their decoder


def run_trials(study):
    """Trials without noise and with it.

    Returns:
        dict: noiseless_x, noisy_x (net, trial, D); noiseless_rates, noisy_rates (net, trial, time,
        unit); noisy_inputs (net, trial, time, channel); noisy_targets (net, trial, 1 or time,
        task); accuracy (net,) of the last step of noisy trials, NaN where there is no readout.

    Raises:
        UserError: a network in which no unit responds.
    """
    rngs, n_trial = study.generators(0), study.config.n_trial
    inputs, targets, x = tasks.sample(study.tasks, rngs, n_trial)
    noise = study.model.draw_noise(*inputs.shape[1:3], rngs)
    rates = study.model.represent(inputs, **noise)
    quiet_x = torch.empty_like(x)
    for net, rng in enumerate(rngs):
        study.tasks[net].draw_latents(quiet_x[net], rng)
    quiet_rates = study.model.represent(study.show(quiet_x))
    for path, ends in zip(study.paths, quiet_rates[:, :, study.last], strict=True):
        if (ends.amax(0) == ends.amin(0)).all():
            raise UserError(f"{path}: all its units are dead: none responds to the stimulus")
    return {
        "noiseless_x": quiet_x.numpy(),
        "noiseless_rates": quiet_rates.numpy(),
        "noisy_x": x.numpy(),
        "noisy_inputs": inputs.numpy(),
        "noisy_targets": targets.numpy(),
        "noisy_rates": rates.numpy(),
        "accuracy": accuracy(study, rates[:, :, -1:], targets[:, :, -1:]),
    }


def accuracy(study, rates, targets):
    """Share of labels that are right, (net,); NaN without a readout. Both (net, trial, 1, ...)."""
    if study.model.readout is None:
        return np.full(len(study.tasks), np.nan)
    right = (study.model.readout(rates) > 0) == (targets > 0)
    return np.array(
        [right[net, ..., : task.n_out].float().mean() for net, task in enumerate(study.tasks)]
    )


N_FOLD = 4
AT_ONCE = 256  # trials per forward pass, which keeps memory small with many networks


def fit_decoder(study, trials, step=None):
    """Ridge decoder of x* from noisy states at a step; None: the last stimulus step.

    The penalty is the best one on trials left out, a quarter of them at a time.

    Returns:
        dict: weight (net, unit, D), bias (net, 1, D), penalty (net,); r_sq (net, time) of the noisy
        trials of `trials`, which it was not fitted on; theory (time,), 1 - 12 sigma^2 / t; last,
        the step.
    """
    step = study.last if step is None else step
    rngs, hs, xs = study.generators(1), [], []
    for _ in range(0, study.config.n_fit, AT_ONCE):
        inputs, _, x = tasks.sample(study.tasks, rngs, AT_ONCE)
        noise = study.model.draw_noise(*inputs.shape[1:3], rngs)
        hs.append(study.model.represent(inputs, **noise)[:, :, step])
        xs.append(x)
    h, x = (torch.cat(v, 1).unflatten(1, (N_FOLD, -1)) for v in (hs, xs))
    moments, folds = generalize.quadrant_moments(h, x), range(N_FOLD)
    *fitted, best = generalize.best_ridge(moments, list(folds))
    weight, bias = (v.numpy() for v in fitted)
    missed = decode(trials["noisy_rates"], weight, bias) - trials["noisy_x"][:, :, None]
    return {
        "weight": weight,
        "bias": bias,
        "penalty": np.asarray(generalize.PENALTIES)[best.numpy()],
        "r_sq": 1 - (missed**2).mean((1, 3)) / generalize.VARIANCE,
        "theory": theory(study),
        "last": step,
    }


def decode(rates, weight, bias):
    """x* read off representations (net, ..., unit): (net, ..., D)."""
    return np.einsum("n...u,nud->n...d", rates, weight) + np.expand_dims(
        bias[:, 0], tuple(range(1, rates.ndim - 1))
    )


def theory(study):
    """r2 of the mean of the samples seen so far, (time,); NaN where noise is not plain Gaussian."""
    task, sigma = study.tasks[0], generalize.sigma_of(study.configs[0])
    ceiling, stop = np.full(task.n_step, np.nan), task.evidence_steps.stop
    seen = np.arange(1, stop - task.evidence_steps.start + 1)
    ceiling[task.evidence_steps] = util.r_sq_theory(seen, sigma)
    ceiling[stop:] = ceiling[stop - 1]
    return ceiling


# ------------------------------------------------------------------ principal components


def principal(rates):
    """Principal components over all axes but the first and the last.

    Args:
        rates: (net, ..., unit).

    Returns:
        mean (net, unit), axes (net, unit, component), share of the variance (net, component).
    """
    flat = rates.reshape(len(rates), -1, rates.shape[-1]).astype(np.float64)
    mean = flat.mean(1)
    centred = flat - mean[:, None]
    values, axes = np.linalg.eigh(centred.transpose(0, 2, 1) @ centred)
    values, axes = values[:, ::-1].clip(0), axes[:, :, ::-1]
    total = values.sum(1, keepdims=True)
    share = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    return mean, axes, share


def first_three(rates, mean, axes):
    """Projection of (net, ..., unit) on the first three components (0 where there are fewer)."""
    ones = (1,) * (rates.ndim - 2)
    centred = rates - mean.reshape(len(mean), *ones, -1)
    projected = np.einsum("n...u,nuk->n...k", centred, axes[..., :3])
    missing = 3 - projected.shape[-1]
    return np.pad(projected, [(0, 0)] * (projected.ndim - 1) + [(0, missing)])


def pca(study, trials, steps=None):
    """Spectrum of the representation, over x* and some steps of the trial.

    Args:
        steps: dict name -> a step, or a slice of them; None: the last stimulus step, and all steps.

    Returns:
        dict: conditions (condition,) names, noiseless ones first; share (net, condition,
        component); mean (net, unit) and axes (net, unit, component) of noiseless trials over the
        last of `steps`, on which trajectories are shown.
    """
    steps = steps or {"last stimulus step": study.last, "all steps": slice(None)}
    found = {
        f"{kind}, {name}": principal(trials[f"{kind}_rates"][:, :, some])
        for kind in ("noiseless", "noisy")
        for name, some in steps.items()
    }
    mean, axes, _ = list(found.values())[len(steps) - 1]
    return {
        "conditions": np.array(list(found)),
        "share": np.stack([share for _, _, share in found.values()], 1),
        "mean": mean,
        "axes": axes,
    }


def trajectories(study, trials, spectrum):
    """Noiseless trials in the first three components of `spectrum`, which `pca` returned.

    Returns:
        dict: trajectory (net, trial, time, 3) up to the last stimulus step; x (net, trial, D);
        share (net, 3).
    """
    paths = trials["noiseless_rates"][:, :, : study.last + 1]
    shown = len(spectrum["conditions"]) // 2 - 1  # the condition of mean and axes
    return {
        "trajectory": first_three(paths, spectrum["mean"], spectrum["axes"]).astype(np.float32),
        "x": trials["noiseless_x"],
        "share": np.pad(spectrum["share"][:, shown], ((0, 0), (0, 3)))[:, :3],
    }


# ------------------------------------------------------------------ what units respond to


def square(n, n_dim, ends=False):
    """Points (1, n * n, D) of a grid over the square of the first two factors, the others 0.

    They are the middles of n x n cells; with `ends` the outermost lie on the border.
    """
    line = torch.linspace(-0.5, 0.5, n) if ends else (torch.arange(n) + 0.5) / n - 0.5
    x = torch.zeros(n, n, n_dim)
    x[..., 0], x[..., 1] = line[:, None], line
    return x.flatten(0, 1)[None]


def rate_maps(study, step=None):
    """Rates at a step of noiseless trials over the square; None: the last stimulus step.

    Returns:
        dict: x (n_grid,) of either factor; rates (net, x1, x2, unit); correlation (net, unit, 2)
        with x1 and x2, NaN for units that do not respond.
    """
    n = study.config.n_grid
    x = square(n, study.tasks[0].n_dim)
    step = study.last if step is None else step
    rates = study.model.represent(study.show(x))[:, :, step].numpy()
    return {
        "x": x[0, :n, 1].numpy(),
        "rates": rates.reshape(len(rates), n, n, -1),
        "correlation": correlations(rates, x[0, :, :2].numpy()),
    }


def correlations(maps, factors):
    """Correlation of maps over a grid with the factors there, whose mean is 0.

    Args:
        maps: (net, point, ...).
        factors: (point, 2).

    Returns:
        (net, ..., 2); NaN for maps that vary by less than 1e-6 of what is largest in the network.
    """
    inside = tuple(range(1, maps.ndim))
    largest = np.abs(maps).max(inside).reshape(-1, *[1] * (maps.ndim - 1))
    deviation = maps - maps.mean(1, keepdims=True)
    norm = np.linalg.norm(deviation, axis=1)[..., None]
    product = np.einsum("np...,pf->n...f", deviation, factors)
    correlation = np.full_like(product, np.nan)
    varies = np.broadcast_to(norm > 1e-6 * np.sqrt(len(factors)) * largest, product.shape)
    norm = norm * np.linalg.norm(factors, axis=0)
    np.divide(product, norm, out=correlation, where=varies)
    return correlation


def encoder_pca(study, trials):
    """What the encoder makes of the x* of the noiseless trials.

    Returns:
        dict: x (net, trial, D), projected (net, trial, 3), share (net, component).
    """
    x = trials["noiseless_x"]
    encoded = study.model.encoder(study.show(torch.tensor(x)))
    features = encoded[:, :, study.last, study.model.encoder.features].numpy()
    mean, axes, share = principal(features)
    return {"x": x, "projected": first_three(features, mean, axes), "share": share}


N_LABEL = 241  # points per factor at which the true labels are worked out


def classification_lines(study):
    """Labels over the square, true and as the network gives them in noiseless trials.

    Returns:
        dict: x (n_fine,); logits (net, x1, x2, task) there at the last step, NaN without a readout;
        x_labels (N_LABEL,); labels (net, x1, x2, task) there, 0 or 1; n_task (net,), beyond which
        both are padding; n_dim, D.
    """
    n_dim, n_fine = study.tasks[0].n_dim, study.config.n_fine
    n_task = [task.n_out for task in study.tasks]
    x, x_labels = (square(n, n_dim, ends=True) for n in (n_fine, N_LABEL))
    labels = np.zeros((len(n_task), N_LABEL**2, max(n_task)), np.uint8)
    for net, task in enumerate(study.tasks):
        truth = task.labels(x_labels[0])
        truth = truth[:, task.cued] if isinstance(task, tasks.ContextDependent) else truth
        labels[net, :, : n_task[net]] = truth.numpy()
    logits = np.full((len(n_task), n_fine**2, max(n_task)), np.nan, np.float32)
    if study.model.readout is not None:
        ends = [study.model.represent(study.show(some))[:, :, -1:] for some in x.split(AT_ONCE, 1)]
        logits = study.model.readout(torch.cat(ends, 1))[:, :, 0].numpy()
    return {
        "x": x[0, :n_fine, 1].numpy(),
        "logits": logits.reshape(len(n_task), n_fine, n_fine, -1),
        "x_labels": x_labels[0, :N_LABEL, 1].numpy(),
        "labels": labels.reshape(len(n_task), N_LABEL, N_LABEL, -1),
        "n_task": n_task,
        "n_dim": n_dim,
    }


def one_trial(study, trials, decoder):
    """The first noisy trial.

    Returns:
        dict: time (time,) in ms; inputs (net, time, channel); rates (net, time, unit); decoded
        (net, time, D); x (net, D); outputs (net, time, task), probabilities, or actions where the
        network was trained by squared error, NaN without a readout; range (2,) that these lie in;
        targets (net, 1 or time, task), actions, of the last steps;
        evidence (2,), the first evidence channel and the one after the last; n_task (net,).
    """
    task, first = study.tasks[0], study.configs[0]
    rates = trials["noisy_rates"][:, :1]
    n_task = [task.n_out for task in study.tasks]
    outputs = torch.full((len(n_task), 1, task.n_step, max(n_task)), float("nan"))
    largest = task.largest_action
    if study.model.readout is not None:
        logits = study.model.readout(torch.tensor(rates))
        outputs = torch.sigmoid(logits) if first["CE_loss"] else largest * torch.tanh(logits)
    return {
        "time": np.arange(task.n_step) * task.dt,
        "inputs": trials["noisy_inputs"][:, 0],
        "rates": rates[:, 0],
        "decoded": decode(rates, decoder["weight"], decoder["bias"])[:, 0],
        "x": trials["noisy_x"][:, 0],
        "outputs": outputs[:, 0].numpy(),
        "targets": trials["noisy_targets"][:, 0],
        "range": np.array((0, 1) if first["CE_loss"] else (-largest, largest)),
        "evidence": np.array([task.n_fix, task.n_fix + task.n_dim]),
        "n_task": n_task,
    }


# ------------------------------------------------------------------ the key numbers


def number(values):
    """Median of what there is, or '-'."""
    values = np.asarray(values)[np.isfinite(values)]
    return f"{np.median(values):.2g}" if values.size else "-"


def percent(share):
    """A share in per cent, or '-'."""
    return f"{100 * share:.0f} %" if np.isfinite(share) else "-"


def report_space(study, trials, decoder, pca, rate_maps, **_):
    """Principal components, decoding, units that respond."""
    header = ["network", "accuracy", "r2 of x*", "responding units"]
    steps = [name.split(", ")[1] for name in pca["conditions"][: len(pca["conditions"]) // 2]]
    header += [f"top 3 PCs: {steps[0]}", *steps[1:-1], f"{steps[-1]} (noiseless / noisy)"]
    rows = []
    for net, name in enumerate(study.names):
        responds = np.isfinite(rate_maps["correlation"][net, :, 0])
        row = [name, f"{trials['accuracy'][net]:.3f}", f"{decoder['r_sq'][net, study.last]:.3f}"]
        row += [f"{responds.sum()} of {len(responds)}"]
        shares = pca["share"][net, :, :3].sum(1).reshape(2, -1).T
        rows.append(row + [f"{percent(quiet)} / {percent(noisy)}" for quiet, noisy in shares])
    return util.table(header, rows)


# ------------------------------------------------------------------ all of it


def carry_out(study, analyze):
    """Run the analyses of a script, save each as soon as it is there, draw all pictures.

    Args:
        study: the networks; its settings say where to.
        analyze: function of the study and of save(name, arrays), which writes an .npz and gives the
            arrays back.

    Returns:
        what `analyze` returned, dict name -> arrays.

    Raises:
        UserError: there are files in the folder, and `overwrite` is not set; `keep` names an
            analysis that there is not.
    """
    config = study.config
    out = util.make_folder(config.out)
    if any(out.iterdir()) and not config.overwrite:
        raise UserError(f"{out}: has files in it; another --out, or --overwrite")
    about, names = util.provenance(config, study.paths), []

    def save(name, arrays):
        names.append(name)
        if not config.keep or name in config.keep:
            util.save_npz(out / f"{name}.npz", **arrays, **about)
        return arrays

    with torch.no_grad():
        results = analyze(study, save)
    unknown = set(config.keep) - set(names)
    if unknown:
        raise UserError(f"keep: no analysis {min(unknown)}; analyses: {', '.join(names)}")
    if config.pictures:
        draw(study, results, out)
    return results


def draw(study, results, out):
    """All pictures of all networks, a folder each."""
    sys.path.append(str(Path(__file__).resolve().parent / "Figures"))
    import portraits  # needs Figures/ on the path; matplotlib and plotly only from here on

    for net, name in enumerate(study.names):
        portraits.draw_all(results, net, util.make_folder(out / name))
