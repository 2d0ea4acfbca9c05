// Checks that openapi.yaml is a valid OpenAPI document, that its examples match its schemas, and that it keeps the
// conventions that the code generator relies on. Prints every problem, and exits with status 1 if there is any.

import { fileURLToPath } from 'node:url';
import SwaggerParser from '@apidevtools/swagger-parser';
import Ajv from 'ajv/dist/2020.js';

const ROUTES = 225;
const TIERS = ['user', 'plugin'];
const METHODS = ['head', 'get', 'post', 'put', 'patch', 'delete'];

// The values that each extension may have, by where it is.
const OPERATION_EXTENSIONS = {
  'x-crisp-tiers': /^(user|plugin|user,plugin)?$/,
  'x-crisp-paged': /^true$/,
  'x-go-call': /^client\.[A-Za-z]+(, client\.[A-Za-z]+)*$/,
  'x-go-query': /^[A-Z][A-Za-z]*Query$/,
  'x-go-names': /^[A-Z][A-Za-z]*(,[A-Z][A-Za-z]*)+$/,
};
const SCHEMA_EXTENSIONS = {
  'x-go-name': /^[A-Za-z][A-Za-z0-9]*$/,
  'x-crisp-time': /^ms$/,
  'x-crisp-duration': /^min$/,
  'x-crisp-type': /^(map|raw)$/,
  'x-crisp-secret': /^true$/,
  'x-go-crisp': /^[A-Z][A-Za-z]*$/,
  'x-go-member': /^[a-z_]+$/,
};

const problems = new Set();

function expect(condition, where, what) {
  if (!condition) problems.add(`${where}: ${what}`);
}

// Returns the documents as they are written, by the names of their files. Validating resolves references in place, so
// that it is done with another copy.
async function parse(file) {
  try {
    await SwaggerParser.validate(file);
  } catch (error) {
    problems.add(`openapi.yaml: ${error.message}`);
  }
  const documents = (await SwaggerParser.resolve(file)).values();
  return Object.fromEntries(Object.entries(documents).map(([path, document]) => [path.split('/').at(-1), document]));
}

// Returns a function that checks an example, given the path to its schema in openapi.yaml.
function exampleChecker(documents) {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, validateSchema: false });
  for (const [name, document] of Object.entries(documents)) ajv.addSchema(document, `file:///${name}`);
  return (where, path, value) => {
    const pointer = path.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
    const valid = ajv.validate({ $ref: `file:///openapi.yaml#/${pointer}` }, value);
    expect(valid, where, ajv.errorsText(ajv.errors, { dataVar: 'it', separator: '; ' }));
  };
}

function checkExtensions(where, object, known) {
  for (const [key, value] of Object.entries(object)) {
    if (key.startsWith('x-')) expect(known[key]?.test(String(value)), where, `has an unknown extension: ${key}: ${value}`);
  }
}

function checkOperation(where, path, method, operation, tags) {
  const { operationId, summary, responses } = operation;
  expect(/^[A-Z][A-Za-z]+\.[A-Z][A-Za-z]+$/.test(operationId), where, `has an operationId of another form: ${operationId}`);
  expect(/^[a-z].*\.$/.test(summary), where, 'needs a summary that continues the name of the method and ends in a period');
  expect(operation.tags?.length === 1 && tags.includes(operation.tags[0]), where, 'needs one tag, which is described');
  expect(Array.isArray(operation['x-crisp-tiers']), where, 'needs x-crisp-tiers');
  expect(Boolean(operation['x-crisp-paged']) === path.endsWith('{page}'), where, 'is in pages, or is not');
  expect(responses['200'] && responses.default, where, 'needs the responses 200 and default');
  expect(method !== 'head' || !responses['200'].content, where, 'has an answer with a body, but HEAD has none');
  checkExtensions(where, operation, OPERATION_EXTENSIONS);
}

// Every body and every answer must have an example.
function checkExamples(where, path, operation, check) {
  const contents = [
    ['requestBody', operation.requestBody],
    ['responses/200', operation.responses['200']],
  ].filter(([, part]) => part?.content);
  for (const [key, part] of contents) {
    const { example, examples = {}, schema } = part.content['application/json'];
    const values = example === undefined ? Object.values(examples).map(({ value }) => value) : [example];
    expect(values.length === (operation['x-go-names'] && schema.anyOf ? schema.anyOf.length : 1), where, `${key} needs an example of each form`);
    for (const value of values) {
      check(`${where}, example of ${key}`, [...path, ...key.split('/'), 'content', 'application/json', 'schema'], value);
    }
  }
}

function checkPaths({ paths, tags }, check) {
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })),
  );
  const names = tags.map(({ name }) => name);
  for (const { path, method, operation } of operations) {
    const where = `${method.toUpperCase()} ${path}`;
    checkOperation(where, path, method, operation, names);
    checkExamples(where, ['paths', path, method], operation, check);
  }
  expect(operations.length === ROUTES, 'paths', `there are ${operations.length} routes, not ${ROUTES}`);
}

// Every schema must have a description, and no extension that the generator doesn't know.
function checkSchema(where, schema) {
  checkExtensions(where, schema, SCHEMA_EXTENSIONS);
  for (const name of schema.required ?? []) {
    expect(schema.properties?.[name], where, `requires ${name}, which it does not have`);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) checkSchema(`${where}.${name}`, property);
  for (const part of [schema.items, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) {
    if (part) checkSchema(where, part);
  }
}

function checkSchemas(document) {
  const text = JSON.stringify(document);
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    expect(/^[A-Z].*\.$/.test(schema.description), name, 'needs a description that is a sentence');
    expect(text.includes(`"#/components/schemas/${name}"`), name, 'is not used');
    checkSchema(name, schema);
  }
}

const documents = await parse(fileURLToPath(new URL('openapi.yaml', import.meta.url)));
const document = documents['openapi.yaml'];
checkPaths(document, exampleChecker(documents));
checkSchemas(document);
for (const problem of problems) console.error(problem);
if (problems.size > 0) process.exitCode = 1;
else console.log(`openapi.yaml is valid: ${ROUTES} routes`);
