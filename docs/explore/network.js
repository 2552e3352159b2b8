// The networks of this page, step by step as PyTorch computes them (RNN.py, transformer.py), and
// what is read off them. Weights are (in, out), row after row; vectors are Float64Array.
'use strict';

const sigmoid = z => 1 / (1 + Math.exp(-z));
const FUNCTIONS = {
  relu: z => (z > 0 ? z : 0), tanh: Math.tanh, square: z => z * z, cos: Math.cos,
  gelu: h => h * sigmoid(2 * Math.sqrt(2 / Math.PI) * (h + 0.044715 * h * h * h)),
};

// The array in {shape, data}: single precision, base64.
function unpack({shape, data}) {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  return Object.assign(Float64Array.from(new Float32Array(bytes.buffer)), {shape});
}

// x W + b, added to `out` where it is given. Four rows of W at a time: most time is spent here.
function affine(x, W, b, out = new Float64Array(W.shape[1])) {
  const n = out.length, m = x.length;
  if (b) for (let j = 0; j < n; j++) out[j] += b[j];
  let i = 0;
  for (; i + 3 < m; i += 4) {
    const p = x[i], q = x[i + 1], r = x[i + 2], s = x[i + 3];
    if (p === 0 && q === 0 && r === 0 && s === 0) continue;
    const first = i * n, second = first + n, third = second + n, fourth = third + n;
    for (let j = 0; j < n; j++) {
      out[j] += p * W[first + j] + q * W[second + j] + r * W[third + j] + s * W[fourth + j];
    }
  }
  for (; i < m; i++) for (let j = 0; j < n; j++) out[j] += x[i] * W[i * n + j];
  return out;
}

function layerNorm(x, scale, bias) {
  const n = x.length;
  const mean = x.reduce((sum, v) => sum + v, 0) / n;
  const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n;
  return x.map((v, i) => (v - mean) / Math.sqrt(variance + 1e-5) * scale[i] + bias[i]);
}

// One network: `start` is its state before a trial, `step` gives the next state. A state is never
// changed; `rates` in it is the representation. `silent` holds numbers of units kept at 0.
class Network {
  constructor(page) {
    Object.assign(this, page);
    this.w = Object.fromEntries(Object.entries(page.weights).map(([k, v]) => [k, unpack(v)]));
    this.normals = unpack(page.normals);
    this.pca = {...page.pca, mean: unpack(page.pca.mean), axes: unpack(page.pca.axes)};
    this.decoders = Object.fromEntries(Object.entries(page.decoders).map(([k, d]) => [k,
      d.weight ? {...d, weight: unpack(d.weight), bias: unpack(d.bias)} : d]));
    this.hasReadout = 'out_weight' in this.w;
    this.kind = {RNN: this.rnn, LSTM: this.lstm, GRU: this.gru, 'gpt-2': this.gpt}[this.network];
  }

  // c_i, of task i.
  normal(i) {
    return [this.normals[2 * i], this.normals[2 * i + 1]];
  }

  // What the encoder makes of x.
  encode(x) {
    if (!this.squash) return x;
    const {w} = this, [f, g] = this.squash.map(name => FUNCTIONS[name]);
    const first = affine(x, w.layer0_weight, w.layer0_bias).map(f);
    const second = affine(first, w.layer1_weight, w.layer1_bias).map(g);
    return affine(second, w.layer2_weight, w.layer2_bias);
  }

  // Input of one step: the fixation channel, if there is one, and features.
  input(fixation, features) {
    return this.n_fix ? Float64Array.of(fixation, ...features) : features;
  }

  start() {
    const zero = new Float64Array(this.n_neu);
    return {rates: zero, cell: zero, seen: []};
  }

  // `draw` gives a standard normal number, for networks with noise inside.
  step(state, u, silent, draw = () => 0) {
    const next = this.kind(state, u, draw);
    for (const unit of silent || []) next.rates[unit] = 0;
    return next;
  }

  rnn({rates}, u, draw) {
    const {w, keep, alpha} = this, f = FUNCTIONS[this.activation];
    const total = affine(rates, w.rec_weight, w.rec_bias, affine(u, w.inp_weight, w.inp_bias));
    if (this.sd_net) for (let i = 0; i < total.length; i++) total[i] += this.sd_net * draw();
    return {rates: total.map((v, i) => keep * rates[i] + alpha * f(v))};
  }

