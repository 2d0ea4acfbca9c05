// Requests to the command that serves this page, and the stream of what happens.

const token = new URLSearchParams(location.search).get("token") ?? "";
const firstWait = 500, longestWait = 5000, silence = 10_000; // ms

export const eventURL = (id) => `/api/events/${encodeURIComponent(id)}`;
export const url = (path, params) => `${path}?${new URLSearchParams(params)}`;
export const exportURL = (q) => url("/api/export", { q, token });

// Numbers that JavaScript would round stay as they were written.
const exact = (key, value, context) => (typeof value === "number" && JSON.rawJSON && !Number.isSafeInteger(value)
	&& context?.source && String(value) !== context.source ? JSON.rawJSON(context.source) : value);

/** Rejects any status but 200 with an error that says why, and has the status. */
export async function ask(path, options) {
	const answer = await fetch(path, { ...options, headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" } });
	const value = JSON.parse(await answer.text(), exact);
	if (!answer.ok) throw Object.assign(new Error(value.error), { status: answer.status });
	return value;
}

export const post = (path, value) => ask(path, { method: "POST", body: typeof value === "string" ? value : JSON.stringify(value) });

/** Reads the stream from after the last known record, forever; on has the handlers of its events. */
export function follow({ after, on, state }) {
	let source, wait = firstWait, heard;
	const open = () => {
		heard = Date.now();
		source = new EventSource(url("/api/stream", { token, after: after() }));
		source.onerror = again;
		for (const [name, take] of Object.entries(on)) {
			source.addEventListener(name, ({ data }) => {
				heard = Date.now();
				if (name === "hello") {
					wait = firstWait;
					state("connected");
				}
				take(JSON.parse(data));
			});
		}
	};
	const again = async () => {
		source.close();
		source = null;
		state("reconnecting");
		setTimeout(open, wait);
		wait = Math.min(wait * 2, longestWait);
		const { status, message } = await ask("/api/info").catch((error) => error);
		if (status === 403) state("reconnecting", message);
	};
	// Figures come every second: if nothing does, the connection is silently dead.
	setInterval(() => source && Date.now() - heard > silence && again(), 1000);
	open();
}
