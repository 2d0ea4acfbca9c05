// A Crisp on top of a real Socket.IO server.
//
// Options, all required:
//   socketIO       2, 3 or 4: the generation of Socket.IO
//   serverOptions  what that generation takes, such as pingInterval or allowEIO3
//   tokens         [{tier, identifier, key, website}]: who may come in; website for the tier website only
//   websites       those that sessions may have in their rooms
//   authTimeout    ms that a session has for its authentication
//   restPort, relayPort  0 for any

import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { setImmediate } from 'node:timers/promises';
import { obey, options, report } from './remote.mjs';

const socketIO = createRequire(import.meta.url)(`socket.io-${options.socketIO}`);

const sessions = new Map(); // by socket
let relay; // where RTM is now: {http, io, url}
let relays = 0;
let policy = { answer: 'accept' }; // how authentications are answered

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server.address().port));
  });
}

// REST: the route that tells where RTM is.

function serveREST(request, response) {
  const token = tokenOf(request.headers);
  if (!token) {
    refuse(response, 401, 'invalid_session');
  } else if (request.method !== 'GET' || request.url !== endpointsRoute(token)) {
    refuse(response, 404, 'route_not_found');
  } else {
    answer(response, 200, { error: false, reason: 'resolved', data: { socket: { app: relay.url } } });
  }
}

function tokenOf({ authorization, 'x-crisp-tier': tier }) {
  return options.tokens.find((token) => {
    const credentials = Buffer.from(`${token.identifier}:${token.key}`).toString('base64');
    return token.tier === tier && authorization === `Basic ${credentials}`;
  });
}

function endpointsRoute({ tier, website }) {
  return tier === 'website' ? `/v1/website/${website}/connect/endpoints` : `/v1/${tier}/connect/endpoints`;
}

function refuse(response, status, reason) {
  answer(response, status, { error: true, reason, data: {} });
}

function answer(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

// RTM.

async function openRelay(port) {
  const path = `/relay/app-${++relays}/`;
  const http = createServer();
  const io = socketIO(http, { path, transports: ['websocket'], serveClient: false, ...options.serverOptions });
  // Checks that take their time: a client that is in a hurry must wait for them.
  io.use((socket, next) => setImmediate().then(() => next()));
  io.on('connection', welcome);
  return { http, io, url: `http://127.0.0.1:${await listen(http, port)}${path}` };
}

function welcome(socket) {
  const session = { filter: null };
  sessions.set(socket, session);
  const late = setTimeout(() => socket.disconnect(true), options.authTimeout);
  socket.once('authentication', (request) => {
    clearTimeout(late);
    authenticate(socket, session, request);
  });
  socket.on('socket:bind', (filter) => {
    if (filter?.events) session.filter = filter;
    report('bind', { session: socket.id, filter });
  });
  socket.on('disconnect', (reason) => {
    clearTimeout(late);
    sessions.delete(socket);
    report('end', { session: socket.id, reason });
  });
  socket.conn.on('heartbeat', () => report('heartbeat', { session: socket.id }));
}

function authenticate(socket, session, request) {
  const { tier, username, password, events, rooms = [] } = request;
  const known = options.tokens.some(
    (token) => token.tier === tier && token.identifier === username && token.key === password,
  );
  const foreign = rooms.some((room) => !options.websites.includes(room));
  if (policy.answer === 'ignore') return;
  if (policy.answer === 'reject' || !known || foreign) {
    socket.emit('unauthorized', { message: policy.message ?? 'invalid credentials or rooms' });
    socket.disconnect(true);
    return;
  }
  session.filter = { events, rooms };
  socket.emit('authenticated', true);
  for (const [name, ...args] of policy.greeting ?? []) socket.emit(name, ...args);
  report('authenticated', { session: socket.id, filter: session.filter, engineIO: socket.conn.protocol ?? 3 });
}

// Sessions whose filters let an event through.
function* audience(name, websiteID) {
  for (const [socket, { filter }] of sessions) {
    if (!filter?.events.includes(name)) continue;
    if (filter.rooms?.length && !filter.rooms.includes(websiteID)) continue;
    yield socket;
  }
}

// Ways to lose a session.
const endings = {
  disconnect: (socket) => socket.disconnect(), // packet 41: the connection itself stays open
  close: (socket) => socket.conn.close(),
  terminate: (socket) => socket.conn.transport.socket.terminate(), // the TCP connection, without a word
};

// Web hooks.

async function postHook({ url, secret, body }) {
  const text = JSON.stringify(body);
  const timestamp = String(Date.now());
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-Crisp-Hook-Origin': 'plugin',
      'X-Crisp-Request-Timestamp': timestamp,
      'X-Crisp-Signature': createHmac('sha256', secret).update(`[${timestamp};${text}]`).digest('hex'),
      'X-Delivery-Attempt-Count': '1',
      'X-Delivery-Attempt-Limit': '5',
    },
    body: text,
  });
  return response.status;
}

relay = await openRelay(options.relayPort);
const restPort = await listen(createServer(serveREST), options.restPort);
report('ready', { rest: `http://127.0.0.1:${restPort}/v1/`, relay: relay.url });

obey({
  // Sends an event with any arguments.
  emit({ name, args }) {
    for (const socket of audience(name, args[0]?.website_id)) socket.emit(name, ...args);
  },

  // Sends an event, and asks for an acknowledgement.
  ask({ name, args }) {
    for (const socket of audience(name, args[0]?.website_id)) {
      socket.emit(name, ...args, (...answers) => report('ack', { session: socket.id, answers }));
    }
  },

  // Sends an event many times: fingerprints count from 1, sessions take turns. It pauses for its own heartbeats, though
  // not for clients that are slow.
  async burst({ name, payload, count, sessions: among }) {
    const sockets = [...audience(name, payload.website_id)];
    for (let i = 1; i <= count; i++) {
      const event = { ...payload, session_id: `session_${i % among}`, fingerprint: i };
      for (const socket of sockets) socket.emit(name, event);
      if (i % 500 === 0) await setImmediate();
    }
  },

  // Sets how authentications are answered: answer, message, and greeting, events that follow at once.
  authentication(wanted) {
    policy = wanted;
  },

  end({ how }) {
    for (const socket of [...sessions.keys()]) endings[how](socket);
  },

  // Goes on at another address, as Crisp does.
  async move() {
    const old = relay;
    relay = await openRelay(0);
    old.io.close();
    return relay.url;
  },

  hook: postHook,
});
