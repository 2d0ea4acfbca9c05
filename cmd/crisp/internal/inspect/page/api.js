// Requests to the command that serves this page, and the stream of what happens.

const token = new URLSearchParams(location.search).get("token") ?? "";

// Numbers that JavaScript would round stay as they were written.
const exact = (key, value, context) => typeof value === "number" && JSON.rawJSON && context?.source
  && !Number.isSafeInteger(value) && String(value) !== context.source ? JSON.rawJSON(context.source) : value;

/** Answers of other statuses than 2xx are errors that say why, with the status. */
export async function ask(path, { method = "GET", body } = {}) {
  const answer = await fetch(path, { method, body, headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" } });
  const text = await answer.text();
  let value = {};
  try {
    value = JSON.parse(text, exact);
  } catch {
    if (answer.ok) throw new Error("The command answered with no JSON");
  }
  if (!answer.ok) throw Object.assign(new Error(value.error ?? `The command answered with ${answer.status}`), { status: answer.status });
  return value;
}

export const post = (path, value) => ask(path, { method: "POST", body: typeof value === "string" ? value : JSON.stringify(value) });
export const query = (path, params) => ask(`${path}?${new URLSearchParams(params)}`);
export const exportURL = (q) => `/api/export?${new URLSearchParams({ q, token })}`;

const firstWait = 500, longestWait = 5000, silence = 10_000;

/**
 * Reads the stream from behind the last record that is known, again and again.
 * @param {{after: () => string, on: Record<string, (data: object) => void>, state: (state: string, why?: string) => void}} reader
 */
export function follow({ after, on, state }) {
  let source, wait = firstWait, heard = 0;
  const open = () => {
    heard = Date.now();
    source = new EventSource(`/api/stream?${new URLSearchParams({ token, after: after() })}`);
    source.onerror = again;
    for (const [name, take] of Object.entries(on)) {
      source.addEventListener(name, (event) => {
        heard = Date.now();
        if (name === "hello") {
          wait = firstWait;
          state("connected");
        }
        take(JSON.parse(event.data));
      });
    }
  };
  const again = async () => {
    source.close();
    source = null;
    setTimeout(open, wait);
    wait = Math.min(wait * 2, longestWait);
    const refused = await ask("/api/info").then(() => "", (error) => (error.status === 403 ? error.message : ""));
    if (!source || source.readyState !== EventSource.OPEN) state("reconnecting", refused);
  };
  // Figures come each second: if nothing does, the connection is dead without having said so.
  setInterval(() => { if (source && Date.now() - heard > silence) again(); }, 1000);
  open();
}
