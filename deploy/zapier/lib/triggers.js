'use strict';

const { base } = require('./authentication');
const { keyOf, labelOf, sentence } = require('./names');

/** One delivery as a record: Zapier wants an id at the top. */
const record = (delivery) => ({ id: delivery.event, happened_at: delivery.timestamp, firm: delivery.firm, data: delivery.data });

const trigger = (entry) => {
  const sample = { id: '00000000-0000-0000-0000-000000000000', happened_at: '2026-11-24T12:00:00Z', firm: 'acme', data: {} };
  for (const { name, example } of entry.parameters) {
    const path = name.split('.');
    const last = path.pop();
    let place = sample.data;
    for (const step of path) place = place[step] ??= {};
    place[last] = example;
  }
  return {
    key: keyOf(entry.id),
    noun: labelOf(entry),
    display: { label: labelOf(entry), description: `Triggers when this happens: ${sentence(entry.help)}` },
    operation: {
      type: 'hook',
      inputFields: [{ key: 'firm', label: 'Firm', type: 'string', required: false, helpText: 'May be left out where the token is for one firm.' }],
      performSubscribe: async (z, bundle) => {
        const body = { trigger: entry.id, url: bundle.targetUrl };
        if (bundle.inputData.firm) body.firm = bundle.inputData.firm;
        const answer = await z.request({ method: 'POST', url: `${base(bundle)}/api/v1/hooks`, body });
        return answer.data;
      },
      performUnsubscribe: async (z, bundle) => {
        const id = encodeURIComponent(bundle.subscribeData.id);
        const answer = await z.request({ method: 'DELETE', url: `${base(bundle)}/api/v1/hooks/${id}`, skipThrowForStatus: true });
        // One that is gone already is gone.
        if (answer.status !== 404) answer.throwForStatus();
        return {};
      },
      perform: (z, bundle) => [record(bundle.cleanedRequest)],
      performList: async (z, bundle) => {
        const answer = await z.request({ url: `${base(bundle)}/api/v1/hooks/samples/${encodeURIComponent(entry.id)}` });
        return [record(answer.data)];
      },
      sample,
    },
  };
};

module.exports = { trigger };
