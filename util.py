"""What every script shares: settings from the shell, files, provenance, tables."""

import contextlib
import ctypes
import errno
import glob
import hashlib
import importlib
import io
import itertools
import json
import os
import pickle
import platform
import signal
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
import tyro
from numpy.typing import ArrayLike


class UserError(Exception):
    """Something the user can mend; shown as one line on stderr, exit code 2."""


class Interrupted(Exception):
    """The user, or the cluster, asked the script to stop; work is saved, exit code 130."""


def run_script(main: Callable[[Any], None], config_class: type) -> None:
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


def is_out_of_memory(error: BaseException) -> bool:
    """Is this how Python or PyTorch runs out of memory?"""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return "can't allocate memory" in str(error)  # PyTorch on a CPU


def stop(name: str, message: object, code: int) -> NoReturn:
    """Print one line on stderr and leave with `code`."""
    print(f"{name}: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(code)


def parse(config_class: type, args: list[str] | None = None) -> Any:
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
        ends = "For full helptext", "Argument helptext"
        first = itertools.takewhile(lambda word: not word.startswith(ends), words)
        raise UserError(" ".join(first) + " (see --help)") from None


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within it, Ctrl-C and SIGTERM only set a flag, so that a training step is never cut in two.

    Yields a function that says whether a stop was asked for. A second Ctrl-C stops at once.
    """
    asked: list[int] = []

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


def start(command: list[str], **options: Any) -> subprocess.Popen:
    """Begin a process that ends when this one does, however that comes (on Linux)."""

    def follow() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    return subprocess.Popen(command, preexec_fn=follow, **options)


def flags(values: dict[str, Any]) -> list[str]:
    """Settings as arguments for the shell."""
    words = []
    for name, value in values.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            several = value if isinstance(value, (tuple, list)) else [value]
            words += [f"--{name}", *map(str, several)]
    return words


# ------------------------------------------------------------------ device, machine


def check_least(config: Any, lowest: Mapping[str, float]) -> None:
    """UserError for a setting that is below the lowest number it may be."""
    for name, low in lowest.items():
        if not getattr(config, name) >= low:
            raise UserError(f"{name} must be at least {low}, not {getattr(config, name)}")


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator of its own, seeded."""
    return torch.Generator(device).manual_seed(seed)


def pick_device(name: str) -> torch.device:
    """torch.device for 'auto', 'cpu' or 'cuda'; UserError where there is no GPU."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch sees no GPU here; use --device cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def flush_denormals() -> None:
    """Numbers too small for full precision become 0 in this thread, and in those it begins.

    Adam's moments of silent units end as such numbers, on which processors are slow.
    """
    torch.set_flush_denormal(True)


def machine() -> str:
    """One line that says where numbers were measured."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(FileNotFoundError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), cpu)
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    threads = torch.get_num_threads()
    return f"{cpu}, {threads} threads{gpu}, torch {torch.__version__}"


# ------------------------------------------------------------------ files


def write_atomic(path: Path | str, data: bytes) -> None:
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


def save_torch(path: Path | str, content: Any) -> None:
    """torch.save, atomically; a full disk leaves the old file and raises OSError."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomic(path, buffer.getvalue())


def latin1(text: str, encoding: str) -> bytes:
    """How pickles of protocol 2 spell bytes; no other encoding is allowed."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding}")
    return text.encode("latin1")


def numpy_globals() -> list[Any]:
    """What a pickle of NumPy numbers names; rebuilding these runs no foreign code."""
    core = importlib.import_module("numpy._core.multiarray")
    allowed: list[Any] = [(latin1, "_codecs.encode"), np.ndarray, np.dtype]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed += [(getattr(core, f), f"{module}.{f}") for f in ("_reconstruct", "scalar")]
    return allowed + [type(np.dtype(code)) for code in "?bhilqBHILQefd"]


def load_torch(path: Path | str) -> Any:
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


# What reading a damaged or foreign file may raise
BROKEN_FILE: tuple[type[Exception], ...] = (RuntimeError, EOFError, ValueError, KeyError)
BROKEN_FILE += (IndexError, AttributeError, TypeError, OSError, struct.error)
BROKEN_FILE += (pickle.UnpicklingError, zipfile.BadZipFile, zlib.error)


