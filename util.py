"""What every script shares: settings from the shell, seeds, files, checkpoints, tables."""

import contextlib
import dataclasses
import errno
import glob
import hashlib
import io
import json
import os
import pickle
import platform
import signal
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
import tyro


class UserError(Exception):
    """Something the user can mend; shown as one line on stderr, exit code 2."""


class Interrupted(Exception):
    """The user, or the cluster, asked the script to stop; work is saved, exit code 130."""


def run_script(main, config_class):
    """Parse the settings of a script, run it, and turn expected failures into one line each.

    Args:
        main: function of one argument, an instance of `config_class`.
        config_class: dataclass; its fields are the script's settings, their comments its --help.
    """
    name = Path(sys.argv[0]).name
    try:
        main(parse(config_class))
    except UserError as error:
        stop(name, error, 2)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.ENOSPC:
            reason += "; what was saved before is intact, free some space and repeat the command"
        where = f": {error.filename}" if error.filename else ""
        stop(name, f"{reason}{where}", 2)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        stop(name, "out of memory; fewer networks at once, or smaller settings", 2)
    except (Interrupted, KeyboardInterrupt) as error:
        stop(name, str(error) or "interrupted", 130)


def is_out_of_memory(error):
    """Is this how Python or PyTorch runs out of memory?"""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return "can't allocate memory" in str(error)  # PyTorch on a CPU


