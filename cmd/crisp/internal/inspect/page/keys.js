// Keyboard shortcuts. Those typed into a field stay there.

import { byID, el, on } from "./text.js";

const help = {
	"j k ↓ ↑": "next, previous", "g G": "first, last", "PageDown PageUp": "a page on, back", Enter: "to what is open", Esc: "back", "/": "filter",
	r: "send again", e: "edit and send", d: "mark, then compare", c: "conversation", y: "copy as code", "?": "this help",
};

export function keys({ list, detail, filter, select }) {
	const dialog = byID("help"), { root } = list;
	byID("help-keys").append(...Object.entries(help).flatMap(([all, what]) => [el("dt", all.split(" ").map((key) => el("kbd", key))), el("dd", what)]));
	on(byID("help-open"), "click", () => dialog.showModal());
	on(byID("help-close"), "click", () => dialog.close());

	const enter = async () => (detail.row ? await detail.ready && detail.panels[detail.shown].focus() : list.move(1));
	const open = (tab, selector) => async () => {
		if (!detail.row || detail.tabs[tab].hidden) return;
		detail.open(tab);
		const panel = detail.panels[tab];
		if (await detail.ready) (panel.querySelector(selector) ?? panel).focus();
	};
	const back = () => {
		if ([root, document.body].includes(document.activeElement)) select(null);
		root.focus();
	};
	const everywhere = {
		j: () => list.move(1), k: () => list.move(-1), g: () => list.moveTo(false), G: () => list.moveTo(true), d: () => detail.compare(),
		"/": () => filter.field.select(), "?": () => dialog.showModal(),
		r: open("edit", ".primary"), e: open("edit", "textarea"), c: open("conversation", "x"), y: open("copy", "button"),
	};
	const inList = {
		ArrowDown: everywhere.j, ArrowUp: everywhere.k, PageDown: () => list.move(list.page), PageUp: () => list.move(-list.page),
		Home: everywhere.g, End: everywhere.G, Enter: enter, " ": enter,
	};
	on(document, "keydown", (event) => {
		const { target, key } = event;
		if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open || byID("events").hidden || event.defaultPrevented) return;
		let run = key === "Escape" ? back : !target.matches("input:not([type=checkbox]), textarea, select") && everywhere[key];
		if ([root, document.body].includes(target)) run ||= inList[key];
		if (target === filter.field && (key === "Enter" || key === "ArrowDown")) run = () => root.focus();
		if (!run) return;
		event.preventDefault();
		run();
	});
}
