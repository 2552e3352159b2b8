"""A page in which a network runs: drag x*, press play, watch it find out (Figures 2 to 4, live).

    python explore.py                                 docs/explore.html: RNN, LSTM and gpt-2
    python explore.py Networks/NoLeak/*run0.pth mine/*.pth --out mine.html

The page is one file that needs only a browser. It holds the weights and computes every step itself
(docs/explore/network.js). This script adds what has to be fitted: linear decoders of x*, one
without each quadrant and one with all, as `generalize.py` fits them; the scale of the closed form
(docs/protocol.md, Theory); principal components. Its picture, docs/explore.png:

    chromium --headless --hide-scrollbars --window-size=1280,1325 --virtual-time-budget=20000 \
        --screenshot=docs/explore.png docs/explore.html
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm
from tyro.conf import Positional

import checkpoint
import decoders
import settings
import study
import tasks
import theory
import util
from model import NETWORKS, Model
from RNN import RecurrentNetwork
from util import UserError

ROOT = Path(__file__).resolve().parent
DEFAULT = ("RNN/RNN_nTask2", "RNN/RNN_nTask24", "LSTM/LSTM_nTask24", "gpt-2/gpt-2_nTask24")


@dataclass
class Config:
    """Settings; edit them here or override them from the shell."""

    networks: Positional[tuple[str, ...]] = ()  # files, folders or globs; none: four of Networks/
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as n_task=24 leaky=False
    out: Path | None = None  # None: explore.html here, or of no networks named, docs/explore.html
    # decoders, as in generalize.py
    n_batch: int | Literal["paper"] = "paper"  # of adam; 3000 to N_task = 3, 2000 to 6, else 1000
    batch_sz: int = 16  # trials per batch
    lr: float = 3e-3  # learning rate
    n_test: int = 640  # test trials
    n_ridge: int = 1024  # trials per quadrant of ridge decoders
    seed: int = 0  # of decoders and their trials
    n_fit = 1


N_GRID = 11  # x* along each factor of the sheet whose principal components are shown
SOURCES = "network.js", "panels.js", "page.js"  # of docs/explore, inside page.html
SQUASH = {"ReLU": "relu", "Quad": "square"}  # non-linearity of the encoder
READOUTS = {"adam": decoders.fit_adam, "ridge": decoders.fit_ridge}
Page = dict[str, Any]  # what goes into the page as JSON


def packed(values: Any) -> Page:
    """An array as its shape and its numbers in single precision, base64."""
    array = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def check(path: Path, config: settings.Config) -> None:
    """Raise UserError for a network that the page cannot show."""
    task, lack = tasks.make_task(config), ""
    if not hasattr(task, "normals"):
        lack = f"{config['task']} has no linear boundaries"
    elif config["n_dim"] != 2:
        lack = f"it has D = {config['n_dim']}"
    elif config["noise_enc"]:
        lack = "its noise comes after the encoder"
    elif config["network"].startswith("encoder"):
        lack = f"{config['network']} has no state; it is a readout in the page of any network"
    if lack:
        raise UserError(f"{path}: {lack}; explore.py shows linear tasks, D = 2, noise on x")


def fitted(model: Model, configs: list[settings.Config], name: str, config: Config) -> Page:
    """Decoders without quadrant 0, 1, 2, 3, and with all: weight (5, unit, D), bias (5, D), r2."""
    source = decoders.States(model, configs, decoders.Splits(2))
    rngs = [decoders.fit_generators(config, configs, 0, "cpu")]
    with tqdm(unit=" network steps", leave=False, disable=None) as show:
        weight, bias = READOUTS[name](source, configs, config, rngs, show)
    r2 = decoders.test_decoders(source, config.n_test, rngs, weight, bias)
    held, everywhere = (r2[measure][0, :, 0].tolist() for measure in ("quadrant", "ID"))
    first = weight[0, 0, :5], bias[0, 0, :5, 0]
    return {"weight": packed(first[0]), "bias": packed(first[1]), "r2": [*held, everywhere[0]]}


def encoder_mean(model: Model, configs: list[settings.Config], config: Config) -> Page:
    """The control that has no network: ridge decoders of the encoder's mean."""
    own = {**configs[0], "network": "encoder-mean", **NETWORKS["encoder-mean"].FIXED}
    control = Model([own])
    control.encoder = model.encoder
    return fitted(control.eval(), [own], "ridge", config)


def closed_form(logits: Tensor, normals: Tensor, noise_ratio: tuple[float, ...]) -> Tensor:
    """x* (..., D) but for the factor sd of the mean, from logits (..., task) of the outputs.

    Y_i = Phi(c_i . mu / sd_i), sd_i^2 = sum_j (c_ij ratio_j)^2 sd^2, and Phi^-1(Y) is near
    logit(Y) / 1.702: mu = sd (C^T C)^-1 C^T (z_i / 1.702 sd_i / sd) (section 3.2 of the paper).
    """
    own = (normals * torch.tensor(noise_ratio)).norm(dim=1)
    return (logits / theory.probit_constant() * own) @ torch.linalg.pinv(normals).T


