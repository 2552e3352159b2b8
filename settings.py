"""What the paper used, frozen, and what a network's settings may be.

`PAPER` and `MEASUREMENTS` never follow the dataclasses at the top of the scripts, which people
edit. Names of networks, the conditions of a sweep, checks and shipped networks refer to them. A new
setting is one field of `train.Config` and one entry here.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tasks
from model import NETWORKS, Encoder
from util import UserError

Config = dict[str, Any]  # settings of one network as plain values, complete


class Setting(NamedTuple):
    """The paper's value of a setting, and which others it may have."""

    paper: Any
    low: float = 0  # smallest value of a number
    below: float = math.inf  # what it must stay below
    choices: tuple[str, ...] = ()


CENT_OUT, CORR = "LinearClassificationCentOut", "LinearClassificationCorr"
AUTOCORR, ANISOT = "LinearClassificationAutocorr", "LinearClassificationAnisot"
PAPER = {  # section 3 and appendix of the paper; in the order of names of files
    "network": Setting("RNN"),
    "n_task": Setting(24, 1),
    "seed": Setting(0, 0),
    "n_neu": Setting(64, 1),
    "leaky": Setting(True),
    "activation": Setting("relu", choices=("relu", "tanh")),
    "init": Setting("default", choices=("default", "ortho", "sparse")),
    "n_sd_net": Setting(0.0, 0),
    "tau": Setting(100, 1),
    "n_layer": Setting(1, 1),
    "n_head": Setting(8, 1),
    "dropout": Setting(0.1, 0, 1),
    "encode": Setting(True),
    "activ_enc": Setting("ReLU", choices=Encoder.ACTIVATIONS),
    "enc_scale": Setting(0.12, 1e-3),
    "noise_enc": Setting(False),
    "task": Setting(CENT_OUT),
    "n_dim": Setting(2, 1),
    "n_sd_in": Setting(2.0, 0),
    "dist": Setting("gauss", choices=("gauss", "gumbel")),
    "corr": Setting(0.0, -1),
    "ar_coef": Setting(0.7, -1),
    "bound": Setting(5.0, 0),
    "n_grid": Setting(4, 2),
    "rule_input": Setting(False),
    "fixation": Setting(100, 0),
    "stimulus": Setting(2000, 1),
    "delay": Setting(0, 0),
    "decision": Setting(100, 0),
    "dt": Setting(100, 1),
    "n_batch": Setting(100_000),  # 0: untrained
    "batch_sz": Setting(16, 1),
    "lr": Setting(1e-3, 0),
    "CE_loss": Setting(True),
    "bal_err": Setting(False),
    "pen_end": Setting(False),
    "rand_pen": Setting(False),
    "trial_num": Setting(1, 1),
    "run": Setting(0, 0),
}
DIFFERS: dict[str, Config] = {  # where the paper used something else, by network or task
    "gpt-2": {"n_batch": 20_000},
    "LinearClassificationBound": {"lr": 3e-3},
}
OWN = ("n_task", "run", "seed")  # in what networks of one ensemble may differ
NEEDED = ("network", "task", *OWN)  # every checkpoint has said these from the beginning

# Settings of the scripts behind the results in Data/
_ANALYSIS = {"seed": 0, "n_trial": 256, "n_fit": 2048, "n_grid": 8, "n_fine": 61, "rule": 0}
_SEARCH: Config = {
    "n_start": 128,
    "jitter": None,
    "jitters": (0, 0.1, 1, 6),
    "n_repeat": 64,
    "n_iter": 100,
}
_SEARCH |= {"tol_fixed": 1e-8, "tol_slow": 0.05, "tol_unique": (1e-6, 1e-3, 0.1), "near": 0.5}
_SEARCH |= {"n_free": 100, "nudge": 0.01, "n_near": 10}
_ADAM = {"n_batch": "paper", "batch_sz": 16, "lr": 3e-3}
_TRIALS = {"n_test": 640, "n_ridge": 1024, "split_var": None, "step": (), "stimulus": ()}
_FEW_SHOT: Config = {"n_example": (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)}
_FEW_SHOT |= {"n_boundary": 20, "offset": 0.1, "C": 100.0, "n_test": 2000}
MEASUREMENTS: dict[str, Config] = {
    "generalize": {"decoder": "adam", "n_fit": 5, **_ADAM, **_TRIALS, "seed": 0},
    "few_shot": {**_FEW_SHOT, "seed": 0},
    "optimality": {"n_trial": 4000, "stimulus": (), "n_bin": 20, "seed": 0},
    "sparsity": {"n_stimulus": 1000, "confidence": 0.95, "seed": 0},
    "causal": {"n_seen": (10, 20), "size": 0.1, "within": 2.0, "n_fit": 2048, "n_trial": 1024}
    | {"n_silenced": 256, "seed": 0},
    "analyze": {**_ANALYSIS, **_SEARCH},
    "analyze_transformer": _ANALYSIS,
    "analyze_readouts": {"n_step": 32000, "n_trial": 4096, "seed": 0},
}


