import { describe, expect, test } from '@jest/globals';
import { LAST_APPLIED, threeWayMerge, toCreate, toReplace } from '../../../src/local/apply.ts';
import type { StoredObject } from '../../../src/local/object.ts';

describe('the three-way merge', () => {
  test.each([
    { name: 'sets what is declared', before: {}, declared: { a: 1 }, current: {}, result: { a: 1 } },
    { name: 'takes away what is no longer declared', before: { a: 1, b: 2 }, declared: { a: 1 }, current: { a: 1, b: 2 }, result: { a: 1 } },
    { name: 'leaves what somebody else wrote', before: { a: 1 }, declared: { a: 2 }, current: { a: 1, other: 3 }, result: { a: 2, other: 3 } },
    { name: 'does so below as well', before: { s: { a: 1, b: 1 } }, declared: { s: { a: 2 } }, current: { s: { a: 1, b: 1, o: 5 } }, result: { s: { a: 2, o: 5 } } },
    { name: 'replaces a list as a whole', before: { l: [1] }, declared: { l: [2, 3] }, current: { l: [1, 9] }, result: { l: [2, 3] } },
    { name: 'without a memory nothing is taken away', before: {}, declared: { a: 1 }, current: { a: 0, b: 2 }, result: { a: 1, b: 2 } },
  ])('$name', ({ before, declared, current, result }) => {
    expect(threeWayMerge(before, declared, current)).toEqual(result);
  });
});

const HOLD: StoredObject = { apiVersion: 'dataward.io/v1alpha1', kind: 'LegalHold', metadata: { name: 'm', namespace: 'shop' }, spec: { basis: 'Litigation', scope: ['a'] } };

function stored(manifest: StoredObject, extra: object = {}): StoredObject {
  const created = toCreate(manifest);
  return { ...created, ...extra, metadata: { ...created.metadata, uid: 'u', resourceVersion: '5', finalizers: ['dataward.io/protect'] } };
}

describe('a manifest over a stored object', () => {
  test('that says the same changes nothing', () => {
    expect(toReplace(HOLD, stored(HOLD, { status: { active: true } }))).toBeUndefined();
  });

  test('that was edited keeps finalizers, status, identity and what people added to the spec', () => {
    const current = stored(HOLD, { spec: { basis: 'Litigation', scope: ['a'], release: { request: { by: 'anna' } } }, status: { active: true } });
    const edited = { ...HOLD, spec: { basis: 'Litigation', scope: ['a', 'b'] } };
    expect(toReplace(edited, current)).toMatchObject({
      metadata: { uid: 'u', resourceVersion: '5', finalizers: ['dataward.io/protect'] },
      spec: { scope: ['a', 'b'], release: { request: { by: 'anna' } } },
      status: { active: true },
    });
  });

  test('writes no status', () => {
    expect(toCreate({ ...HOLD, status: { active: false } })).not.toHaveProperty('status');
  });

  test('of a Secret is compared as it is stored, and its values are not remembered', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'shop' }, stringData: { password: 'hunter2' } };
    const created = toCreate(secret);
    expect(created).toMatchObject({ data: { password: Buffer.from('hunter2').toString('base64') } });
    expect(created).not.toHaveProperty('stringData');
    expect(created.metadata.annotations?.[LAST_APPLIED]).not.toMatch(/hunter2|aHVudGVyMg/);
    expect(toReplace(secret, stored(secret))).toBeUndefined();
    const changed = toReplace({ ...secret, stringData: { user: 'x' } }, stored(secret));
    expect(changed?.['data']).toEqual({ user: 'eA==' });
  });
});
