"""The analysis of GPT-2 networks: numbers against slow or independent ones."""

import warnings

import numpy as np
import pytest
import torch
from conftest import ROOT, save_small
from sklearn.decomposition import PCA

import analyze_transformer
import batches

TRAINED = ROOT / "Networks/gpt-2/gpt-2_nTask24_run0.pth"
SMALL = {"n_trial": 24, "n_fit": 256, "n_fine": 9}


def saved(folder, name="net", **settings):
    return save_small(folder, name, **{"network": "gpt-2", "n_head": 4, **settings})


def study_of(*paths, **settings):
    config = analyze_transformer.Config(network=paths, **{**SMALL, **settings})
    return analyze_transformer.TransformerStudy(config)


def analysis(*paths, **settings):
    """The study and its arrays, nothing saved or drawn; a warning is an error."""
    some, found = study_of(*paths, **settings), {}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        analyze_transformer.analyze(some, lambda name, arrays: found.setdefault(name, arrays))
    return some, found


def sharpen(model):
    """Larger weights, so that attention is far from even and every layer adds something."""
    for parameter in model.network.parameters():
        if parameter.shape[1] > 1:
            parameter *= 20


def hugging_face(some, net):
    """One network as the library has it, and its attention weights for what its encoder gives."""
    from transformers import GPT2Config, GPT2Model

    network = some.model.network
    sizes = {"n_embd": network.n_neu, "n_layer": network.n_layer, "n_head": network.n_head}
    config = GPT2Config(vocab_size=1, n_positions=22, bos_token_id=None, eos_token_id=None, **sizes)
    config._attn_implementation = "eager"  # the one that gives its weights
    parts = {
        "transformer": GPT2Model(config),
        "input_projection": torch.nn.Linear(some.model.encoder.n_out, network.n_neu),
    }
    module = torch.nn.ModuleDict(parts).eval()
    module.load_state_dict(network.to_file(net), strict=True)
    return module


