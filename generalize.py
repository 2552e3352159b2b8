"""Out-of-distribution generalisation of trained, frozen networks (Figure 3, section 3.1).

    python generalize.py --networks trained_networks
    python generalize.py --networks trained_networks --in_distribution --out r_sq_ID.npz
    python generalize.py --networks trained_networks --decoder ridge --step 2 5 10 20    r2 in time
    python generalize.py --networks free_rt --stimulus 500 1000 5000    other trial durations
    python generalize.py --networks trained_networks --decoder closed_fit    from the outputs

A linear decoder is trained to read x* from the representation at the last step. OOD: it sees three
quadrants of x* and is tested on the fourth, each in turn. ID: it sees and is tested on all four.
The OOD test comes in two versions. held_out = 'quadrant' tests on the quadrant held out.
held_out = 'as_released' is what the authors' released D = 2 evaluation does: of its four splits,
the two that hold out (-,+) or (+,-) are tested on the quadrants (+,+) and (-,-), which their
decoder was trained on. one_map is the ID decoder tested in one quadrant: is there one linear code?
Every run measures ID, both OOD versions, one_map, and, of the representation alone, CCGP and
parallelism score of the two factors that name the quadrants (`abstraction.py`).
decoder = 'closed' needs no training: the theorem gives x* from the network's own outputs. It is
defined for trained outputs on linear boundaries that span the D dimensions.
Results go into a tidy table (.csv, see `table.py`), decoders into a folder `decoders` beside it.
"""

import copy
import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
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
    """Settings; edit them here or override them from the shell. More: docs/protocol.md."""

    networks: tuple[str, ...] = ("trained_networks",)  # files, folders or globs
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as n_task=24 leaky=False
    # adam: as in the paper; closed: from the outputs by the theorem; fit: their scale fitted on the
    # training quadrants; clip: outputs clipped where single precision rounds them to 1
    decoder: Literal["adam", "ridge", "closed", "closed_fit", "closed_clip", "closed_fit_clip"] = (
        "adam"
    )
    n_fit: int = 5  # decoders per network and split, each with fresh trials
    n_batch: int | Literal["paper"] = "paper"  # of adam; 3000 to N_task = 3, 2000 to 6, else 1000
    batch_sz: int = 16  # trials per batch
    lr: float = 3e-3  # learning rate of adam decoders
    n_test: int = 640  # test trials per decoder; 40 batches of 16
    n_ridge: int = 1024  # trials per quadrant and fit of ridge decoders and fitted scales
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

    @property
    def axis(self) -> str:
        """Of several times: 'step' or 'stimulus'; '' for the last step alone."""
        return "step" if self.step else "stimulus" if self.stimulus else ""

    def check(self) -> None:
        """Raise UserError for settings that cannot be meant."""
        lows = {"n_fit": 1, "batch_sz": 1, "n_test": 4, "seed": 0, "n_ridge": 100}
        util.check_least(self, lows if self.n_batch == "paper" else {**lows, "n_batch": 1})
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


NETS_AT_ONCE = 64  # networks decoded side by side; more take too much memory
ABSTRACTION = 2**32  # number of the first fit of abstraction measures, beyond those of decoders
LABELS = {"ID": "ID", "quadrant": "OOD held out", "as_released": "OOD as released"}
LABELS |= {"one_map": "ID decoder, one quadrant"}
LABELS |= {"ccgp": "CCGP", "parallelism": "parallelism"}
Arrays = dict[str, np.ndarray]


def decode(source: States, configs: list[settings.Config], config: Config, show: Any) -> Arrays:
    """Fit and test decoders of networks at one time.

    Returns:
        r2 (net, split, fit) by measure; dec, dec_ID (net, split, fit, unit, D), angles, angles_ID
        (net, split, fit, D, D); and what `abstraction.abstraction` does. Of the closed form, units
        are tasks, and angles are NaN: they are none of the representation.
    """
    device, fits = util.pick_device(config.device), range(config.n_fit)
    rngs = [decoders.fit_generators(config, configs, fit, device) for fit in fits]
    closed, read, fit_decoders = config.decoder.startswith("closed"), source, decoders.fit_adam
    if config.decoder == "ridge":
        fit_decoders = decoders.fit_ridge
    elif closed:
        read = decoders.Outputs(source, "clip" in config.decoder)
        fit_decoders = decoders.fit_closed
    weight, bias = fit_decoders(read, configs, config, rngs, show)
    found = decoders.test_decoders(read, config.n_test, rngs, weight, bias)
    both = np.split(weight.transpose(1, 2).cpu().numpy(), 2, axis=1)
    for end, dec in zip(("", "_ID"), both, strict=True):
        angles = decoders.column_angles(dec)
        found |= {f"dec{end}": dec, f"angles{end}": np.nan * angles if closed else angles}
    rngs = [decoders.fit_generators(config, configs, ABSTRACTION + fit, device) for fit in fits]
    return found | abstraction.abstraction(source, rngs)


