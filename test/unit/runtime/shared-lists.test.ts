import { describe, expect, test } from '@jest/globals';
import type { KindRef } from '../../../src/api/object.ts';
import type { Client, CompleteListOptions, ListOptions } from '../../../src/runtime/client.ts';
import { shareLists } from '../../../src/runtime/shared-lists.ts';
import { widget, WIDGET } from '../../support/fake-apiserver.ts';
import { fc, runs } from '../../support/properties.ts';

/** A client whose lists answer when told to; each answer says how many lists had begun before it. */
function setUp() {
  const begun: { how: CompleteListOptions; answer: () => void; fail: () => void }[] = [];
  const list = (_kind: KindRef, how: CompleteListOptions = {}) =>
    new Promise((resolve, reject) => {
      const name = `state-${begun.length}`;
      begun.push({ how, answer: () => resolve([widget(name)]), fail: () => reject(new Error('the server is gone')) });
    });
  return { begun, client: shareLists({ list } as unknown as Client) };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const namesOf = async (list: Promise<{ metadata: { name: string } }[]>): Promise<string[]> => (await list).map((each) => each.metadata.name);

describe('lists asked for at the same time', () => {
  test('are one, when they begin together or wait together', async () => {
    const { begun, client } = setUp();
    const first = client.list(WIDGET);
    const [second, third] = [client.list(WIDGET), client.list(WIDGET)];
    expect(begun).toHaveLength(1);
    begun[0]?.answer();
    expect(await namesOf(first)).toEqual(['state-0']);
    expect(begun).toHaveLength(2);
    begun[1]?.answer();
    expect([await namesOf(second), await namesOf(third)]).toEqual([['state-1'], ['state-1']]);
  });

  test('are as many as there are questions', async () => {
    const { begun, client } = setUp();
    const asked: ListOptions[] = [{}, { namespace: 'shop' }, { labelSelector: 'a=b' }, { fieldSelector: 'a=b' }];
    const lists = asked.map((how) => client.list(WIDGET, how));
    expect(begun.map(({ how: { held: _held, ...how } }) => how)).toEqual(asked);
    for (const { answer } of begun) answer();
    await Promise.all(lists);
  });

  test('with a time limit stand alone', async () => {
    const { begun, client } = setUp();
    const lists = [client.list(WIDGET, { timeoutMs: 10 }), client.list(WIDGET, { timeoutMs: 10 })];
    expect(begun.map(({ how }) => how)).toEqual([{ timeoutMs: 10 }, { timeoutMs: 10 }]);
    for (const { answer } of begun) answer();
    await Promise.all(lists);
  });

  test('fail together, and those who waited for the next one are not failed by it', async () => {
    const { begun, client } = setUp();
    const first = client.list(WIDGET);
    const second = client.list(WIDGET);
    begun[0]?.fail();
    await expect(first).rejects.toThrow('the server is gone');
    await settle();
    begun[1]?.answer();
    expect(await namesOf(second)).toEqual(['state-1']);
  });

  test('go on for the others when one of them leaves', async () => {
    const { begun, client } = setUp();
    const leaving = new AbortController();
    client.list(WIDGET).catch(() => undefined);
    const [left, staying] = [client.list(WIDGET, { signal: leaving.signal }), client.list(WIDGET)];
    leaving.abort();
    await expect(left).rejects.toMatchObject({ reason: 'Aborted' });
    begun[0]?.answer();
    await settle();
    begun[1]?.answer();
    expect(await namesOf(staying)).toEqual(['state-1']);
    await expect(client.list(WIDGET, { signal: leaving.signal })).rejects.toMatchObject({ reason: 'Aborted' });
  });

  test('are arrays of their own, of objects nobody can change for the others', async () => {
    const { begun, client } = setUp();
    client.list(WIDGET).catch(() => undefined);
    const [a, b] = [client.list(WIDGET), client.list(WIDGET)];
    begun[0]?.answer();
    await settle();
    begun[1]?.answer();
    (await a).pop();
    const [kept] = await b;
    expect(() => Object.assign(kept?.metadata ?? {}, { name: 'other' })).toThrow(TypeError);
  });
});

describe('objects held already', () => {
  const state = (uid: string, resourceVersion: string) => ({ ...widget('a'), metadata: { namespace: 'shop', name: 'a', uid, resourceVersion } });

  test.each<[string, ReturnType<typeof state> | undefined, boolean]>([
    ['in the state that was read are taken', state('u', '7'), true],
    ['in another state are not', state('u', '6'), false],
    ['of the same name that are others are not', state('v', '7'), false],
    ['need not be there', undefined, false],
  ])('%s', async (_what, mine, taken) => {
    let given: CompleteListOptions['held'];
    const list = async (_kind: KindRef, how: CompleteListOptions = {}) => {
      given = how.held;
      return [];
    };
    await shareLists({ list } as unknown as Client, () => mine).list(WIDGET);
    expect(given?.(state('u', '7'))).toBe(taken ? mine : undefined);
  });

  test('without a resourceVersion are never the same', async () => {
    let given: CompleteListOptions['held'];
    const bare = widget('a');
    await shareLists({ list: async (_kind: KindRef, how: CompleteListOptions = {}) => ((given = how.held), []) } as unknown as Client, () => bare).list(WIDGET);
    expect(given?.(bare)).toBeUndefined();
  });
});

test('whatever the order of questions and answers, everybody gets a state read after the question, and two lists are under way never', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom('ask', 'answer'), { maxLength: 30 }), async (steps) => {
      const { begun, client } = setUp();
      let answered = 0;
      const asked: { begunBefore: number; list: Promise<string[]> }[] = [];
      for (const step of steps) {
        if (step === 'ask') asked.push({ begunBefore: begun.length, list: namesOf(client.list(WIDGET)) });
        else if (answered < begun.length) begun[answered++]?.answer();
        await settle();
        expect(begun.length - answered).toBeLessThanOrEqual(1);
      }
      for (; answered < begun.length; await settle()) begun[answered++]?.answer();
      for (const { begunBefore, list } of asked) expect(Number((await list)[0]?.slice('state-'.length))).toBeGreaterThanOrEqual(begunBefore);
    }),
    { numRuns: runs(60) },
  );
});