def paper_settings(network: str = "RNN", task: str = CENT_OUT) -> Config:
    """The paper's settings of such networks, with what these leave no choice about."""
    general = {name: setting.paper for name, setting in PAPER.items()}
    named = {"network": network, "task": task}
    differs = {**DIFFERS.get(network, {}), **DIFFERS.get(task, {})}
    return {**general, **named, **differs, **fixed_settings(network, task)}


def fixed_settings(network: str, task: str) -> Config:
    """Settings that the network or the task leaves no choice about."""
    own = NETWORKS[network].FIXED if network in NETWORKS else {}
    return {**own, **tasks.find_task(task).FIXED}


def complete(values: Config) -> Config:
    """Settings of one network: `values`, "paper" replaced, and the paper's where there is none.

    The short cuts `corr` and `autocorr` choose the task.

    Raises:
        UserError: settings that cannot be meant, or that nothing would use.
    """
    values = {**values}
    named = values.get("task", CENT_OUT)
    shortcuts = {CORR: values.get("corr"), AUTOCORR: values.pop("autocorr", False)}
    chosen = [task for task, wanted in shortcuts.items() if wanted]
    if len(chosen) > 1:
        raise UserError("autocorr and corr are two different tasks; choose one")
    if chosen and named not in (CENT_OUT, chosen[0]):
        setting = "corr" if chosen == [CORR] else "autocorr"
        raise UserError(f"{setting} is for the task {chosen[0]}, not for {named}")
    values["task"] = task = (chosen or [named])[0]
    network = values.get("network", "RNN")
    if network not in NETWORKS:
        raise UserError(f"no network {network}; networks: {', '.join(NETWORKS)}")
    papers = paper_settings(network, task)
    for name, fixed in fixed_settings(network, task).items():
        if values.get(name, fixed) not in (fixed, PAPER[name].paper, "paper"):
            where = f"{network} on {task} leaves no choice of {name}"
            raise UserError(f"{where}: it is {fixed}, not {values[name]}")
        values[name] = fixed
    chosen_values = {name: value for name, value in values.items() if value != "paper"}
    config = as_numbers({**papers, **chosen_values})
    check_values(config)
    check_combinations(config)
    return config


def network_configs(config: Any) -> list[Config]:
    """Settings of each network of an ensemble, in the order n_task, run.

    Args:
        config: `train.Config`, or a dict like it; `n_task` and `runs` name several networks.
    """
    values = config if isinstance(config, dict) else vars(config)
    known = {*PAPER, "autocorr", "runs"}
    if unknown := set(values) - known if isinstance(config, dict) else set():
        raise UserError(f"there is no setting {unknown.pop()}")
    for name in ("n_task", "runs"):
        if not isinstance(values[name], (tuple, list)):
            raise UserError(f"{name} takes several numbers, as (24,), not {values[name]!r}")
        if not values[name]:
            raise UserError(f"{name} needs at least one number")
        if len(set(values[name])) < len(values[name]):
            raise UserError(f"{name} names a number twice: {' '.join(map(str, values[name]))}")
    shared = {name: value for name, value in values.items() if name in {*PAPER, "autocorr"}}
    first = complete({**shared, "n_task": values["n_task"][0], "run": min(values["runs"])})
    configs = [{**first, "n_task": n, "run": r} for n in values["n_task"] for r in values["runs"]]
    for each in configs:
        check_values(each)
    return configs


def as_numbers(config: Config) -> Config:
    """Whole numbers as floats where the paper's value is one: 3 and 3.0 are one condition."""
    floats = {name for name, setting in PAPER.items() if isinstance(setting.paper, float)}
    return {k: float(v) if k in floats and type(v) is int else v for k, v in config.items()}


def check_values(config: Config) -> None:
    """Raise UserError for a value of the wrong type or out of range."""
    for name, (paper, low, below, choices) in PAPER.items():
        value, wants = config[name], "|".join(choices) or "a word"
        if isinstance(paper, str):
            right = isinstance(value, str) and (not choices or value in choices)
        elif isinstance(paper, bool):
            right, wants = isinstance(value, bool), "True or False"
        else:
            kinds: Any = int if isinstance(paper, int) else (int, float)
            right = isinstance(value, kinds) and not isinstance(value, bool)
            right = right and low <= value < below
            wants = f"a {'whole ' if kinds is int else ''}number of at least {low}"
            wants += f" and below {below}" if below < math.inf else ""
        if not right:
            raise UserError(f"{name} must be {wants}, not {value!r}")


