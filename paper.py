"""The paper's figures as data: their networks, what is measured on these, who draws it (SPEC 7).

`KINDS` are the methods: settings of train.py that differ from its defaults, and N_task; five runs
of each. `FIGURES` say what is measured on which networks, and into which file below Data/ it goes.
sweep.py does it all; nothing here runs anything.
"""

from dataclasses import dataclass, field

RUNS = (0, 1, 2, 3, 4)
N_TASKS = (2, 3, 6, 12, 24)
N_TASKS_MORE = (48, 96, 192)  # Figure 3a goes on to these
N_TASKS_DIM = (3, 6, 9, 12)  # Figure 5b
N_TASKS_NOISE = (3, 6, 24)  # Figure 5c; the paper shows three values
DIMS = (4, 6, 8, 10)  # D; D = 2 are the networks of Figure 3a
NOISES = (1, 3, 4, 6)  # n_sd_in, sigma = 0.1, 0.3, 0.4, 0.6; 0.2 is Figure 3a
CORRS = (0.2, 0.4, 0.6, 0.8, 1.0)  # 0 is Figure 3a
DURATIONS = tuple(range(500, 5001, 500))  # ms, Figure 5a: 5 to 50 steps


@dataclass(frozen=True)
class Kind:
    """Networks that are trained as one ensemble: what differs from train.py's defaults."""

    n_tasks: tuple
    settings: dict = field(default_factory=dict)
    folder: str = ""  # below Networks/, where it is not the kind's name


def high_dim(n_dim, **settings):
    """Networks of Figure 5b."""
    task = {"task": "LinearClassificationHighDim", "n_dim": n_dim}
    return Kind(N_TASKS_DIM, {**task, **settings})


KINDS = {
    "RNN": Kind(N_TASKS),
    "NoLeak": Kind(N_TASKS, {"leaky": False}),
    "LSTM": Kind(N_TASKS, {"network": "LSTM"}),
    "gpt-2": Kind(N_TASKS, {"network": "gpt-2"}),
    "Quad": Kind(N_TASKS, {"activ_enc": "Quad"}),
    "Multiply": Kind((24,), {"task": "MultiplyClassificationFull"}),
    "Bound": Kind((24,), {"task": "LinearClassificationBound"}),
    "Bound_nTask2-12": Kind(N_TASKS[:-1], {"task": "LinearClassificationBound"}, "Bound"),
    "Context": Kind((1,), {"task": "ContextDependent"}),
    "NoiseEnc": Kind((24,), {"noise_enc": True}),
    "Gumbel": Kind((24,), {"dist": "gumbel"}),
    "Anisot": Kind((24,), {"task": "LinearClassificationAnisot"}),
    "Autocorr": Kind((24,), {"autocorr": True}),
    **{f"Corr{corr:g}": Kind((24,), {"corr": corr}) for corr in CORRS},
    **{f"Noise{noise}": Kind(N_TASKS_NOISE, {"n_sd_in": float(noise)}) for noise in NOISES},
    "RNN_nTask9": Kind((9,), {}, "RNN"),
    **{f"nDim{d}": high_dim(d) for d in DIMS},
    "gpt-2_nTask9": Kind((9,), {"network": "gpt-2"}, "gpt-2"),
    **{f"gpt-2_nDim{d}": high_dim(d, network="gpt-2") for d in DIMS},
    **{f"RNN_nTask{n}": Kind((n,), {}, "RNN") for n in N_TASKS_MORE},
}


@dataclass(frozen=True)
class Product:
    """What a script measures on networks.

    Attributes:
        script: generalize, sparsity, analyze or analyze_transformer.
        file: .npz, or a folder of them, below Data/.
        networks: tuples (kind, n_tasks).
        options: settings of the script.
    """

    script: str
    file: str
    networks: tuple
    options: dict = field(default_factory=dict)


def decode(file, *networks, **options):
    """r2 of x* in and out of distribution, angles, abstraction measures."""
    return Product("generalize", f"{file}.npz", networks, {"every_measure": True, **options})


def sparse(file, *networks):
    """Lifetime sparseness and share of active units."""
    return Product("sparsity", f"{file}.npz", networks)


PORTRAIT = ("lines", "one_trial", "pca", "trajectories", "rate_maps", "encoder")
POINTS = ("spectrum", "sheet")
N_FINE = 41  # classification lines: points per factor


def analyze(kind, n_task):
    """State space, fixed points, eigenvalues and rate maps of recurrent networks."""
    keep = {"keep": PORTRAIT + POINTS, "pictures": False, "n_fine": N_FINE}
    return Product("analyze", f"Analysis/{kind}_nTask{n_task}", ((kind, (n_task,)),), keep)


RNN24, RNN2 = analyze("RNN", 24), analyze("RNN", 2)
GPT24 = Product(
    "analyze_transformer",
    "Analysis/gpt-2_nTask24",
    (("gpt-2", (24,)),),
    {"keep": (*PORTRAIT, "rate_maps_end", "attention"), "pictures": False, "n_fine": N_FINE},
)
FIG3A = decode("Fig3a/r_sq_RNN_CELoss", ("RNN", N_TASKS))
MORE = tuple((f"RNN_nTask{n}", (n,)) for n in N_TASKS_MORE)
ARCHITECTURES = ("RNN", "NoLeak", "LSTM", "gpt-2")
LEAN = {"save_decoders": False}  # of curves in time; they would be large
STEPS = tuple(range(2, 23))  # of a trial of 22, from the first with evidence


