// Checks that asyncapi.yaml is a valid AsyncAPI document, that its examples match its schemas, and that it keeps the
// conventions that the code generator relies on. Prints every problem, and exits with status 1 if there is any.

import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';
import Ajv from 'ajv';

const EVENTS = 82;
const RTM_ONLY_EVENTS = 6;
const TIERS = ['user', 'website', 'plugin'];

// The values that each extension of a schema may have.
const SCHEMA_EXTENSIONS = {
  'x-go-name': /^[A-Z][A-Za-z0-9]*$/,
  'x-crisp-time': /^ms$/,
  'x-crisp-duration': /^(s|min)$/,
  'x-crisp-type': /^(content|receipt|map|raw)$/,
  'x-crisp-wrapped': /^[a-z_]+$/,
  'x-crisp-form': /^(bare|wrapped)$/,
};
const WARNING = 1; // the severities of diagnostics are 0 error, 1 warning, 2 information, 3 hint

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
const problems = new Set();

function expect(condition, where, what) {
  if (!condition) problems.add(`${where}: ${what}`);
}

// Returns the document with all references resolved. The parser notes the name of a schema in x-parser-schema-id.
async function parse(file) {
  const { document, diagnostics } = await new Parser().parse(await readFile(file, 'utf8'));
  for (const { severity, code, path, message, range } of diagnostics) {
    const where = `asyncapi.yaml:${range.start.line + 1} (${path.join('.')})`;
    expect(severity > WARNING, where, `${message} [${code}]`);
  }
  return document?.json();
}

// The parser does not validate examples, so this does.
function checkExamples(key, message) {
  expect(message.examples?.length > 0, key, 'has no example');
  for (const { name, payload, headers } of message.examples ?? []) {
    checkExample(`${key}, example ${name}, payload`, message.payload, payload);
    if (message.headers) checkExample(`${key}, example ${name}, headers`, message.headers, headers);
  }
}

function checkExample(where, schema, value) {
  const valid = ajv.validate(schema, value);
  expect(valid, where, ajv.errorsText(ajv.errors, { dataVar: 'it', separator: '; ' }));
}

function checkEvent(key, message) {
  const { name, tags, summary, payload } = message;
  const tiers = message['x-crisp-tiers'];
  const scope = message['x-crisp-scope'];
  expect(/^[A-Z][A-Za-z]+$/.test(key), key, 'is no Go type name');
  expect(/^[a-z]+(:[a-z_]+)+$/.test(name), key, `has a name of another form: ${name}`);
  expect(tags?.length === 1 && name.startsWith(`${tags[0].name}:`), key, 'is not tagged with its namespace, only');
  expect(/^[a-z].*\.$/.test(summary), key, 'needs a summary that continues "<key> …" and ends in a period');
  expect(typeof message['x-crisp-rtm-only'] === 'boolean', key, 'needs x-crisp-rtm-only');
  expect(tiers.length > 0, key, 'has no tier');
  expect(String(tiers) === String(TIERS.filter((tier) => tiers.includes(tier))), key, 'lists unknown or unsorted tiers');
  expect(scope === undefined || /^[a-z:]+ (read|write)$/.test(scope), key, `has a scope of another form: ${scope}`);
  expect(payload['x-parser-schema-id'] === key, key, 'has a payload that does not bear its name');
  checkPayload(key, payload);
  for (const path of gaps(payload, message.examples[0].payload)) {
    problems.add(`${key}, first example: ${path} is absent or zero`);
  }
}

function checkPayload(key, { type, properties, allOf }) {
  const names = Object.keys(properties ?? {});
  const ids = ['website_id', 'session_id'].filter((id) => names.includes(id));
  expect(type === 'object' && !allOf, key, 'needs a flat object as payload');
  expect(String(names.slice(0, ids.length)) === String(ids), key, 'does not begin with website_id and session_id');
  expect(names.includes('routing_ids'), key, 'lacks routing_ids');
}