def closed_scales(model: Model, configs: list[settings.Config], config: Config) -> list[float]:
    """The one factor that fits `closed_form` to x*, without each quadrant and with all, (5,)."""
    task, rngs = tasks.make_task(configs[0]), decoders.fit_generators(config, configs, 0, "cpu")
    source = decoders.States(model, configs, decoders.Splits(2))
    h, x = source.draw(rngs, config.n_ridge)
    logits = model.readout(h) * (1 if configs[0]["CE_loss"] else 2)
    y = closed_form(logits, task.normals, task.noise_ratio)
    along, size = (y * x)[0].sum((1, 2)), (y * y)[0].sum((1, 2))
    seen = [*source.splits.train, list(decoders.QUADRANTS)]
    return [float(along[some].sum() / size[some].sum()) for some in seen]


def components(model: Model, task: tasks.EvidenceTask) -> Page:
    """Principal components of noiseless trials over the square, all stimulus steps.

    Of a transformer the last step: during the stimulus it holds mostly the sample it sees.
    """
    steps = task.evidence_steps if isinstance(model.network, RecurrentNetwork) else slice(-1, None)
    rates = model.represent(task.noiseless(study.square(N_GRID, 2, ends=True)))[:, :, steps]
    mean, axes, share = study.principal(rates.numpy())
    found = {"mean": packed(mean[0]), "axes": packed(study.three(axes[0]))}
    return {**found, "share": study.three(share)[0].tolist()}


def weights_of(model: Model) -> Page:
    """Parameters of encoder, network and readout by name, (in, out)."""
    parts = [dict(part.named_parameters()) for part in model.parts.values()]
    return {name: packed(value[0]) for part in parts for name, value in part.items()}


def page_of(path: Path, config: Config) -> Page:
    """Everything the page needs of one network."""
    model, configs = checkpoint.load_ensemble([path], config.assume)
    own, network = configs[0], model.network
    check(path, own)
    task = tasks.make_task(own)
    shown = task.decoding_task(decoders.QUADRANTS)  # its trial, as decoders see it
    after, last = shown.n_step - shown.evidence_steps.stop, shown.steps["decision"].start
    free = not task.n_fix
    found = {
        "name": f"{own['network']}, {own['n_task']} tasks",
        "about": [f"{k} {v}" for k, v in settings.differing(own).items()] + [f"run {own['run']}"],
        "file": path.name,
        **{key: own[key] for key in ("network", "n_neu", "n_task", "activation", "n_head")},
        "n_layer": own["n_layer"],
        "recurrent": isinstance(network, RecurrentNetwork),
        "keep": getattr(network, "keep_r", 0),
        "alpha": getattr(network, "alpha", 1),
        "sd_net": getattr(network, "sigma", 0),
        "squash": SQUASH[own["activ_enc"]] if own["encode"] else None,
        "n_fix": task.n_fix,
        "before": shown.evidence_steps.start,  # steps before the first sample
        "samples": shown.evidence_steps.stop - shown.evidence_steps.start,
        # fixation channel in the steps after the last sample
        "after": [float(shown.n_step - after + i < last) for i in range(after)],
        "noise": {"sigma": task.sigma, "ratio": task.noise_ratio, "ar": task.noise_ar},
        "normals": packed(task.normals),
        "bound": getattr(task, "bound", None),
        "gain": 1 if own["CE_loss"] else 2,  # of a sigmoid that gives the outputs' probabilities
        "pca": components(model, task),
        "decoders": {name: fitted(model, configs, name, config) for name in READOUTS},
    }
    found["noise"] |= {"gumbel": task.dist == "gumbel"}
    if own["encode"]:
        found["decoders"]["encoder"] = encoder_mean(model, configs, config)
    if model.readout is not None and not free and np.linalg.matrix_rank(task.normals) == 2:
        found["closed"] = closed_scales(model, configs, config)
    return {**found, "weights": weights_of(model)}


def html(networks: list[Page]) -> str:
    """The page, with everything inside."""
    folder = ROOT / "docs" / "explore"
    text = (folder / "page.html").read_text()
    constants = {"n_grid": N_GRID, "probit": theory.probit_constant(), "networks": networks}
    data = json.dumps(constants).replace("<", "\\u003c")
    for name in SOURCES:
        text = text.replace(f"/* {name} */", (folder / name).read_text())
    return text.replace("/* data */", data)


def main(config: Config) -> None:
    """Fit, fill in, write."""
    default = [str(ROOT / "Networks" / f"{name}_run0.pth") for name in DEFAULT]
    out = config.out or (Path("explore.html") if config.networks else ROOT / "docs/explore.html")
    if out.is_dir():
        raise UserError(f"{out}: is a folder; --out is the page to write")
    paths = util.find_checkpoints(config.networks or default)
    util.make_folder(out.parent)
    networks = [page_of(path, config) for path in tqdm(paths, unit=" networks", disable=None)]
    order = list(NETWORKS)
    networks.sort(key=lambda page: (order.index(page["network"]), page["n_task"]))
    text = html(networks)
    util.write_atomic(out, text.encode())
    print(f"saved in {out}, {len(text) / 1e6:.1f} MB; open it in a browser")


if __name__ == "__main__":
    util.run_script(main, Config)
