// The form to change an event and send it again.

import { post } from "./api.js";
import { el, plainJSON, set, show } from "./text.js";

/** Says where a text is not JSON; empty if it is. */
export function jsonError(text) {
	try {
		JSON.parse(text);
		return "";
	} catch ({ message }) {
		return show(message) + (/line/.test(message) ? "" : ` (line ${text.split("\n").length})`);
	}
}

const checks = { keep_time: "Keep the time", bad_signature: "Wrong signature", stale: "Stale signature" };
let last = {}; // {id, text, good}: what was sent
let target = "";

export function sendForm(detail, info, select) {
	const text = detail.envelope ? plainJSON(JSON.stringify(detail.envelope, null, 2)) : detail.envelope_text ?? "";
	const area = el("textarea", { rows: 16, spellcheck: false, value: text, "aria-describedby": "wrong", oninput: () => check() });
	const wrong = el("p.error", { id: "wrong" });
	const where = el("input", { required: true, autocomplete: "off", list: "targets", placeholder: "http://127.0.0.1:8080/hooks", value: target || info.targets[0]?.name || "" });
	const attempt = el("input", { type: "number", min: 1, max: 20, value: 1 });
	const boxes = Object.keys(checks).map((name) => el("input", { type: "checkbox", name }));
	const send = el("button.primary");
	const result = el("p.result", { role: "status" });

	const check = () => {
		wrong.textContent = jsonError(area.value);
		set(area, "aria-invalid", !!wrong.textContent);
		send.textContent = wrong.textContent ? "Send as it is, though it is no JSON" : "Send";
	};
	const tellResult = ({ text, good }) => {
		result.textContent = show(text);
		result.className = `result ${good ? "good" : "bad"}`;
	};
	const submit = async (event) => {
		event.preventDefault();
		target = where.value;
		const rest = JSON.stringify({ of: detail.id, target, attempt: attempt.valueAsNumber || 1, ...Object.fromEntries(boxes.map((box) => [box.name, box.checked])) }).slice(1);
		send.disabled = true;
		result.textContent = "Sending…";
		try {
			// The envelope goes into the request as it was written, so that nothing of it is rounded.
			const made = await post("/api/replay", wrong.textContent ? `{"body":${JSON.stringify(area.value)},${rest}` : `{"envelope":${area.value},${rest}`);
			last = { id: made.of, ...described(made) };
			tellResult(last);
			if (made.of) select(made.of);
		} catch (error) {
			tellResult({ text: error.message });
		}
		send.disabled = false;
	};
	check();
	if (last.id === detail.id) tellResult(last);
	return el("form", { onsubmit: submit }, el("label", "Body of the web hook", area), wrong,
		el("div.fields", el("label", "Target", where), el("label", "Attempt", attempt)),
		el("datalist", { id: "targets" }, info.targets.map(({ name }) => el("option", { value: name }))),
		el("fieldset", el("legend", "What it is to be like"), boxes.map((box) => el("label", box, checks[box.name]))),
		!info.signing && el("p.type", "There is no secret to sign with: only targets of the command can be sent to."), send, result);
}

function described({ outcome, status, took_ms, error, answer, target }) {
	const good = outcome === "accepted";
	const said = [`${good ? "Accepted" : "Refused"} by ${target}`, status && `with ${status}`, `in ${took_ms ?? 0} ms`].filter(Boolean).join(" ");
	return { good, text: [said, error, answer].filter(Boolean).join(": ") };
}
