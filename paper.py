"""The paper's figures as data: which networks, what is measured on them, which script draws.

`KINDS` are the methods: settings that differ from settings.PAPER, and N_task. There are five runs
of each, and ten of the RNNs of Figure 3a and of its control.
`FIGURES` name the measurements. sweep.py does all of it; nothing here runs anything.
"""

import functools
from dataclasses import dataclass
from typing import Any

import settings
import table

RUNS = (0, 1, 2, 3, 4)
MORE_TRIALS = {"n_fit": 20, "n_test": 4000}  # of decoders of Figure 3a and its control
N_TASKS = (2, 3, 6, 12, 24)
N_TASKS_MORE = (48, 96, 192)  # Figure 3a goes on to these
N_TASKS_DIM = (3, 6, 9, 12)  # Figure 5b
N_TASKS_NOISE = (3, 6, 24)  # Figure 5c; the paper shows three values
DIMS = (4, 6, 8, 10)  # D; D = 2 are the networks of Figure 3a
NOISES = (1, 3, 4, 6)  # n_sd_in, sigma = 0.1, 0.3, 0.4, 0.6; 0.2 is Figure 3a
CORRS = (0.2, 0.4, 0.6, 0.8, 1.0)  # 0 is Figure 3a
DURATIONS = tuple(range(500, 5001, 500))  # ms, Figure 5a: 5 to 50 steps
ASKED = tuple(range(100, 2001, 100))  # ms of stimulus, Optimal
STEPS = tuple(range(2, 23))  # of a trial of 22, from the first with evidence
MIXED = ("RNN", "LSTM", "gpt-2")  # architectures beyond the paper
CLOSED = ("closed", "closed_fit", "closed_clip", "closed_fit_clip")  # readouts without a decoder
READOUTS = ("penalties", "paths", "shares")  # analyses of how decoders are found
ARCHITECTURES = ("RNN", "NoLeak", "LSTM", "gpt-2")
SCALES = (0.5, 0.25, 0.18, 0.12, 0.08)  # enc_scale, beyond the paper
STANDARD_MIX, N_TASKS_EACH = "Fourier0.12", (1, 2, 3, 6, 12, 24)
N_TASKS_FEW = (2, 6, 24)  # of the other encoders beyond the paper


class Kind:
    """Networks of one folder below Networks/."""

    def __init__(self, *ensembles: tuple[int, ...], n_run: int = 0, **settings: Any):
        self.ensembles = ensembles  # N_task of those trained together, for each training
        self.settings = settings  # what differs from settings.PAPER
        self.n_run = n_run  # of the first ensemble, decoded with more fits; 0: as the others


UNTRAINED = tuple(f"Untrained_{name}" for name in ARCHITECTURES)
HIGH_DIM: dict[str, Any] = {"task": "LinearClassificationHighDim"}
KINDS = {
    "RNN": Kind(N_TASKS, (9,), *((n,) for n in N_TASKS_MORE), n_run=10),
    "NoLeak": Kind(N_TASKS, leaky=False),
    "LSTM": Kind(N_TASKS, network="LSTM"),
    "gpt-2": Kind(N_TASKS, (9,), network="gpt-2"),
    "Quad": Kind(N_TASKS, activ_enc="Quad"),
    "EncoderMean": Kind(N_TASKS, n_run=10, network="encoder-mean"),
    "InputMean": Kind(N_TASKS, network="input-mean"),
    "EncoderLast": Kind((24,), network="encoder-last"),
    "Untrained_RNN": Kind((24,), n_batch=0),
    "Untrained_NoLeak": Kind((24,), n_batch=0, leaky=False),
    "Untrained_LSTM": Kind((24,), n_batch=0, network="LSTM"),
    "Untrained_gpt-2": Kind((24,), n_batch=0, network="gpt-2"),
    "Grid": Kind((24,), task="GridClassification"),
    "Multiply": Kind((24,), task="MultiplyClassificationFull"),
    "Bound": Kind((24,), N_TASKS[:-1], task="LinearClassificationBound"),
    "Context": Kind((1,), task="ContextDependent"),
    "NoiseEnc": Kind((24,), noise_enc=True),
    "Gumbel": Kind((24,), dist="gumbel"),
    "Anisot": Kind((24,), task="LinearClassificationAnisot"),
    "Autocorr": Kind((24,), autocorr=True),
    **{f"Corr{corr:g}": Kind((24,), corr=corr) for corr in CORRS},
    **{f"Noise{noise}": Kind(N_TASKS_NOISE, n_sd_in=float(noise)) for noise in NOISES},
    **{f"nDim{d}": Kind(N_TASKS_DIM, n_dim=d, **HIGH_DIM) for d in DIMS},
    **{f"gpt-2_nDim{d}": Kind(N_TASKS_DIM, n_dim=d, network="gpt-2", **HIGH_DIM) for d in DIMS},
}
MEANS: tuple[str, ...] = (
    "Gumbel",
    "Anisot",
    "Autocorr",
    "NoiseEnc",
    "Bound",
)  # the encoder's mean, of these too
MEANS += (*(f"Noise{noise}" for noise in NOISES), *(f"nDim{d}" for d in DIMS))
for _kind in MEANS:
    _own = {**KINDS[_kind].settings, "network": "encoder-mean"}
    KINDS[f"EncoderMean_{_kind}"] = Kind(*KINDS[_kind].ensembles, **_own)
