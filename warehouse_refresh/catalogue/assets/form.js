// The form that appends a row. Its fields are the columns that the warehouse has now; the API checks the values.
import { ask, element } from "./live.js";

const form = document.getElementById("row");
const answer = document.getElementById("answer");
const button = form.querySelector("button");
const path = form.dataset.path;
const example = document.querySelector(".address").textContent.replace(/^https?:\/\/[^/]+/, location.origin);
let key = newKey();

// A request that is sent twice with one key stores one row.
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function field(column, number) {
  const isArray = column.mode === "REPEATED";
  const isLong = isArray || /^(STRING|JSON|STRUCT)/.test(column.type);
  const input = element(isLong ? "textarea" : "input", { id: "field-" + number, name: column.name, autocomplete: "off", spellcheck: false });
  if (isLong) input.rows = isArray ? 3 : 1;
  input.required = column.mode === "REQUIRED" && !column.default;
  input.dataset.array = isArray ? "yes" : "";
  const about = [column.description, column.default ? "The table has a default." : ""].filter(Boolean).join(" ");
  input.setAttribute("aria-describedby", `about-${number} error-${number}`);
  const label = element("label", { htmlFor: input.id }, column.name, " ",
    element("code", { textContent: isArray ? `ARRAY<${column.type}>` : column.type }));
  if (input.required) label.append(" ", element("span", { className: "tag", textContent: "required" }));
  return element("div", { className: "field" }, label, input,
    element("span", { id: "about-" + number, className: "about", textContent: about }),
    element("span", { id: "error-" + number, className: "error" }));
}

function inputs() {
  return [...form.querySelectorAll("input, textarea")];
}

function query() {
  const values = new URLSearchParams();
  for (const input of inputs()) {
    if (input.value === "") continue;
    const texts = input.dataset.array ? input.value.split("\n") : [input.value];
    for (const text of texts) values.append(input.name, text);
  }
  return values.toString().replaceAll("'", "%27");
}

function showAddress() {
  const given = query();
  const address = given ? `${location.origin}${path}?${given}` : example;
  for (const place of document.querySelectorAll(".address")) place.textContent = address;
}

function showErrors(errors) {
  const rest = [];
  for (const input of inputs()) {
    input.removeAttribute("aria-invalid");
    errorOf(input).textContent = "";
  }
  for (const error of errors) {
    const input = inputs().find((one) => one.name === error.attribute);
    if (!input) { rest.push(error.detail); continue; }
    input.setAttribute("aria-invalid", "true");
    errorOf(input).textContent = error.detail;
  }
  form.querySelector("[aria-invalid]")?.focus();
  return rest;
}

function errorOf(input) {
  return document.getElementById(input.id.replace("field", "error"));
}

function show(className, ...children) {
  answer.replaceChildren(element("div", { className }, ...children));
}

function showProblem(body) {
  const rest = showErrors(body.errors || []);
  show("problem", element("strong", { textContent: body.title + "." }), " ", [body.detail, ...rest].filter(Boolean).join(" "));
}

async function send(event) {
  event.preventDefault();
  button.disabled = true;
  const { status, text, body } = await ask("POST", `${path}?${query()}`, { "Idempotency-Key": key });
  button.disabled = false;
  if (status !== 201) return showProblem(body);
  key = newKey();
  showErrors([]);
  show("done", element("strong", { textContent: "The row is stored." }), element("pre", { className: "scroll", tabIndex: 0, textContent: text }));
}

async function start() {
  const { status, body } = await ask("GET", path);
  if (status !== 200) return showProblem(body);
  document.getElementById("fields").append(...body.columns.map(field));
  form.hidden = false;
  showAddress();
  form.addEventListener("input", () => { key = newKey(); showAddress(); });
  form.addEventListener("submit", send);
}

start();
