// The official SDK.

import {Crisp} from "crisp-api";
import {eventName, finish, lastEvent, note, streamURL} from "./stream.mjs";

const crisp = new Crisp();
crisp.authenticateTier("user", "bench", "bench");
crisp.setRtmHost(streamURL("http:") + "/rtm/");
crisp.on(eventName, note);
crisp.on(lastEvent, finish);
