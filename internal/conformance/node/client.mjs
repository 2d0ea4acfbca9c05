// A program that listens to Crisp with a bare socket.io-client.
//
// Options, all required:
//   socketIO        2, 3 or 4: the generation of socket.io-client
//   rest            URL of the REST API
//   authentication  {tier, username, password, …}: what is sent to authenticate
//   mute            whether it is not sent
//   listen          names of the events that are reported

import { createRequire } from 'node:module';
import { obey, options, report } from './remote.mjs';

const io = createRequire(import.meta.url)(`socket.io-client-${options.socketIO}`);

async function endpoint() {
  const { tier, username, password } = options.authentication;
  const response = await fetch(`${options.rest}${tier}/connect/endpoints`, {
    headers: {
      Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'X-Crisp-Tier': tier,
    },
  });
  const { data } = await response.json();
  return new URL(data.socket.app);
}

const { origin, pathname } = await endpoint();
const socket = io(origin, {
  path: pathname,
  transports: ['websocket'],
  reconnectionDelay: 50,
  reconnectionDelayMax: 500,
});

socket.on('connect', () => {
  report('connect', { session: socket.id });
  socket.io.engine.on('packet', ({ type }) => {
    if (type === 'ping' || type === 'pong') report('heartbeat');
  });
  if (!options.mute) socket.emit('authentication', options.authentication);
});
socket.on('disconnect', (reason) => report('end', { reason }));
for (const name of ['authenticated', 'unauthorized', ...options.listen]) {
  socket.on(name, (...args) => report('event', { name, args }));
}

obey({
  emit({ name, args }) {
    socket.emit(name, ...args);
  },
  connect() {
    socket.connect();
  },
});
