"use strict";

const el = (id) => document.getElementById(id);
const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const STATES = {
  connecting: ["busy", "Connecting…"],
  connected: ["live", "Connected"],
  new: ["live", "Connected"],
  listening: ["live", "Listening"],
  caller_speaking: ["live", "Hearing you"],
  endpointing: ["live", "Hearing you"],
  thinking: ["live", "Thinking…"],
  speaking: ["live", "Speaking"],
  paused: ["live", "Hearing you"],
  closing: ["live", "Saying goodbye"],
  on_hold: ["live", "On hold"],
  ended: ["idle", "Call ended"],
};
const MICROPHONE = {
  NotAllowedError: "The microphone is blocked. Allow it for this page in the browser's address bar, then start again.",
  NotFoundError: "No microphone was found. Connect one, then start again.",
  NotReadableError: "The microphone is in use by another program. Close that program, then start again.",
  SecurityError: "The browser does not allow the microphone here.",
};
const REFUSED = {
  400: "The agent cannot speak with this browser.",
  401: "This address is not complete: its token is missing or wrong. Open the link that the server printed.",
  403: "The agent does not take calls from here.",
  404: "There is nobody to call.",
  429: "Too many calls in a short time. Wait a moment, then start again.",
  503: "All lines are busy. Try again in a moment.",
  504: "The agent did not answer.",
};
const GATHER_MS = 2000;

let call = null;

function showState(kind, text) {
  el("state").dataset.state = kind;
  el("state-text").textContent = text;
}

function showProblem(text) {
  el("problem").textContent = text;
  el("problem").hidden = !text;
}

function showButtons() {
  const running = call !== null;
  el("call").textContent = running ? "Hang up" : "Start talking";
  el("call").classList.toggle("live", running);
  el("mute").disabled = !(running && call.microphone);
  if (!running) {
    el("mute").setAttribute("aria-pressed", "false");
  }
  for (const key of el("keys").children) {
    key.disabled = !(running && call.keys && call.keys.canInsertDTMF);
  }
}

// ------------------------------------------------------------------------------- the transcript

class Transcript {
  constructor() {
    this.list = el("transcript");
    this.list.replaceChildren();
    el("spoken").replaceChildren();
    this.turns = [];
    this.told = new Set();
    this.partial = null;
    el("empty").hidden = false;
  }

  turn(message) {
    const n = message.n;
    if (!Number.isInteger(n) || n < 0 || n > 10000) return;
    while (this.turns.length <= n) {
      const row = document.createElement("li");
      this.list.insertBefore(row, this.partial);
      this.turns.push(row);
    }
    const parts = Array.isArray(message.parts) ? message.parts : [];
    this.fill(this.turns[n], message.who, parts);
    if (!message.open && parts.length && !this.told.has(n)) {
      this.told.add(n);
      this.say(message.who, parts);
    }
    this.follow();
  }

  cut(count) {
    for (const row of this.turns.splice(count)) row.remove();
  }

  hearing(text) {
    if (this.partial) this.partial.remove();
    this.partial = null;
    if (!text) return;
    this.partial = document.createElement("li");
    this.fill(this.partial, "caller", [[`${text} …`, "heard"]]);
    this.partial.classList.add("partial");
    this.list.append(this.partial);
    this.follow();
  }

  fill(row, who, parts) {
    const mine = who === "caller";
    row.className = mine ? "caller" : "turn-agent";
    const name = document.createElement("span");
    name.className = "who";
    name.textContent = mine ? "You" : "Agent";
    const words = document.createElement("span");
    words.className = "words";
    for (const [text, fate] of parts) words.append(...this.part(text, fate));
    row.replaceChildren(name, words);
    row.hidden = parts.length === 0;
  }

  part(text, fate) {
    if (fate !== "missed" || !text.trim()) {
      const span = document.createElement("span");
      span.className = fate === "ahead" ? "ahead" : "heard";
      span.textContent = text;
      return [span];
    }
    const struck = document.createElement("del");
    const note = document.createElement("span");
    note.className = "unseen";
    note.textContent = " (not heard:) ";
    struck.title = "You did not hear this";
    struck.append(note, text.trim());
    const [lead, tail] = [/^\s*/, /\s*$/].map((edge) => text.match(edge)[0]);
    return [lead, struck, tail];
  }

  say(who, parts) {
    const line = document.createElement("p");
    const heard = parts.filter((p) => p[1] === "heard").map((p) => p[0]).join("");
    const cut = parts.some((p) => p[1] === "missed" && p[0].trim());
    line.textContent = `${who === "caller" ? "You" : "Agent"}: ${heard}${cut ? " (interrupted)" : ""}`;
    el("spoken").append(line);
  }

  follow() {
    el("empty").hidden = true;
    this.list.scrollTop = this.list.scrollHeight;
  }
}

// ----------------------------------------------------------------------------------- the levels

class Levels {
  constructor() {
    this.context = new AudioContext();
    this.sources = [];
    this.timer = setInterval(() => this.draw(), calm.matches ? 250 : 60);
  }

  watch(stream, id) {
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 1024;
    this.context.createMediaStreamSource(stream).connect(analyser);
    this.sources.push({ analyser, bar: el(id), wave: new Float32Array(1024), told: 0 });
  }

  draw() {
    const now = performance.now();
    for (const source of this.sources) {
      source.analyser.getFloatTimeDomainData(source.wave);
      let sum = 0;
      for (const value of source.wave) sum += value * value;
      const db = 10 * Math.log10(sum / source.wave.length + 1e-9);
      this.set(source, Math.max(0, Math.min(1, (db + 60) / 60)), now);
    }
  }

