'use strict';

const crypto = require('node:crypto');
const { base } = require('./authentication');
const { fieldKey, keyOf, labelOf, nameOf, sentence } = require('./names');

/** How long Casebridge waits for the vendor before it answers "accepted": Zapier gives up after 30 seconds. */
const WAIT_SECONDS = 25;
const TYPES = { text: 'string', number: 'number', boolean: 'boolean', texts: 'string', list: 'text', object: 'text' };

const inputField = (parameter) => ({
  key: fieldKey(parameter.name),
  label: parameter.name,
  type: TYPES[parameter.type],
  required: parameter.required,
  helpText: sentence(parameter.help) + (['list', 'object'].includes(parameter.type) ? ' As JSON.' : ''),
  ...(parameter.type === 'texts' ? { list: true } : {}),
  ...(parameter.one_of.length ? { choices: parameter.one_of } : {}),
});

const inputFields = (entry) => [
  { key: 'firm', label: 'Firm', type: 'string', required: false, helpText: 'May be left out where the token is for one firm.' },
  ...entry.parameters.filter((parameter) => !parameter.filled).map(inputField),
];

const parametersOf = (z, entry, input) => {
  const parameters = {};
  for (const parameter of entry.parameters) {
    const value = input[fieldKey(parameter.name)];
    if (value === undefined || value === null || value === '') continue;
    const isJson = ['list', 'object'].includes(parameter.type) && typeof value === 'string';
    try {
      parameters[nameOf(fieldKey(parameter.name))] = isJson ? JSON.parse(value) : value;
    } catch {
      throw new z.errors.Error(`${parameter.name} is not JSON.`, 'InvalidData', 422);
    }
  }
  return parameters;
};

const call = async (z, bundle, entry, key) => {
  const { firm, ...input } = bundle.inputData;
  const answer = await z.request({
    method: 'POST',
    url: `${base(bundle)}/api/v1/actions/${encodeURIComponent(entry.id)}`,
    headers: { Prefer: `wait=${WAIT_SECONDS}`, 'Idempotency-Key': key },
    body: { ...(firm ? { firm } : {}), parameters: parametersOf(z, entry, input) },
    skipThrowForStatus: true,
  });
  if (answer.status >= 400) {
    throw new z.errors.Error(answer.data?.detail || answer.data?.title || `Casebridge answered ${answer.status}.`, 'Refused', answer.status);
  }
  if (answer.data.status === 'refused') {
    throw new z.errors.Error(answer.data.reason, 'Refused', answer.data.vendor_status || 422);
  }
  return answer.data;
};

const sample = (entry) => ({ id: '00000000-0000-0000-0000-000000000000', action: entry.id, status: 'done' });

const create = (entry) => ({
  key: keyOf(entry.id),
  noun: labelOf(entry),
  display: { label: labelOf(entry), description: sentence(entry.help) },
  operation: {
    inputFields: inputFields(entry),
    perform: (z, bundle) => call(z, bundle, entry, crypto.randomUUID()),
    sample: sample(entry),
  },
});

const search = (entry) => ({
  key: keyOf(entry.id),
  noun: labelOf(entry),
  display: { label: labelOf(entry), description: sentence(entry.help) },
  operation: {
    inputFields: inputFields(entry),
    perform: async (z, bundle) => [await call(z, bundle, entry, crypto.randomUUID())],
    sample: sample(entry),
  },
});

module.exports = { create, search };
