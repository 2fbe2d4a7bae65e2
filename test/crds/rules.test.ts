import { describe, expect, test } from '@jest/globals';
import { ownKind } from '../../src/api/kinds.ts';
import { loadApi } from '../../src/api/validation/load.ts';
import type { FieldError } from '../../src/api/validation/validator.ts';
import { CRDS, acceptedObjects, cases, writesOf } from './cases.ts';
import type { Manifest } from './cases.ts';

const { validator } = loadApi(CRDS);
const objects = acceptedObjects();

/** The errors of each write in turn, each against the one before. */
function errorsOf(writes: readonly Manifest[]): FieldError[][] {
  let stored: Manifest | undefined;
  return writes.map((write) => {
    const kind = ownKind(write.kind);
    if (kind === undefined) throw new Error(`${write.kind} is no kind of this project`);
    const { object } = validator.prepare(kind, write);
    const errors = validator.validate(kind, object, stored);
    stored = object as Manifest;
    return errors;
  });
}

describe('objects that use every field', () => {
  test.each(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))('%s is accepted whole', (_, object) => {
    const kind = ownKind(object.kind);
    expect(kind).toBeDefined();
    if (kind === undefined) return;
    const { object: prepared, unknownFields } = validator.prepare(kind, object);
    expect(unknownFields).toEqual([]);
    expect(validator.validate(kind, prepared)).toEqual([]);
    expect(validator.validate(kind, prepared, prepared)).toEqual([]);
  });
});

describe('cases', () => {
  test.each(cases().map((example) => [`${example.from}: ${example.name}`, example] as const))('%s', (_, example) => {
    const outcomes = errorsOf(writesOf(example, objects));
    const last = outcomes.pop();
    expect(outcomes.flat()).toEqual([]);
    if (example.refused === undefined) expect(last).toEqual([]);
    else expect(last).toContainEqual(expect.objectContaining({ path: example.at, message: expect.stringContaining(example.refused) }));
  });
});
