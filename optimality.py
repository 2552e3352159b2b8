"""How optimal networks are as classifiers: accuracy, loss, calibration, and the theorem itself.

    python optimality.py --networks trained_networks --out Data/results.csv
    python optimality.py --networks trained_networks --stimulus 100 500 1000 2000   asked earlier

Networks and the optimal classifier (`theory.Observer`) judge the same noisy trials. P is the
optimal one's probability of a label, given all samples; Q is the network's output in the decision
step. Accuracy, loss and calibration are expected values over labels that are 1 with probability P,
so that the chance in labels drops out. In other steps networks are trained to say 0.5; so they are
asked earlier by a shorter stimulus, for which they were not trained. Measures, over trials and
tasks:

accuracy, cross_entropy (nats)   of the network; `..._optimal` of the optimal classifier
calibration         mean distance of P from Q in bins of Q (expected calibration error)
calibration_slope   slope k of the observed log odds against the network's, by logistic
                    regression P ~ s(k logit); below 1: over-confident
logit_slope, logit_r2   Phi^-1(Q) against Phi^-1(P) trial by trial, where |Phi^-1(P)| < 3. The
                    theorem: both are (c . mean - b) sqrt(t) / sigma, far from the square's edges.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit, ndtri

import batches
import decoders
import settings
import table
import theory
import util
from checkpoint import load_ensemble
from util import UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell. More: docs/protocol.md."""

    networks: tuple[str, ...] = ("trained_networks",)  # files, folders or globs
    out: Path | None = None  # .csv table; None: results.csv beside the networks
    overwrite: bool = False  # replace rows made with other settings
    n_trial: int = 4000  # trials per network and time
    stimulus: tuple[int, ...] = ()  # ms, ask after such stimuli; none: as in training
    n_bin: int = 20  # of outputs from 0 to 1, for the calibration error
    seed: int = 0  # of the trials

    def check(self) -> None:
        """Raise UserError for settings that cannot be meant."""
        util.check_least(self, {"n_trial": 100, "n_bin": 2, "seed": 0})
        if len(set(self.stimulus)) < len(self.stimulus):
            raise UserError("stimulus names a number twice")


AT_ONCE = 250  # trials per forward pass
IN_DOUBT = 3  # |Phi^-1(P)| below which the logits are compared; beyond, the loss hardly sees them
MEASURES = table.OPTIMALITY


def judge(model: Any, asked: list[settings.Config], n_trial: int, rngs: list) -> list[tuple]:
    """P and the network's logits, each (trial, task), for every network of an ensemble.

    Args:
        asked: settings of each network, their stimulus as long as in these trials.
        rngs: generators of the trials, one for each network.
    """
    observers = [theory.Observer(config) for config in asked]
    kinds = [observer.task for observer in observers]
    inputs, _, x = batches.sample(kinds, rngs, n_trial)
    when, features = kinds[0].evidence_steps, model.encoder.features
    logits, samples = [], []
    for some in inputs.split(AT_ONCE, 1):
        noise = model.draw_noise(*some.shape[1:3], rngs, evidence_steps=when)
        logits.append(model.readout(model.represent_last(some, **noise)[:, :, None])[:, :, 0])
        if observers[0].encoded:
            seen = model.add_noise(model.encoder(some), noise["encoder_noise"])
            samples.append(seen[:, :, when, features])
        else:
            samples.append(some[:, :, when, kinds[0].evidence])
    pairs = []
    for net, (task, observer) in enumerate(zip(kinds, observers, strict=True)):
        shown, own_x = (v[net].double().numpy() for v in (torch.cat(samples, 1), x))
        p = observer.labels(observer.estimate(shown)[:, -1], shown.shape[1], own_x)
        if task.n_rule:  # the label of the rule that is cued
            cued = inputs[net, :, 0, task.rules][:, list(task.cued)].argmax(1).numpy()
            p = np.take_along_axis(p, cued[:, None], 1)
        pairs.append((p, torch.cat(logits, 1)[net, :, : task.n_out].double().numpy()))
    return pairs


