// Settings, the trial that plays, and words. `network.js` computes, `panels.js` draws.
'use strict';

const DATA = JSON.parse(document.getElementById('data').textContent), N_GRID = DATA.n_grid;
const NETWORKS = DATA.networks.map(page => new Network(page));
const $ = id => document.getElementById(id);
// As quadrantOf counts; also the names of their colours.
const QUADRANTS = ['lower-left', 'upper-left', 'lower-right', 'upper-right'];
const READOUTS = {
  adam: 'linear, Adam', ridge: 'linear, ridge',
  closed: 'closed form', closed_fit: 'closed form, scale fitted',
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
  const whole = {...options(), silentTasks: null};
  now.intact = isSilenced() ? run().map((m, t) => net.decode(m, t, whole)) : null;
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

// Turn so that the sheet hides as little of itself as possible: its points fill most cells.
function face(places) {
  const reach = Math.max(...places.map(p => Math.hypot(...p.map((v, k) => v - places[0][k])))) || 1;
  let most = 0;
  for (let yaw = -3.1; yaw < 3.1; yaw += 0.2) for (const pitch of [-0.7, -0.35, 0.35, 0.7]) {
    const cells = new Set(places.map(p => rotate(p, yaw, pitch).slice(0, 2)
      .map(v => Math.round(14 * v / reach)).join()));
    if (cells.size > most) [most, at.yaw, at.pitch] = [cells.size, yaw, pitch];
  }
}

// Many noisy trials, equally many in every quadrant.
function* computeTrials(count) {
  const {net, n, sigma} = at, silent = new Set(at.silentUnits), before = now.trials || [];
  const numbers = randomNumbers(before.length + 12345), fresh = [];
  for (let i = 0; i < 4 * count; i++) {
    const x = [i & 2 ? 0.5 : -0.5, i & 1 ? 0.5 : -0.5].map(end => end * numbers.uniform());
    const samples = net.sample(x, n, sigma, numbers);
    const moments = net.trial(samples, silent, numbers.draw);
    fresh.push({x, moments, best: samples.map((_, t) => net.best(samples, t + 1, sigma).guess)});
    yield;
  }
  now.trials = [...before, ...fresh];
}

// r2 after each number of samples, in the held-out quadrant, in the others, of the best observer.
function score() {
  if (!now.trials) return null;
  const found = {held: [], seen: [], best: []};
  const isHeld = now.trials.map(({x}) => quadrantOf(x) === at.held);
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

// ------------------------------------------------------------------ words

const off = (y, x) => Math.hypot(y[0] - x[0], y[1] - x[1]).toFixed(2);

function sayStatus() {
  const {t} = moment(), words = [], y = now.path[t], {net} = at;
  const count = t === 1 ? '1 sample' : `${t} samples`;
  if (y) {
    const source = at.readout === 'encoder' ? 'the encoder’s mean' : 'the network';
    const best = t ? `; the best guess from the samples by ${off(now.best[t].guess, at.x)}` : '';
    const own = `x* as read off ${source} is off by <b>${off(y, at.x)}</b>`;
    words.push(`After <b>${count}</b>, ${own}${best}.`);
  } else words.push(`After <b>${count}</b>: x* cannot be read off fewer than two boundaries.`);
  if (now.logits[t] && t) {
    let count = 0;
    for (let i = 0; i < net.n_task; i++) count += said(i, t) === sideOf(i, at.x);
    words.push(`<b>${count} of ${net.n_task}</b> answers right.`);
  }
  if (now.intact) {
    const many = (n, word) => (n ? [`${n} ${word}${n > 1 ? 's' : ''}`] : []);
    const silenced = [...many(at.silentUnits.size, 'unit'), ...many(at.silentTasks.size, 'task')];
    const intact = off(now.intact[t], at.x);
    words.push(`${silenced.join(' and ')} silenced; before, off by ${intact}.`);
  }
  if (words.join(' ') !== sayStatus.last) $('status').innerHTML = sayStatus.last = words.join(' ');
  $('seen').textContent = `${t} of ${at.n} sample${at.n > 1 ? 's' : ''}`;
  $('wake').hidden = !isSilenced();
}

function sayNumbers() {
  const {net, held} = at, fitted = net.decoders[at.readout], some = held < 4;
  const show = values => `${values[at.n - 1].r2.toFixed(3)} ± ${values[at.n - 1].se.toFixed(3)}`;
  const first = () => (some ? `held out ${show(now.score.held)}, others` : 'all quadrants');
  $('r2-said').textContent = !now.score ? ''
    : `After ${at.n}: ${first()} ${show(now.score.seen)} (${now.trials.length} trials)`;
  $('more').hidden = !now.score;
  const made = CLOSED.includes(at.readout)
    ? 'The closed form solves the outputs for x*, given the boundaries; its'
    : `The readout was fitted in Python with ${net.samples} samples of that noise; its`;
  const readout = `${made} r² over fresh trials in Python: ${fitted.r2[held].toFixed(3)} in `
    + `${some ? 'the quadrant held out' : 'all quadrants'}.`;
  const trained = `trained with σ = ${+net.noise.sigma.toFixed(3)}`;
  $('about').textContent = `Shown: ${net.file} (${net.about.join(', ')}), ${net.n_neu} units, `
    + `${net.n_task} tasks; ${trained}. ${readout} Everything else is computed here, from the `
    + 'network’s weights.';
}

function unitSaid(t) {
  if (!now.sheet) return '';
  const {order, late, ends} = now.maps, unit = order[at.unit];
  const answering = order.filter(each => late.has(each)).length;
  if (unit === undefined) {
    const only = answering ? `, ${answering} only in the answer` : '';
    return `${order.length} of ${at.net.n_neu} units respond${only}.`;
  }
  if (at.silentUnits.has(unit)) return `Unit ${unit}, silenced`;
  const [rate, ...range] = [rateOf(now.moments[t], unit), ...ends[unit]].map(v => v.toFixed(2));
  return `Unit ${unit}: rate ${rate} (${range.join(' to ')})`;
}

function saySelected() {
  const {t} = moment(), {net} = at;
  $('unit-said').textContent = unitSaid(t);
  if (at.task < 0 || !now.outputs[t]) { $('task-said').textContent = ''; return; }
  const output = now.outputs[t][at.task], truth = sideOf(at.task, at.x) ? 'yes' : 'no';
  const unread = CLOSED.includes(at.readout) ? '' : '; only the closed form reads it';
  const answer = net.bound ? output.toFixed(2) : `${(100 * output).toFixed(0)} % yes`;
  const silenced = at.silentTasks.has(at.task) ? `silenced${unread}` : `${answer}; truth: ${truth}`;
  $('task-said').textContent = `Task ${at.task + 1}: ${silenced}`;
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

const CLOSED = ['closed', 'closed_fit'];
const whyNot = (net, readout) => (net.decoders[readout] || {lack: 'it has no encoder'}).lack || '';

function fillReadouts() {
  const reasons = [];
  $('readout').replaceChildren(...Object.entries(READOUTS).map(([key, name]) => {
    const option = new Option(name, key), why = whyNot(at.net, key);
    option.disabled = Boolean(why);
    if (why && key !== 'closed_fit') reasons.push(`${name}: ${why}.`);
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
  const when = net.recurrent ? '' : ', when it answers';
  $('share').textContent = ` (${share.toFixed(0)} % of the variance)${when}`;
  fillReadouts();
  $('n').max = Math.max(50, net.samples);
  $('sigma').max = Math.max(0.6, net.noise.sigma);
  showValues();
  changedNetwork();
}

function showValues() {
  for (const [key, words] of [['sigma', at.sigma.toFixed(2)], ['n', at.n]]) {
    $(key).value = at[key];
    $(key).parentElement.querySelector('output').textContent = words;
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
    Object.assign(input, {type: 'radio', name: 'held', value: i, checked: i === at.held});
    input.onchange = () => { at.held = i; rescore(); };
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
  $('seed').oninput = event => {
    at.seed = Math.abs(Math.trunc(+event.target.value)) || 0;
    compute();
  };
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

const placeOf = event => {
  const box = event.currentTarget.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

// What the mouse is over in a panel becomes at[key]; a click silences it.
function choice(name, key, hit, silence) {
  const {canvas} = panels[name], point = event => { at[key] = hit(...placeOf(event)); changed(); };
  canvas.onpointermove = event => { if (event.pointerType === 'mouse') point(event); };
  canvas.onpointerleave = () => { at[key] = -1; changed(); };
  canvas.onclick = event => { point(event); silence(); };
}

// Pointer in a panel: `press` and, while it is held down, `drag`, with its place in CSS pixels.
function pointer(name, press, drag) {
  const {canvas} = panels[name];
  let last = null;
  canvas.onpointerdown = event => {
    last = placeOf(event);
    if (drag) canvas.setPointerCapture(event.pointerId);
    if (press) press(...last);
  };
  canvas.onpointermove = event => {
    const [x, y] = placeOf(event);
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
  keys('square', (dx, dy, fast) => {
    const step = fast ? 0.1 : 0.02;
    setX([at.x[0] + dx * step, at.x[1] + dy * step]);
  });
  pointer('space', null, (x, y, dx, dy) => turn(-dx / 120, dy / 120));
  keys('space', (dx, dy) => turn(dx / 8, dy / 8));
  const within = (i, n) => Math.min(n - 1, Math.max(0, i));
  const silenceTask = () => {
    if (at.task >= 0 && at.net.hasReadout) toggle(at.silentTasks, at.task);
  };
  choice('answers', 'task', x => {
    const {left, width} = bars(panels.answers);
    return within(Math.floor((x - left) / width), at.net.n_task);
  }, silenceTask);
  keys('answers', dx => { at.task = within(at.task + dx, at.net.n_task); }, silenceTask);
  const silenceUnit = () => {
    if (at.unit >= 0 && now.sheet) toggle(at.silentUnits, now.maps.order[at.unit]);
  };
  choice('units', 'unit', (x, y) => (now.sheet ? tiles(panels.units).hit(x, y) : -1), silenceUnit);
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
