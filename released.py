"""The border to the authors' files: the only place where names are parsed.

Their networks hold no settings. These are read from tensor shapes and from the file name, such as
LinProbSigmoidSL64LSTMbatch1e5LR0.001Noise2NetN0nTrial1CElossnTask24run1.pth. What neither says is
asked for in one line, and given with `--assume n_task=24 leaky=False`.

Their results are .npz per condition and measure, as `generalize.py --out X.npz` and sparsity.py
write them too (docs/protocol.md, Files). `table_of` makes a tidy table of them:

    python released.py Data_of_the_authors        writes Data_of_the_authors/results.csv
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import tyro

import settings
import table
import tasks
import theory
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
    said = parse_assumed([word for mark, word in MARKS.items() if re.search(mark, name)], PAPER)
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


def parse_assumed(words: Sequence[str], known: dict[str, settings.Setting]) -> settings.Config:
    """('n_task=24', 'leaky=False') as a dict; UserError for a setting not `known`, or its value."""
    assumed = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or name not in known:
            raise UserError(f"assume takes setting=value, such as n_task=24, not {word}")
        kind = type(known[name].paper)
        try:
            assumed[name] = {"True": True, "False": False}[text] if kind is bool else kind(text)
        except (KeyError, ValueError):
            raise UserError(f"assume: {text} is no value for {name}") from None
    return assumed


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
    gaps = [setting for setting in MATTERS if setting not in known]
    if gaps:
        raise UserError(
            f"nothing says its {', '.join(gaps)}; give them with --assume {gaps[0]}=... (a name "
            "like the authors' LinProbSigmoidSL64...nTask24.pth would say)"
        )
    if known.pop("n_fix") == 0:
        known = {"task": "LinearClassificationBound", **known}
    return completed(known)


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


AXES: dict[str, tuple[str, ...]] = {  # array -> its last axes; those before are n_tasks and runs
    "r_sq": ("split", "fit"),
    "angles": ("split", "fit", "first", "second"),
    **dict.fromkeys(("ccgp", "parallelism"), ("fit", "factor")),
    **dict.fromkeys(("ccgp_chance", "parallelism_chance"), ("factor", "measure")),
    **dict.fromkeys(table.SPARSITY, ()),
}
NEEDS = {"r_sq": "r_sq", "decoders": "angles", "sparsity": "sparsity"}  # array by kind of file
NUMBERS = ["r2", "angle", "value"]


def rows_of(arrays, configs, measure, decoder="", split_var=None) -> pd.DataFrame:
    """Rows of the table from the arrays of a file in the authors' layout.

    Args:
        arrays: dict name -> values.
        configs: settings of the networks.
        measure: of r_sq and angles.
        decoder: adam or ridge, or '' where there is none.
        split_var: as in `generalize.Config`.
    """
    when, frames, n_dim = _when(arrays, configs[0]), [], configs[0]["n_dim"]
    if split_var is not None:
        when["series"], measure = f"split_var{split_var}", measure.replace("quadrant", "split_var")
    names = {"r_sq": measure, "angles": measure if n_dim == 2 else "angles"}
    for name in [name for name in AXES if name in arrays]:
        last = arrays[name].shape[arrays[name].ndim - len(AXES[name]) :]
        values = arrays[name].reshape(len(when), len(arrays["n_tasks"]), -1, *last)
        sizes = zip(("at", "n_task", "run", *AXES[name]), values.shape, strict=True)
        labels: dict[str, Any] = {axis: np.arange(n) for axis, n in sizes}
        labels |= {"n_task": arrays["n_tasks"], "run": arrays.get("runs", labels["run"])}
        for axis in {"factor", "first", "second"} & set(labels):
            labels[axis] = [str(i + 1) for i in labels[axis]]
        if "measure" in labels:
            labels["measure"] = [name, f"{name}_5", f"{name}_95"]
        rows = table.tidy(values, {"r_sq": "r2", "angles": "angle"}.get(name, "value"), **labels)
        if "measure" not in labels:
            rows["measure"] = names.get(name, name)
        if name == "angles":
            rows["factor"] = rows["first"] + "-" + rows["second"]
        elif name == "r_sq":
            rows["factor"] = "1-2" if n_dim == 2 else ""
        of_table = name != "angles" or n_dim == 2 or measure != "ID"
        frames.append(rows if of_table else rows[:0])
    networks = pd.DataFrame([table.network_columns(c) for c in configs])
    rows = pd.concat(frames).join(when, "at").merge(networks, on=["n_task", "run"])
    return joined([rows.assign(decoder=decoder)])


def joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Rows of the same decoder or network as one; of two values for the same, the first."""
    rows = pd.concat(frames).reindex(columns=table.COLUMNS)
    keys = [name for name in table.COLUMNS if name not in NUMBERS]
    rows = rows.groupby(keys, dropna=False, sort=False)[NUMBERS].first().reset_index()
    return rows.astype(dict.fromkeys(table.SINGLE, np.float32))


