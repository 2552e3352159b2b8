"""All results as one tidy table: Data/results.csv, which R and spreadsheets open too.

    rows = table.read("Data/results.csv")
    rows.query("network == 'LSTM' and measure == 'quadrant' and decoder == 'adam' and series == ''")

A row is one number of one decoder, or of one network:
    condition, network, n_dim, n_task, run    the network; `condition` is a label for people
    settings    in what it differs from the paper's: 'task=LinearClassificationCorr corr=0.4'
    measure     of x*: ID, quadrant, as_released, split_var, one_map (the ID decoder tested in one
                quadrant), with r2 and the angle between decoders of the two factors (D > 2: an
                angle for each pair, in rows `angles`); of the representation: ccgp, parallelism,
                and their chance; sparsity, active, dead; of outputs: those of optimality.py; in new
                tasks: those of few_shot.py, accuracy and examples to 90 % of what can be learned;
                of its use: those of causal.py, shift_slope, silenced_accuracy and others
    decoder     adam, ridge, closed, closed_fit, closed_clip, closed_fit_clip
    series      '' at the last step of trials as in training; 'step' or 'stimulus' where several
                were measured; 'split_var0' where one sign of factor 0 was held out
    step, stimulus, t    after how many steps; length of the stimulus in ms; samples seen by then
    sigma       of white Gaussian input noise; empty for other noise
    split, fit, factor   which test, which repetition, which factor or pair '1-2'; of causal.py:
                which unit is silenced, `fit`, or along which direction is shifted, `factor`
    r2, angle, value     the number: r2, degrees, or that of any other measure
    n_example   labelled trials that a new task was learned from; older tables lack this column
Recordings (`abstraction.py`) are the network 'recording', without n_task and run; their r2 and
angle have chance too: ID_chance, quadrant_chance, angles_chance, and these with _5 and _95.
`read` adds a column for every setting of a network, so that rows are found by value.

An entry is all rows of one condition, script, decoder and series. results.json beside the table
says how each was made, and holds a sum of its rows.
"""

import contextlib
import fcntl
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import settings
import tasks
import theory
import util
from util import UserError

NUMBERS = ["r2", "angle", "value"]
COLUMNS = ["condition", "network", "n_dim", "n_task", "run", "settings", "measure", "decoder"]
COLUMNS += ["series", "step", "stimulus", "t", "sigma", "split", "fit", "factor", *NUMBERS]
COLUMNS += ["n_example"]  # the last: lines of older tables end before it
ENTRY = ["condition", "script", "decoder", "series"]
SPARSITY = ("sparsity", "active", "dead")  # measures of sparsity.py
OPTIMALITY = (  # of optimality.py
    *("accuracy", "accuracy_optimal", "cross_entropy", "cross_entropy_optimal"),
    *("calibration", "calibration_slope", "logit_slope", "logit_r2"),
)
FEW_SHOT = (  # of few_shot.py
    *("few_shot", "few_shot_quadrant", "few_shot_90", "few_shot_quadrant_90"),
    *("few_shot_optimum", "few_shot_chance"),
)
SHIFTS, SILENCED = ("shift_slope", "shift_size"), ("silenced_accuracy", "silenced_shift")
CAUSAL = (*SHIFTS, "intact_accuracy", *SILENCED)  # of causal.py
DIRECTIONS = ["evidence", "encoding", "decoder", "random", "unread", "natural"]  # see causal.py
SCRIPTS = {  # script of a measure; all others are generalize.py's
    **dict.fromkeys(SPARSITY, "sparsity"),
    **dict.fromkeys(OPTIMALITY, "optimality"),
    **dict.fromkeys(FEW_SHOT, "few_shot"),
    **dict.fromkeys(CAUSAL, "causal"),
}
NPZ = ("generalize", "sparsity")  # scripts that write the authors' layout too
WORDS = ("condition", "network", "settings", "measure", "decoder", "series", "factor")
SINGLE = ("r2", "angle")  # kept in single precision, as they were computed
WHOLE = ("n_dim", "n_task", "run", "step", "stimulus", "t", "split", "fit", "n_example")
AXES = {  # measured array -> column for its numbers, and its axes after (time, net)
    "r_sq": ("r2", "split", "fit"),
    "angles": ("angle", "split", "fit", "factor"),  # a pair of factors
    **dict.fromkeys(("ccgp", "parallelism"), ("value", "fit", "factor")),
    **dict.fromkeys(("ccgp_chance", "parallelism_chance"), ("value", "factor", "measure")),
    **dict.fromkeys(SPARSITY + OPTIMALITY + FEW_SHOT, ("value",)),
    **dict.fromkeys(FEW_SHOT[:2], ("value", "n_example")),
    "intact_accuracy": ("value",),
    **dict.fromkeys(SHIFTS, ("value", "factor")),  # a direction
    **dict.fromkeys(SILENCED, ("value", "fit")),  # a unit
}


