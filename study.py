"""Networks under study: their trials, a decoder of x*, principal components, rate maps.

What any network is asked, recurrent or not; what needs the state of a recurrent one is in
analyze.py. Every analysis returns a dict of arrays, the networks along the first axis.
"""

import numpy as np
import torch

import generalize
import tasks
import util
from model import load_ensemble
from train import seeds_of
from util import UserError


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
        unit); noisy_inputs (net, trial, time, channel); accuracy (net,) of the last step of noisy
        trials, NaN where there is no readout.

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


def fit_decoder(study, trials):
    """Ridge decoder of x* from noisy states at the last stimulus step.

    The penalty is the best one on trials left out, a quarter of them at a time.

    Returns:
        dict: weight (net, unit, D), bias (net, 1, D), penalty (net,); r_sq (net, time) of the noisy
        trials of `trials`, which it was not fitted on; theory (time,), 1 - 12 sigma^2 / t; last,
        the last stimulus step.
    """
    rngs, hs, xs = study.generators(1), [], []
    for _ in range(0, study.config.n_fit, AT_ONCE):
        inputs, _, x = tasks.sample(study.tasks, rngs, AT_ONCE)
        noise = study.model.draw_noise(*inputs.shape[1:3], rngs)
        hs.append(study.model.represent(inputs, **noise)[:, :, study.last])
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
        "last": study.last,
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


CONDITIONS = ("noiseless, last stimulus step", "noiseless, all steps")
CONDITIONS += tuple(name.replace("noiseless", "noisy") for name in CONDITIONS)


def pca(study, trials):
    """Spectrum of the representation, at the last stimulus step over x* and over all steps.

    Returns:
        dict: conditions (4,) names; share (net, condition, component); mean (net, unit) and axes
        (net, unit, component) of noiseless trials over all steps, on which trajectories are shown.
    """
    shares = []
    for kind in ("noiseless_rates", "noisy_rates"):
        shares += [principal(trials[kind][:, :, study.last])[2], principal(trials[kind])[2]]
    mean, axes, _ = principal(trials["noiseless_rates"])
    return {
        "conditions": np.array(CONDITIONS),
        "share": np.stack(shares, 1),
        "mean": mean,
        "axes": axes,
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


def rate_maps(study):
    """Rates at the last stimulus step of noiseless trials over the square.

    Returns:
        dict: x (n_grid,) of either factor; rates (net, x1, x2, unit); correlation (net, unit, 2)
        with x1 and x2, NaN for units that do not respond.
    """
    n = study.config.n_grid
    x = square(n, study.tasks[0].n_dim)
    rates = study.model.represent(study.show(x))[:, :, study.last].numpy()
    factors = x[0, :, :2].numpy()
    deviation = rates - rates.mean(1, keepdims=True)
    norm = np.linalg.norm(deviation, axis=1)[..., None] * np.linalg.norm(factors, axis=0)
    product = np.einsum("npu,pf->nuf", deviation, factors)
    correlation = np.full_like(product, np.nan)
    np.divide(product, norm, out=correlation, where=norm > 1e-6 * norm.max())
    return {
        "x": factors[:n, 1],
        "rates": rates.reshape(len(rates), n, n, -1),
        "correlation": correlation,
    }


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
        "range": np.array((0, 1) if first["CE_loss"] else (-largest, largest)),
        "evidence": np.array([task.n_fix, task.n_fix + task.n_dim]),
        "n_task": n_task,
    }
