import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { Group } from '../../../../src/evidence/audit/group.ts';
import { readRecord } from '../../../../src/evidence/audit/line.ts';
import { AUDIT_OUTCOMES, AuditEntryError, encodeEntry, EMPTY_CHAIN, MAX_LINE_BYTES } from '../../../../src/evidence/audit/record.ts';
import type { AuditEntry, ChainHead } from '../../../../src/evidence/audit/record.ts';
import { canonicalJson, type Json } from '../../../../src/evidence/canonical.ts';
import { entry } from '../../../support/chain.ts';
import { fc } from '../../../support/properties.ts';

const TS = '2026-11-24T12:00:00.000Z';
const text = () => fc.string({ minLength: 1, unit: 'binary', maxLength: 30 });
const entries = () =>
  fc.record<AuditEntry>({
    actor: text(),
    action: fc.constantFrom('purge.intent', 'hold.released', 'chain.tail-repaired'),
    object: fc.record({ kind: text(), name: text(), namespace: text(), uid: text() }, { requiredKeys: ['kind', 'name'] }),
    outcome: fc.constantFrom(...AUDIT_OUTCOMES),
    refs: fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }) as fc.Arbitrary<Json>),
  });

describe('a chain of any entries', () => {
  test('reads back as it was sealed, each line canonical, each record naming the one before', () => {
    fc.assert(
      fc.property(fc.array(entries(), { minLength: 1, maxLength: 5 }), (all) => {
        let head: ChainHead = EMPTY_CHAIN;
        for (const one of all) {
          const { record, line } = seal(one, head);
          expect(line.endsWith('\n')).toBe(true);
          expect(line.slice(0, -1)).toBe(canonicalJson(record));
          expect(readRecord(Buffer.from(line.slice(0, -1)))).toEqual(JSON.parse(canonicalJson(record)));
          expect(record).toMatchObject({ seq: head.seq + 1, prevHash: head.hash });
          const { hash, ...unhashed } = record;
          expect(hash).toBe(createHash('sha256').update(canonicalJson(unhashed)).digest('hex'));
          head = record;
        }
      }),
    );
  });
});

describe('encodeEntry refuses', () => {
  test.each<[string, Partial<AuditEntry>, string]>([
    ['an action that is no dotted name', { action: 'Purge' }, 'action must be dotted'],
    ['nobody as actor', { actor: '' }, 'actor must name'],
    ['an unknown outcome', { outcome: 'Fine' as 'Done' }, 'outcome must be one of'],
    ['an object without a name', { object: { kind: 'PurgeRun' } as AuditEntry['object'] }, 'object needs kind and name'],
    ['an object with more than names', { object: { kind: 'A', name: 'b', row: 'x' } as AuditEntry['object'] }, 'object.row is not a known field'],
    ['refs without a JSON form', { refs: { at: undefined as unknown as null } }, '$.at is of type undefined'],
    ['more than fits a line', { refs: { blob: 'x'.repeat(MAX_LINE_BYTES) } }, 'record a digest instead'],
  ])('%s', (_name, part, message) => {
    expect(() => encodeEntry({ ...entry(1), ...part })).toThrow(AuditEntryError);
    expect(() => encodeEntry({ ...entry(1), ...part })).toThrow(message);
  });
});

describe('readRecord names what is wrong with', () => {
  const good = seal(entry(1), EMPTY_CHAIN).line.slice(0, -1);
  test.each<[string, Buffer | string, string]>([
    ['broken UTF-8', Buffer.concat([Buffer.from(good), Buffer.from([0xff])]), 'NotUtf8'],
    ['text that is no JSON', good.slice(1), 'NotJson'],
    ['an empty line', '', 'NotJson'],
    ['added white space', good.replace(',"outcome"', ', "outcome"'), 'NotCanonical'],
    ['a doubled member', good.replace(',"outcome"', ',"outcome":"Done","outcome"'), 'NotCanonical'],
    ['a doubled member within refs', good.replace('"refs":{', '"refs":{"batch":9,'), 'NotCanonical'],
    ['an added member', good.replace(',"ts":', ',"tr":1,"ts":'), 'NotARecord'],
    ['a number too big to be exact', good.replace('"seq":1,', '"seq":9999999999999999,'), 'NotCanonical'],
    ['an outcome of its own', good.replace('"Done"', '"Fine"'), 'NotARecord'],
    ['a changed count', good.replace('"deleted":10', '"deleted":11'), 'HashMismatch'],
    ['a line beyond the limit', `${good}${' '.repeat(MAX_LINE_BYTES)}`, 'TooLong'],
  ])('%s', (_name, line, problem) => {
    expect(readRecord(Buffer.from(line as string))).toBe(problem);
  });
});

function seal(one: AuditEntry, head: ChainHead) {
  const group = new Group();
  const record = group.add(encodeEntry(one), head, TS);
  return { record, line: group.close().toString('utf8') };
}
