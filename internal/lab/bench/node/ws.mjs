// The floor on Node: a WebSocket without Socket.IO, and JSON.parse.

import WebSocket from "ws";
import {finish, lastEvent, note, streamURL} from "./stream.mjs";

const ws = new WebSocket(streamURL("ws:") + "/frames", {perMessageDeflate: false});
ws.on("message", (data) => {
  const [name, payload] = JSON.parse(data.toString().slice("42".length));
  if (name === lastEvent) {
    finish();
    return;
  }
  note(payload);
});