  lstm({rates, cell}, u) {
    const {w, n_neu: n} = this;
    const gates = affine(rates, w.rec_weight, w.rec_bias, affine(u, w.inp_weight, w.inp_bias));
    const next = cell.map((c, k) => sigmoid(gates[n + k]) * c
      + sigmoid(gates[k]) * Math.tanh(gates[2 * n + k]));
    return {cell: next, rates: next.map((c, k) => sigmoid(gates[3 * n + k]) * Math.tanh(c))};
  }

  gru({rates}, u) {
    const {w, n_neu: n} = this;
    const a = affine(u, w.inp_weight, w.inp_bias), b = affine(rates, w.rec_weight, w.rec_bias);
    return {rates: rates.map((before, k) => {
      const z = sigmoid(a[n + k] + b[n + k]);
      const fresh = Math.tanh(a[2 * n + k] + sigmoid(a[k] + b[k]) * b[2 * n + k]);
      return fresh + z * (before - fresh);
    })};
  }

  // `seen` holds keys and values of the steps so far, per layer.
  gpt({seen}, u) {
    const {w} = this, now = [];
    let x = affine(u, w.project_weight, w.project_bias);
    const add = change => { x = x.map((v, i) => v + change[i]); };
    for (let layer = 0; layer < this.n_layer; layer++) {
      const of = name => w[`h${layer}_${name}`];
      const linear = (name, v) => affine(v, of(`${name}_weight`), of(`${name}_bias`));
      const qkv = linear('attn', layerNorm(x, of('ln1_scale'), of('ln1_bias')));
      now.push([...(seen[layer] || []), qkv]);
      add(linear('attn_out', this.attend(qkv, now[layer])));
      const hidden = linear('mlp', layerNorm(x, of('ln2_scale'), of('ln2_bias')));
      add(linear('mlp_out', hidden.map(FUNCTIONS.gelu)));
    }
    return {seen: now, rates: layerNorm(x, w.ln_f_scale, w.ln_f_bias)};
  }

  // Each head's mean of the values so far, weighted by how well keys fit the query.
  attend(qkv, seen) {
    const n = this.n_neu, width = n / this.n_head, out = new Float64Array(n);
    for (let head = 0; head < n; head += width) {
      const scores = seen.map(past => {
        let fit = 0;
        for (let i = head; i < head + width; i++) fit += qkv[i] * past[n + i];
        return fit / Math.sqrt(width);
      });
      const top = Math.max(...scores), weights = scores.map(s => Math.exp(s - top));
      const total = weights.reduce((sum, v) => sum + v, 0);
      seen.forEach((past, t) => {
        for (let i = head; i < head + width; i++) out[i] += weights[t] / total * past[2 * n + i];
      });
    }
    return out;
  }

  // States after the steps of which `us` are the inputs: for tests.
  states(us) {
    let state = this.start();
    return us.map(u => (state = this.step(state, u)).rates);
  }

  logits(rates) {
    return this.hasReadout ? affine(rates, this.w.out_weight, this.w.out_bias) : null;
  }

  // Outputs as the network gives them: probabilities, or sums up to the bound (free reaction time).
  outputs(logits) {
    const {bound, gain} = this;
    return logits.map(z => (bound ? bound * Math.tanh(z) : sigmoid(gain * z)));
  }

  // The representation if the trial ended now: delay and decision, as far as there are any.
  ask(state, silent, draw) {
    for (const fixation of this.after) {
      state = this.step(state, this.input(fixation, this.silence), silent, draw);
    }
    return state.rates;
  }

  get silence() {
    return (this.ofZero ||= this.encode([0, 0]));
  }

  // A trial with these samples. Per number of them seen, 0, 1, ...: `rates` then; `asked`, those at
  // the end if the trial ended now; `mean`, the encoder's features averaged so far. What a
  // transformer holds at a step is mostly that step's sample: its `rates` are those asked.
  trial(samples, silent, draw) {
    let state = this.start(), mean = this.silence;
    const moments = [];
    const note = () => {
      const asked = this.ask(state, silent, draw);
      moments.push({rates: this.recurrent ? state.rates : asked, asked, mean});
    };
    for (let i = 0; i < this.before; i++) {
      state = this.step(state, this.input(1, this.silence), silent, draw);
    }
    note();
    samples.forEach((sample, i) => {
      const features = this.encode(sample);
      state = this.step(state, this.input(1, features), silent, draw);
      mean = i ? mean.map((m, k) => m + (features[k] - m) / (i + 1)) : features;
      note();
    });
    return moments;
  }

