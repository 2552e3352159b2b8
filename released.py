"""The authors' released networks: their settings, read from tensor shapes and from the file name.

    LinProbSigmoidSL64LSTMbatch1e5LR0.001Noise2NetN0nTrial1CElossnTask24run1.pth

Their files hold no settings (SPEC 8). Nowhere else is a file name parsed. What neither shapes nor
name say is asked for in one line, and given with `--assume n_task=24 leaky=False`.
"""

import re
from pathlib import Path

import numpy as np
import torch

from util import UserError

NAMING = re.compile(r"Lin(?P<kind>Prob|Bound)(Sigmoid|Tanh)SL\d+.*batch.*LR.*Noise")
number = r"(\d+(?:\.\d+)?(?:e-?\d+)?)"
TOKENS = {  # setting -> how a name gives it, its type, and what a name without it means
    "n_neu": (rf"SL{number}", int, None),
    "n_batch": (rf"batch{number}", int, None),
    "lr": (rf"LR{number}", float, None),
    "n_sd_in": (rf"(?<!Net)Noise{number}", float, None),
    "n_sd_net": (rf"NetN{number}", float, 0.0),
    "trial_num": (rf"nTrial{number}", int, 1),
    "n_dim": (rf"nDim{number}", int, None),
    "corr": (rf"Corr{number}", float, 0.0),
    "n_layer": (rf"nLayer{number}", int, None),
    "n_head": (rf"nHead{number}", int, None),
    "n_task": (rf"nTask{number}", int, 2),
    "run": (rf"run{number}", int, 0),
}
DEFAULTS = {  # what all of their networks share, and what does not matter to a trained network
    "activation": "relu",
    "init": "default",
    "tau": 100,
    "n_layer": 1,
    "n_head": 8,
    "dropout": 0.1,
    "noise_enc": False,
    "dist": "gauss",
    "corr": 0.0,
    "ar_coef": 0.7,
    "bound": 5.0,
    "rule_input": False,
    "fixation": 100,
    "stimulus": 2000,
    "delay": 0,
    "decision": 100,
    "dt": 100,
    "batch_sz": 16,
    "n_batch": 100_000,
    "lr": 0.001,
    "bal_err": False,
    "pen_end": False,
    "rand_pen": False,
    "trial_num": 1,
    "run": 0,
    "seed": 0,
}
MATTERS = ("n_task", "n_sd_in", "leaky", "n_sd_net", "activ_enc", "n_head", "CE_loss")


def plain_tensors(content):
    """A file's dicts with NumPy arrays as tensors, floats in single precision."""
    if isinstance(content, dict):
        return {str(key): plain_tensors(value) for key, value in content.items()}
    if isinstance(content, np.ndarray):
        content = torch.from_numpy(np.ascontiguousarray(content))
    if isinstance(content, torch.Tensor):
        return content.float() if content.is_floating_point() else content
    return content


def parse_assumed(words, kinds):
    """('n_task=24', 'leaky=False') as a dict.

    Args:
        words: as given on the command line.
        kinds: `model.CONFIG`.

    Raises:
        UserError: an unknown setting, or a value that is not of its type.
    """
    assumed = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or name not in kinds:
            raise UserError(f"assume takes setting=value, such as n_task=24, not {word}")
        kind = kinds[name][0]
        try:
            if kind is bool:
                value = {"True": True, "False": False}[text]
            elif kind is int:
                value = int(text)
            else:
                value = text if isinstance(kind[0], str) else float(text)
        except (KeyError, ValueError):
            raise UserError(f"assume: {text} is no value for {name}") from None
        assumed[name] = value
    return assumed


def config_of(path, content, assumed):
    """Settings of one of their networks.

    Args:
        path: its file, for the name.
        content: what is in it, after `plain_tensors`.
        assumed: dict of settings that the user gives.

    Returns:
        dict as in our checkpoints.

    Raises:
        UserError: tensors of no known network; name and shapes that contradict each other; settings
            that nothing says.
    """
    seen = from_shapes(content["state_dict"], content["encoder"])
    said = from_name(Path(path).stem)
    for setting, value in {**said, **assumed}.items():
        if setting in seen and seen[setting] != value:
            source = "you say" if setting in assumed else "its name says"
            words = f"{source} {setting} = {value}, its tensors {seen[setting]}"
            raise UserError(words)
    known = {**said, **seen, **assumed}
    if known["network"] != "RNN":
        known |= {"leaky": True, "n_sd_net": 0.0}
    if known["network"] != "gpt-2":
        known["n_head"] = DEFAULTS["n_head"]
    if not known["encode"]:
        known["activ_enc"] = "ReLU"
    gaps = [setting for setting in MATTERS if setting not in known]
    if gaps:
        raise UserError(
            f"nothing says its {', '.join(gaps)}; give them with --assume {gaps[0]}=... (a name "
            "like the authors' LinProbSigmoidSL64...nTask24.pth would say)"
        )
    free = known.pop("n_fix") == 0
    if "task" not in known:
        high = "HighDim" if known["n_dim"] > 2 else "Corr" if known.get("corr") else "CentOut"
        known["task"] = f"LinearClassification{'Bound' if free else high}"
    config = {**DEFAULTS, **({"fixation": 0, "decision": 0} if free else {}), **known}
    return config


def from_shapes(state, encoder):
    """What tensors say: network, n_neu, n_layer, n_dim, encode, n_fix."""
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    kinds = {
        "RNN": "inp_to_rec.weight",
        "LSTM": "weight_ih_l0",
        "gpt-2": "input_projection.weight",
    }
    found = {}
    for network, key in kinds.items():
        if key in tensors and tensors[key].ndim == 2:
            found["network"] = network
            n_out, n_in = tensors[key].shape
    if not found:
        raise UserError("its tensors are those of no known network")
    gates = n_out // tensors["weight_hh_l0"].shape[-1] if "weight_hh_l0" in tensors else 1
    if found["network"] == "LSTM" and gates == 3:
        found["network"] = "GRU"
    found["n_neu"] = n_out // gates
    if found["network"] == "gpt-2":
        layers = [re.match(r"transformer\.h\.(\d+)\.", key) for key in tensors]
        found["n_layer"] = 1 + max((int(m[1]) for m in layers if m), default=0)
    first, last = encoder.get("0.weight"), encoder.get("4.weight")
    if isinstance(first, torch.Tensor) and isinstance(last, torch.Tensor) and n_in >= len(last):
        found |= {"encode": True, "n_dim": first.shape[1], "n_fix": n_in - len(last)}
    else:  # two or more factors and a fixation channel, or two factors alone
        found |= {"encode": False, "n_fix": int(n_in > 2), "n_dim": n_in - int(n_in > 2)}
    if found["n_fix"] not in (0, 1):
        raise UserError(f"its {n_in} inputs are not those of the paper's tasks")
    return found


def from_name(name):
    """What a name in the authors' manner says; nothing for any other name."""
    naming = NAMING.match(name)
    if not naming:
        return {}
    said = {
        "network": "LSTM" if "LSTM" in name else "gpt-2" if "gpt-2" in name else "RNN",
        "leaky": "NoLeak" not in name,
        "CE_loss": "CEloss" in name,
        "activ_enc": "Quad" if "Quad" in name else "ReLU",
        "n_fix": 0 if naming["kind"] == "Bound" else 1,
    }
    if "Mix" in name:
        said["encode"] = True
    for setting, (pattern, kind, without) in TOKENS.items():
        match = re.search(pattern, name)
        if match:
            said[setting] = kind(float(match[1]))
        elif without is not None:
            said[setting] = without
    return said
