"""The border to the authors' files: the only place where names are parsed.

Their networks hold no settings. These are read from tensor shapes and from the file name, such as
LinProbSigmoidSL64LSTMbatch1e5LR0.001Noise2NetN0nTrial1CElossnTask24run1.pth. What neither says is
asked for in one line, and given with `--assume n_task=24 leaky=False`.

Their results are .npz per condition and measure, as `generalize.py --out X.npz` and sparsity.py
write them too (docs/protocol.md, Files). `table_of` makes a tidy table of them:

    python released.py Data_of_the_authors        writes Data_of_the_authors/results.csv
"""

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import tyro

import settings
import table
import util
from settings import PAPER
from util import UserError

NAMING = re.compile(r"Lin(Prob|Bound)(Sigmoid|Tanh)SL\d+.*batch.*LR.*Noise")  # their networks
LABEL = re.compile(r"([^_]+)_nTask(\d+)(.*)_run(\d+)\.pth")  # ours
WORDS = re.compile(f"_({'|'.join(sorted(PAPER, key=len, reverse=True))})")  # in the middle of ours
NUMBER = r"(\d+(?:\.\d+)?(?:e-?\d+)?)"
# setting -> what stands before its value in a name
TOKENS = {"n_neu": "SL", "n_batch": "batch", "lr": "LR", "n_sd_in": "(?<!Net)Noise"}
TOKENS |= {"n_sd_net": "NetN", "trial_num": "nTrial", "n_dim": "nDim", "corr": "Corr"}
TOKENS |= {"n_layer": "nLayer", "n_head": "nHead", "n_task": "nTask", "run": "run"}
# word in a name -> setting
MARKS = {"LSTM": "network=LSTM", "GRU": "network=GRU", "gpt|GPT": "network=gpt-2"}
MARKS |= {"NoLeak": "leaky=False", "Quad": "activ_enc=Quad", "Gumbel": "dist=gumbel"}
MARKS |= {"NoiseEnc": "noise_enc=True", "Bound": "task=LinearClassificationBound"}
MARKS |= {"Multiply": "task=MultiplyClassificationFull", "Context": "task=ContextDependent"}
MARKS |= {"Anisot": f"task={settings.ANISOT}", "Autocorr": f"task={settings.AUTOCORR}"}
# what the name of a network means where it lacks a token
WITHOUT = {"network": "RNN", "leaky": True, "activ_enc": "ReLU", "n_sd_net": 0.0, "corr": 0.0}
WITHOUT |= {"trial_num": 1, "n_task": 2, "run": 0}
MATTERS = ("n_task", "n_sd_in", "leaky", "n_sd_net", "activ_enc", "n_head", "CE_loss")


def said_by(name: str) -> settings.Config:
    """Settings whose tokens and marks are in a name."""
    said = table.parse_settings(word for mark, word in MARKS.items() if re.search(mark, name))
    for setting, token in TOKENS.items():
        if match := re.search(token + NUMBER, name):
            said[setting] = type(PAPER[setting].paper)(float(match[1]))
    return said


def completed(known: settings.Config) -> settings.Config:
    """All settings of a network of which some are known; the others are the paper's."""
    high = "HighDim" if known.get("n_dim", 2) > 2 else "Corr" if known.get("corr") else "CentOut"
    known = {"network": "RNN", "task": f"LinearClassification{high}", **known}
    return {**settings.paper_settings(known["network"], known["task"]), **known}


# ------------------------------------------------------------------ networks


def plain_tensors(content: Any) -> Any:
    """A file's dicts with NumPy arrays as tensors, floats in single precision."""
    if isinstance(content, dict):
        return {str(key): plain_tensors(value) for key, value in content.items()}
    if isinstance(content, np.ndarray):
        content = torch.from_numpy(np.ascontiguousarray(content))
    if isinstance(content, torch.Tensor):
        return content.float() if content.is_floating_point() else content
    return content