  // The last moment of a trial with n samples without noise.
  noiseless(x, n, silent) {
    const mean = this.encode(x), u = this.input(1, mean);
    let state = this.start();
    for (let i = 0; i < this.before; i++) {
      state = this.step(state, this.input(1, this.silence), silent);
    }
    for (let i = 0; i < n; i++) state = this.step(state, u, silent);
    const asked = this.ask(state, silent);
    return {rates: this.recurrent ? state.rates : asked, asked, mean};
  }

  // First three principal components of a state.
  project(rates) {
    const {mean, axes} = this.pca;
    const along = k => rates.reduce((sum, r, i) => sum + (r - mean[i]) * axes[3 * i + k], 0);
    return [0, 1, 2].map(along);
  }

  // `n` noisy samples of x*; `draw` gives standard normal numbers, `uniform` is for Gumbel noise.
  sample(x, n, sigma, {draw, uniform}) {
    const {ratio, ar, gumbel} = this.noise, samples = [];
    let last = null;
    for (let t = 0; t < n; t++) {
      let z = x.map(() => (gumbel ? -Math.log(-Math.log(uniform())) : draw()));
      if (ar && last) z = z.map((v, i) => ar * last[i] + Math.sqrt(1 - ar * ar) * v);
      last = z;
      samples.push(x.map((v, i) => v + sigma * ratio[i] * z[i]));
    }
    return samples;
  }

  // Independent samples that t of these are worth, for the best linear estimate.
  worth(t) {
    const {ar} = this.noise;
    return ar && t > 1 ? (t - (t - 2) * ar) / (1 + ar) : t;
  }

  // Standard deviation of that estimate, but for the channel's own ratio.
  sd(t, sigma = this.noise.sigma) {
    const one = sigma * (this.noise.gumbel ? Math.PI / Math.sqrt(6) : 1);
    return one / Math.sqrt(this.worth(Math.max(t, 1)));
  }

  // The best observer after t samples, its prior uniform on the square: `mean` and `sd` of what
  // they say without the prior, `guess`, the posterior mean, and `outputs`, what the network should
  // say.
  best(samples, t, sigma) {
    const {ratio, ar, gumbel} = this.noise, mean = [0, 0];
    if (!t) return {mean: null, sd: null, guess: [0, 0], outputs: this.idealOutputs(samples, 0)};
    let total = 0;
    for (let i = 0; i < t; i++) {
      const weight = i === 0 || i === t - 1 ? 1 : 1 - ar;
      total += weight;
      for (const k of [0, 1]) mean[k] += weight * (samples[i][k] - (gumbel ? EULER * sigma : 0));
    }
    const sd = ratio.map(r => r * this.sd(t, sigma)), middle = mean.map(m => m / total);
    const outputs = this.idealOutputs(samples, t, middle, sd);
    return {mean: middle, sd, guess: middle.map((m, k) => posteriorMean(m, sd[k])), outputs};
  }

  // Phi(c_i . mean / sd_i); with free reaction time, sums of evidence, held where they cross.
  idealOutputs(samples, t, mean, sd) {
    const {bound} = this;
    return Array.from({length: this.n_task}, (_, i) => {
      const [a, b] = this.normal(i);
      if (!bound) {
        const spread = t ? Math.hypot(a * sd[0], b * sd[1]) || 1e-9 : 1;
        return t ? ndtr((a * mean[0] + b * mean[1]) / spread) : 0.5;
      }
      let sum = 0;
      for (let k = 0; k < t && Math.abs(sum) < bound; k++) {
        sum += samples[k][1] + a / b * samples[k][0];
      }
      return Math.min(bound, Math.max(-bound, sum));
    });
  }