def loss(p: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """Expected cross-entropy of logits where labels are 1 with probability p, in nats."""
    return np.logaddexp(0, logit) - p * logit


def compare(p: np.ndarray, logit: np.ndarray, n_bin: int) -> dict[str, float]:
    """The measures of one network, from P and its logits (trial, task)."""
    p, logit = p.ravel(), logit.ravel()
    q = expit(logit)
    at = np.minimum(q * n_bin, n_bin - 1).astype(int)
    gaps = np.bincount(at, p - q, n_bin)
    slope = minimize_scalar(lambda k: loss(p, k * logit).mean(), bounds=(0, 10), method="bounded")
    optimal, own = ndtri(p), decoders.probit(torch.from_numpy(logit)).numpy()
    both = np.stack([optimal, own])[:, abs(optimal) < IN_DOUBT]
    (var, cov), (_, own_var) = np.cov(both) if both.shape[1] > 2 else np.zeros((2, 2))
    found = {
        "accuracy": np.where(q > 0.5, p, 1 - p).mean(),
        "accuracy_optimal": np.maximum(p, 1 - p).mean(),
        "cross_entropy": loss(p, logit).mean(),
        "cross_entropy_optimal": theory.cross_entropy(p, p).mean(),
        "calibration": abs(gaps).sum() / len(p),
        "calibration_slope": slope.x,
        "logit_slope": cov / var if var else np.nan,
        "logit_r2": cov**2 / (var * own_var) if var * own_var else np.nan,
    }
    return {name: float(value) for name, value in found.items()}


def optimality(model: Any, configs: list, times: pd.DataFrame, config: Config) -> dict:
    """Every measure as (time, net)."""
    found: dict[str, list] = {name: [] for name in MEASURES}
    for stimulus in times["stimulus"].tolist():
        rngs = decoders.fit_generators(config, configs, 0, "cpu")
        asked = [{**c, "stimulus": stimulus} for c in configs]
        with torch.no_grad():
            pairs = judge(model, asked, config.n_trial, rngs)
        each = [compare(p, logit, config.n_bin) for p, logit in pairs]
        for name in MEASURES:
            found[name].append([own[name] for own in each])
    return {name: np.array(values) for name, values in found.items()}


def report(found: dict[str, np.ndarray], configs: list, times: pd.DataFrame) -> str:
    """The table of medians and quartiles, as Markdown."""
    shown = {
        "accuracy / optimal": found["accuracy"] / found["accuracy_optimal"],
        "loss - optimal (nats)": found["cross_entropy"] - found["cross_entropy_optimal"],
        **{name.replace("_", " "): found[name] for name in MEASURES[4:]},
    }
    of_net, rows = np.array([c["n_task"] for c in configs]), []
    for i, when in enumerate(times.to_dict("records")):
        for n_task in np.unique(of_net):
            some = of_net == n_task
            texts = [util.quartiles(values[i, some]) for values in shown.values()]
            rows.append([when["t"], n_task, some.sum(), *texts])
    return util.markdown(["samples", "N_task", "networks", *shown], rows)


def main(config: Config) -> None:
    """Measure, print the table, save."""
    config.check()
    paths = util.find_checkpoints(config.networks)
    model, configs = load_ensemble(paths)
    first = configs[0]
    if model.readout is None:
        raise UserError(f"{paths[0]}: holds no readout, which this needs")
    if not first["CE_loss"]:
        raise UserError(f"{paths[0]}: trained by squared error; its outputs are no probabilities")
    times = table.time_columns(first, (), config.stimulus)
    networks = dict(zip(paths, configs, strict=True))
    out, entries = table.destination("optimality", config, networks, "", times["series"][0])
    found = optimality(model, configs, times, config)
    rows = table.rows_of(found, configs, times)
    table.put(out, rows, {k: util.provenance(config, own) for k, own in entries.items()})
    print(f"{report(found, configs, times)}\nmedian [quartiles] of networks; saved in {out}")


if __name__ == "__main__":
    util.run_script(main, Config)
