// How the tables stand, on the first page and on a table's own. Asked for again and again while the page can be seen.
import { ask, element } from "./live.js";

const place = document.getElementById("state");
const table = place.dataset.table;
const runsPage = document.body.dataset.base + "runs.html";
const PAUSE = 10000;
const BAR = 8, GAP = 3, HEIGHT = 40;
let shown = "";

const span = (className, textContent) => element("span", { className, textContent });
const isBuilt = (state) => state.startsWith("built");
const rowsOf = (build) => (build.rows === null ? "" : `${build.rows.toLocaleString("en")} ${build.rows === 1 ? "row" : "rows"}`);
const secondsOf = (build) => (build.seconds === null ? "" : `${build.seconds}\u00a0s`);
const megabytes = (value) => `${(value / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })}\u00a0MB`;
const dollars = (value) => `$${value}`;
const shownAs = (value, words) => (value === null || value === undefined ? "" : words(value));

function stateOf(one) {
  if (!one.is_failed) return one.stale ? "stale" : "up to date";
  return one.last && !isBuilt(one.last.state) ? one.last.state : "failed";
}

function ago(text) {
  const seconds = (Date.parse(text) - Date.now()) / 1000;
  const [unit, length] = [["day", 86400], ["hour", 3600], ["minute", 60]].find(([, one]) => -seconds >= one) || ["second", 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(Math.min(0, Math.round(seconds / length)), unit);
}

function moment(text) {
  return element("time", { dateTime: text, title: new Date(text).toLocaleString(), textContent: ago(text) });
}

function badge(state) {
  return span("tag " + state.replaceAll(" ", "-"), state);
}

// What is known of the last build, after the badge.
function facts(one) {
  const built = one.last && isBuilt(one.last.state) ? [rowsOf(one.last), secondsOf(one.last)].filter(Boolean).join(", ") : "";
  const made = span("soft", built);
  if (one.published) made.append(built ? ", " : "", "published ", moment(one.published));
  return made;
}

// Every table's link on the first page, by the table's name.
function links() {
  const named = (link) => decodeURIComponent(link.getAttribute("href").split("/").pop()).slice(0, -".html".length).replaceAll("%2F", "/").replaceAll("%25", "%");
  return new Map([...document.querySelectorAll("ul.tables a, ul.names a")].map((link) => [named(link), link]));
}

function showAll({ tables, runs }) {
  const byState = new Map(["failed", "blocked", "not run", "stale"].map((state) => [state, []]));
  const isShort = document.querySelector("ul.names") !== null;
  for (const [name, link] of links()) {
    link.parentElement.querySelector(".live")?.remove();
    const one = tables[name];
    if (!one) continue;
    byState.get(stateOf(one))?.push([name, one, link]);
    const live = element("span", { className: "live" }, " ", badge(stateOf(one)));
    if (!isShort) live.append(" ", facts(one));
    if (!isShort || stateOf(one) !== "up to date") link.after(live);
  }
  const lines = [...byState].filter(([, found]) => found.length).map(([state, found]) => {
    const names = found.map(([name, one, link]) => element("li", {}, element("a", { href: link.getAttribute("href"), textContent: name }),
      span("about", state === "stale" ? one.stale : "")));
    const count = `${state}: ${found.length} ${found.length === 1 ? "table" : "tables"}`;
    return element("details", { open: isOpen(state) }, element("summary", {}, element("span", { className: "state " + state.replaceAll(" ", "-"), textContent: count })), element("ul", { className: "tables" }, ...names));
  });
  place.replaceChildren(...runs.slice(0, 1).map(lastRun), ...lines);
}

function isOpen(state) {
  return Boolean(place.querySelector(`details[open] .${state.replaceAll(" ", "-")}`));
}

function lastRun(run) {
  const words = element("p", {}, run.ended ? "The last run: " : "Under way: ", element("a", { href: `${runsPage}#${run.id}`, textContent: run.name }), " ", badge(run.state));
  if (run.ended) words.append(" ", span("soft", `${run.seconds.toFixed(1)}\u00a0s, `), moment(run.ended));
  return words;
}

// A bar for each build, the oldest first.
function plot(what, builds, valueOf, words) {
  const values = builds.map(valueOf).reverse(), states = builds.map((build) => build.state).reverse();
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return "";
  const most = Math.max(...known, Number.MIN_VALUE);
  const svg = node("svg", { class: "plot", role: "img", width: values.length * (BAR + GAP), height: HEIGHT,
    "aria-label": `${what} of the last ${known.length} builds, from ${words(Math.min(...known))} to ${words(Math.max(...known))}` });
  values.forEach((value, number) => {
    const height = value === null ? HEIGHT : Math.max(2, (HEIGHT * value) / most);
    svg.append(node("rect", { class: isBuilt(states[number]) ? "built" : "failed", x: number * (BAR + GAP), y: HEIGHT - height, width: BAR, height }));
  });
  return element("figure", {}, svg, element("figcaption", { textContent: `${what}: ${words(known.at(-1))} last, ${words(Math.max(...known))} at most` }));
}

function node(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function listed(head, rows) {
  const cells = (row) => row.map((cell, number) => element(number ? "td" : "th", number ? {} : { scope: "row" }, cell));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col", textContent: name })))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))));
}

// Only BigQuery says how many bytes a build read, and what that costs.
function isBilled(builds) {
  return builds.some((build) => build.bytes !== null);
}

function buildsOf(builds) {
  const rows = builds.map((build) => [element("a", { href: `${runsPage}#${build.run}`, textContent: build.name }), moment(build.ended), badge(build.state),
    rowsOf(build), secondsOf(build), ...(isBilled(builds) ? [shownAs(build.bytes, megabytes), shownAs(build.cost, dollars)] : []), build.checks || build.error || ""]);
  const head = ["run", "when", "state", "rows", "seconds", ...(isBilled(builds) ? ["bytes", "cost"] : []), "checks"];
  return element("details", {}, element("summary", { textContent: `The last ${builds.length} builds` }), listed(head, rows));
}

function checksOf(checks) {
  const rows = checks.map((check) => [check.check, badge(check.result), check.broken ? `${check.broken.toLocaleString("en")} of ${check.rows.toLocaleString("en")} rows` : ""]);
  return element("details", { open: checks.some((check) => check.result !== "passed") }, element("summary", { textContent: "What the checks found last" }), listed(["check", "result", "rows that break it"], rows));
}

function showOne(one) {
  const words = element("p", {}, badge(stateOf(one)), " ", one.stale ? span("", one.stale + ". ") : "", facts(one));
  const parts = [words, element("div", { className: "plots" }, plot("seconds", one.builds, (build) => build.seconds, (value) => `${value}\u00a0s`),
    plot("rows", one.builds, (build) => build.rows, (value) => value.toLocaleString("en")),
    plot("bytes", one.builds, (build) => build.bytes, megabytes), plot("cost", one.builds, (build) => build.cost, dollars))];
  if (one.checks.length) parts.push(checksOf(one.checks));
  if (one.builds.length) parts.push(buildsOf(one.builds));
  place.replaceChildren(...parts);
}

async function look() {
  if (!document.hidden) {
    const path = new URL("state.json", new URL(document.body.dataset.base || "./", location));
    if (table) path.searchParams.set("table", table);
    const { status, text, body } = await ask("GET", path);
    if (status === 200 && text !== shown) (table ? showOne : showAll)(body);
    if (status === 200) shown = text;
  }
  setTimeout(look, PAUSE);
}

document.addEventListener("visibilitychange", () => document.hidden || place.querySelectorAll("time").forEach((one) => { one.textContent = ago(one.dateTime); }));
look();
