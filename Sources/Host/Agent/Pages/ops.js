// The ops page: fetches the agent's state each second and draws it. Nothing comes from elsewhere, and
// no text of the host is interpreted as markup.
"use strict";

const samplesMax = 300;
const order = { critical: 0, warning: 1, unknown: 2, ok: 3 };
const series = new Map();
let last = null;
let answered = 0;

const byID = (id) => document.getElementById(id);

function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// --- numbers ---

function count(value) {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en");
}

function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let step = 0;
  while (value >= 1024 && step < units.length - 1) { value /= 1024; step += 1; }
  return `${value.toFixed(value < 10 && step > 0 ? 1 : 0)} ${units[step]}`;
}

function micros(value) {
  if (value === null || value === undefined) return "–";
  return value < 1000 ? `${Math.round(value)} µs` : `${(value / 1000).toFixed(1)} ms`;
}

function percent(value) {
  return value === null || value === undefined ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} %`;
}

function ago(nanos, now) {
  if (!nanos) return "";
  const seconds = Math.max(0, Math.round((now - nanos) / 1e9));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

function times(number) {
  return number === 1 ? "once" : `${count(number)} times`;
}

function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

// --- charts ---

function note(name, value) {
  const values = series.get(name) ?? [];
  values.push(value === undefined ? null : value);
  if (values.length > samplesMax) values.shift();
  series.set(name, values);
  return values;
}

function path(values, width, height) {
  const known = values.filter((value) => value !== null);
  const top = Math.max(...known, 1e-9);
  // The samples fill the chart once they cover a minute.
  const span = Math.max(values.length, 60);
  const at = (index) => (index + span - values.length) * width / (span - 1);
  let line = "", area = "", begin = null;
  values.forEach((value, index) => {
    if (value === null) { begin = null; return; }
    const x = at(index).toFixed(1), y = (height - 1 - (height - 3) * value / top).toFixed(1);
    line += `${begin === null ? "M" : "L"}${x} ${y}`;
    if (begin === null) { begin = x; area += `M${x} ${height}`; }
    area += `L${x} ${y}`;
    if (index === values.length - 1 || values[index + 1] === null) area += `L${x} ${height}Z`;
  });
  return { line, area };
}

/// Draws a named series: its newest value as text, and a curve.
function chart(place, name, title, shown) {
  const values = series.get(name) ?? [null];
  const value = values[values.length - 1];
  const id = `chart-${name}`;
  let box = byID(id);
  if (!box) {
    box = make("div", undefined, "chart");
    box.id = id;
    box.append(make("span", title), make("b"));
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 300 34");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${title} over the last minutes`);
    for (const kind of ["area", "line"]) {
      const curve = document.createElementNS("http://www.w3.org/2000/svg", "path");
      curve.setAttribute("class", kind);
      svg.append(curve);
    }
    box.append(svg);
    place.append(box);
  }
  set(box.querySelector("b"), shown(value));
  const drawn = path(values, 300, 34);
  box.querySelector("path.line").setAttribute("d", drawn.line);
  box.querySelector("path.area").setAttribute("d", drawn.area);
}

// --- tables ---

function table(id, headings, rows, empty) {
  const place = byID(id);
  const head = make("tr");
  for (const [text, kind] of headings) head.append(make("th", text, kind));
  const lines = rows.map((cells) => {
    const row = make("tr");
    cells.forEach((cell, index) => {
      const [text, kind] = Array.isArray(cell) ? cell : [cell];
      row.append(make("td", text, [headings[index][1], kind].filter(Boolean).join(" ")));
    });
    return row;
  });
  if (rows.length === 0) {
    const row = make("tr");
    row.append(make("td", empty, "blind"));
    lines.push(row);
  }
  place.replaceChildren(...(rows.length ? [head] : []), ...lines);
}

/// Rows of texts; the page has them as it is loaded.
function rows(id, texts, hasHeading) {
  byID(id).replaceChildren(...texts.map((cells, index) => {
    const row = make("tr");
    for (const text of cells) row.append(make(hasHeading && index === 0 ? "th" : "td", text));
    return row;
  }));
}

// --- cluster ---

function showCluster(overview) {
  rows("cluster-hosts", overview.hosts, true);
  rows("cluster-facts", overview.facts, false);
  rows("cluster-changes", overview.changes, true);
}

// --- checks ---

