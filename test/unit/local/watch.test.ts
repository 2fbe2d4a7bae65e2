import { expect, test } from '@jest/globals';
import type { Change } from '../../../src/local/store.ts';
import { visibleEvent } from '../../../src/local/watch.ts';
import type { StoredObject } from '../../../src/local/object.ts';

function thing(tier: string): StoredObject {
  return { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a', labels: { tier }, resourceVersion: '1' } };
}

const isA = (object: StoredObject): boolean => object.metadata.labels?.['tier'] === 'a';

test.each([
  { name: 'new and selected: ADDED', type: 'ADDED', before: undefined, now: 'a', seen: ['ADDED', 'a'] },
  { name: 'new and not selected: nothing', type: 'ADDED', before: undefined, now: 'b', seen: undefined },
  { name: 'still selected: MODIFIED', type: 'MODIFIED', before: 'a', now: 'a', seen: ['MODIFIED', 'a'] },
  { name: 'selected from now on: ADDED', type: 'MODIFIED', before: 'b', now: 'a', seen: ['ADDED', 'a'] },
  { name: 'no longer selected: DELETED, as it was', type: 'MODIFIED', before: 'a', now: 'b', seen: ['DELETED', 'a'] },
  { name: 'never selected: nothing', type: 'MODIFIED', before: 'b', now: 'b', seen: undefined },
  { name: 'gone: DELETED', type: 'DELETED', before: 'a', now: 'a', seen: ['DELETED', 'a'] },
  { name: 'gone and not selected: nothing', type: 'DELETED', before: 'b', now: 'b', seen: undefined },
] as const)('$name', ({ type, before, now, seen }) => {
  const change: Change = { revision: 9, type, collection: 'things', object: thing(now), ...(before && { old: thing(before) }) };
  const event = visibleEvent(change, isA);
  expect(event && [event.type, event.object.metadata.labels?.['tier']]).toEqual(seen);
  // A watcher goes on from the version of what it saw last; a deletion with the old one would be sent again.
  if (event?.type === 'DELETED') expect(event.object.metadata.resourceVersion).toBe('9');
});
