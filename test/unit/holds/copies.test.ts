import { expect, test } from '@jest/globals';
import type { HoldBlock, LegalHold } from '../../../src/api/generated/legalHold.ts';
import { copyOf, newCopy } from '../../../src/holds/copies.ts';
import { aHold } from '../../support/declared.ts';

const rootNamespace = 'dataward-system';
const blocks: Partial<HoldBlock>[] = [{ clients: { keys: ['a'] } }, { clients: { keys: ['b'] } }];
const hold = aHold(blocks, {}, { deletionTimestamp: '2026-01-02T00:00:00Z' });
const made = newCopy(hold, { holds: [], rootNamespace });
const saying = (scope: Partial<HoldBlock>[]): LegalHold => ({ ...made, spec: { ...made.spec, scope: aHold(scope).spec.scope } });

test.each<[string, LegalHold, boolean]>([
  ['all of its words', made, true],
  ['all of its words and more, in another order', saying([{ clients: { keys: ['c'] } }, ...blocks.toReversed()]), true],
  ['one block of two', saying(blocks.slice(0, 1)), false],
  ['no block', saying([]), false],
])('a copy speaks for a hold whose object goes with %s', (_, copy, speaks) => {
  expect(copyOf(hold, { holds: [hold, copy], rootNamespace })).toBe(speaks ? copy : undefined);
});