function finding(check, now) {
  const box = make("details", undefined, "finding");
  box.dataset.name = check.name;
  const summary = make("summary");
  summary.append(make("span", check.state, `badge ${check.state}`), " ");
  summary.append(make("span", check.name, "name"), ` ${check.text}`);
  box.append(summary);
  const since = ago(check.since, now);
  box.append(make("p", `${check.why} Since ${since}; read from ${check.source}.`));
  const limits = [];
  if (check.value !== null) limits.push(`value ${check.value} ${check.unit}`);
  if (check.warning !== null) limits.push(`warns at ${check.warning}`);
  if (check.critical !== null) limits.push(`critical at ${check.critical}`);
  if (check.failures > 0) limits.push(`failed ${times(check.failures)}`);
  if (limits.length) box.append(make("p", limits.join(", ")));
  if (check.changes.length) {
    box.append(make("p", `The agent can fix it: boursectl fix ${check.name} --apply`));
    box.append(make("pre", check.changes.join("\n")));
  }
  if (check.advice.length) box.append(make("pre", check.advice.join("\n")));
  return box;
}

function showChecks(state) {
  const open = new Set(
    [...document.querySelectorAll(".finding[open]")].map((box) => box.dataset.name));
  const checks = [...state.checks].sort(
    (a, b) => order[a.state] - order[b.state] || a.kind - b.kind || (a.name < b.name ? -1 : 1));
  const counts = {};
  for (const check of checks) counts[check.state] = (counts[check.state] ?? 0) + 1;
  set(byID("counts"), Object.keys(order).filter((name) => counts[name])
    .map((name) => `${counts[name]} ${name}`).join(", "));
  const boxes = (some) => some.map((check) => {
    const box = finding(check, state.time);
    box.open = open.has(check.name);
    return box;
  });
  const wrong = checks.filter((check) => check.state !== "ok");
  byID("findings").replaceChildren(
    ...(wrong.length ? boxes(wrong) : [make("p", "All checks are ok.")]));
  if (byID("good").open) {
    byID("fine").replaceChildren(...boxes(checks.filter((check) => check.state === "ok")));
  }
}

// --- state ---

function showExchange(state) {
  const now = state.exchange;
  const running = now.running;
  set(byID("role"), running
    ? `${now.role}, epoch ${now.epoch}, ${plural(now.released, "record")} released, `
      + `${now.connections} of ${now.connectionsMax} connections, `
      + plural(now.followers, "follower")
      + (now.belowReserve ? ": BELOW THE DISK RESERVE, only cancels are taken" : "")
    : "matchd does not answer.");
  byID("role").className = running && !now.belowReserve ? "" : "alert";
  const place = byID("charts");
  chart(place, "commands", "commands a second", count);
  chart(place, "fsync", "fsync, 99th percentile", micros);
  chart(place, "lag", "applied but not released", count);
  chart(place, "ingress", "command ring", percent);
  chart(place, "log", "log ring", percent);
  chart(place, "connections", "connections", count);
}

/// Adds a round to the series.
function sample(round, before) {
  const now = round.exchange;
  const some = (value) => (now.running ? value : null);
  const seconds = before ? (round.time - before.time) / 1e9 : 0;
  const rate = now.running && before && before.exchange.running && seconds > 0
    ? Math.max(0, (now.commands - before.exchange.commands) / seconds) : null;
  note("commands", rate);
  note("fsync", some(now.syncP99Nanos / 1000));
  note("lag", some(now.applied - now.released));
  note("ingress", some(now.ingressFillPerMille / 10));
  note("log", some(now.logFillPerMille / 10));
  note("connections", some(now.connections));
  for (const disk of round.disks) {
    note(`busy-${disk.disk}`, disk.busyPercent);
    note(`write-${disk.disk}`, disk.writeMicros);
    note(`flush-${disk.disk}`, disk.flushMicros);
  }
}