@pytest.mark.parametrize("settings", [{}, {"n_layer": 2, "n_head": 2}])
def test_weights_and_values_are_those_of_hugging_face(tmp_path, settings):
    some = study_of(*saved(tmp_path, change=sharpen, **settings))
    n_layer, n_head = some.configs[0]["n_layer"], some.configs[0]["n_head"]
    inputs = batches.sample(some.tasks, some.generators(0), 5)[0]
    with torch.no_grad():
        values, weights = some.attention(inputs)
        assert values.shape == (2, n_layer, 5, n_head, 22, 16 // n_head)
        assert weights.shape == (2, n_layer, 5, n_head, 22, 22)
        for net in range(2):
            module, u = hugging_face(some, net), some.model.encoder(inputs)[net]
            kept = []
            for block in module["transformer"].h:
                block.attn.c_attn.register_forward_hook(lambda *call, kept=kept: kept.append(call))
            u = module["input_projection"](u)
            out = module["transformer"](inputs_embeds=u, output_attentions=True)
            for layer, (theirs, call) in enumerate(zip(out.attentions, kept, strict=True)):
                torch.testing.assert_close(weights[net, layer], theirs, atol=1e-5, rtol=1e-4)
                v = call[2][..., -16:].unflatten(-1, (n_head, -1)).transpose(1, 2)
                torch.testing.assert_close(values[net, layer], v, atol=1e-4, rtol=1e-4)
    assert weights[..., -1, :].max() > 2 / 22 and (weights.triu(1) == 0).all()  # far from even


def test_even_attention_has_as_many_effective_samples_as_there_are():
    evidence, weights = slice(2, 9), torch.zeros(11, 11)
    for t in range(11):  # of the evidence so far, or where there is none of all steps so far
        keys = list(range(11))[evidence][: max(0, t - 1)] or list(range(t + 1))
        weights[t, keys] = 1 / len(keys)
    found = analyze_transformer.evenness(weights, evidence)
    seen = torch.arange(1.0, 8)
    torch.testing.assert_close(found["n_effective"][2:9], seen)
    torch.testing.assert_close(found["n_effective"][9:], torch.full((2,), 7.0))
    torch.testing.assert_close(found["distance"][2:], torch.zeros(9), atol=1e-6, rtol=0)
    torch.testing.assert_close(found["elsewhere"], torch.tensor([1.0] * 2 + [0] * 9))
    assert found["n_effective"][:2].isnan().all() and found["distance"][:2].isnan().all()


def test_uneven_attention():
    weights = torch.zeros(3, 6, 6)
    weights[0, 5] = torch.tensor([0.5, 0.5, 0, 0, 0, 0])  # one of four samples, half elsewhere
    weights[1, 5] = torch.tensor([0, 0.2, 0.2, 0.2, 0.2, 0.2])  # even, and a share on step 5
    weights[2, 5] = torch.tensor([1.0, 0, 0, 0, 0, 0])  # none
    found = analyze_transformer.evenness(weights, slice(1, 5))
    wanted = {"n_effective": [1, 4, np.nan], "distance": [0.75, 0, np.nan]}
    for name, values in (wanted | {"elsewhere": [0.5, 0.2, 1]}).items():
        np.testing.assert_allclose(found[name][:, 5], values, atol=1e-6)


def test_means_and_spreads_are_over_trials(tmp_path):
    some, found = analysis(*saved(tmp_path, change=sharpen))
    attention = found["attention"]
    inputs, _, _ = batches.sample(some.tasks, some.generators(2), SMALL["n_trial"])
    weights = some.attention(inputs)[1].numpy()
    np.testing.assert_allclose(attention["mean"], weights.mean(2), atol=1e-6)
    np.testing.assert_allclose(attention["sd"], weights.std(2), atol=1e-5)
    assert attention["n_seen"].tolist() == [0, *range(1, 21), 20]
    assert attention["query_names"].tolist() == ["last stimulus step", "decision step"]
    assert attention["queries"].tolist() == [20, 21]
    for prefix, each in (("", weights), ("joint_", weights.mean(3))):
        shown = each[1, 0, ..., 21, 1:21]  # trial first
        slow = shown.sum(-1) ** 2 / (shown**2).sum(-1)
        n_effective = attention[f"{prefix}n_effective"][1, 0, ..., 21]
        np.testing.assert_allclose(n_effective, np.mean(slow, 0), rtol=1e-4)
        spread = attention[f"{prefix}n_effective_sd"][1, 0, ..., 21]
        np.testing.assert_allclose(spread, np.std(slow, 0), rtol=1e-3, atol=1e-4)


def test_values_and_rates_over_the_square(tmp_path):
    some, found = analysis(*saved(tmp_path, n_layer=2), n_grid=4)
    maps = found["values"]
    assert maps["values"].shape == (2, 4, 4, 2, 4, 4)
    assert maps["correlation"].shape == (2, 2, 4, 4, 2)
    x = torch.tensor([[0.125, -0.375]])  # the third x1, the first x2
    shown = some.show(x[None])
    alone = some.attention(shown)[0][:, :, 0, :, some.last]
    np.testing.assert_allclose(maps["values"][:, 2, 0], alone, atol=1e-6)
    at_end = some.model.represent(shown)[:, 0, -1]
    np.testing.assert_allclose(found["rate_maps_end"]["rates"][:, 2, 0], at_end, atol=1e-6)
    for net, layer, head, channel in ((0, 0, 1, 2), (1, 1, 3, 0)):
        values = maps["values"][net, :, :, layer, head, channel].ravel()
        slow = np.corrcoef(np.repeat(maps["x"], 4), values)[0, 1]
        fast = maps["correlation"][net, layer, head, channel, 0]
        np.testing.assert_allclose(fast, slow, atol=1e-4)


def test_the_ends_in_components_of_their_own(tmp_path):
    some, found = analysis(*saved(tmp_path, change=sharpen))
    ends, rates = found["ends"], found["trials"]["noiseless_rates"]
    for i, step in enumerate(some.ends.values()):
        theirs = PCA(3).fit(rates[1][:, step].astype(float))
        np.testing.assert_allclose(ends["share"][1, i], theirs.explained_variance_ratio_, rtol=1e-6)
        projected = np.abs(theirs.transform(rates[1][:, step].astype(float)))
        np.testing.assert_allclose(np.abs(ends["projected"][1, i]), projected, rtol=1e-3, atol=1e-5)
    until = found["pca"]["share"][1, 2]
    theirs = PCA().fit(rates[1][:, :21].reshape(-1, 16).astype(float))
    np.testing.assert_allclose(until, theirs.explained_variance_ratio_, atol=1e-6)


def test_what_does_not_respond_has_no_correlation(tmp_path):
    def silence(model):
        sharpen(model)
        model.network.h0_attn_weight[:, :, 32:36] = 0  # values of head 0 are a constant
        model.network.h0_attn_bias[:, :, 32:36] = 0.3
        model.network.ln_f_scale[:, :, :3] = 0

    _, found = analysis(*saved(tmp_path, change=silence))
    assert np.isnan(found["values"]["correlation"][:, 0, 0]).all()
    assert np.isfinite(found["values"]["correlation"][:, 0, 1:]).all()
    for maps in (found["rate_maps"], found["rate_maps_end"]):
        assert np.isnan(maps["correlation"][:, :3]).all()
        assert np.isfinite(maps["correlation"][:, 3:]).all()


def test_attention_that_misses_the_evidence(tmp_path):
    """Every step attends to the fixation step alone, so strongly that nothing else is left."""

    def stare(model):
        sharpen(model)
        model.network.h0_attn_weight[:, :, :32] = 0
        model.network.h0_attn_bias[:, :, :16] = 1e4
        model.network.h0_attn_weight[:, :, 16:32] = model.network.project_weight[:, :1].mT * 1e4

    some, found = analysis(*saved(tmp_path, change=stare))
    gone = found["attention"]["elsewhere"] == 1
    assert gone.any()
    assert np.isfinite(found["attention"]["mean"]).all()
    assert len(analyze_transformer.report(some, found).splitlines()) > 10


def test_a_trained_network():
    """It averages the evidence nearly evenly when asked for the decision, and is linear in x*."""
    some, found = analysis(TRAINED, n_trial=128, n_fit=1024)
    attention, units = found["attention"], found["rate_maps_end"]["correlation"][0]
    assert attention["joint_n_effective"][0, 0, 21] > 16 > attention["joint_n_effective"][0, 0, 20]
    assert np.median(np.hypot(*units.T)) > 0.95
    assert found["decoder"]["r_sq"][0, some.last] > 0.93
    assert found["decoder_end"]["r_sq"][0, -1] > 0.95
    assert found["trials"]["accuracy"][0] > 0.92
    assert found["ends"]["share"][0, 1, :2].sum() > 0.95  # a sheet


KINDS = [
    {"n_layer": 2},
    {"task": "LinearClassificationBound"},
    {"task": "MultiplyClassificationFull", "n_task": (4, 8)},
    {"task": "LinearClassificationHighDim", "n_dim": 3},
    {"task": "ContextDependent", "n_task": (1,)},
    {"delay": 200, "noise_enc": True},
    {"encode": False, "CE_loss": False, "n_neu": 3, "n_head": 1},
]


@pytest.mark.parametrize("settings", KINDS, ids=lambda s: "-".join(map(str, s.values())))
def test_every_kind_of_network_can_be_analyzed(tmp_path, settings):
    some, found = analysis(*saved(tmp_path, **settings))
    attention, task = found["attention"], some.tasks[0]
    total = attention["mean"].sum(-1)
    np.testing.assert_allclose(total, 1, atol=1e-5)
    assert attention["n_seen"].max() == 20
    assert ("rate_maps_end" in found) == (task.n_step - 1 > some.last)
    assert len(found["ends"]["names"]) == len(some.ends)
    text = analyze_transformer.report(some, found)
    assert "nan" not in text and "values of layer 0" in text
    assert "effective samples" in analyze_transformer.legend(some)
