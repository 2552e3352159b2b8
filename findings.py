"""What was found, in plain words: each finding is a function of the results that returns its text.

`FINDINGS` has the most surprising first. README.md shows the first five that hold, docs/results.md
all of them. The docstring says when a finding holds; if it does not, or its networks have not been
measured, it is left out. Numbers are medians over networks, as in claims.py. A new study adds its
function to the list.
"""

from collections.abc import Callable

import numpy as np

from verdicts import Data, NotRun

NAMES = {"RNN": "RNN", "LSTM": "LSTM", "gpt-2": "GPT-2"}
IS_NOT = ""  # what a finding returns that does not hold


def median(data: Data, kind="RNN", n_task=24, measure="quadrant", **where: str) -> float:
    """Median r2 over networks of a kind; in the quadrant held out if nothing else is named."""
    return float(np.median(data.medians(measure, kind, n_task, **where)))


def passes_without_a_network(data: Data) -> str:
    """Neither RNN, LSTM nor GPT-2 is more than 0.05 better than the average of its own input."""
    average = median(data, "EncoderMean")
    trained = {name: median(data, kind) for kind, name in NAMES.items()}
    if max(trained.values()) > average + 0.05:
        return IS_NOT
    listed = ", ".join(f"{r2:.2f} ({name})" for name, r2 in trained.items())
    return (
        "**The paper's test passes without a network.** Average the encoder's output over the "
        f"trial, and decode that: r2 is {average:.2f} in the quadrant held out. Networks trained "
        f"on 24 tasks reach {listed}. So the test shows that networks add up the evidence and keep "
        "the form of their input. It does not show that many tasks create that form."
    )


def few_tasks_spoil(data: Data) -> str:
    """Two tasks lose 0.1 against the average input, and 192 change at most 0.05 against six."""
    two, six, most = (median(data, n_task=n) for n in (2, 6, 192))
    average = median(data, "EncoderMean", 2)
    if two > average - 0.1 or abs(most - six) > 0.05:
        return IS_NOT
    return (
        f"**Few tasks spoil that form.** An RNN trained on 2 tasks reaches r2 = {two:.2f} in the "
        f"quadrant held out. The average of its own input reaches {average:.2f}. More than 6 tasks "
        f"add little: r2 is {six:.2f} with 6 and {most:.2f} with 192."
    )


def decoder_limits(data: Data) -> str:
    """Ridge decoders halve the gap between ID and the quadrant held out."""
    adam, ridge = (median(data, decoder=decoder) for decoder in ("adam", "ridge"))
    top = median(data, measure="ID", decoder="ridge")
    if ridge - adam < (top - adam) / 2:
        return IS_NOT
    return (
        "**A better decoder closes most of the gap between OOD and ID.** The paper fits its "
        f"decoders by Adam. They read r2 = {adam:.2f} from RNNs of 24 tasks in the quadrant held "
        f"out. Ridge reads {ridge:.2f} from the same networks, and {top:.2f} in distribution."
    )


def released_is_easier(data: Data) -> str:
    """The released test gives 0.03 more than the quadrant held out."""
    easy, hard = (median(data, measure=measure) for measure in ("as_released", "quadrant"))
    if easy < hard + 0.03:
        return IS_NOT
    return (
        "**The code released with the paper runs an easier test than the paper describes.** It "
        "tests half of the decoders on quadrants that they were trained on. RNNs of 24 tasks reach "
        f"r2 = {easy:.2f} in that test, and {hard:.2f} with the quadrant really held out."
    )


def tasks_for_factors(data: Data) -> str:
    """Twelve tasks give at least twice the r2 of three, with ten hidden numbers."""
    rnn, gpt = ([median(data, f"{kind}nDim10", n) for n in (3, 12)] for kind in ("", "gpt-2_"))
    if rnn[1] < 2 * rnn[0] or gpt[1] < 2 * gpt[0]:
        return IS_NOT
    return (
        "**Many hidden numbers need many tasks, as the paper says.** With ten hidden numbers in "
        f"place of two, GPT-2 reaches r2 = {gpt[0]:.2f} after 3 tasks and {gpt[1]:.2f} after 12. "
        f"The RNN reaches {rnn[0]:.2f} and {rnn[1]:.2f}."
    )


def transformer_keeps(data: Data) -> str:
    """GPT-2 is 0.1 better than the RNN at two tasks, and untrained within 0.05 of that."""
    gpt, rnn = (median(data, kind, 2) for kind in ("gpt-2", "RNN"))
    before = median(data, "Untrained_gpt-2")
    if gpt < rnn + 0.1 or before < gpt - 0.05:
        return IS_NOT
    return (
        f"**A transformer keeps what an RNN loses.** Trained on 2 tasks, GPT-2 reaches "
        f"r2 = {gpt:.2f} in the quadrant held out, the RNN {rnn:.2f}. GPT-2 before any training "
        f"reaches {before:.2f}."
    )


FINDINGS: list[Callable[[Data], str]] = [
    passes_without_a_network,
    few_tasks_spoil,
    decoder_limits,
    released_is_easier,
    tasks_for_factors,
    transformer_keeps,
]


def found(data: Data) -> list[str]:
    """Texts of the findings that hold."""
    texts = []
    for finding in FINDINGS:
        try:
            texts.append(finding(data))
        except NotRun:
            continue
    return [text for text in texts if text != IS_NOT]