def stop(name, message, code):
    """Print one line on stderr and leave with `code`."""
    print(f"{name}: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(code)


def parse(config_class, args=None):
    """Settings from the shell; a wrong one raises UserError with the parser's own words."""
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            return tyro.cli(config_class, args=args, use_underscores=True)
    except SystemExit as error:
        if not error.code:
            raise
        words = [line.strip(" │╭╮╰╯─") for line in captured.getvalue().splitlines()]
        words = [w for w in words if w and not w.endswith("error") and w != "Unrecognized options"]
        keep = []
        for word in words:
            if word.startswith(("For full helptext", "Argument helptext")):
                break
            keep.append(word)
        raise UserError(" ".join(keep) + " (see --help)") from None


@contextlib.contextmanager
def stop_requests():
    """Within it, Ctrl-C and SIGTERM only set a flag, so that a training step is never cut in two.

    Yields a function that says whether a stop was asked for. A second Ctrl-C stops at once.
    """
    asked = []

    def note(number, _frame):
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ------------------------------------------------------------------ seeds, device, machine


def seeds_for(seed, run, n_task, n_dim):
    """Independent seeds of one network, from its own settings alone.

    Networks that differ only in architecture share encoder and data, so that architectures are
    compared on the same trials.

    Returns:
        dict of int: 'task' (boundaries drawn at random), 'encoder', 'weights', 'data', 'noise'.
    """
    names = ("task", "encoder", "weights", "data", "noise")
    words = np.random.SeedSequence([seed, run, n_task, n_dim]).generate_state(len(names), np.uint64)
    return {name: int(word >> np.uint64(1)) for name, word in zip(names, words, strict=True)}


def generator(seed, device="cpu"):
    """A torch generator of its own, seeded."""
    return torch.Generator(device).manual_seed(seed)


def pick_device(name):
    """torch.device for 'auto', 'cpu' or 'cuda'; UserError where there is no GPU."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch sees no GPU here; use --device cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def flush_denormals():
    """Numbers too small for full precision become 0 in this thread, and in those it begins.

    Adam's moments of silent units end as such numbers, on which processors are slow.
    """
    torch.set_flush_denormal(True)


def machine():
    """One line that says where numbers were measured."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(FileNotFoundError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), cpu)
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    threads = torch.get_num_threads()
    return f"{cpu}, {threads} threads{gpu}, torch {torch.__version__}"


# ------------------------------------------------------------------ files


def write_atomic(path, data):
    """Write bytes to `path` so that it holds either the old or the whole new content."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def save_torch(path, content):
    """torch.save, atomically; a full disk leaves the old file and raises OSError."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomic(path, buffer.getvalue())


def latin1(text, encoding):
    """How pickles of protocol 2 spell bytes; no other encoding is allowed."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding}")
    return text.encode("latin1")


def numpy_globals():
    """What a pickle of NumPy numbers names; rebuilding these runs no foreign code."""
    core, allowed = np._core.multiarray, [(latin1, "_codecs.encode"), np.ndarray, np.dtype]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed += [(getattr(core, f), f"{module}.{f}") for f in ("_reconstruct", "scalar")]
    return allowed + [type(np.dtype(code)) for code in "?bhilqBHILQefd"]


def load_torch(path):
    """torch.load of tensors, NumPy numbers and plain Python values only; never runs code from it.

    Reads PyTorch's present file format and the old one.

    Raises:
        UserError: no such file, or not such a file (truncated, malicious, another format).
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with torch.serialization.safe_globals(numpy_globals()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except BROKEN_FILE as e:
        raise UserError(
            f"{path}: not a checkpoint that can be read, truncated or of another kind "
            f"({str(e).splitlines()[0][:100] if str(e) else type(e).__name__})"
        ) from None


BROKEN_FILE = (  # what reading a damaged or foreign file may raise
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    OSError,
    struct.error,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


def save_npz(path, **arrays):
    """Write an .npz, atomically, with a sum of its contents; makes the folder."""
    path = Path(path)
    make_folder(path.parent)
    arrays = {name: np.asarray(values) for name, values in arrays.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, sha256=contents_sum(arrays))
    write_atomic(path, buffer.getvalue())


def contents_sum(arrays):
    """SHA-256 of arrays, names and all."""
    total = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        total.update(f"{name} {values.dtype.str} {values.shape};".encode())
        total.update(values.tobytes())
    return total.hexdigest()


def load_npz(path, needs=()):
    """dict of the arrays in an .npz, never running code from it.

    Raises:
        UserError: missing, truncated, without an array of `needs` (pickled objects are none), or
            with a sum, `sha256`, that is not that of its contents.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {
                key: file[key] for key in file.files if key in needs or not is_pickle(file, key)
            }
    except (*BROKEN_FILE, zlib.error) as error:
        raise UserError(f"{path}: not an .npz that can be read ({error})") from None
    for key in needs:
        if key not in arrays:
            raise UserError(f"{path}: has no {key}")
    written = {name: values for name, values in arrays.items() if name != "sha256"}
    if "sha256" in arrays and str(arrays["sha256"]) != contents_sum(written):
        raise UserError(f"{path}: its contents are not those that were saved; changed by hand?")
    return arrays


def is_pickle(file, key):
    """Does an array of an open .npz hold Python objects, which only a pickle can?"""
    with file.zip.open(f"{key}.npy") as member:
        version = np.lib.format.read_magic(member)
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        return read[version[0]](member)[2].hasobject


def make_folder(path):
    """Make a folder and check that it can be written, before hours of work depend on it."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: exists and is not a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be made ({error.strerror})") from None
    probe = path / f".probe.{os.getpid()}.partial"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        probe.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written to ({error.strerror})") from None
    return path


def find_checkpoints(patterns):
    """Paths of the .pth files meant by files, folders or globs, sorted, each once.

    Raises:
        UserError: a pattern that matches nothing, or a folder without networks.
    """
    found = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            hits = [p for p in path.glob("*.pth") if ".diverged" not in p.suffixes]
            if not hits:
                raise UserError(f"{path}: no trained networks (*.pth) in this folder")
        elif path.is_file():
            hits = [path]
        else:
            hits = [Path(p) for p in glob.glob(str(pattern)) if Path(p).is_file()]
            if not hits:
                raise UserError(f"{pattern}: no such file, folder or glob")
        found += hits
    return sorted(set(found))


def plain(config):
    """A dataclass as plain Python values, for a checkpoint or a JSON line."""
    values = dataclasses.asdict(config) if dataclasses.is_dataclass(config) else dict(config)
    return {
        k: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v
        for k, v in values.items()
    }


# ------------------------------------------------------------------ how a result was made

# settings that change no number
ASIDE = ("network", "networks", "out", "overwrite", "device", "keep", "pictures", "save_decoders")
ASIDE += ("in_distribution", "held_out", "every_measure")


def provenance(config, paths):
    """How a result was made, as arrays to save with it: networks, their sums, settings, machine."""
    settings = {name: value for name, value in plain(config).items() if name not in ASIDE}
    return {
        "networks": np.array([Path(path).name for path in paths]),
        "network_sums": np.array([file_sum(path) for path in paths]),
        "config": json.dumps(settings),
        "machine": machine(),
    }


def file_sum(path):
    """SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def differs(found, config, paths):
    """In what a result differs from what these settings and networks would give.

    Args:
        found: its arrays. A setting that is not in it had its default.
        config: settings of the script that makes it.
        paths: checkpoints; of those that are not there the name alone is compared.

    Returns:
        '', 'settings' (or names of networks), or 'networks'.
    """
    if not {"networks", "network_sums", "config"} <= set(found):
        return "settings"
    sums = dict(zip(found["networks"].tolist(), found["network_sums"].tolist(), strict=True))
    settings = json.loads(str(found["config"]))
    defaults = {f.name: f.default for f in dataclasses.fields(config)}
    same = sorted(sums) == sorted(Path(path).name for path in paths) and all(
        settings.get(name, plain({name: defaults[name]})[name]) == value
        for name, value in plain(config).items()
        if name not in ASIDE
    )
    if not same:
        return "settings"
    there = [Path(path) for path in paths if Path(path).exists()]
    return "networks" if any(file_sum(path) != sums[path.name] for path in there) else ""


# ------------------------------------------------------------------ theory and tables


def r_sq_theory(t, sigma=0.2):
    """r2 of the mean of `t` samples of noise `sigma`: 1 - 12 sigma^2 / t (0.976 at t = 20)."""
    return 1 - 12 * sigma**2 / np.asarray(t, dtype=float)


def r_sq_anisotropic(t, sigma=0.2, ratio=2):
    """The same where the second of two channels has `ratio` times the noise, mean over both."""
    return 1 - 12 * (sigma**2 + (ratio * sigma) ** 2) / (2 * t)


def r_sq_ar1(t, sigma=0.2, a=0.7):
    """r2 = 1 - 12 sigma^2 / (1' R^-1 1) of generalised least squares, R_ij = a^|i - j|.

    For AR(1) noise of standard deviation sigma 1' R^-1 1 = (t - (t - 2) a) / (1 + a).
    """
    return 1 - 12 * sigma**2 * (1 + a) / (t - (t - 2) * a)


def quartiles(values, digits=3):
    """'median [lower, upper]', NaN left out; '-' where nothing is left."""
    values = np.asarray(values)
    values = values[~np.isnan(values)]
    if not values.size:
        return "-"
    low, mid, high = (f"{v:.{digits}f}" for v in np.percentile(values, [25, 50, 75]))
    return f"{mid} [{low}, {high}]"


def table(header, rows):
    """A Markdown table with aligned columns."""
    cells = [list(map(str, header)), *[list(map(str, row)) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)
