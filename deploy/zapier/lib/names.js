'use strict';

// Zapier's keys are letters, digits and underscores. Ids of the catalog have dots and dashes.
const keyOf = (id) => id.replace(/[^A-Za-z0-9]+/g, '_').replace(/^(\d)/, '_$1');
const systems = { highlevel: 'HighLevel', casepeer: 'CASEpeer', casebridge: 'Casebridge' };

// Dots lead into objects; in a field's key two underscores stand for one.
const fieldKey = (name) => name.replace(/\./g, '__');
const nameOf = (key) => key.replace(/__/g, '.');

/** `contacts.create-note` as `Create Note`, with whose it is. */
const labelOf = (entry) => {
  const words = entry.id
    .replace(/^webhook\./, '')
    .replace(/^[a-z]+\./, (group) => (entry.kind === 'trigger' ? group.replace('.', ' ') : ''))
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .filter(Boolean)
    .map((word) => word[0].toUpperCase() + word.slice(1));
  return `${systems[entry.system]}: ${words.join(' ')}`;
};

/** Zapier wants a sentence with a full stop. */
const sentence = (help) => (help.endsWith('.') ? help : `${help}.`);

module.exports = { keyOf, fieldKey, nameOf, labelOf, sentence, systems };
