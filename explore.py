"""A page in which a network runs: drag x*, press play, watch it find out (Figures 2 to 4, live).

    python explore.py                                 docs/explore.html: RNN, LSTM and gpt-2
    python explore.py Networks/NoLeak/*run0.pth mine/*.pth --out mine.html

The page is one file that needs only a browser. It holds the weights and computes every step itself
(docs/explore/network.js). This script adds what has to be fitted: linear decoders of x*, one
without each quadrant and one with all, as `generalize.py` fits them; the scale of the closed form;
principal components. Its picture, docs/explore.png:

    chromium --headless --hide-scrollbars --window-size=1280,1325 --virtual-time-budget=20000 \
        --screenshot=docs/explore.png docs/explore.html
"""

import base64
import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm
from tyro.conf import Positional

import checkpoint
import decoders
import settings
import study
import tasks
import util
from model import NETWORKS, Model
from RNN import RecurrentNetwork
from util import UserError

ROOT = Path(__file__).resolve().parent
DEFAULT = ("RNN/RNN_nTask2", "RNN/RNN_nTask24", "LSTM/LSTM_nTask24", "gpt-2/gpt-2_nTask24")


@dataclass
class Config:
    """Settings; edit them here or override them from the shell. More: docs/extending.md."""

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
    n_fit, decoder = 1, ""


N_GRID = 11  # x* along each factor of the sheet whose principal components are shown
SOURCES = "network.js", "panels.js", "page.js"  # of docs/explore, inside page.html
# non-linearities of the encoder, by activ_enc
SQUASH = {"ReLU": ("relu", "relu"), "Quad": ("square", "square"), "Fourier": ("cos", "relu")}
SQUASH |= {"ScaledReLU": SQUASH["ReLU"]}
READOUTS = {"adam": decoders.fit_adam, "ridge": decoders.fit_ridge}
READOUTS |= dict.fromkeys(("closed", "closed_fit"), decoders.fit_closed)
Page = dict[str, Any]  # what goes into the page as JSON


def packed(values: Any) -> Page:
    """An array as its shape and its numbers in single precision, base64."""
    array = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def task_of(config: settings.Config) -> Any:
    """The task of a network, with its own boundaries."""
    return tasks.make_task(config, settings.seeds_of(config)["task"])


def check(path: Path, config: settings.Config) -> None:
    """Raise UserError for a network that the page cannot show."""
    lack = ""
    if not hasattr(task_of(config), "normals"):
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
    """Decoders without quadrant 0, 1, 2, 3, and with all: weight (5, unit, D), bias (5, D), r2.

    Of the closed form `scale` (5,), in units of the theorem's. `lack`: why there is no closed form.
    """
    closed, found = name.startswith("closed"), Page()
    source = decoders.States(model, configs, decoders.Splits(2))
    try:
        weight = decoders.closed_map(source, configs[0])[0] if closed else None
    except UserError as error:
        return {"lack": str(error).split(", ", 1)[1]}
    source, own = decoders.Outputs(source, clip=False) if closed else source, copy.copy(config)
    own.decoder, rngs = name, [decoders.fit_generators(config, configs, 0, "cpu")]
    with tqdm(unit=" network steps", leave=False, disable=None) as show:
        dec, bias = READOUTS[name](source, configs, own, rngs, show)
    r2 = decoders.test_decoders(source, config.n_test, rngs, dec, bias)
    held, everywhere = (r2[measure][0, :, 0].tolist() for measure in ("quadrant", "ID"))
    if weight is None:
        found = {"weight": packed(dec[0, 0, :5]), "bias": packed(bias[0, 0, :5, 0])}
    else:
        found = {"scale": (dec[0, 0, :5].norm(dim=(1, 2)) / weight.norm()).tolist()}
    return {**found, "r2": [*held, everywhere[0]]}


