// A program that makes REST calls with the official SDK, without the RTM API.
//
// Options, all required:
//   host    origin of the REST API
//   token   {tier, identifier, key}

import { Crisp } from 'crisp-api';
import { obey, options } from './remote.mjs';

const { tier, identifier, key } = options.token;
const crisp = new Crisp();
crisp.setRestHost(options.host);
crisp.authenticateTier(tier, identifier, key);

obey({
  // Calls a method for websites, such as getPeopleProfile.
  call({ method, args }) {
    return crisp.website[method](...args);
  },
});
