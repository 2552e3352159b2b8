"""The GPT-2 block stack on continuous inputs, many networks side by side (SPEC 3).

Weights and results are those of Hugging Face's GPT2Model on `inputs_embeds`; tests/ compares them.
Inputs are independent in time, so there is no positional embedding: the table is zero and frozen.
"""

import math

import torch
import torch.nn.functional as F

from RNN import Network, net_blocks
from util import UserError


class GPT2(Network):
    """Linear projection of the inputs, `n_layer` GPT-2 blocks, final LayerNorm.

    The representation is the output of the final LayerNorm, (net, trial, time, unit).

    Args:
        n_net: networks.
        n_in: input channels.
        n_neu: units, the width of the residual stream.
        n_layer: blocks.
        n_head: attention heads of a block; n_neu is a multiple of it.
        dropout: share of units left out while training: embedding, attention, residual.

    Raises:
        UserError: n_head does not divide n_neu.
    """

    SETTINGS = ("n_neu", "n_layer", "n_head", "dropout")
    N_BATCH = 20_000
    N_POSITION = 22  # rows of the table of zeros in a file; the network itself takes any length
    UNUSED_LEAVES = (".attn.bias", ".attn.masked_bias")  # causal masks in files of old releases
    SD = 0.02  # of initial weights

    def __init__(self, n_net, n_in, n_neu, n_layer=1, n_head=8, dropout=0.1):
        super().__init__(n_net)
        if n_neu % n_head:
            raise UserError(f"n_head = {n_head} does not divide n_neu = {n_neu}")
        self.n_neu, self.n_layer, self.n_head, self.dropout = n_neu, n_layer, n_head, dropout
        self.FILE_KEYS = {f"project_{k}": f"input_projection.{k}" for k in ("weight", "bias")}
        self.add_linear("project", n_in, n_neu)
        stored_as_here = []
        for layer in range(n_layer):
            for name, key, width_in, width_out in (
                ("attn", "attn.c_attn", n_neu, 3 * n_neu),
                ("attn_out", "attn.c_proj", n_neu, n_neu),
                ("mlp", "mlp.c_fc", n_neu, 4 * n_neu),
                ("mlp_out", "mlp.c_proj", 4 * n_neu, n_neu),
            ):
                name = f"h{layer}_{name}"
                self.add_linear(name, width_in, width_out)
                stored_as_here.append(f"{name}_weight")
                for kind in ("weight", "bias"):
                    self.FILE_KEYS[f"{name}_{kind}"] = f"transformer.h.{layer}.{key}.{kind}"
            for number in (1, 2):
                self.add_norm(f"h{layer}_ln{number}", f"transformer.h.{layer}.ln_{number}")
        self.add_norm("ln_f", "transformer.ln_f")
        self.STORED_IN_OUT = tuple(stored_as_here)

    def add_norm(self, name, key):
        """Add scale and bias of a LayerNorm, which files call weight and bias."""
        for own, kind in (("scale", "weight"), ("bias", "bias")):
            self.add_vector(f"{name}_{own}", self.n_neu)
            self.FILE_KEYS[f"{name}_{own}"] = f"{key}.{kind}"

    @torch.no_grad()
    def draw(self, net, rng):
        """GPT-2's initialisation; the input projection is an nn.Linear and GPT-2 draws it alike."""
        for name, parameter in self.named_parameters():
            if name.endswith("scale"):
                parameter[net].fill_(1)
            elif name.endswith("bias"):
                parameter[net].zero_()
            else:
                sd = self.SD / math.sqrt(2 * self.n_layer) if "_out_" in name else self.SD
                parameter[net].normal_(0, sd, generator=rng)

    def to_file(self, net, n_out=None):
        """As `Ensemble.to_file`, with the embeddings that GPT2Model has and nothing uses."""
        empty = {"wte": torch.zeros(1, self.n_neu), "wpe": torch.zeros(self.N_POSITION, self.n_neu)}
        tables = {f"transformer.{name}.weight": table for name, table in empty.items()}
        return {**tables, **super().to_file(net)}

    def from_file(self, net, state, n_out=None):
        """As `Ensemble.from_file`; a positional table that is not zero raises UserError too."""
        super().from_file(net, state)
        positions = state.get("transformer.wpe.weight")
        if not isinstance(positions, torch.Tensor) or positions.any():
            raise UserError("tensor transformer.wpe.weight, the positional table, is not zero")

    def is_unused(self, key):
        """Embeddings and causal masks."""
        embedding = key in ("transformer.wte.weight", "transformer.wpe.weight")
        return embedding or key.endswith(self.UNUSED_LEAVES)

    # ------------------------------------------------------------ forward

    def draw_noise(self, n_trial, n_time, generators):
        """Dropout masks: 0, or 1 over the share that is kept."""
        if not self.training or self.dropout == 0:
            return {}
        stream, n_layer = (n_trial, n_time, self.n_neu), self.n_layer
        shapes = {
            "embedding": stream,
            "attention": (n_layer, n_trial, self.n_head, n_time, n_time),
            "residual": (2 * n_layer, *stream),
        }
        return {
            f"{name}_mask": dropout_mask(shape, self.dropout, generators)
            for name, shape in shapes.items()
        }

    def forward(
        self,
        inputs,
        embedding_mask=None,
        attention_mask=None,
        residual_mask=None,
        only_last=False,
        seen=None,
    ):
        """Representation (net, trial, time, unit) for inputs (net, trial, time, channel).

        Args:
            embedding_mask: (net, trial, time, unit), dropout; None: no dropout, as the others.
            attention_mask: (net, layer, trial, head, time, time).
            residual_mask: (net, 2 layer, trial, time, unit).
            only_last: give the last step alone; not with masks.
            seen: list that every block adds its queries, keys and values to, as `heads` gives them.
        """
        x = dropped(self.linear("project", inputs), embedding_mask)
        for layer in range(self.n_layer):
            at_end = only_last and layer == self.n_layer - 1
            mask = None if attention_mask is None else attention_mask[:, layer]
            attended = self.attend(layer, self.norm(f"h{layer}_ln1", x), mask, at_end, seen)
            masks = (None, None)
            if residual_mask is not None:
                masks = residual_mask[:, 2 * layer : 2 * layer + 2].unbind(1)
            x = x[:, :, -1:] if at_end else x
            x = residual(x, self.linear(f"h{layer}_attn_out", attended), masks[0])
            x = residual(x, self.mlp(layer, self.norm(f"h{layer}_ln2", x)), masks[1])
        return self.norm("ln_f", x)

    def last(self, inputs):
        """As `Network.last`; the top block then works for one step only."""
        return self(inputs, only_last=True)[:, :, 0]

    def attention(self, inputs):
        """What the blocks attend to, and with which weight, without dropout.

        Args:
            inputs: (net, trial, time, channel).

        Returns:
            values (net, layer, trial, head, time, channel of the head), weights (net, layer, trial,
            head, time, time), the step that asks first; its weights add up to 1.
        """
        seen = []
        self(inputs, seen=seen)
        pairs = [(v, self.weights(q, k)) for q, k, v in seen]
        shape = len(inputs), -1
        return tuple(
            torch.stack([each.unflatten(0, shape) for each in layers], 1)
            for layers in zip(*pairs, strict=True)
        )

    def linear(self, name, x):
        """x W + b for x (net, trial, time, in)."""
        weight, bias = self.get_parameter(f"{name}_weight"), self.get_parameter(f"{name}_bias")
        return torch.baddbmm(bias, x.flatten(1, 2), weight).unflatten(1, x.shape[1:3])

    def mlp(self, layer, x):
        """The multi-layer perceptron of one block, (net, trial, time, unit)."""
        parameters = [
            self.get_parameter(f"h{layer}_{name}_{kind}")
            for name in ("mlp", "mlp_out")
            for kind in ("weight", "bias")
        ]
        return Perceptron.apply(x.flatten(1, 2), *parameters).view(x.shape)

    def norm(self, name, x):
        """LayerNorm with each network's own scale and bias."""
        scale, bias = self.get_parameter(f"{name}_scale"), self.get_parameter(f"{name}_bias")
        return torch.addcmul(bias[:, None], F.layer_norm(x, x.shape[-1:]), scale[:, None])

    def attend(self, layer, x, mask, at_end=False, seen=None):
        """Causal self-attention of one block, (net, trial, time, unit), before its projection.

        With `at_end` the last step alone asks; it may look at all of them.
        """
        q, k, v = self.heads(layer, x)
        if seen is not None:
            seen.append((q, k, v))
        if at_end:
            attended = F.scaled_dot_product_attention(q[:, :, -1:], k, v)
            return attended.transpose(1, 2).reshape(*x.shape[:2], 1, -1)
        if mask is None:
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            attended = dropped(self.weights(q, k), mask.flatten(0, 1)) @ v
        return attended.transpose(1, 2).reshape(x.shape)

    def heads(self, layer, x):
        """Queries, keys and values, each (net * trial, head, time, channel), in one piece."""
        qkv = self.linear(f"h{layer}_attn", x).flatten(0, 1).unflatten(-1, (3, self.n_head, -1))
        return qkv.permute(2, 0, 3, 1, 4).contiguous().unbind(0)

    @staticmethod
    def weights(q, k):
        """Causal attention weights (net * trial, head, time, time)."""
        n_time, width = q.shape[-2:]
        later = q.new_full((n_time, n_time), -math.inf).triu(1)
        each_q, each_k = q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2)
        scores = torch.baddbmm(later, each_q, each_k, alpha=1 / math.sqrt(width))
        return scores.softmax(-1).unflatten(0, q.shape[:2])