def generalize(model, paths, configs, splits, times: pd.DataFrame, config: Config) -> Arrays:
    """Decode networks at each of `times`: what `decode` returns, with axes (time, net, ...)."""
    model.to(util.pick_device(config.device))
    found = Arrays()
    groups: dict[int, list[int]] = {}  # Adam's number of batches depends on N_task
    for net, c in enumerate(configs):
        n_step = decoders.n_batch_of(config, c) if config.decoder == "adam" else config.n_fit
        groups.setdefault(n_step, []).append(net)
    total = len(times) * sum(n_step * len(nets) for n_step, nets in groups.items())
    few = range(0, len(configs), NETS_AT_ONCE)
    pieces = [nets[i : i + NETS_AT_ONCE] for nets in groups.values() for i in few]
    with tqdm(total=total, unit=" network steps", disable=None) as show:
        for nets in filter(None, pieces):
            part, own = copy.deepcopy(model), [configs[net] for net in nets]
            part.keep(nets)
            for i, when in enumerate(times[["step", "stimulus"]].to_numpy().tolist()):
                new = decode(States(part, own, splits, *when), own, config, show)
                bad = ~np.isfinite([new[measure] for measure in MEASURES]).all((0, 2, 3))
                if bad.any():
                    raise UserError(f"{paths[nets[bad.argmax()]]}: its decoders diverged; lower lr")
                for name, values in new.items():
                    shape = len(times), len(configs), *values.shape[1:]
                    found.setdefault(name, np.empty(shape, values.dtype))[i, nets] = values
    return found


def report(found: Arrays, configs: list, times: pd.DataFrame, config: Config) -> str:
    """The table of medians and quartiles, as Markdown, and what chance gives."""
    of_net, lines, words = np.array([c["n_task"] for c in configs]), [], []
    angles = "angles_ID" if config.in_distribution else "angles"
    for i, when in enumerate(times.to_dict("records")):
        known = when["t"] > 0 and not math.isnan(when["sigma"])
        best = f"{theory.r2_mean(when['t'], when['sigma']):.3f}" if known else "-"
        for n_task in np.unique(of_net):
            own = {name: values[i, of_net == n_task] for name, values in found.items()}
            n_net, n_split, n_fit = own["ID"].shape
            line: dict[Any, Any] = {config.axis: when[config.axis]} if config.axis else {}
            line |= {"N_task": n_task, "networks": n_net, "splits x fits": f"{n_split} x {n_fit}"}
            line |= {LABELS[name]: util.quartiles(own[name]) for name in MEASURES}
            line["gap"] = f"{np.median(own['ID']) - np.median(own['quadrant']):.3f}"
            line["theory 1 - 12 sigma^2 / t"] = best
            line["angle"] = util.quartiles(own[angles], 0)
            line |= {LABELS[name]: util.quartiles(own[name]) for name in abstraction.MEASURES}
            lines.append(line)
    for name in abstraction.MEASURES:
        chance = found[f"{name}_chance"].reshape(-1, 3)
        chance = chance[~np.isnan(chance).any(1)]
        ends = "{:.2f} [{:.2f}, {:.2f}]".format(*chance.mean(0)) if len(chance) else "-"
        words.append(f"{LABELS[name]} {ends}")
    chances = f"chance by the geometric null, mean [5 %, 95 %]: {', '.join(words)}"
    foot = f"r2, median [quartiles]; decoder {config.decoder}"
    return f"{util.markdown(lines[0], [x.values() for x in lines])}\n{chances}\n{foot}"


