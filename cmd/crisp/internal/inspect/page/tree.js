// JSON as a tree, with what the catalog says of its fields.

import { button, copy, count, el, show, showLines } from "./text.js";

const longest = 2000; // characters of a text that are shown at once
const widest = 200; // members that are shown at once

/**
 * @param {unknown} value
 * @param {{fields?: object, problems?: object[], base?: string}} known by paths below base
 */
export function tree(value, known = {}) {
  const problems = new Map((known.problems ?? []).map((problem) => [problem.path, problem]));
  return el("ul", { className: "tree" }, members(value, "", { ...known, problems }));
}

const isRaw = (value) => !!JSON.isRawJSON?.(value);

export function typeOf(value) {
  if (isRaw(value)) return "number";
  return value === null ? "null" : Array.isArray(value) ? "list" : typeof value;
}

const isNested = (value) => typeof value === "object" && value !== null && !isRaw(value);

function members(value, path, known) {
  if (!isNested(value)) return [leaf("", value, path, known)];
  const all = Object.entries(value);
  const lines = (list) => list.map(([key, of]) => {
    const at = path ? `${path}.${key}` : key;
    return isNested(of) ? branch(key, of, at, known) : leaf(key, of, at, known);
  });
  const items = lines(all.slice(0, widest));
  if (all.length > widest) {
    const rest = el("li", {}, button(`Show ${count(all.length - widest, "more")}`.replace("mores", "more"), () => rest.replaceWith(...lines(all.slice(widest)))));
    items.push(rest);
  }
  return items;
}

function branch(key, value, path, known) {
  const n = Object.keys(value).length;
  const inside = el("ul");
  const fill = () => { if (!inside.firstChild) inside.append(...members(value, path, known)); };
  const shut = path.split(".").length > 4 || n > widest;
  const node = el("details", { open: !shut, on: { toggle: fill } },
    el("summary", {}, el("span", { className: "key" }, show(key)), " ",
      el("span", { className: "type" }, Array.isArray(value) ? count(n, "element") : count(n, "member")), notes(path, known)),
    inside);
  if (!shut) fill();
  return el("li", {}, node);
}

function leaf(key, value, path, known) {
  const text = isRaw(value) ? value.rawJSON : typeof value === "string" ? value : JSON.stringify(value) ?? "";
  const shown = el("span", { className: `value ${typeOf(value)}` });
  const quote = typeof value === "string" ? '"' : "";
  const part = (to) => quote + showLines(text.slice(0, to)) + quote;
  shown.textContent = part(longest);
  const field = key && button(show(key), () => copy(path, `the path ${show(path)}`), { className: "key", title: "Copy the path" });
  return el("li", { className: problemOf(path, known) ? "wrong" : "" }, field, " ", shown, " ",
    text.length > longest && button(`all ${text.length.toLocaleString("en")} characters`, (event) => {
      shown.textContent = part();
      event.target.remove();
    }),
    notes(path, known, typeOf(value)),
    button("copy", () => copy(text, `the value of ${show(path)}`), { className: "quiet", "aria-label": `Copy the value of ${show(path)}` }));
}

const below = (path, { base }) => (base && path.startsWith(base) ? path.slice(base.length) : path);
const problemOf = (path, known) => known.problems.get(below(path, known)) ?? known.problems.get(path);

/** Returns what there is to say of a field: its type, and what is wrong with it. */
function notes(path, known, type = "") {
  const problem = problemOf(path, known);
  const field = known.fields?.[below(path, known).replace(/\.\d+(?=\.|$)/g, "[]")];
  return [
    el("span", { className: "type", title: show(field?.doc) }, show(field?.type ?? type) + (field?.required ? " · required" : "")), " ",
    problem && el("strong", { className: "problem" }, `expected ${show(problem.expected)}, got ${show(problem.got)}`),
  ];
}