def encoder_mean(model: Model, configs: list[settings.Config], config: Config) -> Page:
    """The control that has no network: ridge decoders of the encoder's mean."""
    own = {**configs[0], "network": "encoder-mean", **NETWORKS["encoder-mean"].FIXED}
    control = Model([own])
    control.encoder = model.encoder
    return fitted(control.eval(), [own], "ridge", config)


def components(model: Model, task: tasks.EvidenceTask) -> Page:
    """Principal components of the states that noiseless trials over the square end in.

    They are those of the last sample; of a transformer, which then holds mostly that sample, those
    of the last step.
    """
    step = task.evidence_steps.stop - 1 if isinstance(model.network, RecurrentNetwork) else -1
    rates = model.represent(task.noiseless(study.square(N_GRID, 2, ends=True)))[:, :, step]
    mean, axes, share = study.principal(rates.numpy())
    found = {"mean": packed(mean[0]), "axes": packed(study.three(axes[0]))}
    return {**found, "share": study.three(share)[0].tolist()}


def weights_of(model: Model) -> Page:
    """Parameters of encoder, network and readout by name, (in, out)."""
    parts = [dict(part.named_parameters()) for part in model.parts.values()]
    return {name: packed(value[0]) for part in parts for name, value in part.items()}


def page_of(model: Model, configs: list[settings.Config], path: Path, config: Config) -> Page:
    """Everything the page needs of one network."""
    own, task, network = configs[0], task_of(configs[0]), model.network
    shown = task.decoding_task(decoders.QUADRANTS)  # its trial, as decoders see it
    end, answer = shown.evidence_steps.stop, shown.steps["decision"].start
    found = {key: own[key] for key in ("network", "n_neu", "n_task", "activation", "n_head")}
    found |= {
        "n_layer": own["n_layer"],
        "name": f"{own['network']}, {own['n_task']} tasks",
        "about": [f"{k} {v}" for k, v in settings.differing(own).items()] + [f"run {own['run']}"],
        "file": path.name,
        "recurrent": isinstance(network, RecurrentNetwork),
        "keep": getattr(network, "keep_r", 0),
        "alpha": getattr(network, "alpha", 1),
        "sd_net": getattr(network, "sigma", 0),
        "squash": SQUASH[own["activ_enc"]] if own["encode"] else None,
        "n_fix": task.n_fix,
        "before": shown.evidence_steps.start,  # steps before the first sample
        "samples": end - shown.evidence_steps.start,
        "after": [float(step < answer) for step in range(end, shown.n_step)],  # fixation channel
        "noise": {
            "sigma": task.sigma,
            "ratio": task.noise_ratio,
            "ar": task.noise_ar,
            "gumbel": task.dist == "gumbel",
        },
        "normals": packed(task.normals),
        "bound": getattr(task, "bound", None),
        "gain": 1 if own["CE_loss"] else 2,  # of a sigmoid that gives the outputs' probabilities
        "pca": components(model, task),
        "decoders": {name: fitted(model, configs, name, config) for name in READOUTS},
    }
    if own["encode"]:
        found["decoders"]["encoder"] = encoder_mean(model, configs, config)
    return {**found, "weights": weights_of(model)}


def html(networks: list[Page]) -> str:
    """The page, with everything inside."""
    folder = ROOT / "docs" / "explore"
    text = (folder / "page.html").read_text()
    constants = {"n_grid": N_GRID, "networks": networks}
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
    loaded = [checkpoint.load_ensemble([path], config.assume) for path in paths]
    for path, (_, configs) in zip(paths, loaded, strict=True):
        check(path, configs[0])
    every = tqdm(zip(loaded, paths, strict=True), total=len(paths), unit=" networks", disable=None)
    networks = [page_of(model, configs, path, config) for (model, configs), path in every]
    order = list(NETWORKS)
    networks.sort(key=lambda page: (order.index(page["network"]), page["n_task"]))
    text = html(networks)
    util.write_atomic(out, text.encode())
    print(f"saved in {out}, {len(text) / 1e6:.1f} MB; open it in a browser")


if __name__ == "__main__":
    util.run_script(main, Config)