  // x* read off at a moment, after t samples. `held`: quadrant the readout was fitted without, 4:
  // none. `silentTasks`: outputs that the closed form does without. null: it cannot be read off.
  decode({asked, mean}, t, {readout, held, silentTasks}) {
    const {weight, bias, scale} = this.decoders[readout];
    if (scale) {
      const y = this.closedForm(this.logits(asked), silentTasks);
      return y && y.map(v => v * scale[held] * this.sd(t));
    }
    const from = readout === 'encoder' ? mean : asked, n = from.length;
    const own = weight.subarray(2 * n * held, 2 * n * (held + 1));
    own.shape = [n, 2];
    return [...affine(from, own, bias.subarray(2 * held, 2 * held + 2))];
  }

  // (C^T C)^-1 C^T Phi^-1(Y), by least squares over the tasks that are not silent; null if C has
  // not rank 2. In units of sd; as decoders.closed_map.
  closedForm(logits, silentTasks) {
    let [aa, ab, bb, ay, by] = [0, 0, 0, 0, 0];
    logits.forEach((z, i) => {
      if (silentTasks && silentTasks.has(i)) return;
      const [a, b] = this.normal(i), {ratio} = this.noise;
      const y = probit(z) * Math.hypot(a * ratio[0], b * ratio[1]);
      aa += a * a; ab += a * b; bb += b * b; ay += a * y; by += b * y;
    });
    const det = aa * bb - ab * ab;
    return det < 1e-9 ? null : [(bb * ay - ab * by) / det, (aa * by - ab * ay) / det];
  }
}

// ------------------------------------------------------------------ numbers

const EULER = 0.5772156649015329, VARIANCE = 1 / 12;

// Random numbers from a seed: uniform on (0, 1), and standard normal.
function randomNumbers(seed) {
  let a = (seed * 2654435761 + 1013904223) >>> 0;
  const uniform = () => {  // mulberry32
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  const draw = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return {uniform, draw};
}

// Phi, the normal distribution function, to 1e-7 (Abramowitz and Stegun 7.1.26).
function ndtr(z) {
  const x = Math.abs(z) / Math.SQRT2, t = 1 / (1 + 0.3275911 * x);
  const series = t * (0.254829592 + t * (-0.284496736
    + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const upper = series * Math.exp(-x * x) / 2;
  return z > 0 ? 1 - upper : upper;
}

// Phi^-1(Y) of Y = sigmoid(logit), to 1e-8 for any logit (P. J. Acklam's rational functions).
const MIDDLE = [
  [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269,
    -30.66479806614716, 2.506628277459239],
  [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972,
    -13.28068155288572, 1],
];
const TAIL = [
  [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734,
    4.374664141464968, 2.938163982698783],
  [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1],
];
function probit(logit) {
  const ratio = ([top, bottom], x) => {
    const [p, q] = [top, bottom].map(c => c.reduce((sum, each) => sum * x + each, 0));
    return p / q;
  };
  const logP = -Math.log1p(Math.exp(-Math.abs(logit))) - Math.abs(logit);  // of the smaller side
  const centre = Math.exp(logP) - 0.5;
  const lower = logP < Math.log(0.02425) ? ratio(TAIL, Math.sqrt(-2 * logP))
    : centre * ratio(MIDDLE, centre * centre);
  return logit < 0 ? lower : -lower;
}

// E[x | mean] for x uniform on [-0.5, 0.5], as theory.posterior_mean.
function posteriorMean(mean, sd) {
  if (!sd) return mean;
  const m = Math.min(Math.max(mean, -0.5 - 3 * sd), 0.5 + 3 * sd);
  const a = (-0.5 - m) / sd, b = (0.5 - m) / sd;
  const rise = (Math.exp(-b * b / 2) - Math.exp(-a * a / 2)) / Math.sqrt(2 * Math.PI);
  return m - sd * rise / Math.max(ndtr(b) - ndtr(a), 1e-12);
}

const quadrantOf = x => 2 * (x[0] > 0) + (x[1] > 0);  // decoders.py, QUADRANTS

// r2 = 1 - MSE / (1/12) of pairs [estimate, truth], and its standard error.
function r2Of(pairs) {
  const missed = pairs.map(([y, x]) => ((y[0] - x[0]) ** 2 + (y[1] - x[1]) ** 2) / 2);
  const mean = missed.reduce((sum, v) => sum + v, 0) / missed.length;
  const variance = missed.reduce((sum, v) => sum + (v - mean) ** 2, 0) / missed.length;
  return {r2: 1 - mean / VARIANCE, se: Math.sqrt(variance / missed.length) / VARIANCE};
}