  set(source, share, now) {
    source.bar.firstElementChild.style.transform = `scaleX(${share.toFixed(3)})`;
    if (now - source.told > 1000 || share === 0) {
      source.told = now;
      source.bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    }
  }

  close() {
    clearInterval(this.timer);
    for (const source of this.sources) this.set(source, 0, Infinity);
    this.context.close();
  }
}

// ------------------------------------------------------------------------------------- the call

class Problem extends Error {}

function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  return fetch(path, { ...options, headers, credentials: "omit", cache: "no-store" });
}

class Call {
  constructor() {
    this.microphone = null;
    this.keys = null;
    this.id = "";
    this.over = false;
    this.levels = null;
    this.transcript = new Transcript();
  }

  async start() {
    this.levels = new Levels();
    this.microphone = await this.openMicrophone();
    if (this.over) return this.close();
    showState("busy", "Connecting…");
    this.levels.watch(this.microphone, "mic-level");
    const ice = await ask("ice");
    if (!ice.ok) throw new Problem(REFUSED[ice.status] || "The server refused the call.");
    const pc = new RTCPeerConnection({ ...(await ice.json()), bundlePolicy: "max-bundle" });
    this.pc = pc;
    this.channel = pc.createDataChannel("events");
    this.channel.onmessage = (event) => this.told(event.data);
    this.channel.onclose = () => this.end("Call ended");
    pc.ontrack = (event) => this.hear(event.streams[0] || new MediaStream([event.track]));
    pc.onconnectionstatechange = () => this.moved(pc.connectionState);
    const track = this.microphone.getAudioTracks()[0];
    track.onended = () => this.fail("The microphone was taken away.");
    const sender = pc.addTrack(track, this.microphone);
    await this.offer();
    this.keys = sender.dtmf;
    showButtons();
  }

  async openMicrophone() {
    if (!window.isSecureContext || !navigator.mediaDevices) {
      throw new Problem("Browsers give the microphone only to pages at https or on this machine.");
    }
    showState("busy", "Waiting for the microphone…");
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    try {
      return await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Problem(MICROPHONE[error.name] || "The microphone could not be opened.");
    }
  }

  async offer() {
    const pc = this.pc;
    await pc.setLocalDescription(await pc.createOffer());
    await new Promise((done) => {
      const check = () => pc.iceGatheringState === "complete" && done();
      pc.onicegatheringstatechange = check;
      setTimeout(done, GATHER_MS);
      check();
    });
    if (this.over) return;
    const reply = await ask("calls", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ type: "offer", sdp: pc.localDescription.sdp }),
    });
    if (!reply.ok) throw new Problem(REFUSED[reply.status] || "The server refused the call.");
    const answer = await reply.json();
    this.id = answer.call;
    if (this.over) return this.leave();
    await pc.setRemoteDescription({ type: "answer", sdp: answer.sdp });
  }

  hear(stream) {
    el("voice").srcObject = stream;
    el("voice").play().catch(() => showProblem("The browser blocks sound: press any button on the page."));
    this.levels.watch(stream, "agent-level");
  }

  moved(state) {
    if (state === "connected") {
      showState("live", "Connected");
      showButtons();
    } else if (state === "disconnected") {
      showState("busy", "The connection is interrupted…");
    } else if (state === "failed") {
      this.fail(this.heard ? "The connection was lost." : "No connection to the agent could be made.");
    } else if (state === "closed") {
      this.end("Call ended");
    }
    this.heard = this.heard || state === "connected";
  }

  told(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message.t === "turn") this.transcript.turn(message);
    else if (message.t === "turns") this.transcript.cut(message.count);
    else if (message.t === "partial") this.transcript.hearing(String(message.text));
    else if (message.t === "ended") this.end("The agent hung up");
    else if (message.t === "state" && STATES[message.state]) showState(...STATES[message.state]);
  }

  mute(on) {
    for (const track of this.microphone.getAudioTracks()) track.enabled = !on;
  }

  leave() {
    if (this.id) ask(`calls/${encodeURIComponent(this.id)}`, { method: "DELETE", keepalive: true }).catch(() => {});
    this.id = "";
  }

  fail(text) {
    if (this.over) return;
    showProblem(text);
    this.leave();
    this.end(this.heard ? "Call ended" : "Not connected", "bad");
  }

  end(text, kind = "idle") {
    if (this.over) return;
    this.over = true;
    showState(kind, text);
    this.close();
    if (call === this) call = null;
    showButtons();
  }

  close() {
    this.transcript.hearing("");
    if (this.levels) this.levels.close();
    this.levels = null;
    if (this.microphone) for (const track of this.microphone.getTracks()) track.stop();
    if (this.pc) this.pc.close();
    el("voice").srcObject = null;
  }
}

async function begin() {
  showProblem("");
  const mine = new Call();
  call = mine;
  showButtons();
  try {
    await mine.start();
  } catch (error) {
    const known = error instanceof Problem;
    mine.fail(known ? error.message : "The call could not be placed. Is the server running?");
    if (!known) console.error(error);
  }
}

el("call").addEventListener("click", () => {
  if (!call) return begin();
  call.leave();
  return call.end("Call ended");
});
el("mute").addEventListener("click", () => {
  const on = el("mute").getAttribute("aria-pressed") !== "true";
  el("mute").setAttribute("aria-pressed", String(on));
  if (call) call.mute(on);
});
for (const digit of "123456789*0#") {
  const key = document.createElement("button");
  key.type = "button";
  key.textContent = digit;
  key.disabled = true;
  key.addEventListener("click", () => call && call.keys && call.keys.insertDTMF(digit, 120, 70));
  el("keys").append(key);
}
addEventListener("pagehide", () => call && call.leave());
showButtons();