ENCODERS: dict[str, dict[str, Any]] = {"ReLU": {}}
ENCODERS |= {name: {"activ_enc": name} for name in ("Quad", "ScaledReLU")}
ENCODERS |= {f"Fourier{x:g}": {"activ_enc": "Fourier", "enc_scale": x} for x in SCALES}


def mixed(encoder: str) -> dict[str, Kind]:
    """Beyond the paper: networks behind an encoder of `ENCODERS`, and their controls."""
    own, kinds = ENCODERS[encoder], dict[str, Kind]()
    n_tasks = {STANDARD_MIX: N_TASKS_EACH, "Quad": N_TASKS}.get(encoder, N_TASKS_FEW)
    if encoder not in ("ReLU", "Quad"):  # the networks of the paper
        kinds |= {f"{name}_{encoder}": Kind(n_tasks, network=name, **own) for name in MIXED}
    if encoder != "ReLU":
        kinds[f"EncoderMean_{encoder}"] = Kind(n_tasks, network="encoder-mean", **own)
        untrained = {"n_batch": 0, **own}
        for name in MIXED:
            kinds[f"Untrained_{name}_{encoder}"] = Kind((24,), network=name, **untrained)
    kinds[f"EncoderClean_{encoder}"] = Kind((24,), network="encoder-mean", n_sd_in=0.0, **own)
    return kinds


for _encoder in ENCODERS:
    KINDS |= mixed(_encoder)


@dataclass(frozen=True)
class Product:
    """What a script measures: generalize, sparsity, optimality, few_shot, analyze, analyze_..."""

    script: str
    networks: tuple[tuple[str, tuple[int, ...]], ...]  # kind, n_tasks
    options: dict[str, Any]  # other than settings.MEASUREMENTS
    runs: tuple[int, ...] = ()  # of these networks; none: all


def measure(
    script: str,
    n_tasks: tuple[int, ...],
    *kinds: str,
    runs: tuple[int, ...] = (),
    **options: Any,
) -> Product:
    """A `Product` of networks of several kinds."""
    return Product(script, tuple((name, n_tasks) for name in kinds), options, runs)


decode = functools.partial(measure, "generalize")  # r2 of x*, angles, abstraction measures
sparse = functools.partial(measure, "sparsity")  # lifetime sparseness and share of active units
optimal = functools.partial(measure, "optimality")  # accuracy, loss, calibration, theorem
learn = functools.partial(measure, "few_shot")  # new tasks from few examples


def analyze(n_task: int, kind: str) -> Product:
    """State space, and fixed points, eigenvalues and rate maps, or attention."""
    portrait = ("lines", "one_trial", "pca", "trajectories", "rate_maps", "encoder")
    script, keep = "analyze", (*portrait, "spectrum", "sheet")
    if KINDS[kind].settings.get("network") == "gpt-2":
        script, keep = "analyze_transformer", (*portrait, "rate_maps_end", "attention")
    return measure(script, (n_task,), kind, runs=RUNS, keep=keep, n_fine=41)


def configs(kind: str, n_tasks: tuple[int, ...], **changes: Any) -> list[settings.Config]:
    """Settings of networks of a kind; `changes` to them, also other `runs` than there are."""
    own, first, n_run = KINDS[kind].settings, KINDS[kind].ensembles[0], KINDS[kind].n_run
    fixed = settings.fixed_settings(own.get("network", "RNN"), own.get("task", settings.CENT_OUT))
    changes = {name: value for name, value in changes.items() if name not in {*own, *fixed}}
    found = []
    for n_task in n_tasks:
        runs = tuple(range(n_run)) if n_run and n_task in first else RUNS
        found += settings.network_configs({"n_task": (n_task,), "runs": runs, **changes, **own})
    return found


