'use strict';

const base = (bundle) => String(bundle.authData.url || '').replace(/\/+$/, '');

/** The token goes to the bridge and to nobody else. */
const sign = (request, z, bundle) => {
  const url = base(bundle);
  if (url && request.url.startsWith(`${url}/`) && bundle.authData.token) {
    request.headers = { ...request.headers, Authorization: `Bearer ${bundle.authData.token}` };
  }
  return request;
};

const config = {
  type: 'custom',
  fields: [
    { key: 'url', label: 'Address', type: 'string', required: true, helpText: 'The public address of your Casebridge, such as https://bridge.example.com.' },
    { key: 'token', label: 'Token', type: 'password', required: true, helpText: 'Made with `casebridge tokens create zapier --firm ID --action "*"`.' },
  ],
  test: async (z, bundle) => {
    const answer = await z.request({ url: `${base(bundle)}/api/v1/hooks` });
    return { hooks: answer.data.length };
  },
  connectionLabel: (z, bundle) => base(bundle),
};

module.exports = { base, config, sign };
