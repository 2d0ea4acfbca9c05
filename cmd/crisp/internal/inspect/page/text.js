// Elements and texts. Everything that people wrote gets into the page by show.

// What would be invisible, or would change how the text around it looks.
const unseen = /[\p{Cc}\u061C\u200B\u200E\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E007F}]|\p{Cs}/gu;
const code = (char) => char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

/** Returns a text with control and bidi characters as visible escapes such as ‹U+202E›. */
export const show = (text) => String(text ?? "").replace(unseen, (char) => `‹U+${code(char)}›`);

/** Like show, but lines stay lines. */
export const showLines = (text) => String(text ?? "").split("\n").map((line) => show(line).replaceAll("‹U+0009›", "\t")).join("\n");

/** Returns JSON with the same meaning, in whose strings nothing is invisible. */
export const plainJSON = (text) => text.replace(unseen, (char) => "\n\r\t".includes(char) ? char
  : Array.from({ length: char.length }, (_, i) => "\\u" + char.charCodeAt(i).toString(16).padStart(4, "0")).join(""));

const svgTags = new Set(["svg", "path", "polyline", "line"]);

/**
 * Makes an element. Properties are set as such, those with a dash as attributes, "on" has listeners;
 * strings among the children become text.
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  const svg = svgTags.has(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") for (const [type, run] of Object.entries(value)) node.addEventListener(type, run);
    else if (svg || name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.flat().filter((child) => child || child === 0));
  return node;
}

export const button = (text, run, props = {}) => el("button", { type: "button", on: { click: run }, ...props }, text);
export const byID = (id) => document.getElementById(id);

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
export const time = (at) => (at ? clock.format(new Date(at)) : "");
export const shortID = (id = "") => show(id.replace(/^session_/, "").slice(0, 8));
export const namespace = (event = "") => event.split(":", 1)[0];
export const count = (n, one, many = one + "s") => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
export const size = (n) => (n < 1024 ? `${n} B` : n < 1 << 20 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`);

const hues = { message: 1, session: 2, people: 3, website: 4, plugin: 5, campaign: 6, bucket: 6, browsing: 7, call: 7, media: 7 };
/** Returns the number of the colour of an event's namespace. */
export const hue = (ns) => hues[ns] ?? 0;

/** Says something to who sees or hears. */
export function tell(text) {
  const toast = byID("toast");
  toast.textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { toast.textContent = ""; }, 4000);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    tell(`Copied ${what}`);
  } catch {
    tell("The browser did not let this page copy");
  }
}
