// The differences between two JSON values.

import { el, isNested, show, table } from "./text.js";

/** Returns [path, before, after] of each leaf that differs; undefined if missing. */
export function differences(a, b, path = "") {
	if (!isNested(a) || !isNested(b) || Array.isArray(a) !== Array.isArray(b)) return JSON.stringify(a) === JSON.stringify(b) ? [] : [[path, a, b]];
	const own = (of, key) => (Object.hasOwn(of, key) ? of[key] : undefined);
	return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => differences(own(a, key), own(b, key), path ? `${path}.${key}` : key));
}

export function diffTable(a, b) {
	const found = differences(a, b);
	if (found.length === 0) return el("p", "They are the same.");
	const cell = (value, tag) => el("td", value === undefined ? el("span.type", "missing") : el(tag, {}, show(JSON.stringify(value).slice(0, 2000))));
	const made = table(["Field", "Marked", "This"], found.map(([path, before, after]) => el("tr", el("th", { scope: "row" }, show(path)), cell(before, "del"), cell(after, "ins"))));
	made.className = "diff";
	return made;
}