def save_npz(path: Path | str, **arrays: Any) -> None:
    """Write an .npz, atomically, with a sum of its contents; makes the folder."""
    path = Path(path)
    make_folder(path.parent)
    arrays = {name: np.asarray(values) for name, values in arrays.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, sha256=contents_sum(arrays))
    write_atomic(path, buffer.getvalue())


def contents_sum(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 of arrays, names and all."""
    total = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        total.update(f"{name} {values.dtype.str} {values.shape};".encode())
        total.update(values.tobytes())
    return total.hexdigest()


def load_npz(path: Path | str, needs: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """dict of the arrays in an .npz, never running code from it.

    Raises:
        UserError: missing, truncated, without an array of `needs` (pickled objects are none), or
            with a sum, `sha256`, that is not that of its contents.
    """
    path, arrays = Path(path), {}
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as file:
            for key in file.files:
                try:
                    arrays[key] = file[key]
                except ValueError as error:
                    if key in needs or "allow_pickle" not in str(error):  # else it is passed over
                        raise
    except BROKEN_FILE as error:
        raise UserError(f"{path}: not an .npz that can be read ({error})") from None
    for key in needs:
        if key not in arrays:
            raise UserError(f"{path}: has no {key}")
    written = {name: values for name, values in arrays.items() if name != "sha256"}
    if "sha256" in arrays and str(arrays["sha256"]) != contents_sum(written):
        raise UserError(f"{path}: its contents are not those that were saved; changed by hand?")
    return arrays


def make_folder(path: Path | str) -> Path:
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


def find_checkpoints(patterns: Iterable[str]) -> list[Path]:
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


def plain(config: Any) -> dict[str, Any]:
    """A dataclass as plain Python values, for a checkpoint or a JSON line."""
    values = config if isinstance(config, dict) else vars(config)
    return {
        k: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v
        for k, v in values.items()
    }


# ------------------------------------------------------------------ how a result was made

# Settings that change no number
ASIDE: tuple[str, ...] = ("network", "networks", "out", "overwrite", "device", "keep", "pictures")
ASIDE += ("save_decoders", "in_distribution", "held_out", "every_measure")


def provenance(config: Any, paths: Iterable[Path | str]) -> dict[str, Any]:
    """How a result was made: networks with their sums, settings, machine."""
    settings = {name: value for name, value in plain(config).items() if name not in ASIDE}
    sums = {Path(path).name: file_sum(path) for path in paths}
    return {"networks": sums, "config": settings, "machine": machine()}


def about_arrays(about: dict[str, Any]) -> dict[str, Any]:
    """What `provenance` says, as arrays to save in an .npz."""
    return {
        "networks": np.array(list(about["networks"])),
        "network_sums": np.array(list(about["networks"].values())),
        "config": json.dumps(about["config"]),
        "machine": about["machine"],
    }


def about_of(arrays: dict[str, np.ndarray]) -> dict[str, Any] | None:
    """The reverse of `about_arrays`; None where an .npz does not say how it was made."""
    if not {"networks", "network_sums", "config"} <= set(arrays):
        return None
    names, sums = arrays["networks"].tolist(), arrays["network_sums"].tolist()
    try:
        config = json.loads(str(arrays["config"]))
    except ValueError:
        return None
    machine = str(arrays.get("machine", "-"))
    return {"networks": dict(zip(names, sums, strict=True)), "config": config, "machine": machine}


def file_sum(path: Path | str) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


# ------------------------------------------------------------------ tables


def quartiles(values: ArrayLike, digits: int = 3) -> str:
    """'median [lower, upper]', NaN left out; '-' where nothing is left."""
    some = np.asarray(values)
    some = some[~np.isnan(some)]
    if not some.size:
        return "-"
    low, mid, high = (f"{v:.{digits}f}" for v in np.percentile(some, [25, 50, 75]))
    return f"{mid} [{low}, {high}]"


def markdown(header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table with aligned columns."""
    cells = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)
