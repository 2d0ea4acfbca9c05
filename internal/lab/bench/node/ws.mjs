// The floor on Node: a WebSocket without Socket.IO, and JSON.parse.

import WebSocket from "ws";
import {finish, lastEvent, streamURL} from "./stream.mjs";

let count = 0;
const ws = new WebSocket(streamURL("ws:") + "/frames", {perMessageDeflate: false});
ws.on("message", (data) => {
  const [name] = JSON.parse(data.toString().slice("42".length));
  if (name === lastEvent) {
    finish(count);
    return;
  }
  count++;
});