class Perceptron(torch.autograd.Function):
    """gelu(x W + b) V + c, with its gradient, a few networks at a time, which stay in the cache.

    GPT-2's gelu is h s, s = sigmoid(2 sqrt(2 / pi) (h + 0.044715 h^3)). It is written out because
    the tanh in PyTorch's own is slow on a CPU.
    """

    LINEAR = 2 * math.sqrt(2 / math.pi)
    CUBIC = LINEAR * 0.044715

    @staticmethod
    def forward(ctx, x, w, b, v, c):
        """Perceptrons side by side.

        Args:
            x: (net, row, unit).
            w, b, v, c: (net, unit, hidden), (net, 1, hidden), (net, hidden, unit), (net, 1, unit).

        Returns:
            (net, row, unit).
        """
        h = x.new_empty(*x.shape[:2], w.shape[-1])
        s, out = torch.empty_like(h), torch.empty_like(x)
        linear = x.new_full((), Perceptron.LINEAR)
        blocks = net_blocks(h, at_least=2)
        buffer = torch.empty_like(h[blocks[0]])
        for nets in blocks:
            h_now, s_now = h[nets], s[nets]
            gelu = buffer[: len(h_now)]
            torch.baddbmm(b[nets], x[nets], w[nets], out=h_now)
            torch.addcmul(linear, h_now, h_now, value=Perceptron.CUBIC, out=s_now)
            torch.mul(s_now.mul_(h_now).sigmoid_(), h_now, out=gelu)
            torch.baddbmm(c[nets], gelu, v[nets], out=out[nets])
        ctx.save_for_backward(x, w, v, h, s)
        return out

    @staticmethod
    def backward(ctx, grad):
        """`error` is the loss's gradient at the output of gelu first, then at h."""
        x, w, v, h, s = ctx.saved_tensors
        grad_x, grad_w, grad_v = (torch.empty_like(each) for each in (x, w, v))
        grad_b = h.new_empty(len(h), 1, h.shape[-1])
        linear = x.new_full((), Perceptron.LINEAR)
        blocks = net_blocks(h, at_least=2)
        buffers = h.new_empty(3, *h[blocks[0]].shape)
        for nets in blocks:
            h_now, s_now, g = h[nets], s[nets], grad[nets]
            gelu, error, inner = buffers[:, : len(g)]
            torch.mul(h_now, s_now, out=gelu)
            torch.bmm(gelu.transpose(1, 2), g, out=grad_v[nets])
            torch.bmm(g, v[nets].transpose(1, 2), out=error)
            slope = gelu.mul_(error)  # h s (1 - s), the slope of s times h, with the error
            slope.addcmul_(slope, s_now, value=-1)
            torch.addcmul(linear, h_now, h_now, value=3 * Perceptron.CUBIC, out=inner)
            error.mul_(s_now).addcmul_(slope, inner)
            torch.bmm(x[nets].transpose(1, 2), error, out=grad_w[nets])
            torch.bmm(error, w[nets].transpose(1, 2), out=grad_x[nets])
            torch.sum(error, 1, keepdim=True, out=grad_b[nets])
        return grad_x, grad_w, grad_b, grad_v, grad.sum(1, keepdim=True)


def dropped(x, mask):
    """x times a dropout mask, if there is one."""
    return x if mask is None else x * mask


def residual(x, change, mask):
    """x + change, the change times a dropout mask, if there is one."""
    return x + change if mask is None else torch.addcmul(x, change, mask)


def dropout_mask(shape, share, generators):
    """(net, *shape): 0 with probability `share`, else 1 / (1 - share); one generator per network.

    `share` is rounded to 1 / 65536: sixteen random bits a number, four from each draw of the
    generator, which is what takes time.
    """
    n, device = math.prod(shape), generators[0].device
    n_dropped = min(round(share * 2**16), 2**16 - 1)
    kept = torch.empty(len(generators), n, device=device)
    blocks = net_blocks(kept, at_least=1)
    bits = torch.empty(blocks[0].stop, (n + 3) // 4, dtype=torch.int64, device=device)
    numbers = bits.view(torch.int16)[:, :n]
    for nets in blocks:
        for own, rng in zip(bits, generators[nets], strict=False):
            own.random_(-(2**63), None, generator=rng)
        block = torch.ge(numbers[: len(kept[nets])], n_dropped - 2**15, out=kept[nets])
        block.mul_(1 / (1 - n_dropped / 2**16))
    return kept.view(-1, *shape)
