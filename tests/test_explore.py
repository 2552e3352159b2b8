"""explore.py: its page, in a real browser."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from conftest import ROOT, one_line, save_small

import batches
import checkpoint
import decoders
import explore
import table
import tasks
import theory
import util

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright to drive a browser")
BROWSERS = "chromium", "chromium-browser", "google-chrome"
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
in_browser = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here to open the page in")

TRAINED = ROOT / "tests/data/RNN_nTask24_n_batch20000_run0.pth"
RELEASED = "LinProbSigmoidSL8batch1e5LR0.001Noise2NetN0nTrial1CElossnTask4.pth"
TINY = {  # every kind of network, and of trial
    "leaky": {"tau": 200},
    "summing": {"leaky": False},
    "tanh": {"activation": "tanh"},
    "late": {"delay": 200, "decision": 200, "encode": False},
    "free": {"task": "LinearClassificationBound", "activ_enc": "Quad"},
    "lstm": {"network": "LSTM"},
    "gru": {"network": "GRU", "activ_enc": "Fourier"},
    "gpt": {"network": "gpt-2"},
    "deep": {"network": "gpt-2", "n_layer": 2, "n_head": 2},
}


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    """A folder with small networks, one of them as the authors' files are."""
    folder = tmp_path_factory.mktemp("nets")
    for name, settings in TINY.items():
        save_small(folder, name, **{"n_task": (3,), "n_neu": 8, **settings})
    (path,) = save_small(folder, "released", n_task=(4,), n_neu=8)
    content = torch.load(path)
    torch.save({key: content[key] for key in ("state_dict", "encoder")}, folder / RELEASED)
    path.unlink()
    return folder