def tidy(values: np.ndarray, name: str, **axes: Any) -> pd.DataFrame:
    """An array of any shape as rows, one per number that is not NaN.

    The numbers stand in a column `name`; `axes` are names and labels of each axis, in order.
    """
    index = pd.MultiIndex.from_product(list(axes.values()), names=list(axes))
    return pd.Series(np.ravel(values), index=index, name=name).dropna().reset_index()


def network_columns(config: settings.Config) -> dict[str, Any]:
    """The columns that tell a network."""
    words = " ".join(f"{name}={value}" for name, value in settings.differing(config).items())
    named = {name: config[name] for name in ("network", "n_dim", "n_task", "run")}
    return {"condition": settings.condition(config), "settings": words, **named}


def time_columns(
    config: settings.Config, steps: Sequence = (), stimuli: Sequence = (), split_var=None
) -> pd.DataFrame:
    """The columns that tell when decoders are fitted, a row for each time (`generalize.Config`)."""
    trained, rows = tasks.make_task(config), []
    for stimulus in stimuli or [config["stimulus"]]:
        task = trained.decoding_task(0, stimulus=stimulus)
        for step in steps or [task.n_step]:
            if not 1 <= step <= task.n_step:
                raise UserError(f"step lies from 1 to {task.n_step} in these trials, not {step}")
            rows.append((step, stimulus, len(range(step)[task.evidence_steps])))
    series = "step" if steps else "stimulus" if stimuli else ""
    series = series if split_var is None else f"split_var{split_var}"
    found = pd.DataFrame(rows, columns=["step", "stimulus", "t"])
    return found.assign(series=series, sigma=theory.sigma_of(config))


def rows_of(
    arrays: dict[str, np.ndarray], configs: list, times: pd.DataFrame, decoder="", measure=""
) -> pd.DataFrame:
    """Rows of the table, one for each number.

    Args:
        arrays: of `AXES`, (time, net, ...); angles end in (D, D). Others are passed over.
        times: as `time_columns`, or a column `series` alone.
        measure: of r_sq and angles.
    """
    frames, n_dim, pairs = [], configs[0]["n_dim"], np.triu_indices(configs[0]["n_dim"], 1)
    if times["series"][0].startswith("split_var"):
        measure = measure.replace("quadrant", "split_var")
    for name in [name for name in AXES if name in arrays]:
        values, (column, *last) = arrays[name], AXES[name]
        labels: dict[str, Any] = {"measure": [name, f"{name}_5", f"{name}_95"]}
        labels["factor"] = DIRECTIONS if name in SHIFTS else ["1", "2"]
        one: dict[str, Any] = {"measure": name}  # of all these rows
        if name == "r_sq":
            one = {"measure": measure, "factor": "1-2" if n_dim == 2 else ""}
        elif name == "angles":
            values, one = values[(..., *pairs)], {"measure": measure if n_dim == 2 else name}
            values = values[:0] if measure in ("ID", "one_map") and n_dim > 2 else values
            labels["factor"] = [f"{i + 1}-{k + 1}" for i, k in zip(*pairs, strict=True)]
        sizes = zip(("time", "net", *last), values.shape, strict=True)
        axes = {axis: labels.get(axis, range(n)) for axis, n in sizes}
        one = {} if "measure" in axes else one
        frames.append(tidy(values, column, **axes).assign(**one))
    networks = pd.DataFrame([network_columns(c) for c in configs])
    return pd.concat(frames).join(times, "time").join(networks, "net").assign(decoder=decoder)


def joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Rows of the same decoder or network as one; of two values for the same, the first."""
    rows = pd.concat(frames).reindex(columns=COLUMNS)
    keys = [name for name in COLUMNS if name not in NUMBERS]
    rows = rows.groupby(keys, dropna=False, sort=False)[NUMBERS].first().reset_index()
    return rows.astype(dict.fromkeys(SINGLE, np.float32))


def key_of(condition: str, script: str, decoder: str = "", series: str = "") -> str:
    """Name of an entry."""
    return "|".join((condition, script, decoder, series))


# ------------------------------------------------------------------ reading


def read(path: Path | str) -> pd.DataFrame:
    """The table, numbers as numbers, with a column for every setting of a network.

    Raises:
        UserError: not there, not such a table, or changed by hand.
    """
    with _turn(Path(path)):
        entries, _ = _load(Path(path), strict=True)
    empty = {name: "" for name in COLUMNS if name not in WORDS}
    types = dict.fromkeys(WORDS, str) | dict.fromkeys(NUMBERS, float)
    options: Any = {"dtype": types, "float_precision": "round_trip"}
    options |= {"keep_default_na": False, "na_values": empty}
    try:
        return with_settings(pd.read_csv(io.StringIO(_text(entries)), **options))
    except ValueError as error:
        raise UserError(f"{path}: not a table that can be read ({error})") from None


def about(path: Path | str, strict: bool = False) -> dict[str, dict[str, Any]]:
    """How each entry of a table was made, see `util.provenance`; `strict`: as `read`."""
    with _turn(Path(path)):
        return _load(Path(path), strict)[1]


def with_settings(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table with a column for every setting of a network."""
    rows = rows.astype(dict.fromkeys(SINGLE, np.float32))
    kinds = rows[["settings", "network"]].drop_duplicates(ignore_index=True)
    values = pd.DataFrame([settings_of(*pair) for pair in kinds.itertuples(index=False)])
    new = [name for name in settings.PAPER if name not in rows and name in values]
    return rows.merge(kinds.join(values[new]), on=["settings", "network"], how="left")


def settings_of(words: str, network: str) -> settings.Config:
    """All settings of networks whose `settings` are these words: 'corr=0.4 leaky=False'."""
    own = parse_settings(words.split())
    return {**settings.paper_settings(network, own.get("task", settings.CENT_OUT)), **own}


def parse_settings(words: Iterable[str]) -> settings.Config:
    """('n_task=24', 'leaky=False') as a dict; UserError for no such setting or value."""
    found = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or name not in settings.PAPER:
            raise UserError(f"settings are written as n_task=24 or leaky=False, not {word}")
        kind = type(settings.PAPER[name].paper)
        try:
            found[name] = {"True": True, "False": False}[text] if kind is bool else kind(text)
        except (KeyError, ValueError):
            raise UserError(f"{text} is no value for {name}") from None
    return found


@contextlib.contextmanager
def _turn(path: Path, to_write: bool = False) -> Iterator[None]:
    """Within it, no other process writes the table, or, `to_write`, reads it."""
    with contextlib.ExitStack() as stack:
        with contextlib.nullcontext() if to_write else contextlib.suppress(OSError):  # read-only
            lock = stack.enter_context(open(path.with_name(f".{path.stem}.lock"), "a"))
            fcntl.flock(lock, fcntl.LOCK_EX if to_write else fcntl.LOCK_SH)
        yield


def _load(path: Path, strict: bool = False) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Lines of each entry, and how it was made; `strict`: UserError if changed by hand."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        entries, known = _grouped(path.read_text()), _known(path)
    except ValueError as error:
        raise UserError(f"{path}: not a table that can be read ({str(error).strip()})") from None
    abouts: dict[str, Any] = {}
    for key in entries.keys() & known.keys():
        made = known[key].get(_sum(entries[key]))
        if made is None and strict:
            raise UserError(f"{path}: its rows of {key} are not those saved; changed by hand?")
        abouts |= {key: made} if made else {}
    return entries, abouts


def _grouped(text: str) -> dict[str, list[str]]:
    """Lines of a table by entry."""
    header, *lines = text.splitlines() or [""]
    if header == ",".join(COLUMNS[:-1]):
        header, lines = ",".join(COLUMNS), [f"{line}," for line in lines]
    if header != ",".join(COLUMNS):
        raise ValueError(f"its columns are {header[:200]}")
    entries: dict[str, list[str]] = {}
    for line in lines:
        condition, *_, measure, decoder, series = line.split(",", 9)[:9]
        script = SCRIPTS.get(measure, "generalize")
        entries.setdefault(key_of(condition, script, decoder, series), []).append(line)
    return entries


def _text(entries: dict[str, list[str]]) -> str:
    lines = [line for key in sorted(entries, key=lambda k: k.split("|")) for line in entries[key]]
    return "\n".join([",".join(COLUMNS), *lines, ""])