def config_of(path: Path | str, content: dict, assumed: settings.Config) -> settings.Config:
    """Settings of one of their networks, whose `content` went through `plain_tensors`.

    Raises:
        UserError: tensors of no known network; name, shapes and what the user gives, `assumed`,
            contradict each other; settings that nothing says.
    """
    seen, name = from_shapes(content["state_dict"], content["encoder"]), Path(path).stem
    said: settings.Config = {}
    if naming := NAMING.match(name):
        said = {**WITHOUT, "CE_loss": "CEloss" in name, **said_by(name)}
        said |= {"n_fix": int(naming[1] == "Prob"), **({"encode": True} if "Mix" in name else {})}
    for setting, value in {**said, **assumed}.items():
        if setting in seen and seen[setting] != value:
            source = "you say" if setting in assumed else "its name says"
            raise UserError(f"{source} {setting} = {value}, its tensors {seen[setting]}")
    known = {**said, **seen, **assumed}
    if known["network"] != "RNN":
        known |= {"leaky": True, "n_sd_net": 0.0}
    if known["network"] != "gpt-2":
        known["n_head"] = PAPER["n_head"].paper
    if not known["encode"]:
        known["activ_enc"] = "ReLU"
    if gaps := [setting for setting in MATTERS if setting not in known]:
        ask = f"give them with --assume {gaps[0]}=... (a name like the authors'"
        raise UserError(
            f"nothing says its {', '.join(gaps)}; {ask} LinProbSigmoidSL64...nTask24.pth would say)"
        )
    bound = {} if known.pop("n_fix") else {"task": "LinearClassificationBound"}
    return completed({**bound, **known})


def from_shapes(state: dict, encoder: dict) -> settings.Config:
    """What tensors say: network, n_neu, n_layer, n_dim, encode, n_fix."""
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    kinds = {"inp_to_rec.weight": "RNN", "weight_ih_l0": "LSTM", "input_projection.weight": "gpt-2"}
    inputs = [key for key in kinds if key in tensors and tensors[key].ndim == 2]
    if not inputs:
        raise UserError("its tensors are those of no known network")
    found: settings.Config = {"network": kinds[inputs[-1]]}
    n_out, n_in = tensors[inputs[-1]].shape
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


# ------------------------------------------------------------------ results


NEEDS = {"r_sq": "r_sq", "decoders": "angles", "sparsity": "sparsity"}  # array by kind of file


def on_grid(arrays: dict[str, np.ndarray], configs: list, axis="", values=()) -> dict[str, Any]:
    """Arrays (time, net, ...) as the authors', (n_tasks, runs, ...), NaN where no network is.

    With an `axis` of times, 'step' or 'stimulus', of these `values`, it is the first; an n_tasks
    axis of length 1 is then left out.
    """
    n_tasks, row = np.unique([c["n_task"] for c in configs], return_inverse=True)
    runs, column = np.unique([c["run"] for c in configs], return_inverse=True)
    found: dict[str, Any] = {"n_tasks": n_tasks, "runs": runs}
    found |= {"timing" if axis == "stimulus" else axis: values} if axis else {}
    for name, own in arrays.items():
        shape = len(own), len(n_tasks), len(runs), *own.shape[2:]
        grid = np.full(shape, np.nan, own.dtype)
        grid[:, row, column] = own
        found[name] = grid[0] if not axis else grid[:, 0] if len(n_tasks) == 1 else grid
    return found


def _networks_in(arrays: dict[str, np.ndarray], name: str, cells: list) -> dict[tuple, dict]:
    """Settings of a file's networks by (n_task, run), by their own names or that of the file."""
    found = []
    for network in arrays.get("networks", np.array([])).tolist():
        if label := LABEL.fullmatch(network):
            words = WORDS.sub(r" \1=", label[3])  # '_corr0.4' as ' corr=0.4'
            own = {"n_task": int(label[2]), "run": int(label[4])}
            found.append({**table.settings_of(words, label[1]), **own})
        elif NAMING.match(network):
            found.append(completed({**WITHOUT, **said_by(network)}))
    found = found or [{**completed(said_by(name)), "n_task": n, "run": run} for n, run in cells]
    return {(config["n_task"], config["run"]): config for config in found}