def wanted(product: Product, kind: str, n_task: int) -> dict[str, Any]:
    """Settings of a measurement of these networks, other than settings.MEASUREMENTS."""
    curve = product.options.keys() & {"step", "stimulus"}
    is_fitted = product.options.get("decoder", "adam") in ("adam", "ridge") and not curve
    is_precise = product.script == "generalize" and is_fitted and KINDS[kind].n_run
    is_precise = is_precise and n_task in KINDS[kind].ensembles[0]
    return {**(MORE_TRIALS if is_precise else {}), **product.options}


def name_of(product: Product, config: settings.Config, kind: str) -> str:
    """Where the results for networks of a condition are: an entry of the table, or a folder."""
    if product.script.startswith("analyze"):
        end = product.script.removeprefix("analyze").removeprefix("_transformer")
        return f"Analysis/{kind}_nTask{config['n_task']}{end}"
    series = next((name for name in ("step", "stimulus") if name in product.options), "")
    decoder = product.options.get("decoder", "adam") if product.script == "generalize" else ""
    return table.key_of(settings.condition(config), product.script, decoder, series)


class Figure:
    """A figure: what it shows, in a few words, what it is drawn from, and the script that draws.

    `group` is "all", those of the paper and its controls, or "beyond" it; sweep.py takes either.
    """

    def __init__(self, shows: str, *products: Product, script: str = "", group: str = "all"):
        self.shows, self.products, self.group = shows, products, group
        self.script = script  # in Figures/; '': Fig<name>