def _known(path: Path) -> dict[str, dict[str, Any]]:
    """Entry -> sum of its lines -> how they were made."""
    file = path.with_suffix(".json")
    known = json.loads(file.read_text()) if file.is_file() else {}
    if not (isinstance(known, dict) and all(isinstance(made, dict) for made in known.values())):
        raise ValueError(f"{file.name} does not say how rows were made")
    return known


def _sum(lines: list[str]) -> str:
    lines = [line.removesuffix(",") for line in lines]  # the same with no last column, and empty
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# ------------------------------------------------------------------ writing


def put(path: Path | str, rows: pd.DataFrame, abouts: dict[str, Any]) -> None:
    """Put entries into the table, in place of those that are there, atomically.

    Several processes may do so at once: each waits for its turn. `rows` are whole entries, columns
    may be missing; `abouts` says of each entry how it was made, see `util.provenance`.
    """
    path = Path(path)
    new = rows.reindex(columns=COLUMNS).astype(dict.fromkeys(WHOLE, "Int64"))
    entries = _grouped(new.sort_values("run", kind="stable").to_csv(index=False))
    util.make_folder(path.parent)
    with _turn(path, to_write=True):
        for left_over in path.parent.glob(f".{path.stem}.*.partial"):  # of a killed process
            left_over.unlink()
        there = _load(path)[0] if path.is_file() else {}
        entries = {key: lines for key, lines in there.items() if key not in abouts} | entries
        sums, known = {key: _sum(lines) for key, lines in entries.items()}, _known(path)
        for key, made in abouts.items():  # until the table is written, that of the old rows stays
            known[key] = {**known.get(key, {}), sums[key]: made}
        _write_known(path, known)
        util.write_atomic(path, _text(entries).encode())
        kept = {k: {sums[k]: v[sums[k]]} for k, v in known.items() if sums.get(k) in v}
        _write_known(path, kept)


def _write_known(path: Path, known: dict[str, Any]) -> None:
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(known.items())]
    util.write_atomic(path.with_suffix(".json"), ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def differs(
    found: dict[str, Any] | None, script: str, wanted: settings.Config, paths: list[Path]
) -> str:
    """In what an entry differs from what these settings and networks would give.

    Args:
        found: its provenance, see `about`; None: it is not there.
        wanted: settings of the `script`; one that provenance lacks had the paper's value.
        paths: checkpoints; of those that are not there the name alone is compared.

    Returns:
        '', 'missing', 'settings' (or names of networks), or 'networks'.
    """
    if found is None:
        return "missing"
    papers = settings.MEASUREMENTS[script]
    sums = found["networks"]
    made, asked = (util.plain({**papers, **given}) for given in (found["config"], wanted))
    same = all(made[name] == asked[name] for name in papers)
    if not same or sorted(sums) != sorted(path.name for path in paths):
        return "settings"
    there = [path for path in paths if path.exists()]
    return "networks" if any(util.file_sum(path) != sums[path.name] for path in there) else ""


def destination(
    script: str, config: Any, networks: dict[Path, settings.Config], *entry: str
) -> tuple[Path, dict[str, list[Path]]]:
    """Where the results of a script go: its `out`, and the checkpoints of each entry it makes.

    UserError where that is not allowed: an entry that is there may be made with other settings.
    """
    out = config.out or next(iter(networks)).parent / "results.csv"
    entries: dict[str, list[Path]] = {}
    ends = (".csv", ".npz") if script in NPZ else (".csv",)
    if out.suffix not in ends or out.is_dir():
        raise UserError(f"out must end in {' or '.join(ends)}, and be no folder, not {out}")
    if len({(c["n_task"], c["run"]) for c in networks.values()}) < len(networks):
        raise UserError("two networks have the same n_task and run; name only one")
    util.make_folder(out.parent)
    for path, c in networks.items():
        entries.setdefault(key_of(settings.condition(c), script, *entry), []).append(path)
    lines: dict[str, list[str]] = {}
    there: dict[str, Any] = {}
    if out.suffix == ".csv" and out.exists():
        with _turn(out):
            lines, there = _load(out)
    for key, own in entries.items():
        other = key in there and differs(there[key], script, util.plain(config), own)
        other = f"made with other {other}" if other else ""
        other = "changed by hand" if key in lines and key not in there else other
        if other and not config.overwrite:
            where = f"{out}: its {key.split('|')[0]}"
            raise UserError(f"{where} was {other}; another --out, or --overwrite")
    return out, entries
