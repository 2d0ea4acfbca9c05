// What the Node clients share: their task, and the report of what it cost.

export const task = JSON.parse(process.argv[2]);

const {Event, Events} = task.Load;

/** The URL of the stream, with http: or ws: as its scheme. */
export const streamURL = (scheme) => task.Stream.replace("http:", scheme);

export const eventName = Event;
export const lastEvent = "session:removed";

const cpu = () => {
  const {userCPUTime, systemCPUTime} = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1e6;
};
const start = {cpu: cpu(), wall: performance.now()};

let count = 0;
let disordered = 0;
let first = 0;
let last = 0;

/** Notes a message. Fingerprints count up, and begin anew where the stream repeats itself. */
export function note({fingerprint}) {
  if (count === 0) {
    first = fingerprint;
  } else if (fingerprint !== last + 1 && fingerprint !== first) {
    disordered++;
  }
  last = fingerprint;
  count++;
}

/** Reports what was spent since this module was loaded, and exits. */
export function finish() {
  if (count !== Events) {
    throw new Error(`${count} events came of ${Events}`);
  }
  const usage = {CPU: cpu() - start.cpu, Wall: (performance.now() - start.wall) / 1e3, Disordered: disordered};
  process.stdout.write(JSON.stringify(usage) + "\n", () => process.exit(0));
}
