// What one sees and touches: settings, the trial that plays, six panels. `network.js` computes.
'use strict';

const DATA = JSON.parse(document.getElementById('data').textContent), N_GRID = DATA.n_grid;
PROBIT = DATA.probit;
const NETWORKS = DATA.networks.map(page => new Network(page));
const $ = id => document.getElementById(id);
const QUADRANTS = ['lower-left', 'upper-left', 'lower-right', 'upper-right'];  // as quadrantOf counts
const READOUTS = {
  adam: 'linear, Adam', ridge: 'linear, ridge', closed: 'closed form', scaled: 'closed form, one scale fitted',
  encoder: 'no network: encoder mean',
};
const PER_QUADRANT = 100;  // trials of the last panel, at first and for each click
const mostTasks = NETWORKS.reduce((best, net, i) =>
  (net.network === NETWORKS[0].network && net.n_task > NETWORKS[best].n_task ? i : best), 0);

// Everything a visitor sets.
const at = {
  net: NETWORKS[mostTasks], x: [0.27, 0.16], held: 3, readout: 'adam', sigma: 0.2, n: 20, seed: 7,
  clock: 20, playing: false, yaw: 0, pitch: 0.3, unit: -1, task: -1,
  silentUnits: new Set(), silentTasks: new Set(),
};
// Everything computed from it.
const now = {moments: [], path: [], sheet: null, maps: null, trials: null};

// ------------------------------------------------------------------ computing

const options = () => ({readout: at.readout, held: at.held, silentTasks: at.silentTasks});
const isSilenced = () => at.silentUnits.size + at.silentTasks.size > 0;
const lerp = (a, b, f) => a + (b - a) * f;
const mix = (a, b, f) => (a && b ? a.map((v, i) => lerp(v, b[i], f)) : a || b);

// The trial on show. One seed gives the same noise wherever x* is.
function compute() {
  const {net, n, sigma, x} = at;
  now.samples = net.sample(x, n, sigma, randomNumbers(at.seed));
  const run = silent => net.trial(now.samples, silent, randomNumbers(at.seed + 1e6).draw);
  now.moments = run(at.silentUnits);
  now.places = now.moments.map(moment => net.project(moment.rates));
  now.goal = net.project(net.noiseless(x, n, at.silentUnits).rates);
  now.logits = now.moments.map(moment => net.logits(moment.asked));
  now.outputs = now.logits.map(logits => logits && net.outputs(logits));
  now.best = now.moments.map((_, t) => net.best(now.samples, t, sigma));
  now.intact = isSilenced() ? run().map((m, t) => net.decode(m, t, {...options(), silentTasks: null})) : null;
  read();
}

// What the readout makes of it; alone, where only the readout has changed.
function read() {
  now.path = now.moments.map((moment, t) => at.net.decode(moment, t, options()));
  changed();
}

// States that trials without noise end in, over a grid of x*; rate maps are made of them.
const GRID = Array.from({length: N_GRID}, (_, i) => i / (N_GRID - 1) - 0.5);
const gridPoint = k => [GRID[Math.floor(k / N_GRID)], GRID[k % N_GRID]];
function* computeSheet() {
  const {net, n} = at, silent = new Set(at.silentUnits);
  function* walk(silent) {
    const moments = [];
    for (let k = 0; k < N_GRID ** 2; k++) {
      moments.push(net.noiseless(gridPoint(k), n, silent));
      yield;
    }
    return moments;
  }
  let moments = null;
  if (!now.maps || now.maps.net !== net || now.maps.n !== n) {
    moments = yield* walk();
    const turned = now.maps && now.maps.net === net;
    now.maps = {net, n, ...rateMaps(moments)};
    if (!turned) face(moments.map(m => net.project(m.rates)));
  }
  if (silent.size || !moments) moments = yield* walk(silent);
  now.sheet = {moments, places: moments.map(m => net.project(m.rates))};
}

// Units that respond, in the order of the direction of x* that they prefer, and the `ends` of their
// rates. `late` are those that respond only when the network answers; they come last.
function rateMaps(moments) {
  const ends = [], angles = [], late = new Set(), every = [...Array(at.net.n_neu).keys()];
  const span = ([low, high]) => high - low > 1e-6 * Math.max(Math.abs(low), Math.abs(high));
  const endsOf = values => [Math.min(...values), Math.max(...values)];
  for (const unit of every) {
    if (!span(endsOf(moments.map(({rates}) => rates[unit])))) late.add(unit);
    const values = moments.map(moment => (late.has(unit) ? moment.asked : moment.rates)[unit]);
    const along = i => values.reduce((sum, v, k) => sum + v * gridPoint(k)[i], 0);
    ends.push(endsOf(values));
    angles.push(Math.atan2(along(1), along(0)) + (late.has(unit) ? 9 : 0));
  }
  const order = every.filter(unit => span(ends[unit])).sort((u, v) => angles[u] - angles[v]);
  return {ends, order, late};
}

const rateOf = (moment, unit) => (now.maps.late.has(unit) ? moment.asked : moment.rates)[unit];
const brightness = (rate, [low, high]) => Math.min(1, Math.max(0, (rate - low) / (high - low)));

