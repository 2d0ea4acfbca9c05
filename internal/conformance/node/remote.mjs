// How the Go tests and the programs in this folder talk: commands come as lines of JSON on stdin, {"id", "do", …};
// answers {"id", "result"} or {"id", "error"}, and reports {"report", …} leave as lines of JSON on stdout. A program ends
// when its stdin does, so that it never outlives a test. Its options are its only argument, as JSON.

import { createInterface } from 'node:readline';

export const options = JSON.parse(process.argv[2]);

function write(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export function report(what, details) {
  write({ report: what, ...details });
}

// {"$bytes": base64} stands for binary data.
function parse(line) {
  return JSON.parse(line, (key, value) => (value?.$bytes === undefined ? value : Buffer.from(value.$bytes, 'base64')));
}

// Does what comes on stdin, by an object of functions that each take the command's arguments.
export function obey(commands) {
  const stdin = createInterface({ input: process.stdin });
  stdin.on('line', async (line) => {
    const { id, do: name, ...args } = parse(line);
    try {
      write({ id, result: (await commands[name](args)) ?? null });
    } catch (error) {
      write({ id, error: error.stack ?? JSON.stringify(error) });
    }
  });
  stdin.on('close', () => process.exit());
}
