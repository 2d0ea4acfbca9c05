// What differs between two values of JSON.

import { el, show } from "./text.js";

/** Returns [path, before, after] of each leaf that differs; undefined is what is missing. */
export function differences(a, b, path = "") {
  if (!nested(a) || !nested(b) || Array.isArray(a) !== Array.isArray(b)) {
    return JSON.stringify(a) === JSON.stringify(b) ? [] : [[path, a, b]];
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  const own = (of, key) => (Object.hasOwn(of, key) ? of[key] : undefined);
  return [...keys].flatMap((key) => differences(own(a, key), own(b, key), path ? `${path}.${key}` : key));
}

const nested = (value) => typeof value === "object" && value !== null && !JSON.isRawJSON?.(value);

/** Returns a table of the differences. */
export function diffTable(a, b, names) {
  const found = differences(a, b);
  if (found.length === 0) return el("p", { className: "empty" }, "They are the same.");
  const cell = (value, name) => el("td", {}, value === undefined ? el("span", { className: "type" }, "missing")
    : el(name, {}, show(JSON.stringify(value).slice(0, 2000))));
  return el("table", { className: "diff" },
    el("thead", {}, el("tr", {}, ["Field", ...names].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, found.map(([path, before, after]) => el("tr", {}, el("th", { scope: "row" }, show(path)), cell(before, "del"), cell(after, "ins")))));
}