// Turn so that as much of the sheet as possible is seen.
function face(places) {
  const cross = ([a, b], [p, q]) => a * q - b * p;
  let most = 0;
  for (let yaw = -3.1; yaw < 3.1; yaw += 0.2) for (const pitch of [-0.6, -0.3, 0.3, 0.6]) {
    const seen = places.map(p => rotate(p, yaw, pitch)), from = (k, m) => [0, 1].map(i => seen[m][i] - seen[k][i]);
    let area = 0;
    for (let k = 0; k + N_GRID + 1 < seen.length; k++) {
      if (k % N_GRID < N_GRID - 1) area += cross(from(k, k + N_GRID + 1), from(k + 1, k + N_GRID));
    }
    if (Math.abs(area) > most) [most, at.yaw, at.pitch] = [Math.abs(area), yaw, pitch];
  }
}

// Many noisy trials, equally many in every quadrant.
function* computeTrials(count) {
  const {net, n, sigma} = at, silent = new Set(at.silentUnits), before = now.trials ? now.trials.length : 0;
  const numbers = randomNumbers(before + 12345), fresh = [];
  for (let i = 0; i < 4 * count; i++) {
    const x = [i & 2 ? 0.5 : -0.5, i & 1 ? 0.5 : -0.5].map(end => end * numbers.uniform());
    const samples = net.sample(x, n, sigma, numbers);
    fresh.push({x, moments: net.trial(samples, silent, numbers.draw).map(({asked, mean}) => ({asked, mean})),
      best: samples.map((_, t) => net.best(samples, t + 1, sigma).guess)});
    yield;
  }
  now.trials = [...(now.trials || []), ...fresh];
}

// r2 after each number of samples, in the held-out quadrant, in the others, of the best observer.
function score() {
  if (!now.trials) return null;
  const found = {held: [], seen: [], best: []}, isHeld = now.trials.map(({x}) => quadrantOf(x) === at.held);
  for (let t = 1; t <= at.n; t++) {
    const pairs = now.trials.map(({x, moments}) => [at.net.decode(moments[t], t, options()), x]);
    if (!pairs[0][0]) return null;
    const of = held => pairs.filter((_, i) => isHeld[i] === held);
    found.held.push(at.held < 4 ? r2Of(of(true)) : null);
    found.seen.push(r2Of(of(false)));
    found.best.push(r2Of(now.trials.map(({x, best}) => [best[t - 1], x])));
  }
  return found;
}

// Long work is done in slices between frames; what is begun anew replaces what was under way.
const jobs = {};
function begin(name, steps, wait, done) {
  clearTimeout(jobs[name]);
  const slice = () => {
    const end = performance.now() + 9;
    do {
      if (at.playing && name === 'trials') break;
      if (steps.next().done) { done(); return; }
    } while (performance.now() < end);
    jobs[name] = setTimeout(slice, at.playing ? 60 : 4);
  };
  jobs[name] = setTimeout(slice, wait);
}

function computeMany(count = PER_QUADRANT, wait = 350) {
  begin('trials', computeTrials(count), wait, () => { now.score = score(); changed(); });
}

// After a change of what the network is or sees.
function changedNetwork() {
  now.trials = now.score = null;
  compute();
  begin('sheet', computeSheet(), 0, () => { atlas = null; changed(); });
  computeMany();
}

// ------------------------------------------------------------------ drawing

let colors = {}, dirty = true, ticked = false, atlas = null;
const changed = () => { dirty = true; };
const panels = {};
const FONT = '12px Inter, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

function readColors() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['bg', 'panel', 'ink', 'muted', 'line', 'decoded', 'best', 'right', 'wrong', 'seen', ...QUADRANTS]) {
    colors[name] = style.getPropertyValue(`--${name}`).trim();
  }
  atlas = null;
  changed();
}

