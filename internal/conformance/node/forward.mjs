// A program that takes web hooks with the official SDK, each after a random moment, and keeps account of them.
//
// Options, all required:
//   host    origin of the REST API
//   token   {tier, identifier, key}
//   secret  that web hooks are signed with

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Crisp } from 'crisp-api';
import { obey, options, report } from './remote.mjs';

const { tier, identifier, key } = options.token;
const crisp = new Crisp();
crisp.setRestHost(options.host);
crisp.setRtmMode('webhooks');
crisp.authenticateTier(tier, identifier, key);
await crisp.on('message:send', () => {}); // until then the SDK takes nothing for authentic
const account = { accepted: 0, refused: 0, inversions: 0 };
const latest = new Map(); // number of the latest message, by conversation
const hashes = [];

async function receive(request, response) {
  const text = Buffer.concat(await request.toArray());
  const body = JSON.parse(text);
  const { 'x-crisp-request-timestamp': timestamp, 'x-crisp-signature': signature } = request.headers;
  if (!crisp.verifyHook(options.secret, body, timestamp, signature)) {
    account.refused++;
    response.writeHead(401).end();
    return;
  }
  account.accepted++;
  hashes.push(createHash('sha256').update(text).digest('hex'));
  const { session_id: session, content } = body.data;
  const number = Number(content.split(' ')[0]);
  if (number !== (latest.get(session) ?? -1) + 1) account.inversions++;
  latest.set(session, number);
  await sleep(Math.random() * 3);
  response.writeHead(200).end();
}

const server = createServer(receive).listen(0, '127.0.0.1', () => {
  report('ready', { hooks: `http://127.0.0.1:${server.address().port}/hooks?keep=this` });
});

obey({
  account() {
    return { ...account, bodies: createHash('sha256').update(hashes.sort().join('')).digest('hex') };
  },
});
