// The first rows of a table. They are read when somebody asks for them, and not before.
import { ask, element } from "./live.js";

const button = document.getElementById("read-rows");
const said = document.getElementById("rows-said");
const shown = document.getElementById("rows-shown");

const cell = (value) => element("td", {}, value === null ? element("span", { className: "soft", textContent: "NULL" }) : value);

function listed({ columns, rows }) {
  const head = element("tr", {}, ...columns.map((name) => element("th", { scope: "col", textContent: name })));
  const table = element("table", { className: "rows" }, element("thead", {}, head),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell)))));
  const region = element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "The first rows" }, table);
  return region;
}

async function read() {
  button.disabled = true;
  const { status, body } = await ask("GET", "rows.json?" + new URLSearchParams({ table: button.dataset.table }));
  button.disabled = false;
  if (status !== 200) {
    shown.replaceChildren();
    said.replaceChildren(element("span", { className: "error", textContent: `${body.title}. ${body.detail || ""}` }));
    return;
  }
  button.textContent = "Read them again";
  const left = body.hidden.length ? ` Left out, since they are personal or no file names them: ${body.hidden.join(", ")}.` : "";
  said.textContent = (body.rows.length ? `${body.rows.length} ${body.rows.length === 1 ? "row" : "rows"}, in no particular order.` : "There are none.") + left;
  shown.replaceChildren(...(body.rows.length ? [listed(body)] : []));
}

button.addEventListener("click", read);
