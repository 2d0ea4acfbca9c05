// A program that uses the official SDK.
//
// Options, all required:
//   mode    websockets or webhooks
//   host    origin of the REST API
//   token   {tier, identifier, key}
//   secret  that web hooks are signed with
//   listen  names of the events that are reported

import { createServer } from 'node:http';
import { Crisp } from 'crisp-api';
import { obey, options, report } from './remote.mjs';

const { tier, identifier, key } = options.token;
const crisp = new Crisp();
crisp.setRestHost(options.host);
crisp.setRtmMode(options.mode);
crisp.authenticateTier(tier, identifier, key);

// Web hooks go through the SDK's own verification.
async function receive(request, response) {
  const chunks = await request.toArray();
  const body = JSON.parse(Buffer.concat(chunks));
  const { 'x-crisp-request-timestamp': timestamp, 'x-crisp-signature': signature } = request.headers;
  const verified = crisp.verifyHook(options.secret, body, timestamp, signature);
  if (verified) crisp.receiveHook(body);
  response.writeHead(verified ? 200 : 401).end();
}

// The SDK throws inside of a callback when its credentials are refused.
process.on('uncaughtException', (error) => report('crash', { reason: error.message }));

const unknown = []; // what the SDK does not know of
const bound = [];
for (const name of options.listen) {
  try {
    bound.push(crisp.on(name, (payload) => report('event', { name, args: [payload] })));
  } catch {
    unknown.push(name);
  }
}
await Promise.all(bound);

const hooks = createServer(receive).listen(0, '127.0.0.1', () => {
  report('ready', { unknown, hooks: `http://127.0.0.1:${hooks.address().port}/` });
});

obey({
  // Calls a method of a service, such as website.getConversation.
  call({ service, method, args }) {
    return crisp[service][method](...args);
  },
  rebind() {
    return crisp.rebindSocket();
  },
});
