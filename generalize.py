"""Out-of-distribution generalisation of trained, frozen networks (Figure 3, section 3.1).

    python generalize.py --networks trained_networks
    python generalize.py --networks trained_networks --in_distribution --out r_sq_ID.npz
    python generalize.py --networks trained_networks --decoder ridge --step 2 5 10 20    r2 in time
    python generalize.py --networks free_rt --stimulus 500 1000 5000    other trial durations

A linear decoder is trained to read x* from the representation at the last step. OOD: it sees three
quadrants of x* and is tested on the fourth, each in turn. ID: it sees and is tested on all four.
The OOD test comes in two versions. held_out = 'quadrant' tests on the quadrant held out.
held_out = 'as_released' is what the authors' released D = 2 evaluation does: of its four splits,
the two that hold out (-,+) or (+,-) are tested on the quadrants (+,+) and (-,-), which their
decoder was trained on. Every run measures ID and both OOD versions. Instead of a quadrant,
`--split_var` holds out one sign of one factor. Beside r2 stand measures of the representation
alone, CCGP and parallelism score of the two factors that name the quadrants (`abstraction.py`).

Results go into a tidy table (.csv, see `table.py`), decoders into a folder `decoders` beside it.
"""

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

import abstraction
import checkpoint
import decoders
import released
import settings
import table
import theory
import util
from decoders import MEASURES, QUADRANTS, Splits, States
from util import UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell."""

    networks: tuple[str, ...] = ("trained_networks",)  # files, folders or globs
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as n_task=24 leaky=False
    decoder: Literal["adam", "ridge"] = "adam"  # adam: as in the paper; ridge: closed form
    n_fit: int = 5  # decoders per network and split, each with fresh trials
    n_batch: int | Literal["paper"] = "paper"  # of adam; 3000 to N_task = 3, 2000 to 6, else 1000
    batch_sz: int = 16  # trials per batch
    lr: float = 3e-3  # learning rate of adam decoders
    n_test: int = 640  # test trials per decoder; 40 batches of 16
    n_ridge: int = 1024  # trials per quadrant and fit of ridge decoders
    split_var: int | None = None  # hold out one sign of this factor, from 0, instead of a quadrant
    step: tuple[int, ...] = ()  # decode after so many steps of the trial; none: after all of them
    stimulus: tuple[int, ...] = ()  # ms, decode with such stimuli; none: as in training
    seed: int = 0  # of decoders and their trials
    out: Path | None = None  # .csv, or .npz as the authors'; None: results.csv by the networks
    overwrite: bool = False  # replace what was made with other settings
    save_decoders: bool = True  # write their weights too; in .npz with the angles between columns
    in_distribution: bool = False  # .npz: save the ID measure as r_sq
    held_out: Literal["quadrant", "as_released"] = "quadrant"  # .npz: save this OOD measure as r_sq
    # .npz: write X.npz (as released), X_quadrant.npz and X_ID.npz for out X; with D > 2 or
    # split_var, where the released test is none, X.npz (held out) and X_ID.npz
    every_measure: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: a GPU if there is one

    def check(self) -> None:
        """Raise UserError for settings that cannot be meant."""
        lows = {"n_fit": 1, "batch_sz": 1, "n_test": 4, "seed": 0, "n_ridge": 100}
        for name, low in (lows if self.n_batch == "paper" else {**lows, "n_batch": 1}).items():
            if getattr(self, name) < low:
                raise UserError(f"{name} must be at least {low}, not {getattr(self, name)}")
        one = self.every_measure and (self.in_distribution or self.held_out != "quadrant")
        quadrants = self.split_var is not None and self.held_out == "as_released"
        for wrong, words in (
            (len(set(self.step)) < len(self.step), "step names a number twice"),
            (len(set(self.stimulus)) < len(self.stimulus), "stimulus names a number twice"),
            (self.step and self.stimulus, "step and stimulus are two axes; choose one"),
            (not 0 < self.lr < math.inf, f"lr must be a positive number, not {self.lr}"),
            (one, "every_measure saves all three; leave out in_distribution and held_out"),
            (quadrants, "as_released is a test of quadrants; leave out split_var or held_out"),
        ):
            if wrong:
                raise UserError(words)

    @property
    def when(self) -> tuple[str, list[dict[str, int]]]:
        """When decoders are fitted: '', 'step' or 'stimulus', and each as arguments of `States`."""
        axis = "step" if self.step else "stimulus" if self.stimulus else ""
        return axis, [{axis: value} for value in self.step or self.stimulus] or [{}]


NETS_AT_ONCE = 64  # networks decoded side by side; more take too much memory
ABSTRACTION = 2**32  # number of the first fit of abstraction measures, beyond those of decoders
DECODERS = ("dec", "dec_ID")
LABELS = {"ccgp": "CCGP", "parallelism": "parallelism"}  # in the printed table
Arrays = dict[str, np.ndarray]
Networks = dict[Path, settings.Config]  # settings by checkpoint


def decode(source: States, configs: list[settings.Config], config: Config, show: Any) -> Arrays:
    """Fit and test decoders of networks at one time.

    Returns:
        r2 (net, split, fit) by measure; dec, dec_ID (net, split, fit, unit, D); and what
        `abstraction.abstraction` does.
    """
    device, fits = util.pick_device(config.device), range(config.n_fit)
    rngs = [decoders.fit_generators(config, configs, fit, device) for fit in fits]
    fit_decoders = decoders.fit_ridge if config.decoder == "ridge" else decoders.fit_adam
    weight, bias = fit_decoders(source, configs, config, rngs, show)
    found = decoders.test_decoders(source, config.n_test, rngs, weight, bias)
    found["dec"], found["dec_ID"] = np.split(weight.transpose(1, 2).cpu().numpy(), 2, axis=1)
    rngs = [decoders.fit_generators(config, configs, ABSTRACTION + fit, device) for fit in fits]
    return found | abstraction.abstraction(source, rngs)


def generalize(networks: Networks, model: Any, config: Config) -> Arrays:
    """Decode the networks of an ensemble.

    Returns:
        what `decode` does, with axes (when, n_task, run, ...), NaN where a network is not there;
        n_tasks, runs; t (when,), samples of evidence seen.
    """
    model.to(util.pick_device(config.device))
    paths, configs = list(networks), list(networks.values())
    splits, (_, at_each) = Splits(configs[0]["n_dim"], config.split_var), config.when
    times = [States(model, configs, splits, **when).t for when in at_each]  # checks them first
    axes = {name: np.unique([c[name] for c in configs]) for name in ("n_task", "run")}
    found = {"n_tasks": axes["n_task"], "runs": axes["run"], "t": np.array(times)}
    groups: dict[int, list[int]] = {}  # Adam's number of batches depends on N_task
    for net, c in enumerate(configs):
        n_step = config.n_fit if config.decoder == "ridge" else decoders.n_batch_of(config, c)
        groups.setdefault(n_step, []).append(net)
    total = len(at_each) * sum(n_step * len(nets) for n_step, nets in groups.items())
    pieces = [
        x[i : i + NETS_AT_ONCE] for x in groups.values() for i in range(0, len(x), NETS_AT_ONCE)
    ]
    with tqdm(total=total, unit=" network steps", disable=None) as show:
        for nets in pieces:
            few, own = copy.deepcopy(model), [configs[net] for net in nets]
            few.keep(nets)
            row, column = (np.searchsorted(x, [c[name] for c in own]) for name, x in axes.items())
            for i, when in enumerate(at_each):
                new = decode(States(few, own, splits, **when), own, config, show)
                bad = ~np.isfinite([new[measure] for measure in MEASURES]).all((0, 2, 3))
                if bad.any():
                    raise UserError(f"{paths[nets[bad.argmax()]]}: its decoders diverged; lower lr")
                for name, values in new.items():
                    if name not in found:
                        shape = (len(at_each), *map(len, axes.values()), *values.shape[1:])
                        found[name] = np.full(shape, np.nan, values.dtype)
                    found[name][i, row, column] = values
    return found


def report(found: Arrays, sigma: float, config: Config) -> str:
    """The table of medians and quartiles, as Markdown, and what chance gives."""
    axis, at_each = config.when
    header = [axis] if axis else []
    header += ["N_task", "networks", "splits x fits", "ID", "OOD held out", "OOD as released"]
    header += ["gap", "theory 1 - 12 sigma^2 / t", "angle", *LABELS.values()]
    angles = decoders.column_angles(found["dec_ID" if config.in_distribution else "dec"])
    rows, words = [], []
    for i, (when, t) in enumerate(zip(at_each, found["t"], strict=True)):
        for k, n_task in enumerate(found["n_tasks"]):
            values = {name: found[name][i, k] for name in (*MEASURES, *LABELS)}
            n_run, n_split, n_fit = values["ID"].shape
            n_net = n_run - int(np.isnan(values["ID"][:, 0, 0]).sum())
            gap = np.nanmedian(values["ID"]) - np.nanmedian(values["quadrant"])
            best = "-" if t == 0 or math.isnan(sigma) else f"{theory.r2_mean(t, sigma):.3f}"
            texts = [util.quartiles(values[measure]) for measure in MEASURES]
            rows.append([*when.values(), n_task, n_net, f"{n_split} x {n_fit}", *texts])
            rows[-1] += [f"{gap:.3f}", best, util.quartiles(angles[i, k], 0)]
            rows[-1] += [util.quartiles(values[name]) for name in LABELS]
    for name, label in LABELS.items():
        chance = found[f"{name}_chance"].reshape(-1, 3)
        chance = chance[~np.isnan(chance).any(1)]
        ends = "{:.2f} [{:.2f}, {:.2f}]".format(*chance.mean(0)) if len(chance) else "-"
        words.append(f"{label} {ends}")
    chances = f"chance by the geometric null, mean [5 %, 95 %]: {', '.join(words)}"
    foot = f"r2, median [quartiles]; decoder {config.decoder}"
    return f"{util.markdown(header, rows)}\n{chances}\n{foot}"


# ------------------------------------------------------------------ saving


def npz_of(found: Arrays, splits: Splits, config: Config, measure: str) -> tuple[Arrays, Arrays]:
    """Arrays of r_sq*.npz and decoders*.npz of one measure (docs/protocol.md, Files).

    Where there are several steps or stimuli these are the first axis, before n_tasks and runs, and
    an N_task axis of length 1 is left out.
    """
    axis, at_each = config.when

    def shaped(name):
        values = found[name]
        return values[0] if not axis else values[:, 0] if len(found["n_tasks"]) == 1 else values

    everywhere = [list(QUADRANTS)] * len(splits.train)
    test = {"ID": everywhere, "quadrant": splits.test, "as_released": splits.as_released}
    tested = test[measure] or splits.test
    width = max(map(len, tested))
    shared = {"n_tasks": found["n_tasks"], "runs": found["runs"], "measure": np.array(measure)}
    if axis:
        values = np.array([when[axis] for when in at_each])
        shared["timing" if axis == "stimulus" else axis] = values
    r_sq = {name: shaped(name) for both in LABELS for name in (both, f"{both}_chance")}
    r_sq |= {"r_sq": shaped(measure), "t": found["t"] if axis else found["t"][0], **shared}
    r_sq["train"] = np.array(everywhere if measure == "ID" else splits.train)
    r_sq["test"] = np.array([q + [-1] * (width - len(q)) for q in tested])  # -1: nothing
    r_sq["factors"] = np.array(splits.factors)
    dec = shaped("dec_ID" if measure == "ID" else "dec")
    return r_sq, {"dec": dec, "angles": decoders.column_angles(dec), **shared}


def npz_files(config: Config, out: Path, released_test: bool) -> dict[str, Path]:
    """The .npz to write for each measure."""
    if not config.every_measure:
        return {"ID" if config.in_distribution else config.held_out: out}
    ends = {"as_released": "", "quadrant": "_quadrant", "ID": "_ID"}
    ends = ends if released_test else {"quadrant": "", "ID": "_ID"}
    return {m: out.with_name(f"{out.stem}{end}.npz") for m, end in ends.items()}


def save_table(
    found: Arrays, splits: Splits, networks: Networks, config: Config, out: Path, entries: dict
) -> None:
    """Put rows into the table, and the weights of decoders into files beside it."""
    frames, abouts, configs = [], {}, list(networks.values())
    for measure in MEASURES if splits.as_released else MEASURES[:2]:
        for arrays in npz_of(found, splits, config, measure):
            told = measure, config.decoder, config.split_var
            frames.append(released.rows_of(arrays, configs, *told))
    for key, own in entries.items():
        abouts[key] = util.provenance(config, own)
        runs = [networks[path]["run"] for path in own]
        at = np.searchsorted(found["n_tasks"], networks[own[0]]["n_task"])
        weights = {n: found[n][:, at, np.searchsorted(found["runs"], runs)] for n in DECODERS}
        weights = weights if config.when[0] else {n: values[0] for n, values in weights.items()}
        condition, _, *entry = key.split("|")
        file = out.parent / "decoders" / f"{'_'.join([condition, *filter(None, entry)])}.npz"
        if config.save_decoders:
            util.save_npz(file, runs=runs, **weights, **util.about_arrays(abouts[key]))
    table.put(out, released.joined(frames), abouts)
    print(f"saved in {out}")


def main(config: Config) -> None:
    """Decode, print the table, save."""
    config.check()
    paths = util.find_checkpoints(config.networks)
    model, configs = checkpoint.load_ensemble(paths, config.assume)
    networks = dict(zip(paths, configs, strict=True))
    splits, sigma = Splits(configs[0]["n_dim"], config.split_var), theory.sigma_of(configs[0])
    series = config.when[0] if config.split_var is None else f"split_var{config.split_var}"
    out, entries = table.destination("generalize", config, networks, config.decoder, series)
    files = npz_files(config, out, bool(splits.as_released)) if out.suffix == ".npz" else {}
    for measure, path in files.items():
        there = util.load_npz(path) if path.exists() and not config.overwrite else {}
        made = util.about_of(there) if str(there.get("measure")) == measure else None
        if there and table.differs(made, "generalize", util.plain(config), paths):
            raise UserError(f"{path}: made with other settings; another --out, or --overwrite")
    found = generalize(networks, model, config)
    print(report(found, sigma, config))
    if not files:
        save_table(found, splits, networks, config, out, entries)
    about = util.about_arrays(util.provenance(config, paths))
    for measure, path in files.items():
        r_sq, dec = npz_of(found, splits, config, measure)
        util.save_npz(path, **r_sq, sigma=sigma, **about)
        if config.save_decoders:
            name = "decoders" + path.name.removeprefix("r_sq")
            util.save_npz(path.with_name(name), **dec, **about)
        print(f"saved {measure} in {path}")


if __name__ == "__main__":
    util.run_script(main, Config)
