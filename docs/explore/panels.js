// The six panels. They draw the trial and the network that `page.js` holds in `at` and `now`.
'use strict';

let colors = {}, dirty = true, ticked = false, atlas = null;
const changed = () => { dirty = true; };
const panels = {};
const FONT = '12px Inter, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

function readColors() {
  const style = getComputedStyle(document.documentElement);
  const names = ['panel', 'ink', 'muted', 'line', 'decoded', 'best', 'right', 'wrong', 'seen'];
  for (const name of [...names, ...QUADRANTS]) {
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

function text(c, words, x, y, look = {}) {
  const {color = colors.muted, align = 'center', base = 'middle', font = FONT} = look;
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

const sideOf = (i, [x, y]) => at.net.normal(i)[0] * x + at.net.normal(i)[1] * y > 0;
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
    const [a, b] = at.net.normal(i), reach = 0.5 / Math.max(Math.abs(a), Math.abs(b));
    const wrong = now.logits[t] && t > 0 && said(i, t) !== sideOf(i, at.x);
    const kind = i === at.task ? 'chosen' : wrong ? 'wrong' : 'plain';
    if (kind === 'chosen' || !at.silentTasks.has(i)) lines[kind].push([b * reach, -a * reach]);
  }
  const plain = [alpha(colors.muted, 0.28), 1];
  const looks = {plain, wrong: [colors.wrong, 1.5], chosen: [colors.ink, 2]};
  for (const [kind, ends] of Object.entries(lines)) {
    c.beginPath();
    for (const [x, y] of ends) { c.moveTo(...to([x, y])); c.lineTo(...to([-x, -y])); }
    [c.strokeStyle, c.lineWidth] = looks[kind];
    c.stroke();
  }
  now.samples.slice(0, u).forEach((sample, i) => {
    const age = at.clock - i, faded = Math.max(0.22, 0.85 - 0.08 * age) * Math.min(1, age * 4);
    dot(c, to(sample), age < 1 ? lerp(7, 3, age) : 3, alpha(colors.ink, faded));
  });
  if (u > 0 && at.clock > 0) {
    const [before, after] = [now.best[t], now.best[u]], g = t ? f : 1;
    const sd = mix(before.sd, after.sd, g), [x, y] = to(mix(before.mean, after.mean, g));
    const [left, top] = to([-0.5, 0.5]);
    c.save();
    c.beginPath();
    c.rect(left, top, unit, unit);
    c.clip();
    for (const size of [2, 1]) {
      c.beginPath();
      c.ellipse(x, y, ...sd.map(each => Math.max(size * each * unit, 0.5)), 0, 0, 7);
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
    const look = {align: at.held & 2 ? 'right' : 'left', base: at.held & 1 ? 'top' : 'bottom'};
    text(c, 'held out', x, y, {color: colors.decoded, ...look});
  }
}

function star(c, [x, y], radius) {
  c.beginPath();
  for (let i = 0; i < 10; i++) {
    const r = i % 2 ? radius * 0.45 : radius, angle = -Math.PI / 2 + (i * Math.PI) / 5;
    c.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
  }
  c.closePath();
  Object.assign(c, {fillStyle: colors.ink, strokeStyle: colors.panel, lineWidth: 1.5});
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
  const named = [];
  [0, 1, 2].forEach(k => {
    const unit = [0, 1, 2].map(i => Number(i === k)), [left, low] = [42, h - 34];
    const [x, y] = rotate(unit, yaw(), at.pitch), place = [left + 30 * x, low - 27 * y];
    line(c, [[left, low], [left + 20 * x, low - 20 * y]], colors.muted, 1);
    if (named.some(other => Math.hypot(other[0] - place[0], other[1] - place[1]) < 18)) return;
    if (Math.hypot(x, y) < 0.6) return;
    named.push(place);
    text(c, `PC${k + 1}`, ...place, {font: FONT.replace('12', '10')});
  });
}

function paintState(panel) {
  const {c} = panel, {t, u, f} = moment();
  if (!now.sheet) { note(panel, 'computing …'); return; }
  const see = camera(panel), seen = now.sheet.places.map(see), cells = [];
  paintAxes(panel);
  for (let i = 0; i + 1 < N_GRID; i++) for (let j = 0; j + 1 < N_GRID; j++) {
    const k = i * N_GRID + j, corners = [k, k + 1, k + N_GRID + 1, k + N_GRID].map(m => seen[m]);
    const depth = corners.reduce((sum, p) => sum + p[2], 0);
    cells.push({corners, depth, quadrant: quadrantOf([GRID[i] + 0.01, GRID[j] + 0.01])});
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
  const place = see(mix(now.places[t], now.places[u], f));
  const path = [...now.places.slice(0, t + 1).map(see), place];
  line(c, path, alpha(colors.panel, 0.9), 4.5);
  line(c, path, colors.ink, 2);
  path.slice(0, -1).forEach(p => dot(c, p, 2.4, colors.ink));
  star(c, see(now.goal), 9);
  dot(c, place, 7, colors.decoded, colors.panel, 2);
}

// Bars from the middle. Free reaction time: sums of evidence from -bound to bound.
function paintAnswers(panel) {
  const {c, w, h} = panel, {net} = at, {t, u, f} = moment();
  if (!net.hasReadout) {
    note(panel, 'The authors’ files hold no readout,', 'so this network has no outputs.');
    return;
  }
  const {left, width} = bars(panel), icons = width > 11;
  const mid = (h - (icons ? 22 : 6)) / 2, size = mid - 12;
  const high = v => (net.bound ? v / net.bound : 2 * v - 1);
  line(c, [[left, mid], [w - 8, mid]], colors.line, 1);
  const words = net.bound ? [`+${net.bound}`, '0', `−${net.bound}`] : ['yes', '½', 'no'];
  words.forEach((word, i) => text(c, word, left - 6, mid + (i - 1) * (size - 4), {align: 'right'}));
  const outputs = mix(now.outputs[t], now.outputs[u], f);
  const ideal = mix(now.best[t].outputs, now.best[u].outputs, f);
  for (let i = 0; i < net.n_task; i++) {
    const x = left + i * width, wide = Math.max(width - (width > 5 ? 2 : 0.5), 0.7);
    const height = high(outputs[i]) * size, right = height > 0 === sideOf(i, at.x);
    const off = at.silentTasks.has(i);
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
  const [a, b] = at.net.normal(i), angle = Math.atan2(-b, a);
  c.beginPath();
  c.arc(x, y, r, angle - Math.PI / 2, angle + Math.PI / 2);
  c.fillStyle = alpha(colors.muted, off ? 0.25 : 0.8);
  c.fill();
  dot(c, [x, y], r, null, alpha(colors.muted, off ? 0.25 : 0.8), 1);
}

// From dark to bright.
const MAGMA = [
  [8, 6, 28], [66, 15, 117], [143, 41, 128], [221, 74, 104], [254, 159, 109], [252, 253, 191]];
function shade(value) {
  const position = value * (MAGMA.length - 1);
  const i = Math.min(Math.floor(position), MAGMA.length - 2);
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
  const corner = i => [left + (i % columns) * size, top + Math.floor(i / columns) * size];
  const hit = (x, y) => {
    const column = Math.floor((x - left) / size), row = Math.floor((y - top) / size);
    const i = row * columns + column;
    return column >= 0 && column < columns && i >= 0 && i < n ? i : -1;
  };
  return {columns, size, corner, hit};
}

// All rate maps side by side, drawn once.
function drawAtlas() {
  const {order, ends} = now.maps, {moments} = now.sheet, canvas = document.createElement('canvas');
  canvas.width = N_GRID * order.length;
  canvas.height = N_GRID;
  const c = canvas.getContext('2d'), image = c.createImageData(canvas.width, N_GRID);
  order.forEach((unit, place) => moments.forEach((moment, k) => {
    const row = N_GRID - 1 - (k % N_GRID), column = place * N_GRID + Math.floor(k / N_GRID);
    const color = shade(brightness(rateOf(moment, unit), ends[unit]));
    image.data.set([...color, 255], 4 * (row * canvas.width + column));
  }));
  c.putImageData(image, 0, 0);
  return canvas;
}

function paintUnits(panel) {
  const {c} = panel, {t, u, f} = moment();
  if (!now.sheet) { note(panel, 'computing …'); return; }
  atlas = atlas || drawAtlas();
  const {size, corner} = tiles(panel), inner = size - 3, {order, ends} = now.maps;
  c.imageSmoothingEnabled = false;
  order.forEach((unit, i) => {
    const [x, y] = corner(i), [before, after] = [t, u].map(t => rateOf(now.moments[t], unit));
    const lit = brightness(lerp(before, after, f), ends[unit]);
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
      const others = [...(k % N_GRID + 1 < N_GRID ? [k + 1] : []), k + N_GRID];
      for (const other of others) if (placed[other] && (inside(k) && inside(other)) === held) {
        c.moveTo(...view.to(from));
        c.lineTo(...view.to(placed[other]));
      }
    });
    c.strokeStyle = held ? colors.decoded : alpha(colors.seen, 0.75);
    c.lineWidth = held ? 1.5 : 1;
    c.stroke();
  }
  const end = at.net.decode(now.moments[at.n], at.n, options());
  dot(c, view.to(end), 6, colors.decoded, colors.panel, 2);
  star(c, view.to(at.x), 9);
}

function paintCurve(panel) {
  const {c, w, h} = panel, [left, right, top, bottom] = [36, w - 14, 10, h - 34];
  const px = t => lerp(left, right, at.n > 1 ? (t - 1) / (at.n - 1) : 0.5);
  const py = r2 => lerp(bottom, top, Math.max(r2, 0));
  for (const r2 of [0, 0.25, 0.5, 0.75, 1]) {
    line(c, [[left, py(r2)], [right, py(r2)]], colors.line);
    text(c, r2, left - 7, py(r2), {align: 'right'});
  }
  const every = at.n <= 6 ? 1 : at.n <= 25 ? 5 : 10;
  for (let t = 1; t <= at.n; t++) if (t === 1 || t % every === 0) text(c, t, px(t), bottom + 13);
  text(c, 'samples seen', (left + right) / 2, h - 7);
  if (!now.score) {
    note(panel, now.path[0] ? 'trials run when nothing else moves …' : 'x* cannot be read off');
    return;
  }
  const curve = (values, color, width, dash) => {
    const points = values.map(({r2}, i) => [px(i + 1), py(r2)]);
    line(c, points, color, width, dash);
    return points;
  };
  curve(now.score.best, colors.best, 2, [5, 4]);
  const shown = [[now.score.seen, colors.seen]];
  if (at.held < 4) shown.push([now.score.held, colors.decoded]);
  for (const [values, color] of shown) curve(values, color, 2).forEach(p => dot(c, p, 2.6, color));
  const t = Math.max(1, moment().t);
  line(c, [[px(t), top], [px(t), bottom]], alpha(colors.muted, 0.5), 1);
}
