// What the Node clients share: their task, and the report of what it cost.

export const task = JSON.parse(process.argv[2]);

const {Event, Size, Events, Rate} = task.Load;

/** The URL of the stream, with http: or ws: as its scheme. */
export const streamURL = (scheme) =>
  `${task.URL.replace("http:", scheme)}/${Event}/${Size}/${Events}/${Rate}`;

export const eventName = Event;
export const lastEvent = "session:removed";

const cpu = () => {
  const {userCPUTime, systemCPUTime} = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1e6;
};
const start = {cpu: cpu(), wall: performance.now()};

/** Reports what was spent since this module was loaded, and exits. */
export function finish(count) {
  if (count !== Events) {
    throw new Error(`${count} events came of ${Events}`);
  }
  const usage = {CPU: cpu() - start.cpu, Wall: (performance.now() - start.wall) / 1e3};
  process.stdout.write(JSON.stringify(usage) + "\n", () => process.exit(0));
}
