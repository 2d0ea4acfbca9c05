// The official SDK, which tells of each event that it gets; see internal/lab/outage.

import {Crisp} from "crisp-api";

const task = JSON.parse(process.argv[2]);
const crisp = new Crisp();
crisp.authenticateTier("plugin", task.Identifier, task.Key);
crisp.setRtmHost(task.RTM);
crisp.on("message:send", ({content}) => process.stdout.write(content + "\n"));
process.stdin.resume().on("end", () => process.exit(0));
