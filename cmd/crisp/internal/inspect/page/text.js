// Elements and texts. Everything that people wrote gets into the page by show.

// What would be invisible, or would change how the text around it looks.
const unseen = /[\p{Cc}\u061C\u200B\u200E\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}\p{Cs}]/gu;

/** Returns a text with control and bidi characters as visible escapes such as ‹U+202E›. */
export const show = (text) => String(text ?? "").replace(unseen, (char) => `‹U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);

/** Like show, but lines stay lines. */
export const showLines = (text) => String(text ?? "").split(/([\n\t])/).map((part, i) => (i % 2 ? part : show(part))).join("");

/** Returns JSON of the same meaning, in whose strings nothing is invisible. */
export const plainJSON = (text) => text.replace(unseen, (char) => ("\n\r\t".includes(char) ? char
	: char.split("").map((unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0")).join("")));

// A number that JavaScript would round: see api.js.
export const isRaw = (value) => !!JSON.isRawJSON?.(value);
export const isNested = (value) => typeof value === "object" && value !== null && !isRaw(value);

export const on = (node, type, run) => node.addEventListener(type, run);
export const set = (node, name, value) => node.setAttribute(name, value);

/** Makes an element: el("p.class", {properties and attributes, onevent: listener}, children). Strings become text. */
export function el(what, props, ...children) {
	const [tag, className = ""] = what.split(".");
	const node = document.createElement(tag);
	node.className = className;
	if (props?.constructor !== Object) children.unshift(props);
	else for (const [name, value] of Object.entries(props)) {
		if (typeof value === "function") on(node, name.slice(2), value);
		else if (/-|role|list/.test(name)) set(node, name, value);
		else node[name] = value;
	}
	node.append(...children.flat(2).filter((child) => child || child === 0));
	return node;
}

export function svg(tag, attributes, ...children) {
	const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) set(node, name, value);
	node.append(...children);
	return node;
}

export const button = (text, run, props = {}) => el("button", { onclick: run, ...props }, text);
export const empty = (text) => el("p", { className: "empty" }, text);
export const table = (names, rows) => el("table", el("thead", el("tr", names.map((name) => el("th", name)))), el("tbody", rows));
export const byID = (id) => document.getElementById(id);

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
export const time = (at) => (at ? clock.format(new Date(at)) : "");
export const shortID = (id = "") => show(id.replace(/^session_/, "").slice(0, 8));
export const namespace = (event = "") => event.split(":", 1)[0];
export const count = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;

const hues = { message: 1, session: 2, people: 3, website: 4, plugin: 5, campaign: 6, bucket: 6, browsing: 7, call: 7, media: 7 };
export const hue = (ns) => hues[ns] ?? 0;

/** Says something to who sees or hears. */
export function tell(text) {
	byID("toast").textContent = text;
	clearTimeout(tell.timer);
	tell.timer = setTimeout(() => tell(""), 4000);
}

export const copy = (text, what) => navigator.clipboard.writeText(text).then(() => tell(`Copied ${what}`), () => tell("The browser did not let this page copy"));