FIG3A, MEAN = decode(N_TASKS, "RNN"), decode(N_TASKS, "EncoderMean")
RIDGE = decode(N_TASKS, "RNN", decoder="ridge")
RNNS = analyze(24, "RNN"), analyze(2, "RNN")
LEAN: dict[str, Any] = {"save_decoders": False}  # of curves in time; they would be large
EVERY_D = ("RNN", *(f"nDim{d}" for d in DIMS), "gpt-2", *(f"gpt-2_nDim{d}" for d in DIMS))
MORE = decode(N_TASKS_MORE, "RNN"), decode(N_TASKS_MORE, "RNN", decoder="ridge")
TIME = decode((24,), *ARCHITECTURES, decoder="ridge", step=STEPS, **LEAN)
FREE = decode((24,), "Bound", "EncoderMean_Bound", stimulus=DURATIONS, **LEAN)
CUED = decode((1,), "Context")
BOUND = analyze(24, "Bound"), decode(N_TASKS, "Bound", "RNN", "EncoderMean_Bound", "EncoderMean")
SHAPED, NOISY = ("Gumbel", "Anisot", "Autocorr", "NoiseEnc"), [f"Noise{noise}" for noise in NOISES]
NOISE = decode((24,), *SHAPED, *(f"EncoderMean_{kind}" for kind in SHAPED), "EncoderMean")
SIGMA = decode(N_TASKS_NOISE, *NOISY, *(f"EncoderMean_{kind}" for kind in NOISY), "EncoderMean")
CORRELATED = decode((24,), *(f"Corr{corr:g}" for corr in CORRS))
HIGHER = decode(N_TASKS_DIM, *EVERY_D, *(f"EncoderMean_nDim{d}" for d in DIMS), "EncoderMean")
ALL = decode(N_TASKS, *ARCHITECTURES)
HIGH = [kind for kind in EVERY_D if "nDim" in kind]
ONE = {"runs": (0,)}  # of conditions of which one network is shipped
READ = (
    *(measure("analyze_readouts", (n,), "RNN", runs=RUNS, keep=READOUTS) for n in (24, 6)),
    *(decode(N_TASKS, "RNN", "LSTM", decoder=decoder) for decoder in CLOSED),
    decode(N_TASKS, *ARCHITECTURES, decoder="closed_fit"),
    decode(N_TASKS, *ARCHITECTURES, decoder="ridge"),
    ALL,
)
ELSEWHERE = tuple(  # ridge and closed form in the other conditions
    decode(n_tasks, *kinds, decoder=decoder, **ONE)
    for decoder in ("ridge", "closed_fit")
    for n_tasks, kinds in (
        (N_TASKS, ("Quad",)),
        ((24,), ("Gumbel", "Anisot", "Autocorr", *(f"Corr{corr:g}" for corr in CORRS))),
        (N_TASKS_NOISE, NOISY),
    )
)
ELSEWHERE += (
    decode(N_TASKS_DIM, *HIGH, decoder="ridge", **ONE),
    *(
        decode(tuple(n for n in N_TASKS_DIM if n >= d), name, decoder="closed_fit", **ONE)
        for d in DIMS
        for name in (f"nDim{d}", f"gpt-2_nDim{d}")
    ),
    decode((24,), "NoiseEnc", "Multiply", "Bound", decoder="ridge", **ONE),
    decode((1,), "Context", decoder="ridge", **ONE),
)
OPTIMAL = (
    ALL,
    optimal(N_TASKS, *ARCHITECTURES),
    optimal((24,), *ARCHITECTURES, stimulus=ASKED),
    optimal(N_TASKS_NOISE, *NOISY, **ONE),
    optimal(N_TASKS_DIM, *HIGH, **ONE),
)
NO_CODE = ("EncoderLast", *UNTRAINED, "Grid")
CONTROLS = (
    ALL,
    TIME,
    *(
        decode(n_tasks, *kinds, decoder=decoder)
        for decoder in ("adam", "ridge")
        for n_tasks, kinds in ((N_TASKS, ("EncoderMean",)), ((24,), NO_CODE))
    ),
)
MIXING = (
    *(
        measure("generalize", kind.ensembles[0], name, decoder=decoder)
        for decoder in ("adam", "ridge")
        for encoder in ENCODERS
        for name, kind in mixed(encoder).items()
    ),
    decode(N_TASKS_FEW, "RNN", "LSTM", "gpt-2", "EncoderMean"),
    decode(N_TASKS_FEW, "RNN", "LSTM", "gpt-2", "EncoderMean", decoder="ridge"),
)
FEW_SHOT = (
    learn(N_TASKS_FEW, *MIXED, "EncoderMean", "InputMean"),
    learn((24,), *(f"Untrained_{name}" for name in MIXED)),
    *(learn(N_TASKS_FEW, f"{name}_{STANDARD_MIX}") for name in (*MIXED, "EncoderMean")),
    learn((24,), *(f"Untrained_{name}_{STANDARD_MIX}" for name in MIXED)),
)
CAUSAL = measure("causal", N_TASKS_FEW, *MIXED)
FIGURES = {  # cheapest and most important first; `sweep.py all` goes in this order
    "3a": Figure("r2 against N_task, ID and OOD, RNN", FIG3A, RIDGE, MEAN),
    "3bc": Figure("OOD r2 and angle between decoders, four architectures", ALL, MEAN),
    "Controls": Figure("no network, no training, labels that are not linear", *CONTROLS),
    "Readouts": Figure("why the decoder plateaus; x* from the outputs", *READ, *ELSEWHERE),
    "Optimal": Figure("networks against the optimal classifier (not in the paper)", *OPTIMAL),
    "2": Figure("one trial, state space, fixed points", *RNNS),
    "4": Figure("rate maps, RNN and GPT-2", analyze(24, "RNN"), analyze(24, "gpt-2")),
    "S2": Figure("eigenvalues at fixed points", *RNNS),
    "S11": Figure("amplification of time scales", *RNNS),
    "S1": Figure(
        "ReLU and quadratic encoder",
        decode(N_TASKS, "RNN", "Quad", "EncoderMean", "EncoderMean_Quad"),
    ),
    "S6a": Figure("sparseness by architecture", sparse(N_TASKS, *ARCHITECTURES), script="FigS6"),
    "Time": Figure("r2 at each step of the trial (not in the paper)", TIME),
    "S4": Figure("non-linear boundaries", decode((24,), "Multiply"), analyze(24, "Multiply")),
    "5a": Figure("free reaction time: OOD r2 against trial duration", FREE),
    "S5": Figure("free reaction time: accumulators, OOD r2 against fixed", *BOUND),
    "Context": Figure("one task at a time, cued, against both at once", CUED, FIG3A),
    "Noise": Figure("other noise: Gumbel, anisotropic, AR(1), after the encoder", FIG3A, NOISE),
    "5c": Figure("OOD r2 against the noise of training", FIG3A, SIGMA),
    "S3b": Figure("correlated factors", FIG3A, CORRELATED),
    "5b": Figure("OOD r2 and angles (S12) against D, RNN and GPT-2", HIGHER),
    "S6b": Figure("sparseness by D, RNN and GPT-2", sparse(N_TASKS_DIM, *EVERY_D), script="FigS6"),
    "3a_more": Figure("Figure 3a at N_task 48, 96, 192", *MORE, script="Fig3a"),
    "Mixing": Figure("is the linear code made, or inherited?", *MIXING, group="beyond"),
    "FewShot": Figure("new tasks from few examples", *FEW_SHOT, group="beyond"),
    "Causal": Figure("is the linear code used?", CAUSAL, group="beyond"),
}
ALIASES = {"3b": "3bc", "3c": "3bc", "3b,c": "3bc", "S12": "5b", "S3": "S3b", "S5c": "S5"}
ALIASES |= {"controls": "Controls", "noise": "Noise", "context": "Context", "time": "Time"}
ALIASES |= {"readouts": "Readouts", "optimal": "Optimal", "mixing": "Mixing"}
