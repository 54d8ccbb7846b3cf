"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const { rate, samples, frames } = data;
  const tick = rate / 50;
  const flag = { concealed: 4, paused: 32, waiting: 128, gap: 256 };
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  /* ---------------------------------------------------------------- sound */

  const audio = new Audio();
  let peaks = null; // [caller, agent], each {size, low, high} per block of audio samples

  function decodeUlaw() {
    const raw = atob($("audio").textContent.trim());
    if (!raw.length) return null;
    const table = new Int16Array(256);
    for (let code = 0; code < 256; code++) {
      const c = ~code & 255;
      const value = ((((c & 15) << 3) + 132) << ((c >> 4) & 7)) - 132;
      table[code] = c & 128 ? -value : value;
    }
    const pcm = new Int16Array(raw.length & ~1);
    for (let i = 0; i < pcm.length; i++) pcm[i] = table[raw.charCodeAt(i)];
    return pcm;
  }

  function wavBlob(pcm) {
    const head = new DataView(new ArrayBuffer(44));
    const word = (at, text) => [...text].forEach((c, i) => head.setUint8(at + i, c.charCodeAt(0)));
    word(0, "RIFF");
    head.setUint32(4, 36 + pcm.length * 2, true);
    word(8, "WAVEfmt ");
    head.setUint32(16, 16, true);
    head.setUint16(20, 1, true);
    head.setUint16(22, 2, true);
    head.setUint32(24, data.audioRate, true);
    head.setUint32(28, data.audioRate * 4, true);
    head.setUint16(32, 4, true);
    head.setUint16(34, 16, true);
    word(36, "data");
    head.setUint32(40, pcm.length * 2, true);
    return new Blob([head, pcm], { type: "audio/wav" });
  }

  function makePeaks(pcm) {
    const size = 16;
    const count = Math.ceil(pcm.length / 2 / size);
    return [0, 1].map((side) => {
      const low = new Int16Array(count);
      const high = new Int16Array(count);
      for (let i = side, n = 0; i < pcm.length; i += 2, n++) {
        const block = (n / size) | 0;
        if (pcm[i] < low[block]) low[block] = pcm[i];
        if (pcm[i] > high[block]) high[block] = pcm[i];
      }
      return { size: (size * rate) / data.audioRate, low, high };
    });
  }

  /* Without sound: the level of each frame, as if it were a peak. */
  function levelPeaks() {
    return [frames.rx, frames.tx].map((level) => {
      const high = Int16Array.from(level, (db) => (db <= -90 ? 0 : Math.min(32767, 46000 * 10 ** (db / 20))));
      return { size: tick, low: high.map((x) => -x), high };
    });
  }

  const pcm = data.audioRate ? decodeUlaw() : null;
  if (pcm) {
    peaks = makePeaks(pcm);
    audio.src = URL.createObjectURL(wavBlob(pcm));
    $("play").disabled = false;
  } else {
    peaks = levelPeaks();
  }
  /* One scale for both sides, so that their levels can be compared. */
  const loudest = peaks.reduce(
    (most, side) => side.high.reduce((m, x, i) => Math.max(m, x, -side.low[i]), most), 2000);

  /* ----------------------------------------------------------------- view */

  const wave = $("wave");
  const net = $("net");
  let from = 0;
  let to = samples;
  let position = 0;
  let colour = {};
  let pending = false;

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["card", "ink", "dim", "line", "soft", "caller", "agent", "cut", "bad", "speech", "playout", "hatch"])
      colour[name] = style.getPropertyValue("--" + name).trim();
  }

  function show(start, end) {
    const span = clamp(end - start, Math.min(samples, rate / 10), samples);
    from = clamp((start + end - span) / 2, 0, samples - span);
    to = from + span;
    redraw();
  }

  function zoom(factor, around) {
    show(around - (around - from) * factor, around + (to - around) * factor);
  }

  const pan = (by) => show(from + clamp(by, -from, samples - to), to + clamp(by, -from, samples - to));

  function redraw() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      drawWave();
      drawNet();
      placeHead();
    });
  }

  function begin(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const g = canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    g.font = "11px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
    g.textBaseline = "middle";
    g.lineWidth = 1;
    return { g, width, height, x: (at) => ((at - from) / (to - from)) * width };
  }

  function clockText(at, digits) {
    const tenths = 10 ** digits;
    const total = Math.round((Math.max(at, 0) / rate) * tenths) / tenths;
    const minutes = Math.floor(total / 60);
    return minutes + ":" + (total - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  }

  const STEPS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

  function ruler(c, top, bottom, labelled) {
    const wanted = ((to - from) / rate / c.width) * 85;
    const step = STEPS.find((s) => s >= wanted) || 3600;
    const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    c.g.strokeStyle = colour.line;
    c.g.fillStyle = colour.dim;
    c.g.textAlign = "left";
    for (let n = Math.ceil(from / rate / step); n * step * rate <= to; n++) {
      const x = Math.round(c.x(n * step * rate)) + 0.5;
      c.g.beginPath();
      c.g.moveTo(x, top);
      c.g.lineTo(x, bottom);
      c.g.stroke();
      if (labelled && x < c.width - 34) c.g.fillText(clockText(n * step * rate, digits), x + 4, 10);
    }
  }

  /* A word on the left edge, readable on top of whatever is drawn there. */
  function tag(c, text, y, fill) {
    c.g.globalAlpha = 0.8;
    c.g.fillStyle = colour.card;
    c.g.fillRect(4, y - 8, c.g.measureText(text).width + 6, 16);
    c.g.globalAlpha = 1;
    c.g.fillStyle = fill;
    c.g.textAlign = "left";
    c.g.fillText(text, 7, y);
  }

  /* ---------------------------------------------------------------- waves */

  function band(c, start, end, top, height, fill, line) {
    if (end < from || start > to) return;
    const left = c.x(start);
    const width = Math.max(c.x(end) - left, 1);
    c.g.fillStyle = fill;
    c.g.fillRect(left, top, width, height);
    c.g.fillStyle = line;
    c.g.fillRect(left, top + height - 3, width, 3);
  }

  function waveform(c, side, middle, half, fill) {
    const { size, low, high } = side;
    const scale = half / loudest;
    c.g.fillStyle = fill;
    const perPixel = (to - from) / c.width;
    const step = Math.max(1 / (window.devicePixelRatio || 1), size / perPixel);
    for (let x = 0; x < c.width; x += step) {
      const first = Math.floor((from + x * perPixel) / size);
      const last = Math.max(first + 1, Math.floor((from + (x + step) * perPixel) / size));
      let down = 0;
      let up = 0;
      for (let i = first; i < last && i < high.length; i++) {
        if (low[i] < down) down = low[i];
        if (high[i] > up) up = high[i];
      }
      if (first >= high.length) break;
      c.g.fillRect(x, middle - up * scale - 0.5, step, (up - down) * scale + 1);
    }
  }

  function hatch(c, start, end, top, height) {
    const left = Math.max(c.x(start), 0);
    const right = Math.min(Math.max(c.x(end), left + 2), c.width);
    if (right <= 0 || left >= c.width) return;
    c.g.save();
    c.g.beginPath();
    c.g.rect(left, top, right - left, height);
    c.g.clip();
    c.g.strokeStyle = colour.hatch;
    c.g.lineWidth = 1.5;
    c.g.beginPath();
    for (let x = left - height - (left % 6); x < right; x += 6) {
      c.g.moveTo(x, top + height);
      c.g.lineTo(x + height, top);
    }
    c.g.stroke();
    c.g.restore();
  }

  /* Runs of ticks for which `test` holds, as [start, end) in samples, those in view only. */
  function runs(test) {
    const out = [];
    const last = Math.min(frames.flags.length, Math.ceil(to / tick));
    for (let i = Math.max(0, Math.floor(from / tick)), start = -1; i <= last; i++) {
      const on = i < last && test(i);
      if (on && start < 0) start = i;
      if (!on && start >= 0) {
        out.push([start * tick, i * tick]);
        start = -1;
      }
    }
    return out;
  }

  const lanes = (height) => {
    const half = (height - 44 - 22) / 4;
    return { strip: 20, top: 44, middle: [44 + half, 44 + 3 * half], half, words: height - 11 };
  };

  function markColour(kind) {
    if (kind === "cut") return colour.cut;
    if (kind === "underrun" || kind.endsWith("lost")) return colour.bad;
    return colour.dim;
  }

  function drawMarks(c, lane) {
    const strong = (kind) => kind === "cut" || kind === "underrun";
    for (const [kind, at] of data.marks) {
      if (at < from || at > to) continue;
      const x = c.x(at);
      const width = strong(kind) ? 2 : 1;
      c.g.fillStyle = markColour(kind);
      c.g.fillRect(x - width / 2, lane.top - 4, width, 4 * lane.half + 4);
      c.g.beginPath();
      c.g.moveTo(x - 4, lane.top - 8);
      c.g.lineTo(x + 4, lane.top - 8);
      c.g.lineTo(x, lane.top - 2);
      c.g.fill();
    }
    /* Labels: cuts first, then what still fits. */
    const taken = [];
    for (const wanted of [true, false])
      for (const [kind, at, label] of data.marks) {
        if (strong(kind) !== wanted || at < from || at > to) continue;
        const width = c.g.measureText(label).width;
        const left = clamp(c.x(at) - width / 2, 3, c.width - width - 3);
        if (taken.some(([a, b]) => left < b + 8 && left + width > a - 8)) continue;
        taken.push([left, left + width]);
        c.g.fillStyle = markColour(kind);
        c.g.textAlign = "left";
        c.g.fillText(label, left, lane.strip + 8);
      }
  }

  /* Every word at its place where all words of an utterance fit, else its text cut to its width. */
  function drawWords(c, lane) {
    c.g.textAlign = "left";
    for (const { text, start, end, words } of data.said) {
      if (end < from || start > to) continue;
      const room = c.x(end) - c.x(start);
      const fits = words.length && words.every(([at, word], i) =>
        c.x(at) + c.g.measureText(word).width + 3 < (i + 1 < words.length ? c.x(words[i + 1][0]) : c.x(end) + 24));
      if (fits) {
        for (const [at, word, heard] of words) {
          c.g.fillStyle = heard ? colour.ink : colour.dim;
          c.g.fillText(word, c.x(at), lane.words);
          if (!heard) c.g.fillRect(c.x(at), lane.words, c.g.measureText(word).width, 1);
        }
      } else if (room > 24) {
        let size = Math.min(text.length, Math.floor(room / 3));
        const shown = () => (size < text.length ? text.slice(0, size).trimEnd() + "…" : text);
        while (size > 1 && c.g.measureText(shown()).width > room) size--;
        c.g.fillStyle = colour.dim;
        c.g.fillText(shown(), Math.max(c.x(start), 3), lane.words);
      }
    }
  }

  function drawWave() {
    const c = begin(wave);
    const lane = lanes(c.height);
    const tall = 2 * lane.half;
    ruler(c, 18, c.height - 22, true);
    for (const [start, end] of data.speech) band(c, start, end, lane.top, tall - 4, colour.speech, colour.caller);
    for (const [start, end] of data.playout) band(c, start, end, lane.top + tall + 4, tall - 4, colour.playout, colour.agent);
    for (const [start, end] of runs((i) => frames.flags[i] & flag.paused)) hatch(c, start, end, lane.top + tall + 4, tall - 4);
    waveform(c, peaks[0], lane.middle[0] - 2, lane.half - 8, colour.caller);
    waveform(c, peaks[1], lane.middle[1] + 2, lane.half - 8, colour.agent);
    c.g.fillStyle = colour.bad;
    for (const [start, end] of runs((i) => frames.flags[i] & flag.concealed))
      c.g.fillRect(c.x(start), lane.top, Math.max(c.x(end) - c.x(start), 1.5), 5);
    c.g.fillStyle = colour.line;
    c.g.fillRect(0, lane.top + tall, c.width, 1);
    tag(c, "caller", lane.top + 13, colour.caller);
    tag(c, "agent", lane.top + tall + 17, colour.agent);
    drawMarks(c, lane);
    drawWords(c, lane);
  }

  /* -------------------------------------------------------------- network */

  function drawNet() {
    const c = begin(net);
    const base = c.height - 18;
    ruler(c, 0, c.height, false);
    let most = 60;
    for (let i = 0; i < frames.flags.length; i++) most = Math.max(most, frames.delay[i], frames.target[i]);
    const step = most <= 100 ? 20 : most <= 250 ? 50 : most <= 500 ? 100 : 500;
    const top = Math.ceil((most * 1.08) / step) * step;
    const y = (ms) => base - (ms / top) * (base - 10);
    c.g.textAlign = "left";
    for (let ms = step; ms < top; ms += step) {
      c.g.fillStyle = colour.line;
      c.g.fillRect(0, Math.round(y(ms)), c.width, 1);
    }
    c.g.fillStyle = colour.line;
    c.g.fillRect(0, base, c.width, 1);
    const idle = (i) => frames.flags[i] & (flag.waiting | flag.gap);
    const dry = (i) => !idle(i) && i > 1 && !frames.packets[i] && !frames.packets[i - 1] && !frames.packets[i - 2];
    c.g.fillStyle = colour.hatch;
    for (const [start, end] of runs(dry)) c.g.fillRect(c.x(start), base + 10, Math.max(c.x(end) - c.x(start), 1.5), 5);
    const first = Math.max(0, Math.floor(from / tick));
    const last = Math.min(frames.flags.length, Math.ceil(to / tick));
    const stride = Math.max(1, Math.floor((last - first) / (c.width * 2)));
    const trace = (values, stroke, width, dash) => {
      c.g.strokeStyle = stroke;
      c.g.lineWidth = width;
      c.g.setLineDash(dash);
      c.g.beginPath();
      let down = false;
      for (let i = first; i < last; i += stride) {
        if (idle(i)) {
          down = false;
          continue;
        }
        let value = values[i];
        for (let k = i + 1; k < Math.min(i + stride, last); k++) value = Math.max(value, values[k]);
        if (down) c.g.lineTo(c.x(i * tick), y(value));
        else c.g.moveTo(c.x(i * tick), y(value));
        c.g.lineTo(c.x((i + stride) * tick), y(value));
        down = true;
      }
      c.g.stroke();
      c.g.setLineDash([]);
    };
    trace(frames.delay, colour.caller, 1.6, []);
    trace(frames.target, colour.agent, 2, [6, 4]);
    for (let ms = step; ms < top; ms += step) tag(c, ms + " ms", Math.round(y(ms)), colour.dim);
    c.g.fillStyle = colour.bad;
    for (const [start, end] of runs((i) => frames.flags[i] & flag.concealed))
      c.g.fillRect(c.x(start), base + 3, Math.max(c.x(end) - c.x(start), 1.5), 5);
    for (const [start] of runs((i) => frames.late[i] > 0)) {
      const x = c.x(start);
      c.g.beginPath();
      c.g.moveTo(x - 4, 3);
      c.g.lineTo(x + 4, 3);
      c.g.lineTo(x, 10);
      c.g.fill();
    }
    if (!frames.flags.length) {
      c.g.fillStyle = colour.dim;
      c.g.textAlign = "center";
      c.g.fillText("no frame notes in this record", c.width / 2, c.height / 2);
    }
  }

  /* ------------------------------------------------------------- playhead */

  const turns = [...document.querySelectorAll(".turn")];

  function placeHead() {
    const share = (position - from) / (to - from);
    for (const [head, canvas] of [[$("head"), wave], [$("head2"), net]]) {
      head.hidden = share < 0 || share > 1;
      head.style.transform = "translateX(" + share * canvas.clientWidth + "px)";
    }
    const text = clockText(position, 1) + " / " + clockText(samples, 1);
    $("now").textContent = text;
    wave.setAttribute("aria-valuenow", (position / rate).toFixed(1));
    wave.setAttribute("aria-valuetext", text);
    for (const turn of turns)
      turn.classList.toggle("on", position > 0 && position >= +turn.dataset.start && position < +turn.dataset.end);
  }

  function seek(at, play) {
    position = clamp(at, 0, samples);
    if (pcm) {
      audio.currentTime = position / rate;
      if (play) audio.play();
    }
    const margin = (to - from) * 0.05;
    if (position < from || position > to) show(position - margin, position - margin + (to - from));
    else placeHead();
  }

  function follow() {
    if (audio.paused) return;
    position = clamp(audio.currentTime * rate, 0, samples);
    if (position > to) show(position, position + (to - from));
    else placeHead();
    requestAnimationFrame(follow);
  }

  const toggle = () => pcm && (audio.paused ? audio.play() : audio.pause());

  function playing() {
    const on = !audio.paused;
    $("play").textContent = on ? "Pause" : "Play";
    $("play").setAttribute("aria-pressed", String(on));
    if (on) follow();
  }
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, playing);

  /* ---------------------------------------------------------------- hands */

  function listen(canvas) {
    const at = (event) => from + ((event.clientX - canvas.getBoundingClientRect().left) / canvas.clientWidth) * (to - from);
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      drag = { x: event.clientX, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const by = event.clientX - drag.x;
      if (!drag.moved && Math.abs(by) < 5) return;
      drag.moved = true;
      drag.x = event.clientX;
      pan((-by / canvas.clientWidth) * (to - from));
    });
    canvas.addEventListener("pointerup", (event) => {
      if (drag && !drag.moved) seek(at(event), true);
      drag = null;
    });
    canvas.addEventListener("pointercancel", () => (drag = null));
    canvas.addEventListener("wheel", (event) => {
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
        event.preventDefault();
        pan(((event.deltaX || event.deltaY) / canvas.clientWidth) * (to - from));
      } else if (event.ctrlKey || event.metaKey || document.activeElement === wave) {
        event.preventDefault();
        zoom(Math.exp(clamp(event.deltaY, -120, 120) * 0.003), at(event));
      }
    }, { passive: false });
  }
  listen(wave);
  listen(net);

  const jumps = data.marks.map((m) => m[1]).sort((a, b) => a - b);
  const centre = () => (position >= from && position <= to ? position : (from + to) / 2);
  const keys = {
    " ": toggle,
    ArrowLeft: (shift) => (shift ? pan((from - to) / 5) : seek(position - rate, false)),
    ArrowRight: (shift) => (shift ? pan((to - from) / 5) : seek(position + rate, false)),
    Home: () => seek(0, false),
    End: () => seek(samples, false),
    "+": () => zoom(0.5, centre()),
    "=": () => zoom(0.5, centre()),
    "-": () => zoom(2, centre()),
    0: () => show(0, samples),
    n: () => seek(jumps.find((m) => m > position + 1) ?? position, false),
    p: () => seek(jumps.filter((m) => m < position - 1).pop() ?? position, false),
  };
  wave.addEventListener("keydown", (event) => {
    const act = keys[event.key] || keys[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(event.shiftKey);
  });
  $("play").addEventListener("click", toggle);
  $("in").addEventListener("click", () => zoom(0.5, centre()));
  $("out").addEventListener("click", () => zoom(2, centre()));
  $("fit").addEventListener("click", () => show(0, samples));
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".jump");
    if (button) seek(+button.dataset.at, true);
  });

  /* ---------------------------------------------------------------- start */

  wave.setAttribute("aria-valuemax", (samples / rate).toFixed(1));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    redraw();
  });
  new ResizeObserver(redraw).observe(wave);
  readColours();
  redraw();
})();
