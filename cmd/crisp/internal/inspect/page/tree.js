// JSON as a tree, with what the catalog says of its fields.

import { button, copy, count, el, isNested, isRaw, show, showLines } from "./text.js";

const longest = 2000; // characters of a text shown at first
const widest = 200; // members shown at first

/** known is {fields, problems, base}: by paths below base, such as user.nickname. */
export function tree(value, known) {
	const of = (path) => (known.base && path.startsWith(known.base) ? path.slice(known.base.length) : path);
	const problem = (path) => known.problems.find((one) => one.path === of(path));
	const field = (path) => known.fields?.[of(path).replace(/\.\d+(?=\.|$)/g, "[]")];

	/** Returns what there is to say of a field: its type, and what is wrong with it. */
	const notes = (path, type) => {
		const is = field(path), wrong = problem(path);
		return [el("span.type", { title: show(is?.doc) }, show(is?.type ?? type), is?.required && " · required"), " ",
			wrong && el("strong.problem", `expected ${show(wrong.expected)}, got ${show(wrong.got)}`)];
	};

	const members = (value, path) => {
		const all = Object.entries(value);
		const lines = (list) => list.map(([key, of]) => (isNested(of) ? branch : leaf)(key, of, path ? `${path}.${key}` : key));
		const rest = all.length > widest && el("li", button(`Show all ${all.length}`, () => rest.replaceWith(...lines(all.slice(widest)))));
		return [...lines(all.slice(0, widest)), rest].filter(Boolean);
	};

	const branch = (key, value, path) => {
		const n = Object.keys(value).length;
		const inside = el("ul");
		const fill = () => { if (!inside.firstChild) inside.append(...members(value, path)); };
		const open = path.split(".").length < 5 && n <= widest;
		if (open) fill();
		return el("li", el("details", { open, ontoggle: fill },
			el("summary", el("span.key", show(key)), " ", notes(path, count(n, Array.isArray(value) ? "element" : "member"))), inside));
	};

	const leaf = (key, value, path) => {
		const type = isRaw(value) ? "number" : value === null ? "null" : typeof value;
		const quote = type === "string" ? '"' : "";
		const text = quote ? value : JSON.stringify(value);
		const shown = el(`span.value ${type}`);
		const set = (length) => { shown.textContent = quote + showLines(text.slice(0, length)) + quote; };
		set(longest);
		return el(problem(path) ? "li.wrong" : "li",
			button(show(key), () => copy(path, "the path"), { className: "key", title: "Copy the path" }), " ", shown, " ",
			text.length > longest && button(`all ${text.length} characters`, (event) => { set(); event.target.remove(); }),
			notes(path, type),
			button("copy", () => copy(text, "the value"), { className: "quiet", "aria-label": `Copy the value of ${show(path)}` }));
	};
	return el("ul.tree", isNested(value) ? members(value, "") : leaf("", value, ""));
}
