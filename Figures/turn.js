const plot = document.getElementById('{plot_id}');
let angle = 0.9, stopped = false;
for (const event of ['mousedown', 'touchstart', 'wheel'])
  plot.addEventListener(event, () => { stopped = true; }, {passive: true, capture: true});
function turn() {
  if (stopped) return;
  angle += 0.006;
  const eye = {x: 1.7 * Math.cos(angle), y: 1.7 * Math.sin(angle), z: 0.8};
  Plotly.relayout(plot, {'scene.camera.eye': eye}).then(() => requestAnimationFrame(turn));
}
turn();
