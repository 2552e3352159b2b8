"""The tidy table: what scripts put into it is read back to the last bit, and nothing else moves."""

import multiprocessing

import numpy as np
import pandas as pd
import pytest
from conftest import make, one_line

import settings
import table
import util
from util import UserError

QUICK = ("--n_batch", 20, "--n_fit", 2)


def sparseness(n_task, value, **own):
    """Rows of two networks, and how they were made."""
    configs = make((n_task,), (0, 1), **own).configs
    rows = pd.DataFrame([table.network_columns(c) for c in configs])
    key = table.key_of(settings.condition(configs[0]), "sparsity")
    about = {"networks": {"a.pth": "0", "b.pth": "1"}, "config": {"seed": 0}, "machine": "m"}
    return rows.assign(measure="sparsity", value=value), {key: about}


def test_a_run_into_the_table_equals_one_into_npz(script, tiny_networks, tmp_path):
    out, command = tmp_path / "new/results.csv", ("generalize", "--networks", tiny_networks, *QUICK)
    assert script(*command, "--out", tmp_path / "r_sq.npz", "--every_measure")[0] == 0
    code, text, err = script(*command, "--out", out)
    assert code == 0 and "OOD held out" in text, err
    rows = table.read(out).sort_values(["n_task", "run", "split", "fit", "factor"])
    assert (rows[["n_neu", "corr", "t", "sigma"]].drop_duplicates() == [8, 0, 20, 0.2]).all(None)
    for measure, end in (("as_released", ""), ("quadrant", "_quadrant"), ("ID", "_ID")):
        r_sq, dec = (util.load_npz(tmp_path / f"{kind}{end}.npz") for kind in ("r_sq", "decoders"))
        found = rows[rows["measure"] == measure]
        assert np.array_equal(found["r2"].to_numpy(np.float32), r_sq["r_sq"].ravel())
        assert np.array_equal(found["angle"].to_numpy(np.float32), dec["angles"][..., 0, 1].ravel())
        for n_task, weights in zip(dec["n_tasks"], dec["dec"], strict=True):
            name = f"RNN_nTask{n_task}_n_neu8_n_batch120_adam.npz"
            file = util.load_npz(out.parent / "decoders" / name, ("runs", "network_sums"))
            assert np.array_equal(file["dec_ID" if measure == "ID" else "dec"], weights)
    for name in ("ccgp", "parallelism"):
        found = rows.query(f"measure == '{name}'")["value"]
        assert np.array_equal(found, r_sq[name].ravel())
        for i, chance in enumerate(("_chance", "_chance_5", "_chance_95")):
            found = rows.query(f"measure == '{name}{chance}'")["value"]
            assert np.array_equal(found, r_sq[f"{name}_chance"][..., i].ravel())


def test_an_entry_is_replaced_only_by_its_like(script, tiny_networks, tmp_path):
    out, options = tmp_path / "results.csv", ("--decoder", "ridge", "--n_fit", 1, "--n_ridge", 100)
    three = ("generalize", "--networks", tiny_networks / "*nTask3*", *options, "--out", out)
    two = ("generalize", "--networks", tiny_networks / "*nTask2*", *options, "--out", out)
    assert script(*three, "--no-save_decoders")[0] == script(*two, "--split_var", 1)[0] == 0
    assert [path.stem for path in (tmp_path / "decoders").iterdir()] == [
        "RNN_nTask2_n_neu8_n_batch120_ridge_split_var1"
    ]
    before = out.read_text().splitlines()
    assert script("sparsity", "--networks", tiny_networks, "--out", out)[0] == 0
    assert script(*three)[0] == 0
    lines, rows = out.read_text().splitlines(), table.read(out)
    others = [x for x in lines if not any(f",{name}," in x for name in table.SPARSITY)]
    assert others == before and len(lines) == len(before) + 12
    assert set(rows["series"]) == {"", "split_var1"} and len(table.about(out)) == 4
    for other in (("--n_ridge", 200), ("--networks", tiny_networks / "*nTask3*run0.pth")):
        code, _, err = script(*three, *other)
        assert code == 2 and one_line(err) and "--overwrite" in err
    assert out.read_text().splitlines() == lines
    assert script(*three, "--n_ridge", 200, "--overwrite")[0] == 0
    assert out.read_text().splitlines() != lines


def test_processes_take_turns(tmp_path):
    out = tmp_path / "results.csv"
    entries = [sparseness(n, n / 7, corr=0.4) for n in range(2, 10)]
    start = multiprocessing.get_context("fork").Process
    processes = [start(target=table.put, args=(out, *entry)) for entry in entries]
    [process.start() for process in processes]
    [process.join() for process in processes]
    rows = table.read(out)
    assert len(rows) == 16 and (rows["value"] == rows["n_task"] / 7).all()
    assert set(rows["corr"]) == {0.4} and set(rows["task"]) == {settings.CORR}
    assert not list(tmp_path.glob("*.partial")) and len(table.about(out)) == 8


def test_a_table_without_the_last_column_is_read_and_added_to(tmp_path):
    out = tmp_path / "results.csv"
    table.put(out, *sparseness(2, 50.0))
    before, lines = table.read(out), out.read_text().splitlines()
    assert lines[0].endswith(",n_example") and all(line.endswith(",") for line in lines[1:])
    out.write_text("".join(f"{line.rpartition(',')[0]}\n" for line in lines))
    pd.testing.assert_frame_equal(table.read(out), before)
    table.put(out, *sparseness(3, 60.0))
    assert out.read_text().splitlines()[:3] == lines and len(table.about(out, strict=True)) == 2


def test_a_table_that_is_broken_or_changed_by_hand_is_one_line(tmp_path):
    out = tmp_path / "results.csv"
    with pytest.raises(UserError, match="no such file"):
        table.read(out)
    table.put(out, *sparseness(2, 50.0))
    good = out.read_text()
    for text, words in (
        (good.replace("50", "51"), "by hand"),
        ("a,b\n1,2\n", "columns"),
        ("", "read"),
    ):
        out.write_text(text)
        with pytest.raises(UserError, match=words):
            table.read(out)
    out.with_suffix(".json").unlink()
    out.write_text(good.replace("50", "many"))
    with pytest.raises(UserError, match="that can be read"):
        table.read(out)
    out.write_text(good)
    out.with_suffix(".json").write_text("{")
    with pytest.raises(UserError, match="that can be read"):
        table.read(out)
