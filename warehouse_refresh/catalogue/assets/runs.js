// The last runs, and one of them as it goes on: the API sends an event when something of it has changed.
import { ask, element, events } from "./live.js";
import { READS } from "./reads.js";

const answer = document.getElementById("answer");
const summary = document.getElementById("summary");
const timeline = document.getElementById("timeline");
const PAUSE = 2000;
const MOST = 4;
let shown = 0, latest = null, faults = [], asked = "";

function showProblem(body) {
  answer.replaceChildren(element("div", { className: "problem" }, element("strong", { textContent: body.title + "." }), " ", body.detail || ""));
}

function seconds(run) {
  return run.started ? `, ${run.seconds.toFixed(1)}\u00a0s` : "";
}

function badge(state) {
  return element("span", { className: "tag " + state, textContent: state });
}

function moment(text) {
  return text ? new Date(text).toLocaleString() : "";
}

// Of the tables that the last one waited for, each time the one that ended last.
function criticalPath(tables) {
  const byName = new Map(tables.filter((table) => table.ended).map((table) => [table.table, table]));
  const last = (names) => names.map((name) => byName.get(name)).filter(Boolean).sort((one, other) => (one.ended < other.ended ? 1 : -1))[0];
  const path = new Set();
  for (let at = last([...byName.keys()]); at && !path.has(at.table); at = last(READS[at.table] || [])) path.add(at.table);
  return path;
}

// A place in a script, with its line underlined there.
function faultOf(fault) {
  const end = fault.start + fault.length;
  const mark = element("mark", {}, fault.text.slice(fault.start, end));
  const line = element("code", {}, element("span", { className: "soft" }, `${fault.line} | `), fault.text.slice(0, fault.start), mark, fault.text.slice(end));
  const reason = fault.reason || "What the warehouse says may quote personal values: Prefect has it.";
  return element("div", { className: "fault" },
    element("span", {}, element("code", { textContent: `${fault.file}:${fault.line}:${fault.column}` }), ` ${reason}`),
    element("pre", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `${fault.file}, line ${fault.line}` }, line),
    element("span", { className: "about", textContent: fault.help || "" }));
}

// The faults are asked for when another table has failed, and when the run has ended.
async function findFaults(run) {
  const failed = run.tables.filter((table) => table.state === "failed").length;
  const state = `${run.id} ${failed} ${run.ended}`;
  if (state === asked) return;
  if (asked.split(" ")[0] !== run.id) faults = [];
  asked = state;
  if (!failed && !(run.state === "Failed" && !run.tables.length)) return;
  const { status, body } = await ask("GET", "failures.json?" + new URLSearchParams({ run: run.id }));
  if (status === 200 && asked === state) { faults = body; show(latest); }
}

function costOf(table) {
  return table.bytes === null ? "" : `${(table.bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })}\u00a0MB` + (table.cost === null ? "" : `, $${table.cost}`);
}

function row(table, start, end, isCritical) {
  const from = Date.parse(table.started || end), to = Date.parse(table.ended || end), all = Date.parse(end) - Date.parse(start) || 1;
  const bar = element("span", { className: "bar " + table.state.replace(" ", "-") });
  bar.style.marginLeft = (100 * (from - Date.parse(start))) / all + "%";
  bar.style.width = Math.max(0.3, (100 * (to - from)) / all) + "%";
  const facts = [table.state, table.rows === null ? "" : `${table.rows.toLocaleString("en")} rows`, table.seconds === null ? "" : `${table.seconds}\u00a0s`, costOf(table), table.checks || ""];
  const waited = (READS[table.table] || []).filter((name) => name in READS && READS[name].length);
  const words = element("span", {}, element("a", { href: encodeURIComponent(table.table + ".html"), textContent: table.table }), " ",
    element("span", { className: "about", textContent: facts.filter(Boolean).join(", ") }));
  if (isCritical) words.append(" ", element("span", { className: "tag", textContent: "critical path" }));
  if (table.job?.startsWith("https://")) words.append(" ", element("a", { href: table.job, rel: "noreferrer", textContent: "in BigQuery" }));
  const more = waited.length > MOST ? ` and ${waited.length - MOST} more` : "";
  if (waited.length) words.append(element("span", { className: "about" }, `, after ${waited.slice(0, MOST).join(", ")}${more}`));
  const made = element("li", {}, words);
  if (table.started) made.append(element("span", { className: "track", ariaHidden: "true" }, bar));
  if (table.error) made.append(element("span", { className: "error", textContent: table.error }));
  made.append(...faults.filter((fault) => fault.table === table.table).map(faultOf));
  return made;
}

