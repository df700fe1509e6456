// Search as one types, over the tables and columns in index.js. No table: the pages work without it.
"use strict";

const MOST = 50;
const field = document.getElementById("search");
const list = document.getElementById("results");
const base = document.body.dataset.base;
let chosen = -1;

// How well a text fits the words: 0 begins with the first, 1 holds all of them, -1 does not.
function fit(text, words) {
  const folded = text.toLowerCase();
  if (!words.every((word) => folded.includes(word))) return -1;
  return folded.startsWith(words[0]) || folded.includes("." + words[0]) ? 0 : 1;
}

function found(words) {
  const tables = [], columns = [], described = [];
  for (const [name, description, names] of CATALOGUE) {
    const how = fit(name, words);
    if (how >= 0) tables.push([how, name, description]);
    else if (fit(description, words) >= 0) described.push([2, name, description]);
    for (const column of names) {
      const path = name + "." + column;
      if (how < 0 && fit(path, words) >= 0) columns.push([1, path, ""]);
    }
  }
  tables.sort((one, other) => one[0] - other[0] || (one[1] < other[1] ? -1 : 1));
  return [...tables, ...columns, ...described].slice(0, MOST);
}

function address(name) {
  const file = name.replaceAll("%", "%25").replaceAll("/", "%2F") + ".html";
  return base + encodeURIComponent(file);
}

function show() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  list.replaceChildren();
  chosen = -1;
  field.removeAttribute("aria-activedescendant");
  const hits = words.length ? found(words) : [];
  hits.forEach(([, name, description], number) => {
    const item = document.createElement("li");
    item.id = "result-" + number;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    item.dataset.address = address(name);
    item.textContent = name;
    if (description) {
      const about = document.createElement("span");
      about.className = "about";
      about.textContent = description;
      item.append(about);
    }
    list.append(item);
  });
  if (words.length && !hits.length) {
    const item = document.createElement("li");
    item.className = "none";
    item.setAttribute("role", "option");
    item.setAttribute("aria-disabled", "true");
    item.textContent = "no table or column of this name";
    list.append(item);
  }
  list.hidden = !words.length;
  field.setAttribute("aria-expanded", String(!list.hidden));
  if (hits.length) choose(0);
}

function choose(number) {
  const items = [...list.querySelectorAll("li[data-address]")];
  if (!items.length) return;
  chosen = (number + items.length) % items.length;
  items.forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
  field.setAttribute("aria-activedescendant", items[chosen].id);
  items[chosen].scrollIntoView({ block: "nearest" });
}

function close() {
  list.hidden = true;
  field.setAttribute("aria-expanded", "false");
}

field.addEventListener("input", show);
field.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") choose(chosen + 1);
  else if (event.key === "ArrowUp") choose(chosen - 1);
  else if (event.key === "Enter" && !list.hidden) {
    const item = list.querySelector("li[aria-selected=true]");
    if (item) location.href = item.dataset.address;
  } else if (event.key === "Escape") { close(); return; }
  else return;
  event.preventDefault();
});
list.addEventListener("mousedown", (event) => {
  const item = event.target.closest("li[data-address]");
  if (item) location.href = item.dataset.address;
});
field.addEventListener("blur", close);
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
    field.select();
  }
});