function showRest(state) {
  const active = (unit) => (unit.active === "active" ? "good"
    : unit.active === "unknown" ? "blind" : "bad");
  table("units",
    [["unit"], ["state"], ["since"], ["pid", "number"], ["restarts", "number"],
      ["memory", "number"], ["status"]],
    state.units.map((unit) => [
      unit.name.replace(/\.service$/, ""),
      [unit.active === "unknown" ? "unknown" : `${unit.active} (${unit.sub})`, active(unit)],
      ago(unit.since, state.time), unit.pid ? String(unit.pid) : "–", String(unit.restarts),
      bytes(unit.memoryBytes), unit.status,
    ]), "no units are declared");
  byID("wallet").hidden = state.chains.length === 0;
  table("chains",
    [["chain"], ["asset"], ["condition"], ["tip", "number"], ["credited", "number"],
      ["pending", "number"], ["approved", "number"], ["open", "number"], ["free", "number"],
      ["total", "number"], ["hot", "number"], ["ceiling", "number"], ["cold", "number"], ["status"]],
    state.chains.map((chain) => [
      chain.name, chain.asset, [chain.condition, chain.isSound ? "good" : "bad"],
      count(chain.tip), chain.credited ? count(chain.credited) : "–", count(chain.pending),
      count(chain.approved), count(chain.open), count(chain.free), count(chain.total),
      percent(chain.hotPercent), count(chain.ceiling),
      count(chain.cold), chain.text,
    ]), "no chain is set");
  table("threads",
    [["thread"], ["unit"], ["CPU", "number"], ["allowed"], ["declared", "number"],
      ["preempted", "number"]],
    state.threads.map((thread) => [
      thread.thread, thread.unit.replace(/\.service$/, ""),
      [String(thread.cpu),
        thread.declared !== null && thread.declared !== thread.cpu ? "bad" : ""],
      thread.allowed, thread.declared === null ? "–" : String(thread.declared),
      count(thread.nonvoluntary),
    ]), "no daemon's threads are known: systemd does not report their processes");
  table("queues",
    [["interface"], ["queue"], ["interrupt", "number"], ["CPUs"], ["packets", "number"],
      ["drops", "number"]],
    state.queues.map((queue) => [
      queue.nic, queue.queue, queue.irq === null ? "–" : String(queue.irq), queue.cpus || "–",
      count(queue.packets), count(queue.drops),
    ]), "no interface with a device");
  for (const disk of state.disks) {
    const name = `${disk.disk}, ${bytes(disk.sizeBytes)}`;
    const place = byID("disks");
    chart(place, `busy-${disk.disk}`, `${name}: busy`, percent);
    chart(place, `write-${disk.disk}`, `${disk.disk}: write time`, micros);
    if (series.get(`flush-${disk.disk}`).some((value) => value !== null)) {
      chart(place, `flush-${disk.disk}`, `${disk.disk}: flush time`, micros);
    }
  }
  byID("directories").replaceChildren(...state.directories.map((directory) => {
    const box = make("div", undefined, "directory");
    const used = directory.bytes - directory.freeBytes;
    const share = directory.bytes ? used / directory.bytes : 0;
    box.append(make("span",
      `${directory.name}: ${bytes(directory.freeBytes)} of ${bytes(directory.bytes)} free `
      + `(${directory.path})`));
    const meter = document.createElement("meter");
    meter.max = 1; meter.low = 0.8; meter.high = 0.9; meter.optimum = 0; meter.value = share;
    box.append(meter);
    return box;
  }));
}

function show(state) {
  set(byID("host"), state.host);
  set(byID("worst"), state.worst);
  byID("worst").className = `badge ${state.worst}`;
  document.title = `${state.worst}: ${state.host}`;
  set(byID("facts"), `${new Date(state.time / 1e6).toLocaleString()}, agent up for `
    + `${ago(state.started, state.time)}, ${plural(state.sequence, "event")}`);
  set(byID("version"), `bourse-agentd ${state.version}, a round takes `
    + `${micros(state.roundNanos / 1000)}`);
  showChecks(state);
  // Each round is drawn once: charts have one value per round.
  if (!last || state.time !== last.time) {
    sample(state, last);
    showExchange(state);
    showRest(state);
    last = state;
  }
}

function complain(text) {
  const alert = byID("alert");
  alert.hidden = !text;
  document.body.classList.toggle("stale", Boolean(text));
  set(alert, text);
}

async function get(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(3000) });
  if (!answer.ok) throw new Error(`the agent answered ${answer.status}`);
  return answer.json();
}

/// Loads the agent's last minutes, from before this page was opened.
async function begin() {
  let before = null;
  for (const round of await get("/v1/trend")) {
    sample(round, before);
    before = round;
  }
}

async function turn() {
  const began = Date.now();
  try {
    if (!last) {
      series.clear();
      await begin();
    }
    const state = await get("/v1/state");
    // A standalone exchange's page has no section for it.
    if (byID("cluster")) showCluster(await get("/v1/cluster/overview"));
    const still = last && state.time === last.time ? began - answered : 0;
    if (still === 0) answered = began;
    show(state);
    complain(still > 5000
      ? `The agent answers, but has made no checks for ${Math.round(still / 1000)} s.` : "");
  } catch (fault) {
    const since = last ? `; it shows the state at ${new Date(last.time / 1e6).toLocaleTimeString()}` : "";
    complain(`The agent does not answer. This page is not live${since}.`);
  }
  setTimeout(turn, Math.max(100, 1000 - (Date.now() - began)));
}

byID("good").addEventListener("toggle", () => { if (last) showChecks(last); });
turn();