function show(run) {
  const done = run.tables.filter((table) => table.state.startsWith("built") || table.state === "staged").length;
  const said = run.message || `${done} of ${run.tables.length} tables done`;
  summary.replaceChildren(element("strong", { textContent: run.name }), " ", badge(run.state), `${seconds(run)}: ${said.replace(/\.$/, "")}. `);
  if (run.page) summary.append(element("a", { href: run.page, rel: "noreferrer", textContent: "Look at it in Prefect" }));
  const moments = run.tables.flatMap((table) => [table.started, table.ended]).filter(Boolean).sort();
  const start = moments[0] || run.started, end = run.ended ? moments.at(-1) : new Date().toISOString();
  const critical = run.ended ? criticalPath(run.tables) : new Set();
  const begun = [...run.tables].sort((one, other) => ((one.started || "~") < (other.started || "~") ? -1 : 1));
  document.getElementById("faults").replaceChildren(...faults.filter((fault) => !fault.table).map(faultOf));
  timeline.replaceChildren(...begun.map((table) => row(table, start, end, critical.has(table.table))));
  for (const mark of document.querySelectorAll("mark")) toMark(mark);
}

// A long line is shown at the place that is marked.
function toMark(mark) {
  const region = mark.closest("pre"), right = mark.getBoundingClientRect().right - region.getBoundingClientRect().right;
  if (right > 0) region.scrollLeft = right + region.clientWidth / 3;
}

// Follow a run to its end, or until another one is chosen.
async function follow(id) {
  const mine = ++shown;
  let ended = false;
  while (!ended && mine === shown) {
    const problem = await events(`/run/${id}`, (run) => {
      if (mine !== shown) return false;
      latest = run;
      findFaults(run);
      show(run);
      ended = Boolean(run.ended);
      return true;
    });
    if (problem) showProblem(problem);
    if (!ended) await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  if (mine === shown) await list();
}

async function list() {
  const { status, body } = await ask("GET", "/run");
  if (status !== 200) { showProblem(body); return []; }
  document.getElementById("runs").replaceChildren(...body.runs.map((run) => {
    const button = element("button", { type: "button", className: "plain", textContent: run.name });
    button.addEventListener("click", () => follow(run.id));
    const selected = (run.select.length ? ` of ${run.select.join(" ")}` : "") + (run.load ? ", with a load" : "");
    return element("li", {}, button, " ", badge(run.state), element("span", { className: "about", textContent: `${moment(run.started || run.created)}${seconds(run)}${selected}` }));
  }));
  return body.runs;
}

async function start(event) {
  event.preventDefault();
  const wanted = document.getElementById("select").value.split(/\s+/).filter(Boolean);
  const load = document.getElementById("load")?.checked ? [["load", "true"]] : [];
  const query = new URLSearchParams([...wanted.map((one) => ["select", one]), ...load]).toString();
  const { status, body } = await ask("POST", query ? `/run?${query}` : "/run");
  if (status !== 202) return showProblem(body);
  answer.replaceChildren();
  await list();
  follow(body.id);
}

async function begin() {
  const [newest] = await list();
  const wanted = location.hash.slice(1) || newest?.id;
  if (wanted) follow(wanted);
  else if (!answer.hasChildNodes()) summary.textContent = "There is none yet.";
}

window.addEventListener("hashchange", () => follow(location.hash.slice(1)));
document.getElementById("ask").addEventListener("submit", start);
document.getElementById("token")?.addEventListener("change", () => { answer.replaceChildren(); begin(); });
if (!document.getElementById("token")) begin();
