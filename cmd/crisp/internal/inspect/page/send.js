// The form in which an event can be changed, and sent again.

import { post } from "./api.js";
import { el, plainJSON, show } from "./text.js";

/** Says where a text is no JSON; empty if it is. */
export function jsonError(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    const why = error.message;
    let [, line, column] = /line (\d+) column (\d+)/.exec(why) ?? [];
    const position = /position (\d+)/.exec(why)?.[1] ?? (/end of/.test(why) ? text.length : undefined);
    if (!line && position !== undefined) {
      const before = text.slice(0, position).split("\n");
      [line, column] = [before.length, before.at(-1).length + 1];
    }
    return show(line ? `Line ${line}, column ${column}: ${why.replace(/ in JSON at position.*| \(line.*/s, "")}` : why);
  }
}

let last; // {id, text, good} of what was sent
let target = "";

/**
 * @param {object} detail of the event
 * @param {object} info
 * @param {(id: string) => void} select
 */
export function sendForm(detail, info, select) {
  const text = detail.envelope ? plainJSON(JSON.stringify(detail.envelope, null, 2)) : detail.envelope_text ?? "";
  const area = el("textarea", { id: "body", rows: 16, spellcheck: false, value: text, "aria-describedby": "wrong" });
  const wrong = el("p", { id: "wrong", className: "error" });
  const where = el("input", { id: "target", required: true, autocomplete: "off", spellcheck: false, placeholder: "http://127.0.0.1:8080/hooks", value: target || info.targets[0]?.name || "" });
  where.setAttribute("list", "targets");
  const attempt = el("input", { id: "attempt", type: "number", min: 1, max: 20, value: 1 });
  const checks = { keep_time: "Keep the time", bad_signature: "Wrong signature", stale: "Stale signature" };
  const boxes = Object.keys(checks).map((name) => el("input", { type: "checkbox", name }));
  const send = el("button", { type: "submit", className: "primary" }, "Send");
  const result = el("p", { role: "status", className: "result" });
  if (last?.id === detail.id) tellResult(result, last);

  const check = () => {
    wrong.textContent = jsonError(area.value);
    area.setAttribute("aria-invalid", String(!!wrong.textContent));
    send.textContent = wrong.textContent ? "Send as it is, though it is no JSON" : "Send";
  };
  area.addEventListener("input", check);
  check();

  const submit = async (event) => {
    event.preventDefault();
    target = where.value;
    const options = { target, attempt: attempt.valueAsNumber || 1, ...Object.fromEntries(boxes.map((box) => [box.name, box.checked])) };
    const rest = JSON.stringify(options).slice(1);
    // The envelope's text goes into the request as it is, so that nothing of it is rounded.
    const request = wrong.textContent ? `{"body":${JSON.stringify(area.value)},${rest}` : `{"envelope":${area.value},${rest}`;
    send.disabled = true;
    result.textContent = "Sending…";
    try {
      const made = await post("/api/replay", request);
      last = { id: made.id, ...described(made.delivery ?? made) };
      tellResult(result, last);
      if (made.id) select(made.id);
    } catch (error) {
      tellResult(result, { text: error.message });
    } finally {
      send.disabled = false;
    }
  };
  return el("form", { on: { submit } },
    el("label", { htmlFor: "body" }, "Body of the web hook"), area, wrong,
    el("div", { className: "fields" },
      el("label", {}, "Target", where), el("datalist", { id: "targets" }, info.targets.map(({ name }) => el("option", { value: name }))),
      el("label", {}, "Attempt", attempt)),
    el("fieldset", { className: "checks" }, el("legend", {}, "What it is to be like"), boxes.map((box) => el("label", {}, box, checks[box.name]))),
    !info.signing && el("p", { className: "type" }, "No secret is known to sign with: only the targets of the command can be sent to."),
    send, result);
}

function described({ outcome, status, took_ms, error, answer, target }) {
  const what = outcome === "accepted" ? "Accepted" : "Refused";
  const parts = [`${what} by ${target}`, status && `with ${status}`, took_ms !== undefined && `in ${took_ms} ms`].filter(Boolean).join(" ");
  return { good: outcome === "accepted", text: [parts, error, answer].filter(Boolean).join(": ") };
}

function tellResult(result, { text, good }) {
  result.textContent = show(text);
  result.className = `result ${good ? "good" : "bad"}`;
}
