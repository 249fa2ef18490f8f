'use strict';

// With the platform's own test tools, against a `casebridge demo` that this test starts: CASEBRIDGE names the program.
const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const zapier = require('zapier-platform-core');

const App = require('../index');
const appTester = zapier.createAppTester(App);
const program = process.env.CASEBRIDGE || 'casebridge';
const base = Number(process.env.PORT_BASE || 4710);
const url = `http://127.0.0.1:${base}`;

let demo;
let home;
let authData;

before(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'casebridge-'));
  demo = spawn(program, ['demo', '--port-base', String(base), '--dir', home], { stdio: 'ignore' });
  for (let tries = 0; ; tries += 1) {
    const ready = await fetch(`${url}/readyz`).then((answer) => answer.ok, () => false);
    if (ready) break;
    assert.ok(tries < 300, 'the demo does not start');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const config = path.join(home, 'casebridge.toml');
  const firm = /\[\[firms\]\]\s+id = "([^"]+)"/.exec(readFileSync(config, 'utf8'))[1];
  const made = execFileSync(program, ['tokens', 'create', 'zapier', '--firm', firm, '--action', '*', '--config', config], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  authData = { url, token: made.trim() };
});

after(() => {
  demo.kill();
  rmSync(home, { recursive: true, force: true });
});

test('the app is whole and valid', () => {
  const catalog = require('../catalog.json');
  const count = (kind) => catalog.filter((entry) => entry.kind === kind && !entry.deprecated).length;
  assert.equal(Object.keys(App.triggers).length, count('trigger'));
  assert.equal(Object.keys(App.creates).length + Object.keys(App.searches).length, count('action'));
});

test('a good token is taken and another is not', async () => {
  const { hooks } = await appTester(App.authentication.test, { authData });
  assert.equal(hooks, 0);
  await assert.rejects(appTester(App.authentication.test, { authData: { url, token: 'cbt_wrong' } }));
});

test('a create is carried out in HighLevel and a search finds it', async () => {
  const { perform } = App.creates.contacts_create_contact.operation;
  const made = await appTester(perform, { authData, inputData: { firstName: 'Ada', lastName: 'Byron', email: 'zapier@example.com', tags: ['zap'] } });
  assert.equal(made.status, 'done', JSON.stringify(made));
  const contactId = made.result.contact.id;
  const [found] = await appTester(App.searches.contacts_get_contact.operation.perform, { authData, inputData: { contactId } });
  assert.equal(found.result.contact.firstName, 'Ada');
  assert.deepEqual(found.result.contact.tags, ['zap']);
});

test('what is missing is named', async () => {
  const { perform } = App.creates.contacts_create_note.operation;
  await assert.rejects(appTester(perform, { authData, inputData: { body: 'Called' } }), /contactId/);
});

test('a trigger subscribes, shows a sample, reads a delivery and unsubscribes', async () => {
  const { operation } = App.triggers.webhook_ContactCreate;
  const targetUrl = 'https://hooks.example.com/standard/1';
  const subscribeData = await appTester(operation.performSubscribe, { authData, targetUrl, inputData: {} });
  assert.match(subscribeData.secret, /^whsec_/);
  const [sample] = await appTester(operation.performList, { authData, inputData: {} });
  assert.deepEqual(Object.keys(sample).sort(), ['data', 'firm', 'happened_at', 'id']);
  assert.equal(sample.data.firstName, 'Ada');
  const cleanedRequest = { type: 'webhook.ContactCreate', event: 'e1', timestamp: '2026-11-24T12:00:00Z', firm: 'acme', data: { id: 'c1' } };
  const [told] = await appTester(operation.perform, { authData, cleanedRequest });
  assert.deepEqual([told.id, told.data.id], ['e1', 'c1']);
  await appTester(operation.performUnsubscribe, { authData, subscribeData, inputData: {} });
  await appTester(operation.performUnsubscribe, { authData, subscribeData, inputData: {} });
});