@pytest.fixture(scope="module")
def page_file(nets):
    """The page of all of them, and of a trained one."""
    few = explore.Config(n_batch=96, n_ridge=200, n_test=200)
    config = dataclasses.replace(few, networks=(str(nets), str(TRAINED)), out=nets / "page.html")
    explore.main(config)
    return config.out


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, page_file):
    """open_page(width) -> the page, which may say nothing on its console."""
    said, pages = [], []

    def open_page(width=1280, **options):
        page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(page_file.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not said


def choose(page, name):
    """Show the network of the file that begins with `name`."""
    page.evaluate("name => choose(NETWORKS.find(net => net.file.startsWith(name)))", name)


@in_browser
def test_networks_run_as_in_pytorch(open_page, nets):
    """Representation and outputs at every step, and what the page shows at the end of a trial."""
    page = open_page()
    for name in TINY:
        model, (config,) = checkpoint.load_ensemble([nets / f"{name}0.pth"])
        shown = tasks.make_task(config).decoding_task(range(4))
        inputs, *_ = batches.sample([shown], [util.generator(0)], 1)
        rates = model.represent(inputs)
        found = page.evaluate(
            """([name, inputs, samples]) => {
                const net = NETWORKS.find(net => net.file.startsWith(name)), n = samples.length;
                const fix = net.n_fix, input = u => net.input(u[0], net.encode(u.slice(fix)));
                const rates = net.states(inputs.map(input));
                const end = net.trial(samples)[n].asked, quiet = net.noiseless(samples[0], n).asked;
                const logits = rates.map(rates => [...net.logits(rates)]);
                return [rates.map(rates => [...rates]), logits, [...end], [...quiet]];
            }""",
            [
                name,
                inputs[0, 0].tolist(),
                inputs[0, 0, shown.evidence_steps, shown.n_fix :].tolist(),
            ],
        )
        still = shown.noiseless(inputs[:, :, shown.evidence_steps.start, shown.evidence])
        want = rates[0, 0], model.readout(rates)[0, 0], rates[0, 0, -1], model.represent_last(still)
        for got, right in zip(found, want, strict=True):
            np.testing.assert_allclose(got, right.squeeze(), atol=1e-4, rtol=1e-4, err_msg=name)


@in_browser
@pytest.mark.parametrize("decoder", ["ridge", "closed_fit"])
def test_decoded_r2_is_that_of_generalize(open_page, script, tmp_path, decoder):
    """Within the error of the page's trials; the table's number stands in the page as it is."""
    out = tmp_path / "results.csv"
    given = "--decoder", decoder, "--n_fit", 1, "--n_ridge", 200, "--n_test", 200, "--out", out
    code, _, err = script("generalize", "--networks", TRAINED, *given)
    assert code == 0, err
    page, rows = open_page(), table.read(out)
    choose(page, TRAINED.stem)
    page.select_option("#readout", decoder)
    page.wait_for_function("now.score")
    for held in range(5):
        of_held = rows.query(f"measure == '{'quadrant' if held < 4 else 'ID'}'")
        right = of_held.query("split == @held % 4")["r2"].item()
        page.check(f"#held input[value='{held}']", force=True)
        assert abs(page.evaluate("at.net.decoders[at.readout].r2[at.held]") - right) < 2e-3
        found = page.evaluate("now.score[at.held < 4 ? 'held' : 'seen'].at(-1)")
        assert 0.7 < right < 1 and 0 < found["se"] < 0.05
        assert abs(found["r2"] - right) < 5 * found["se"]
    best = page.evaluate("now.score.best.at(-1)")
    assert abs(best["r2"] - theory.r2_optimum()) < 5 * best["se"]


@in_browser
def test_closed_form_is_that_of_python(open_page):
    page = open_page()
    choose(page, TRAINED.stem)
    logits = torch.linspace(-30, 45, 24)
    found = page.evaluate(
        "logits => at.net.closedForm(logits, null).map(v => v * at.net.sd(20))", logits.tolist()
    )
    model, configs = checkpoint.load_ensemble([TRAINED])
    source = decoders.States(model, configs, decoders.Splits(2))
    weight, _ = decoders.closed_map(source, configs[0])
    right = decoders.probit(logits).double() @ weight
    np.testing.assert_allclose(found, right, rtol=1e-4)


@in_browser
def test_it_plays_and_answers_to_keys_and_pointer(open_page):
    page = open_page()
    choose(page, TRAINED.stem)
    page.wait_for_function("now.sheet")
    page.focus("#square")
    before = page.evaluate("at.x")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.evaluate("at.x")[0] == pytest.approx(before[0] - 0.1)
    page.keyboard.press(" ")
    page.wait_for_function("at.playing && at.clock > 0.5 && at.clock < at.n")
    page.keyboard.press(" ")
    assert page.inner_text("#play") == "▶ Play" and not page.evaluate("at.playing")
    page.evaluate("at.clock = at.n, changed()")
    intact = page.evaluate("now.path[at.n]")
    page.focus("#units")
    strongest = "now.maps.order.findLastIndex(unit => now.moments[at.n].asked[unit] > 0.1)"
    page.evaluate(f"at.unit = {strongest} - 1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    silenced = page.evaluate(
        "[[...at.silentUnits], now.moments[at.n].asked[[...at.silentUnits][0]]]"
    )
    assert len(silenced[0]) == 1 and silenced[1] == 0
    assert page.evaluate("now.path[at.n]") != intact
    page.wait_for_function("document.querySelector('#status').innerText.includes('1 unit')")
    page.click("#wake")
    assert page.evaluate("now.path[at.n]") == intact
    page.select_option("#readout", "closed")
    page.evaluate("for (let i = 0; i < 23; i++) toggle(at.silentTasks, i)")
    page.wait_for_function("document.querySelector('#status').innerText.includes('cannot be read')")
    page.click("#answers", position={"x": 60, "y": 60})  # wakes a second task
    assert page.evaluate("now.path[at.n] !== null")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@in_browser
def test_every_network_is_drawn_on_a_phone(open_page):
    """No panel runs over the edge, and a file without a readout says so."""
    page = open_page(400, color_scheme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    for name in (*TINY, RELEASED):
        choose(page, name)
        page.wait_for_function("now.sheet && !dirty")
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        closed = page.locator("#readout option[value='closed']")
        assert closed.is_disabled() == (name in ("free", RELEASED))
        assert ("holds no readout" in page.inner_text("#reason")) == (name == RELEASED)


def test_bad_input_is_one_clear_line(script, nets, tmp_path):
    good = nets / "tanh0.pth"
    deep, grid = (
        save_small(tmp_path, name, n_task=(4,), n_neu=8, **settings)[0]
        for name, settings in (
            ("deep", {"task": "LinearClassificationHighDim", "n_dim": 4}),
            ("grid", {"task": "GridClassification"}),
        )
    )
    late = save_small(tmp_path, "late", n_task=(2,), n_neu=8, noise_enc=True)[0]
    mean = save_small(tmp_path, "mean", n_task=(2,), n_neu=40, network="encoder-mean")[0]
    for given, words in (
        ([tmp_path / "no.pth"], "no such file"),
        ([deep], "D = 4"),
        ([grid], "no linear boundaries"),
        ([late], "after the encoder"),
        ([mean], "has no state"),
        ([good, "--out", tmp_path], "is a folder"),
        ([good, "--out", good / "page.html"], "not a folder"),
    ):
        code, _, err = script("explore", *given)
        assert code == 2 and one_line(err) and words in err, err


def test_the_shipped_page_is_made_of_the_shipped_networks():
    """Of these sources too; it is small, and loads nothing."""
    page = ROOT / "docs/explore.html"
    text = page.read_text()
    assert len(text) < 6e6 and not any(word in text for word in ("http://", "https://", " src="))
    networks = json.loads(text.split('id="data">')[1].split("</script>")[0])["networks"]
    assert explore.html(networks) == text, "run explore.py again"
    assert len(networks) == len(explore.DEFAULT)
    for network, path in zip(networks, explore.DEFAULT, strict=True):
        model, (config,) = checkpoint.load_ensemble([ROOT / "Networks" / f"{path}_run0.pth"])
        assert network["n_task"] == config["n_task"]
        assert network["weights"] == explore.weights_of(model), "run explore.py again"