def by_dim(measure, folder, name, architecture, prefix):
    """One product per D = 2, 4, ..., 10 of an architecture; `prefix` of its kinds."""
    two = ((architecture, (3, 6, 12)), (f"{architecture}_nTask9", (9,)))
    return (
        measure(f"{folder}/{name}_nDim2_{architecture}", *two),
        *(
            measure(f"{folder}/{name}_nDim{d}_{architecture}", (f"{prefix}nDim{d}", N_TASKS_DIM))
            for d in DIMS
        ),
    )


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        shows: in a few words.
        products: what it is drawn from.
        script: in Figures/; '': Fig<name>.
    """

    shows: str
    products: tuple
    script: str = ""


FIGURES = {  # cheapest and most important first; `sweep.py all` goes in this order
    "3a": Figure(
        "r2 against N_task, ID and OOD, RNN",
        (FIG3A, decode("Fig3a/r_sq_RNN_CELoss_ridge", ("RNN", N_TASKS), decoder="ridge")),
    ),
    "3bc": Figure(
        "OOD r2 and angle between decoders, four architectures",
        (FIG3A, *(decode(f"Fig3b,c/r_sq_{k}_CELoss", (k, N_TASKS)) for k in ARCHITECTURES[1:])),
    ),
    "2": Figure("one trial, state space, fixed points", (RNN24, RNN2)),
    "4": Figure("rate maps, RNN and GPT-2", (RNN24, GPT24)),
    "S2": Figure("eigenvalues at fixed points", (RNN24, RNN2)),
    "S11": Figure("amplification of time scales", (RNN24, RNN2)),
    "S1": Figure(
        "ReLU and quadratic encoder", (FIG3A, decode("FigS1/r_sq_Quad_CELoss", ("Quad", N_TASKS)))
    ),
    "S6a": Figure(
        "sparseness by architecture",
        tuple(sparse(f"FigS6/arc/sparsity_{k}", (k, N_TASKS)) for k in ARCHITECTURES),
        "FigS6",
    ),
    "Time": Figure(
        "r2 at each step of the trial (not in the paper)",
        tuple(
            decode(f"Time/r_sq_{k}_CELoss", (k, (24,)), decoder="ridge", step=STEPS, **LEAN)
            for k in ARCHITECTURES
        ),
    ),
    "S4": Figure(
        "non-linear boundaries",
        (decode("FigS4/r_sq_Multiply", ("Multiply", (24,))), analyze("Multiply", 24)),
    ),
    "5a": Figure(
        "free reaction time: OOD r2 against trial duration",
        (decode("Fig5a/r_sq_Bound", ("Bound", (24,)), stimulus=DURATIONS, **LEAN),),
    ),
    "S5": Figure(
        "free reaction time: accumulators, OOD r2 against fixed",
        (
            analyze("Bound", 24),
            decode("FigS5c/r_sq_Bound", ("Bound", (24,)), ("Bound_nTask2-12", N_TASKS[:-1])),
            FIG3A,
        ),
    ),
    "Context": Figure(
        "one task at a time, cued, against both at once",
        (decode("Context/r_sq_Context", ("Context", (1,))), FIG3A),
    ),
    "Noise": Figure(
        "other noise: Gumbel, anisotropic, AR(1), after the encoder",
        (
            FIG3A,
            *(
                decode(f"Noise/r_sq_{k}", (k, (24,)))
                for k in ("Gumbel", "Anisot", "Autocorr", "NoiseEnc")
            ),
        ),
    ),
    "5c": Figure(
        "OOD r2 against the noise of training",
        (
            FIG3A,
            *(decode(f"Fig5c/r_sq_Noise{n}", (f"Noise{n}", N_TASKS_NOISE)) for n in NOISES),
        ),
    ),
    "S3b": Figure(
        "correlated factors",
        (FIG3A, *(decode(f"FigS3b/r_sq_Corr{c:g}", (f"Corr{c:g}", (24,))) for c in CORRS)),
    ),
    "5b": Figure(
        "OOD r2 and angles (S12) against D, RNN and GPT-2",
        (
            *by_dim(decode, "Fig5b,S12 RNN", "r_sq", "RNN", ""),
            *by_dim(decode, "Fig5b,S12 GPT", "r_sq", "gpt-2", "gpt-2_"),
        ),
    ),
    "S6b": Figure(
        "sparseness by D, RNN and GPT-2",
        (
            *by_dim(sparse, "FigS6/HighDim", "sparsity", "RNN", ""),
            *by_dim(sparse, "FigS6/HighDim", "sparsity", "gpt-2", "gpt-2_"),
        ),
        "FigS6",
    ),
    "3a_more": Figure(
        "Figure 3a at N_task 48, 96, 192",
        (
            decode("Fig3a_more/r_sq_RNN_CELoss", *MORE),
            decode("Fig3a_more/r_sq_RNN_CELoss_ridge", *MORE, decoder="ridge"),
        ),
        "Fig3a",
    ),
}
ALIASES = {"3b": "3bc", "3c": "3bc", "3b,c": "3bc", "S12": "5b", "S3": "S3b", "S5c": "S5"}
ALIASES |= {"noise": "Noise", "context": "Context", "time": "Time"}