def check_combinations(config: Config) -> None:
    """Raise UserError for settings that make no sense together, or that nothing would use."""
    network, task = config["network"], config["task"]
    task_class = tasks.find_task(task)
    if not issubclass(task_class, tasks.Classification):
        raise UserError(f"{task} is for decoders; train.py trains classification tasks")
    kinds: list[Any] = [*NETWORKS.values(), *tasks.TASKS.values()]
    papers = paper_settings(network, task)
    used = {*NETWORKS[network].SETTINGS, *task_class.SETTINGS, *tasks.PERIODS}
    for name in sorted({s for kind in kinds for s in kind.SETTINGS} - used):
        if config[name] != papers[name]:
            raise UserError(
                f"{name} = {config[name]} has no meaning for {network} on {task}; leave it out, or "
                f"at the paper's {papers[name]}"
            )
    if "tau" in used and config["dt"] > config["tau"]:
        raise UserError(f"tau must be at least dt = {config['dt']} ms, not {config['tau']}")
    penalties = [name for name in ("bal_err", "pen_end", "rand_pen") if config[name]]
    if len(penalties) > 1:
        raise UserError(f"{' and '.join(penalties)} contradict each other; choose one")
    if not task_class.n_fix and config["bal_err"]:
        raise UserError(f"bal_err balances the decision period, and {task} has none")
    if not config["encode"] and config["noise_enc"]:
        raise UserError("noise_enc adds noise after the encoder, and there is none (no-encode)")
    if not config["encode"] and config["activ_enc"] != papers["activ_enc"]:
        raise UserError("activ_enc is the encoder's, and there is none (no-encode)")
    mixes = config["encode"] and config["activ_enc"] in ("Fourier", "ScaledReLU")
    if not mixes and config["enc_scale"] != papers["enc_scale"]:
        raise UserError("enc_scale is for activ_enc Fourier or ScaledReLU; leave it out")
    shaped = ["dist"] if config["dist"] != "gauss" else []
    shaped += [task] if task in (ANISOT, AUTOCORR) else []
    if config["noise_enc"] and shaped:
        raise UserError(f"noise_enc replaces the noise of the evidence; leave out {shaped[0]}")


def check_saved(config: Any) -> Config:
    """Settings found in a checkpoint, complete; one made before a setting existed has the paper's.

    Raises:
        UserError: what is missing or cannot be used.
    """
    if not isinstance(config, dict):
        raise UserError("its config is not a dict")
    missing = [name for name in NEEDED if name not in config]
    if missing:
        raise UserError(f"its config has no {missing[0]}")
    if "diverged_at" in config:
        raise UserError("this network diverged in training and was not finished")
    for name, table in (("network", NETWORKS), ("task", tasks.TASKS)):
        if config[name] not in table:
            raise UserError(f"its config has {name} = {config[name]!r}")
    if not issubclass(tasks.TASKS[config["task"]], tasks.Classification):
        raise UserError(f"its config has task = {config['task']}, which is for decoders")
    config = as_numbers({**paper_settings(config["network"], config["task"]), **config})
    try:
        check_values(config)
    except UserError as error:
        raise UserError(f"its config cannot be used: {error}") from None
    return config


# ------------------------------------------------------------------ names and seeds


def differing(config: Config) -> Config:
    """In what a network differs from the paper's of its architecture and task, but for `OWN`."""
    papers = {**paper_settings(config["network"], config["task"]), "task": CENT_OUT}
    aside = ("network", "n_task", "run")
    return {k: config[k] for k, v in papers.items() if k not in aside and config[k] != v}


def condition(config: Config) -> str:
    """Name of the networks that differ in `run` alone: 'RNN_nTask24_activ_encQuad'."""
    words = "".join(f"_{name}{value}" for name, value in differing(config).items())
    return f"{config['network']}_nTask{config['n_task']}{words}"


def label(config: Config) -> str:
    """File name of a network, without its ending."""
    return f"{condition(config)}_run{config['run']}"


def ensemble_name(configs: list[Config]) -> str:
    """Name of the log and the snapshot of an ensemble, from its networks' settings."""
    key = hashlib.sha256(json.dumps(configs, sort_keys=True).encode()).hexdigest()[:8]
    return f"ensemble_{key}"


def network_files(settings: Config, folder: Path) -> dict[Path, Config]:
    """Settings of each network by its file in a folder; arguments as `network_configs`."""
    return {folder / f"{label(c)}.pth": c for c in network_configs(settings)}


def seeds_of(config: Config) -> dict[str, int]:
    """Independent seeds of one network, from its own settings alone.

    Networks that differ only in architecture share encoder and data, so that architectures are
    compared on the same trials.

    Returns:
        'task' (boundaries drawn at random), 'encoder', 'weights', 'data', 'noise'.
    """
    names = ("task", "encoder", "weights", "data", "noise")
    own = [config[name] for name in ("seed", "run", "n_task", "n_dim")]
    words = np.random.SeedSequence(own).generate_state(len(names), np.uint64)
    return {name: int(word >> np.uint64(1)) for name, word in zip(names, words, strict=True)}
