'use strict';

// The app is made from the catalog: each trigger is an instant one over hooks, each action that changes something a
// create, each one that reads a search. `npm run catalog` writes the catalog of the Casebridge in use.
const catalog = require('./catalog.json');
const { version } = require('./package.json');
const platform = require('zapier-platform-core');

const authentication = require('./lib/authentication');
const { trigger } = require('./lib/triggers');
const { create, search } = require('./lib/actions');

const byKey = (parts) => Object.fromEntries(parts.map((part) => [part.key, part]));
const of = (kind, access) =>
  catalog.filter((entry) => entry.kind === kind && (!access || entry.access === access) && !entry.deprecated);

module.exports = {
  version,
  platformVersion: platform.version,
  authentication: authentication.config,
  beforeRequest: [authentication.sign],
  triggers: byKey(of('trigger').map(trigger)),
  creates: byKey(of('action', 'write').map(create)),
  searches: byKey(of('action', 'read').map(search)),
};