// Yields the path of each property of a schema that is absent or zero in a value. Of a list, only the first element is
// checked.
function* gaps(schema, value, path = 'payload') {
  if (isZero(value)) {
    yield path;
    return;
  }
  const { properties, items, additionalProperties } = schema.anyOf?.find((alternative) => ajv.validate(alternative, value)) ?? schema;
  for (const [name, property] of Object.entries(properties ?? {})) {
    yield* gaps(property, value[name], `${path}.${name}`);
  }
  if (items) yield* gaps(items, value[0], `${path}[0]`);
  if (additionalProperties?.properties) {
    for (const key of Object.keys(value)) yield* gaps(additionalProperties, value[key], `${path}.${key}`);
  }
}

function isZero(value) {
  return !value || (typeof value === 'object' && Object.keys(value).length === 0);
}

// A first example has one kind of content. Every other kind must be complete in some other example.
function checkContents(messages) {
  const withContent = messages.filter(({ payload }) => payload.properties?.content);
  const contents = withContent.flatMap(({ examples }) => examples.map(({ payload }) => payload.content));
  for (const kind of withContent.flatMap(({ payload }) => payload.properties.content.anyOf)) {
    const shown = contents.some((content) => ajv.validate(kind, content) && [...gaps(kind, content)].length === 0);
    expect(shown, kind['x-parser-schema-id'], 'is in no example in full');
  }
}

function checkCatalog({ channels, operations }, events) {
  const names = events.flatMap(([, message]) => [message.name, ...(message['x-crisp-aliases'] ?? [])]);
  const rtmOnly = events.filter(([, message]) => message['x-crisp-rtm-only']);
  const received = operations.receiveEvents.messages.map(({ name }) => name);
  expect(events.length === EVENTS, 'events', `there are ${events.length}, not ${EVENTS}`);
  expect(rtmOnly.length === RTM_ONLY_EVENTS, 'events', `${rtmOnly.length} are RTM-only, not ${RTM_ONLY_EVENTS}`);
  expect(new Set(names).size === names.length, 'events', 'names or aliases repeat');
  for (const [key, { name }] of events) {
    expect(channels.rtm.messages[key], key, 'is missing in channels.rtm');
    expect(received.includes(name), key, 'is missing in operations.receiveEvents');
  }
  expect(received.length === events.length, 'operations.receiveEvents', 'lists more than the events');
}

// Every named schema and every property must have a description, and no extension that the generator doesn't know.
function checkSchema(where, schema) {
  expect(schema.description, where, 'has no description');
  checkExtensions(where, schema);
  const properties = Object.entries(schema.properties ?? {});
  for (const name of schema.required ?? []) {
    expect(schema.properties?.[name], where, `requires ${name}, which it does not have`);
  }
  for (const [name, property] of properties) checkSchema(`${where}.${name}`, property);
}

function checkExtensions(where, schema) {
  for (const [extension, value] of Object.entries(schema)) {
    if (!extension.startsWith('x-') || extension.startsWith('x-parser-')) continue;
    expect(SCHEMA_EXTENSIONS[extension]?.test(value), where, `has an unknown extension: ${extension}: ${value}`);
  }
  for (const part of [schema.items, ...(schema.anyOf ?? [])]) {
    if (part) checkExtensions(where, part);
  }
}

function check(document) {
  const messages = Object.entries(document.components.messages);
  const events = messages.filter(([, message]) => message['x-crisp-tiers']);
  for (const [key, message] of messages) checkExamples(key, message);
  for (const [key, message] of events) checkEvent(key, message);
  for (const [name, schema] of Object.entries(document.components.schemas)) checkSchema(name, schema);
  checkContents(messages.map(([, message]) => message));
  checkCatalog(document, events);
}

const document = await parse(new URL('asyncapi.yaml', import.meta.url));
if (document) check(document);
for (const problem of problems) console.error(problem);
if (problems.size > 0) process.exitCode = 1;
else console.log(`asyncapi.yaml is valid: ${EVENTS} events`);