def _file_rows(path: Path, arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Rows of one .npz; measure, decoder and networks are told by its contents or its name."""
    if "perc" in arrays:  # of Figure S3: lower quartile, median, upper quartile
        columns = [table.network_columns(completed({"corr": float(c)})) for c in arrays["corr"]]
        axes = {"fit": range(3), "at": range(len(columns))}
        rows = table.tidy(np.sort(arrays["perc"], 0), "value", **axes)
        rows = rows.join(pd.DataFrame(columns), "at")
        return rows.assign(measure="as_released_quartile", decoder="adam", series="")
    if "timing" in arrays:
        arrays.setdefault("n_tasks", np.array([PAPER["n_task"].paper]))
    if "n_tasks" not in arrays:
        raise UserError(f"{path}: has no n_tasks")
    known, n_tasks = [name for name in table.AXES if name in arrays], arrays["n_tasks"].tolist()
    runs = arrays.get("runs", np.arange(arrays[known[0]].shape[1])).tolist()
    cells = list(itertools.product(n_tasks, runs))
    by_cell = _networks_in(arrays, f"{path.parent.name} {path.stem}", cells)
    there = [i for i, cell in enumerate(cells) if cell in by_cell]
    configs = [by_cell[cells[i]] for i in there]
    made = {"decoder": "ridge" if "ridge" in path.stem else "adam", "split_var": None}
    made |= json.loads(str(arrays.get("config", "{}")))
    if "sparsity" in arrays:
        made["decoder"], times = "", pd.DataFrame({"series": [""]})
    else:
        steps, stimuli = (arrays[n].tolist() if n in arrays else [] for n in ("step", "timing"))
        times = table.time_columns(configs[0], steps, stimuli, made["split_var"])
    n_first = 3 if len(n_tasks) > 1 and {"step", "timing"} & set(arrays) else 2
    for name in known:
        shape = len(times), len(cells), *arrays[name].shape[n_first:]
        arrays[name] = arrays[name].reshape(shape)[:, there]
    told = re.search("_(ID|quadrant)$", path.stem)
    measure = told[1] if told else "quadrant" if configs[0]["n_dim"] > 2 else "as_released"
    measure = str(arrays.get("measure", measure))
    return table.rows_of(arrays, configs, times, made["decoder"], measure)


def read_folder(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of all .npz in the authors' layout below a folder, and how each entry was made."""
    frames, abouts = [pd.DataFrame(columns=table.COLUMNS)], dict[str, Any]()
    for path in sorted(folder.rglob("*.npz"), key=lambda path: str(path).lower()):
        kind = re.match("|".join(NEEDS), path.stem)
        if {"Analysis", "decoders"} & set(path.relative_to(folder).parts[:-1]):
            continue
        arrays = util.load_npz(path, (NEEDS[kind[0]],) if kind else ())
        told = {"perc", "corr"} <= arrays.keys()
        told |= "n_tasks" in arrays and bool(arrays.keys() & NEEDS.values())  # of any name
        if not kind and not told:
            continue
        try:
            frames.append(_file_rows(path, arrays))
        except util.BROKEN_FILE as error:
            raise UserError(f"{path}: its arrays do not fit each other ({error!r:.90})") from None
        about = util.about_of(arrays) or {"networks": {}, "config": {}, "machine": "-"}
        script = "sparsity" if "sparsity" in arrays else "generalize"
        entries = frames[-1][["condition", "decoder", "series"]].drop_duplicates()
        for condition, *entry in entries.itertuples(index=False):
            own = {k: v for k, v in about["networks"].items() if k.startswith(f"{condition}_run")}
            key = table.key_of(condition, script, *entry)
            abouts.setdefault(key, {**about, "networks": own or about["networks"]})
    return table.joined(frames), abouts


def table_of(folder: Path | str) -> pd.DataFrame:
    """The table, as `table.read` gives it, of the .npz below a folder; empty if there are none."""
    return table.with_settings(read_folder(Path(folder))[0])


@dataclass
class Config:
    """Make a tidy table of .npz files in the authors' layout. More: docs/extending.md."""

    folder: tyro.conf.Positional[Path]  # with their .npz in it or in folders below


def main(config: Config) -> None:
    """Write FOLDER/results.csv."""
    if not config.folder.is_dir():
        raise UserError(f"{config.folder}: no such folder")
    rows, abouts = read_folder(config.folder)
    if rows.empty:
        raise UserError(f"{config.folder}: no r_sq*.npz, decoders*.npz or sparsity*.npz in it")
    table.put(config.folder / "results.csv", rows, abouts)
    print(f"{len(rows)} rows of {len(abouts)} entries in {config.folder / 'results.csv'}")


if __name__ == "__main__":
    util.run_script(main, Config)