function alpha(color, a) {
  const n = parseInt(color.slice(1), 16);
  return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${a})`;
}

// A canvas at the screen's resolution: `c` its context, in CSS pixels, w x h.
function addPanel(name, paint) {
  const canvas = $(name), panel = {canvas, c: canvas.getContext('2d'), paint};
  const fit = () => {
    const {width, height} = canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
    Object.assign(panel, {w: width, h: height});
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    panel.c.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
    if (name === 'units') atlas = null;
    changed();
  };
  new ResizeObserver(fit).observe(canvas);
  fit();
  panels[name] = panel;
}

function line(c, points, color, width = 1, dash = []) {
  c.beginPath();
  points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
  Object.assign(c, {strokeStyle: color, lineWidth: width, lineJoin: 'round', lineCap: 'round'});
  c.setLineDash(dash);
  c.stroke();
  c.setLineDash([]);
}

function dot(c, [x, y], radius, fill, stroke, width = 1.5) {
  c.beginPath();
  c.arc(x, y, radius, 0, 2 * Math.PI);
  if (fill) { c.fillStyle = fill; c.fill(); }
  if (stroke) { c.strokeStyle = stroke; c.lineWidth = width; c.stroke(); }
}

function text(c, words, x, y, {color = colors.muted, align = 'center', base = 'middle', font = FONT} = {}) {
  Object.assign(c, {fillStyle: color, textAlign: align, textBaseline: base, font});
  Object.assign(c, {strokeStyle: alpha(colors.panel, 0.85), lineWidth: 4, lineJoin: 'round'});
  c.strokeText(words, x, y);
  c.fillText(words, x, y);
}

function note({c, w, h}, ...lines) {
  lines.forEach((words, i) => text(c, words, w / 2, h / 2 + 18 * (i - (lines.length - 1) / 2)));
}

// The square of x* in a panel: [x1, x2] -> pixels, and back.
function plane({w, h}) {
  const unit = Math.min(w, h) / 1.26;
  return {unit, to: ([x, y]) => [w / 2 + unit * x, h / 2 - unit * y],
    from: (px, py) => [(px - w / 2) / unit, (h / 2 - py) / unit]};
}

function paintSquare(panel, {to, unit}) {
  const {c} = panel, [left, top] = to([-0.5, 0.5]);
  if (at.held < 4) {
    const [x, y] = to([at.held & 2 ? 0 : -0.5, at.held & 1 ? 0.5 : 0]);
    c.save();
    c.beginPath();
    c.rect(x, y, unit / 2, unit / 2);
    c.fillStyle = alpha(colors.decoded, 0.06);
    c.fill();
    c.clip();
    for (let k = -unit / 2; k < unit / 2; k += 9) {
      line(c, [[x + k, y + unit / 2], [x + k + unit / 2, y]], alpha(colors.decoded, 0.16), 1);
    }
    c.restore();
  }
  line(c, [to([-0.5, 0]), to([0.5, 0])], colors.line);
  line(c, [to([0, -0.5]), to([0, 0.5])], colors.line);
  c.strokeStyle = colors.muted;
  c.lineWidth = 1;
  c.strokeRect(left, top, unit, unit);
  text(c, 'x₁', left + unit / 2, top + unit + 20);
  text(c, 'x₂', left - 20, top + unit / 2);
}

const sideOf = (i, [x, y]) => at.net.normals[2 * i] * x + at.net.normals[2 * i + 1] * y > 0;
const said = (i, t) => now.logits[t][i] > 0;

// Where in the trial the clock is: between samples t and t + 1, a share f of the way.
function moment() {
  const t = Math.min(Math.floor(at.clock + 1e-9), at.n);
  return {t, u: Math.min(t + 1, at.n), f: t < at.n ? at.clock - t : 0};
}

function paintEvidence(panel) {
  const {c} = panel, view = plane(panel), {to, unit} = view, {t, u, f} = moment();
  paintSquare(panel, view);
  const lines = {plain: [], wrong: [], chosen: []};
  for (let i = 0; i < at.net.n_task; i++) {
    const [a, b] = [at.net.normals[2 * i], at.net.normals[2 * i + 1]], reach = 0.5 / Math.max(Math.abs(a), Math.abs(b));
    const wrong = now.logits[t] && t > 0 && said(i, t) !== sideOf(i, at.x), chosen = i === at.task;
    if (chosen || !at.silentTasks.has(i)) lines[chosen ? 'chosen' : wrong ? 'wrong' : 'plain'].push([b * reach, -a * reach]);
  }
  const looks = {plain: [alpha(colors.muted, 0.28), 1], wrong: [colors.wrong, 1.5], chosen: [colors.ink, 2]};
  for (const [kind, ends] of Object.entries(lines)) {
    c.beginPath();
    for (const [x, y] of ends) { c.moveTo(...to([x, y])); c.lineTo(...to([-x, -y])); }
    [c.strokeStyle, c.lineWidth] = looks[kind];
    c.stroke();
  }
  now.samples.slice(0, u).forEach((sample, i) => {
    const age = at.clock - i;
    dot(c, to(sample), age < 1 ? lerp(7, 3, age) : 3, alpha(colors.ink, Math.max(0.22, 0.85 - 0.08 * age) * Math.min(1, age * 4)));
  });
  if (u > 0 && at.clock > 0) {
    const [before, after] = [now.best[t], now.best[u]], g = t ? f : 1;
    const mean = mix(before.mean || after.mean, after.mean, g), sd = mix(before.sd || after.sd, after.sd, g);
    const [x, y] = to(mean), [left, top] = to([-0.5, 0.5]);
    c.save();
    c.beginPath();
    c.rect(left, top, unit, unit);
    c.clip();
    for (const size of [2, 1]) {
      c.beginPath();
      c.ellipse(x, y, Math.max(size * sd[0] * unit, 0.5), Math.max(size * sd[1] * unit, 0.5), 0, 0, 7);
      c.fillStyle = alpha(colors.best, 0.16);
      c.fill();
      c.strokeStyle = alpha(colors.best, 0.8);
      c.lineWidth = 1;
      c.stroke();
    }
    c.restore();
  }
  if (now.intact && now.intact[t]) {
    dot(c, to(mix(now.intact[t], now.intact[u], f)), 5, null, alpha(colors.decoded, 0.6), 1.5);
  }
  if (now.path[t]) {
    const here = mix(now.path[t], now.path[u], f);
    line(c, [...now.path.slice(0, t + 1), here].map(to), alpha(colors.decoded, 0.55), 1.5);
    dot(c, to(here), 6, colors.decoded, colors.panel, 2);
  }
  star(c, to(at.x), 10);
  text(c, 'x*', to(at.x)[0] + 14, to(at.x)[1] - 12, {color: colors.ink, font: `600 ${FONT}`});
  if (at.held < 4) {
    const [x, y] = to([at.held & 2 ? 0.49 : -0.49, at.held & 1 ? 0.48 : -0.48]);
    text(c, 'held out', x, y, {color: colors.decoded, align: at.held & 2 ? 'right' : 'left', base: at.held & 1 ? 'top' : 'bottom'});
  }
}

function star(c, [x, y], radius) {
  c.beginPath();
  for (let i = 0; i < 10; i++) {
    const r = i % 2 ? radius * 0.45 : radius, angle = -Math.PI / 2 + (i * Math.PI) / 5;
    c.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
  }
  c.closePath();
  Object.assign(c, {fillStyle: colors.ink, strokeStyle: colors.panel, lineWidth: 1.5, lineJoin: 'round'});
  c.stroke();
  c.fill();
}

// Right, up and depth of a point, turned.
function rotate([a, b, z], yaw, pitch) {
  const x = a * Math.cos(yaw) - b * Math.sin(yaw), y = a * Math.sin(yaw) + b * Math.cos(yaw);
  return [x, z * Math.cos(pitch) + y * Math.sin(pitch), y * Math.cos(pitch) - z * Math.sin(pitch)];
}

// Principal components -> pixels and depth. The view sways as the trial goes on, to show depth.
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const yaw = () => at.yaw + (calm.matches ? 0 : 0.35 * Math.sin(2 * Math.PI * at.clock / at.n));
function camera({w, h}) {
  const every = [...now.sheet.places, ...now.places], mid = [0, 1, 2].map(k => {
    const values = every.map(p => p[k]);
    return (Math.min(...values) + Math.max(...values)) / 2;
  });
  const reach = Math.max(...every.map(p => Math.hypot(...p.map((v, k) => v - mid[k])))) || 1;
  const unit = Math.min(0.46 * w, 0.6 * h) / reach;
  return p => {
    const [x, y, depth] = rotate(p.map((v, k) => v - mid[k]), yaw(), at.pitch);
    return [w / 2 + unit * x, h / 2 - unit * y, depth];
  };
}

// Which way the components run, in a corner.
function paintAxes({c, h}) {
  [0, 1, 2].forEach(k => {
    const [x, y] = rotate([0, 1, 2].map(i => Number(i === k)), yaw(), at.pitch), from = [34, h - 30];
    line(c, [from, [from[0] + 20 * x, from[1] - 20 * y]], colors.muted, 1);
    if (Math.hypot(x, y) > 0.4) text(c, `PC${k + 1}`, from[0] + 30 * x, from[1] - 27 * y, {font: FONT.replace('12', '10')});
  });
}

function paintState(panel) {
  const {c} = panel, {t, u, f} = moment();
  if (!now.sheet) { note(panel, 'computing …'); return; }
  const see = camera(panel), seen = now.sheet.places.map(see), cells = [];
  paintAxes(panel);
  for (let i = 0; i + 1 < N_GRID; i++) for (let j = 0; j + 1 < N_GRID; j++) {
    const k = i * N_GRID + j, corners = [k, k + 1, k + N_GRID + 1, k + N_GRID].map(m => seen[m]);
    cells.push({corners, depth: corners.reduce((sum, p) => sum + p[2], 0), quadrant: quadrantOf([GRID[i] + 0.01, GRID[j] + 0.01])});
  }
  cells.sort((p, q) => q.depth - p.depth);
  for (const {corners, quadrant} of cells) {
    c.beginPath();
    corners.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
    c.closePath();
    c.fillStyle = alpha(colors[QUADRANTS[quadrant]], quadrant === at.held ? 0.5 : 0.62);
    c.fill();
    c.strokeStyle = alpha(colors.panel, 0.75);
    c.lineWidth = 1;
    c.stroke();
  }
  const place = see(mix(now.places[t], now.places[u], f)), path = [...now.places.slice(0, t + 1).map(see), place];
  line(c, path, alpha(colors.panel, 0.9), 4.5);
  line(c, path, colors.ink, 2);
  path.slice(0, -1).forEach(p => dot(c, p, 2.4, colors.ink));
  star(c, see(now.goal), 9);
  dot(c, place, 7, colors.decoded, colors.panel, 2);
}

// Bars from the middle. Free reaction time: sums of evidence from -bound to bound.
function paintAnswers(panel) {
  const {c, w, h} = panel, {net} = at, {t, u, f} = moment();
  if (!net.hasReadout) { note(panel, 'The authors’ files hold no readout,', 'so this network has no outputs.'); return; }
  const {left, width} = bars(panel), icons = width > 11, mid = (h - (icons ? 22 : 6)) / 2, size = mid - 12;
  const high = v => (net.bound ? v / net.bound : 2 * v - 1);
  line(c, [[left, mid], [w - 8, mid]], colors.line, 1);
  const words = net.bound ? [`+${net.bound}`, '0', `−${net.bound}`] : ['yes', '½', 'no'];
  words.forEach((word, i) => text(c, word, left - 6, mid + (i - 1) * (size - 4), {align: 'right'}));
  const outputs = mix(now.outputs[t], now.outputs[u], f), ideal = mix(now.best[t].outputs, now.best[u].outputs, f);
  for (let i = 0; i < net.n_task; i++) {
    const x = left + i * width, wide = Math.max(width - (width > 5 ? 2 : 0.5), 0.7), off = at.silentTasks.has(i);
    const height = high(outputs[i]) * size, right = outputs[i] > (net.bound ? 0 : 0.5) === sideOf(i, at.x);
    c.fillStyle = off ? alpha(colors.muted, 0.25) : right ? colors.right : colors.wrong;
    c.fillRect(x, Math.min(mid, mid - height), wide, Math.max(Math.abs(height), 1.5));
    if (ideal && !off) {
      c.fillStyle = colors.best;
      c.fillRect(x - 1, mid - high(ideal[i]) * size - 1, wide + 2, 2);
    }
    if (icons) paintIcon(c, x + wide / 2, h - 11, Math.min(wide, 16) / 2, i, off);
    if (i === at.task) {
      c.strokeStyle = colors.ink;
      c.lineWidth = 1.5;
      c.strokeRect(x - 2, mid - size - 3, wide + 4, 2 * size + 6 + (icons ? 24 : 0));
    }
  }
}

const bars = ({w}) => ({left: 34, width: (w - 42) / at.net.n_task});

// The line of task i, its yes side filled.
function paintIcon(c, x, y, r, i, off) {
  const angle = Math.atan2(-at.net.normals[2 * i + 1], at.net.normals[2 * i]);
  c.beginPath();
  c.arc(x, y, r, angle - Math.PI / 2, angle + Math.PI / 2);
  c.fillStyle = alpha(colors.muted, off ? 0.25 : 0.8);
  c.fill();
  dot(c, [x, y], r, null, alpha(colors.muted, off ? 0.25 : 0.8), 1);
}

// From dark to bright.
const MAGMA = [[8, 6, 28], [66, 15, 117], [143, 41, 128], [221, 74, 104], [254, 159, 109], [252, 253, 191]];
function shade(value) {
  const position = value * (MAGMA.length - 1), i = Math.min(Math.floor(position), MAGMA.length - 2);
  return mix(MAGMA[i], MAGMA[i + 1], position - i);
}

function tiles({w, h}) {
  const n = now.maps.order.length;
  let [columns, rows, size] = [1, n, 0];
  for (let k = 1; k <= n; k++) {  // as large as fits
    const fits = Math.min((w - 6) / k, (h - 6) / Math.ceil(n / k));
    if (fits > size) [columns, rows, size] = [k, Math.ceil(n / k), fits];
  }
  const [left, top] = [(w - columns * size) / 2, (h - rows * size) / 2];
  return {columns, size, at: i => [left + (i % columns) * size, top + Math.floor(i / columns) * size],
    hit: (x, y) => {
      const column = Math.floor((x - left) / size), i = Math.floor((y - top) / size) * columns + column;
      return column >= 0 && column < columns && i >= 0 && i < n ? i : -1;
    }};
}

// All rate maps side by side, drawn once.
function drawAtlas() {
  const {order, ends} = now.maps, {moments} = now.sheet, canvas = document.createElement('canvas');
  canvas.width = N_GRID * order.length;
  canvas.height = N_GRID;
  const c = canvas.getContext('2d'), image = c.createImageData(canvas.width, N_GRID);
  order.forEach((unit, place) => moments.forEach((moment, k) => {
    const color = shade(brightness(rateOf(moment, unit), ends[unit])), row = N_GRID - 1 - (k % N_GRID);
    image.data.set([...color, 255], 4 * (row * canvas.width + place * N_GRID + Math.floor(k / N_GRID)));
  }));
  c.putImageData(image, 0, 0);
  return canvas;
}

function paintUnits(panel) {
  const {c} = panel, {t, u, f} = moment();
  if (!now.sheet) { note(panel, 'computing …'); return; }
  atlas = atlas || drawAtlas();
  const {size, at: corner} = tiles(panel), inner = size - 3, {order, ends} = now.maps;
  c.imageSmoothingEnabled = false;
  order.forEach((unit, i) => {
    const [x, y] = corner(i), rate = lerp(rateOf(now.moments[t], unit), rateOf(now.moments[u], unit), f);
    const lit = brightness(rate, ends[unit]);
    c.globalAlpha = 0.4 + 0.6 * lit;
    c.drawImage(atlas, i * N_GRID, 0, N_GRID, N_GRID, x + 1.5, y + 1.5, inner, inner);
    c.globalAlpha = 1;
    const here = [x + 1.5 + inner * (at.x[0] + 0.5), y + 1.5 + inner * (0.5 - at.x[1])];
    if (!at.silentUnits.has(unit)) dot(c, here, 1.7, '#fff', 'rgba(0, 0, 0, .6)', 1);
    else {
      line(c, [[x + 5, y + 5], [x + size - 5, y + size - 5]], colors.decoded, 2);
      line(c, [[x + size - 5, y + 5], [x + 5, y + size - 5]], colors.decoded, 2);
    }
    if (i === at.unit) {
      c.strokeStyle = '#fff';
      c.lineWidth = 2;
      c.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
    }
  });
}

function paintMap(panel) {
  const {c} = panel, view = plane(panel);
  paintSquare(panel, view);
  if (!now.sheet) { note(panel, 'computing …'); return; }
  const placed = now.sheet.moments.map(m => at.net.decode(m, at.n, options()));
  if (!placed[0]) { note(panel, 'Fewer than two boundaries:', 'x* cannot be read off.'); return; }
  const inside = k => at.held < 4 && gridPoint(k).every(
    (v, i) => (at.held & (i ? 1 : 2) ? v >= -1e-9 : v <= 1e-9));
  for (const held of [false, true]) {
    c.beginPath();
    placed.forEach((from, k) => {
      const others = [k % N_GRID + 1 < N_GRID ? k + 1 : -1, k + N_GRID < placed.length ? k + N_GRID : -1];
      for (const other of others) if (other >= 0 && (inside(k) && inside(other)) === held) {
        c.moveTo(...view.to(from));
        c.lineTo(...view.to(placed[other]));
      }
    });
    Object.assign(c, {strokeStyle: held ? colors.decoded : alpha(colors.seen, 0.75), lineWidth: held ? 1.5 : 1});
    c.stroke();
  }
  const end = at.net.decode(now.moments[at.n], at.n, options());
  dot(c, view.to(end), 6, colors.decoded, colors.panel, 2);
  star(c, view.to(at.x), 9);
}

function paintCurve(panel) {
  const {c, w, h} = panel, [left, right, top, bottom] = [36, w - 14, 10, h - 34];
  const px = t => lerp(left, right, at.n > 1 ? (t - 1) / (at.n - 1) : 0.5), py = r2 => lerp(bottom, top, Math.max(r2, 0));
  for (const r2 of [0, 0.25, 0.5, 0.75, 1]) {
    line(c, [[left, py(r2)], [right, py(r2)]], colors.line);
    text(c, r2, left - 7, py(r2), {align: 'right'});
  }
  const every = at.n <= 6 ? 1 : at.n <= 25 ? 5 : 10;
  for (let t = 1; t <= at.n; t++) if (t === 1 || t % every === 0) text(c, t, px(t), bottom + 13);
  text(c, 'samples seen', (left + right) / 2, h - 7);
  if (!now.score) {
    note(panel, at.net.decode(now.moments[0], 1, options()) ? 'trials run when nothing else moves …' : 'x* cannot be read off');
    return;
  }
  const curve = (values, color, width, dash) => {
    const points = values.map(({r2}, i) => [px(i + 1), py(r2)]);
    line(c, points, color, width, dash);
    return points;
  };
  curve(now.score.best, colors.best, 2, [5, 4]);
  const shown = [[now.score.seen, colors.seen], ...(at.held < 4 ? [[now.score.held, colors.decoded]] : [])];
  for (const [values, color] of shown) curve(values, color, 2).forEach(p => dot(c, p, 2.6, color));
  const t = Math.max(1, moment().t);
  line(c, [[px(t), top], [px(t), bottom]], alpha(colors.muted, 0.5), 1);
}

// ------------------------------------------------------------------ words

const off = (y, x) => Math.hypot(y[0] - x[0], y[1] - x[1]).toFixed(2);

function sayStatus() {
  const {t} = moment(), words = [], y = now.path[t], {net} = at;
  const count = t === 1 ? '1 sample' : `${t} samples`;
  if (y) {
    words.push(`After <b>${count}</b>, x* as read off ${at.readout === 'encoder' ? 'the encoder’s mean' : 'the network'} is off by <b>${off(y, at.x)}</b>`
      + (t ? `; the best guess from the samples by ${off(now.best[t].guess, at.x)}.` : '.'));
  } else words.push(`After <b>${count}</b>: x* cannot be read off fewer than two boundaries.`);
  if (now.logits[t] && t) {
    let count = 0;
    for (let i = 0; i < net.n_task; i++) count += said(i, t) === sideOf(i, at.x);
    words.push(`<b>${count} of ${net.n_task}</b> answers right.`);
  }
  if (now.intact) {
    const many = (n, word) => (n ? [`${n} ${word}${n > 1 ? 's' : ''}`] : []);
    const silenced = [...many(at.silentUnits.size, 'unit'), ...many(at.silentTasks.size, 'task')].join(' and ');
    words.push(`Silenced: ${silenced}; without that, off by ${off(now.intact[t], at.x)}.`);
  }
  $('status').innerHTML = words.join(' ');
  $('seen').textContent = `${t} of ${at.n} sample${at.n > 1 ? 's' : ''}`;
  $('wake').hidden = !isSilenced();
}

function sayNumbers() {
  const {net, held} = at, python = net.decoders[at.readout], end = now.score && at.n - 1;
  const show = ({r2, se}) => `${r2.toFixed(3)} ± ${se.toFixed(3)}`;
  $('r2-said').textContent = !now.score ? ''
    : `After ${at.n}: ${held < 4 ? `held out ${show(now.score.held[end])}, others` : 'all quadrants'} ${show(now.score.seen[end])}`
      + ` (${now.trials.length} trials)`;
  $('more').hidden = !now.score;
  const made = at.readout === 'adam' || at.readout === 'ridge' || at.readout === 'encoder';
  $('about').textContent = `Shown: ${net.file} (${net.about.join(', ')}), ${net.n_neu} units, ${net.n_task} tasks; trained with `
    + `σ = ${+net.noise.sigma.toFixed(3)}. ${made ? `The readout was fitted in Python with ${net.samples} samples of that noise; `
      + `its r² over fresh trials there: ${python.r2[held].toFixed(3)} ${held < 4 ? 'in the quadrant held out' : 'in all quadrants'}.`
      : 'The closed form needs no decoder of x*: it solves the boundaries’ equations for x*, given the outputs.'}`
    + ' Everything else is computed here, from the network’s weights.';
}

function saySelected() {
  const {t} = moment(), {net} = at;
  const unit = now.sheet && at.unit >= 0 ? now.maps.order[at.unit] : -1;
  const many = now.maps ? now.maps.order.length : 0, late = now.maps ? now.maps.order.filter(u => now.maps.late.has(u)).length : 0;
  $('unit-said').textContent = !now.sheet ? '' : unit < 0 ? `${many} of ${net.n_neu} units respond to x*${late ? `, the last ${late} only when the network answers` : ''}.` : `Unit ${unit}${at.silentUnits.has(unit) ? ', silenced'
    : `: rate ${rateOf(now.moments[t], unit).toFixed(2)}${now.maps.late.has(unit) ? ' in its answer' : ''}, of ${now.maps.ends[unit].map(v => v.toFixed(2)).join(' to ')}`}`;
  if (at.task < 0 || !now.outputs[t]) { $('task-said').textContent = ''; return; }
  const [a, b] = [net.normals[2 * at.task], net.normals[2 * at.task + 1]], degrees = Math.atan2(b, a) * 180 / Math.PI;
  $('task-said').textContent = `Task ${at.task + 1}: is x* on the side of ${degrees.toFixed(0)}°? `
    + (at.silentTasks.has(at.task) ? 'silenced' : net.bound ? now.outputs[t][at.task].toFixed(2)
      : `${(100 * now.outputs[t][at.task]).toFixed(0)} % yes; truth: ${sideOf(at.task, at.x) ? 'yes' : 'no'}`);
}

// ------------------------------------------------------------------ settings

function play(on) {
  if (on && at.clock >= at.n) at.clock = 0;
  at.playing = on;
  $('play').textContent = on ? '❚❚ Stop' : '▶ Play';
  $('status').setAttribute('aria-live', on ? 'off' : 'polite');
  changed();
}

function setX(x) {
  at.x = x.map(v => Math.min(0.5, Math.max(-0.5, v)));
  compute();
}

const CLOSED = ['closed', 'scaled'];
function whyNot(net, readout) {
  if (readout === 'encoder') return net.decoders.encoder ? '' : 'this network has no encoder';
  if (!CLOSED.includes(readout) || net.closed) return '';
  return !net.hasReadout ? 'the authors’ files hold no readout' : net.bound ? 'its outputs are sums, not probabilities'
    : 'it needs two different boundaries';
}

function fillReadouts() {
  const reasons = [];
  $('readout').replaceChildren(...Object.entries(READOUTS).map(([key, name]) => {
    const option = new Option(name, key), why = whyNot(at.net, key);
    option.disabled = Boolean(why);
    if (why && key !== 'scaled') reasons.push(`${name}: ${why}.`);
    return option;
  }));
  if (whyNot(at.net, at.readout)) at.readout = 'adam';
  $('readout').value = at.readout;
  $('reason').textContent = reasons.join(' ');
  $('reason').hidden = !reasons.length;
}

function choose(net) {
  if (at.n === at.net.samples) at.n = net.samples;
  if (at.sigma === at.net.noise.sigma) at.sigma = net.noise.sigma;
  at.net = net;
  at.clock = Math.min(at.clock, at.n);
  at.silentUnits.clear();
  at.silentTasks.clear();
  at.unit = at.task = -1;
  now.sheet = atlas = null;
  const accents = {RNN: '#0072b2', LSTM: '#b84f00', GRU: '#946300', 'gpt-2': '#7b3294'};
  document.documentElement.style.setProperty('--accent', accents[net.network]);
  const share = 100 * net.pca.share.reduce((sum, part) => sum + part, 0);
  $('share').textContent = ` (${share.toFixed(0)} % of the variance)${net.recurrent ? '' : ', when it answers'}`;
  fillReadouts();
  showValues();
  changedNetwork();
}

function showValues() {
  for (const key of ['sigma', 'n']) {
    $(key).value = at[key];
    $(key).parentElement.querySelector('output').textContent = key === 'sigma' ? at.sigma.toFixed(2) : at.n;
  }
  $('seed').value = at.seed;
  $('clock').max = at.n;
}

function rescore() {
  now.score = score();
  read();
}

function toggle(set, item) {
  if (!set.delete(item)) set.add(item);
  if (set === at.silentTasks) { compute(); now.score = score(); } else changedNetwork();
}

function connect() {
  NETWORKS.forEach((net, i) => {
    const twins = NETWORKS.filter(other => other.name === net.name).length > 1;
    $('network').add(new Option(twins ? `${net.name}, ${net.about.join(', ')}` : net.name, i));
  });
  $('network').value = mostTasks;
  $('network').onchange = event => choose(NETWORKS[event.target.value]);
  $('readout').onchange = event => { at.readout = event.target.value; rescore(); };
  [...QUADRANTS, 'none'].forEach((name, i) => {
    const label = document.createElement('label'), input = document.createElement('input');
    Object.assign(input, {type: 'radio', name: 'held', value: i, checked: i === at.held, onchange: () => { at.held = i; rescore(); }});
    input.setAttribute('aria-label', name.replace('-', ' '));
    label.style.gridArea = 'abcdn'[i];
    label.append(input, i === 4 ? 'none' : '');
    $('held').append(label);
  });
  $('sigma').oninput = event => { at.sigma = +event.target.value; showValues(); changedNetwork(); };
  $('n').oninput = event => {
    const ended = at.clock >= at.n;
    at.n = +event.target.value;
    at.clock = ended ? at.n : Math.min(at.clock, at.n);
    showValues();
    changedNetwork();
  };
  $('seed').oninput = event => { at.seed = Math.abs(Math.trunc(+event.target.value)) || 0; compute(); };
  $('clock').oninput = event => { play(false); at.clock = +event.target.value; };
  $('play').onclick = () => play(!at.playing);
  $('next').onclick = () => { play(false); at.clock = Math.floor(at.clock + 1e-9) % at.n + 1; };
  $('wake').onclick = () => { at.silentUnits.clear(); at.silentTasks.clear(); changedNetwork(); };
  $('more').onclick = () => computeMany(PER_QUADRANT, 0);
  const preferred = matchMedia('(prefers-color-scheme: dark)'), root = document.documentElement;
  const theme = dark => { root.dataset.theme = dark ? 'dark' : 'light'; readColors(); };
  preferred.onchange = () => theme(preferred.matches);
  $('theme').onclick = () => theme(root.dataset.theme !== 'dark');
  theme(preferred.matches);
}

// Pointer in a panel: `press` and, while it is held down, `drag`, with its place in CSS pixels.
function pointer(name, press, drag) {
  const {canvas} = panels[name], place = event => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  let last = null;
  canvas.onpointerdown = event => {
    last = place(event);
    if (drag) canvas.setPointerCapture(event.pointerId);
    if (press) press(...last);
  };
  canvas.onpointermove = event => {
    const [x, y] = place(event);
    if (last && drag) drag(x, y, x - last[0], y - last[1]);
    if (last) last = [x, y];
  };
  canvas.onpointerup = canvas.onpointercancel = () => { last = null; };
}

const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};
function keys(name, arrow, enter) {
  panels[name].canvas.addEventListener('keydown', event => {
    const move = ARROWS[event.key];
    if (!move && !(event.key === 'Enter' && enter)) return;
    event.preventDefault();
    if (move) arrow(...move, event.shiftKey); else enter();
    changed();
  });
}

function connectPanels() {
  const turn = (dx, dy) => {
    at.yaw += dx;
    at.pitch = Math.min(1.5, Math.max(-1.5, at.pitch + dy));
    changed();
  };
  const dragX = (x, y) => setX(plane(panels.square).from(x, y));
  pointer('square', dragX, dragX);
  keys('square', (dx, dy, fast) => setX([at.x[0] + dx * (fast ? 0.1 : 0.02), at.x[1] + dy * (fast ? 0.1 : 0.02)]));
  pointer('space', null, (x, y, dx, dy) => turn(-dx / 120, dy / 120));
  keys('space', (dx, dy) => turn(dx / 8, dy / 8));
  const within = (i, n) => Math.min(n - 1, Math.max(0, i));
  const silenceTask = () => { if (at.task >= 0 && at.net.hasReadout) toggle(at.silentTasks, at.task); };
  pointer('answers', x => {
    const {left, width} = bars(panels.answers);
    at.task = within(Math.floor((x - left) / width), at.net.n_task);
    silenceTask();
  });
  keys('answers', dx => { at.task = within(at.task + dx, at.net.n_task); }, silenceTask);
  const silenceUnit = () => { if (at.unit >= 0 && now.sheet) toggle(at.silentUnits, now.maps.order[at.unit]); };
  pointer('units', (x, y) => { if (now.sheet) { at.unit = tiles(panels.units).hit(x, y); silenceUnit(); } });
  keys('units', (dx, dy) => {
    at.unit = within(at.unit + dx - dy * tiles(panels.units).columns, now.maps.order.length);
  }, silenceUnit);
  document.addEventListener('keydown', event => {
    if (event.key !== ' ' || event.target.closest('button, select, input')) return;
    event.preventDefault();
    play(!at.playing);
  });
}

// ------------------------------------------------------------------ the clock

let before = 0;
function frame(time) {
  const passed = Math.min(0.1, (time - before) / 1000);
  before = time;
  if (at.playing) {
    at.clock = Math.min(at.n, at.clock + passed * Math.max(3, at.n / 7));
    if (at.clock >= at.n) play(false);
    ticked = true;
  }
  if (dirty || ticked) {
    for (const [name, panel] of Object.entries(panels)) {
      if (!dirty && name === 'map') continue;  // it knows no clock
      panel.c.clearRect(0, 0, panel.w, panel.h);
      panel.paint(panel);
    }
    $('clock').value = at.clock;
    sayStatus();
    saySelected();
    if (dirty) sayNumbers();
    dirty = ticked = false;
  }
  requestAnimationFrame(frame);
}

connect();
addPanel('square', paintEvidence);
addPanel('space', paintState);
addPanel('answers', paintAnswers);
addPanel('units', paintUnits);
addPanel('map', paintMap);
addPanel('curve', paintCurve);
connectPanels();
at.sigma = at.net.noise.sigma;
at.n = at.clock = at.net.samples;
choose(at.net);
requestAnimationFrame(frame);
