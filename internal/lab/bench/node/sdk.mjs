// The official SDK.

import {Crisp} from "crisp-api";
import {eventName, finish, lastEvent, streamURL} from "./stream.mjs";

let count = 0;
const crisp = new Crisp();
crisp.authenticateTier("user", "bench", "bench");
crisp.setRtmHost(streamURL("http:") + "/rtm/");
crisp.on(eventName, () => count++);
crisp.on(lastEvent, () => finish(count));