def of_measure(found: Arrays, measure: str) -> tuple[Arrays, Arrays]:
    """Arrays (time, net, ...) of r_sq*.npz and decoders*.npz (docs/protocol.md, Files)."""
    end = "_ID" if measure in ("ID", "one_map") else ""
    r_sq = {name: found[name] for name in found if name.startswith(tuple(abstraction.MEASURES))}
    dec = {name: found[f"{name}{end}"] for name in ("dec", "angles")}
    return {"r_sq": found[measure], **r_sq}, dec


def npz_files(config: Config, out: Path, splits: Splits, paths: list[Path]) -> dict[str, Path]:
    """The .npz to write for each measure; UserError for one that is there, made otherwise."""
    ends = {"as_released": "", "quadrant": "_quadrant", "ID": "_ID"}
    ends = ends if splits.as_released else {"quadrant": "", "ID": "_ID"}
    files = {m: out.with_name(f"{out.stem}{end}.npz") for m, end in ends.items()}
    if not config.every_measure:
        files = {"ID" if config.in_distribution else config.held_out: out}
    for measure, path in files.items():
        there = util.load_npz(path) if path.exists() and not config.overwrite else {}
        made = util.about_of(there) if str(there.get("measure")) == measure else None
        if there and table.differs(made, "generalize", util.plain(config), paths):
            raise UserError(f"{path}: made with other settings; another --out, or --overwrite")
    return files


def save_npz(path, measure, found, configs, splits, times, about, config: Config) -> None:
    """Write one measure in the authors' layout."""
    at = (config.axis, times[config.axis]) if config.axis else ()
    r_sq, dec = (
        {**released.on_grid(arrays, configs, *at), "measure": measure, **about}
        for arrays in of_measure(found, measure)
    )
    everywhere = [list(QUADRANTS)] * len(splits.train)
    test = {"ID": everywhere, "as_released": splits.as_released}.get(measure) or splits.test
    r_sq["train"] = everywhere if measure == "ID" else splits.train
    r_sq["test"] = list(zip(*itertools.zip_longest(*test, fillvalue=-1), strict=True))
    r_sq |= {"t": times["t"] if config.axis else times["t"][0], "sigma": times["sigma"][0]}
    util.save_npz(path, **r_sq, factors=splits.factors)
    if config.save_decoders:
        util.save_npz(path.with_name("decoders" + path.name.removeprefix("r_sq")), **dec)
    print(f"saved {measure} in {path}")


def main(config: Config) -> None:
    """Decode, print the table, save."""
    config.check()
    paths = util.find_checkpoints(config.networks)
    model, configs = checkpoint.load_ensemble(paths, config.assume)
    splits = Splits(configs[0]["n_dim"], config.split_var)
    times = table.time_columns(configs[0], config.step, config.stimulus, config.split_var)
    named = dict(zip(paths, configs, strict=True)), config.decoder, times["series"][0]
    out, entries = table.destination("generalize", config, *named)
    files = npz_files(config, out, splits, paths) if out.suffix == ".npz" else {}
    found = generalize(model, paths, configs, splits, times, config)
    print(report(found, configs, times, config))
    about = util.about_arrays(util.provenance(config, paths))
    for measure, path in files.items():
        save_npz(path, measure, found, configs, splits, times, about, config)
    if files:
        return
    frames, abouts = [], {key: util.provenance(config, own) for key, own in entries.items()}
    is_fitted = config.decoder in ("adam", "ridge")  # the closed form is made anew in no time
    for key, own in entries.items() if config.save_decoders and is_fitted else ():
        nets, (condition, _, *entry) = [paths.index(path) for path in own], key.split("|")
        at = (slice(None) if config.axis else 0), nets
        weights = {name: found[name][at] for name in ("dec", "dec_ID")}
        runs, about = [configs[net]["run"] for net in nets], util.about_arrays(abouts[key])
        name = "_".join(filter(None, (condition, *entry)))
        util.save_npz(out.parent / "decoders" / f"{name}.npz", runs=runs, **weights, **about)
    for measure in MEASURES:
        if measure == "as_released" and not splits.as_released:
            continue
        r_sq, dec = of_measure(found, measure)
        frames.append(table.rows_of(r_sq | dec, configs, times, config.decoder, measure))
    table.put(out, table.joined(frames), abouts)
    print(f"saved in {out}")


if __name__ == "__main__":
    util.run_script(main, Config)