def _when(arrays: dict[str, np.ndarray], config: settings.Config) -> pd.DataFrame:
    """When decoders were fitted, a row per time: series, step, stimulus, t, sigma."""
    if "sparsity" in arrays:
        return pd.DataFrame({"series": [""]})
    trained, rows = tasks.make_task(config), []
    for stimulus in arrays.get("timing", np.array([config["stimulus"]])).tolist():
        task = trained.decoding_task(0, stimulus=stimulus)
        for step in arrays.get("step", np.array([task.n_step])).tolist():
            rows.append((step, stimulus, len(range(step)[task.evidence_steps])))
    series = "stimulus" if "timing" in arrays else "step" if "step" in arrays else ""
    when = pd.DataFrame(rows, columns=["step", "stimulus", "t"])
    return when.assign(series=series, sigma=theory.sigma_of(config))


def _networks_in(arrays: dict[str, np.ndarray], name: str) -> list[settings.Config]:
    """Settings of the networks behind a file, by their own names, else by that of the file."""
    found = []
    for network in arrays.get("networks", np.array([])).tolist():
        if label := LABEL.fullmatch(network):
            words = WORDS.sub(r" \1=", label[3])  # '_corr0.4' as ' corr=0.4'
            own = {"n_task": int(label[2]), "run": int(label[4])}
            found.append({**table.settings_of(words, label[1]), **own})
        elif NAMING.match(network):
            found.append(completed({**WITHOUT, **said_by(network)}))
    runs = arrays.get("runs", np.arange(100)).tolist()
    grid = [{"n_task": n, "run": run} for n in arrays["n_tasks"].tolist() for run in runs]
    return found or [{**completed(said_by(name)), **own} for own in grid]


def _file_rows(path: Path, arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Rows of one .npz; measure, decoder and networks are told by its contents or its name."""
    if "perc" in arrays:  # of Figure S3: lower quartile, median, upper quartile
        configs = [completed({"corr": float(corr)}) for corr in arrays["corr"]]
        networks = pd.DataFrame([table.network_columns(config) for config in configs])
        levels = {"fit": range(3), "at": networks.index}
        rows = table.tidy(np.sort(arrays["perc"], 0), "value", **levels).join(networks, "at")
        return joined([rows.assign(measure="as_released_quartile", decoder="adam", series="")])
    if "timing" in arrays:
        arrays.setdefault("n_tasks", np.array([PAPER["n_task"].paper]))
    if "n_tasks" not in arrays:
        raise UserError(f"{path}: has no n_tasks")
    configs = _networks_in(arrays, f"{path.parent.name} {path.stem}")
    measure = "quadrant" if configs[0]["n_dim"] > 2 else "as_released"
    for told in ("ID", "quadrant"):
        measure = told if path.stem.endswith(f"_{told}") else measure
    decoder = "" if "sparsity" in arrays else "ridge" if "ridge" in path.stem else "adam"
    made = {"decoder": decoder, "split_var": None, **json.loads(str(arrays.get("config", "{}")))}
    told = str(arrays.get("measure", measure))
    return rows_of(arrays, configs, told, made["decoder"], made["split_var"])


def read_folder(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of all .npz in the authors' layout below a folder, and how each entry was made."""
    frames, abouts = [], dict[str, Any]()
    for path in sorted(folder.rglob("*.npz"), key=lambda path: str(path).lower()):
        kind = re.match("|".join(NEEDS), path.stem)
        if {"Analysis", "decoders"} & set(path.relative_to(folder).parts[:-1]):
            continue
        arrays = util.load_npz(path, (NEEDS[kind[0]],) if kind else ())
        if not kind and not {"perc", "corr"} <= set(arrays):
            continue
        frames.append(_file_rows(path, arrays))
        about = util.about_of(arrays) or {"networks": {}, "config": {}, "machine": "-"}
        script = "sparsity" if "sparsity" in arrays else "generalize"
        entries = frames[-1][["condition", "decoder", "series"]].drop_duplicates()
        for condition, *entry in entries.itertuples(index=False):
            own = {k: v for k, v in about["networks"].items() if k.startswith(f"{condition}_run")}
            key = table.key_of(condition, script, *entry)
            abouts.setdefault(key, {**about, "networks": own or about["networks"]})
    return joined(frames) if frames else pd.DataFrame(columns=table.COLUMNS), abouts


def table_of(folder: Path | str) -> pd.DataFrame:
    """The table, as `table.read` gives it, of the .npz below a folder; empty if there are none."""
    return table.with_settings(read_folder(Path(folder))[0])


@dataclass
class Config:
    """Make a tidy table of .npz files in the authors' layout."""

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
