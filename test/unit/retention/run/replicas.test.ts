import { afterEach, describe, expect, jest, test } from '@jest/globals';
import type { PurgeRun, Verification } from '../../../../src/api/generated/purgeRun.ts';
import { ConnectionError } from '../../../../src/connect/stores.ts';
import type { Executed } from '../../../../src/retention/run/executed.ts';
import { REPLICA_WAIT_MS } from '../../../../src/retention/run/replicas.ts';
import { lookAgainAfter, verifyRun } from '../../../../src/retention/run/verify.ts';
import type { Verdict } from '../../../../src/retention/run/verify.ts';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { PurgePlan } from '../../../../src/stores/purging.ts';
import { aStore } from '../../../support/declared.ts';
import { apiError } from '../../../support/memory-client.ts';
import { fc, runs } from '../../../support/properties.ts';
import { aReplica, besideReplicas, type ReplicaScript } from '../../../support/scripted-replicas.ts';
import { aForecast, scriptedStore, VIEWS, type ScriptedStore } from '../../../support/scripted-store.ts';
import { anExecuted, aPlan, aRun } from './declared-run.ts';

const BEGUN = Date.parse('2026-03-01T03:00:00Z');
const executed = anExecuted({ rules: [], targets: [VIEWS], nonPersonal: [], now: '2026-03-01T02:00:00Z', budgetMs: 60_000 });
const replicas = [{ host: 'a.example', port: 5432 }, { host: 'b.example', port: 5432 }];

interface Looked {
  verdict: Verdict;
  /** Why each look but the last was not the end. */
  waited: string[];
  /** Milliseconds from the first look to the last. */
  took: number;
  store: ScriptedStore;
}

interface Circumstances {
  /** Called before each look with its number, from 0. */
  meanwhile?: (look: number, store: ScriptedStore) => void;
  declared?: (look: number) => typeof replicas;
  executed?: (look: number) => Executed;
  signal?: AbortSignal;
}

/** Looks as the controller does: the status in between is all that is kept, and time passes as it is told to wait. */
async function look(scripts: readonly ReplicaScript[], { meanwhile, declared = () => replicas.slice(0, scripts.length), executed: by = () => executed, signal = new AbortController().signal }: Circumstances = {}): Promise<Looked> {
  const store = scriptedStore();
  const { connections, open } = besideReplicas(store, scripts);
  const waited: string[] = [];
  let time = BEGUN;
  let run: PurgeRun = aRun({}, { state: 'Verifying', verification: { heldBefore: [] } });
  for (let number = 0; number < 100; number += 1) {
    meanwhile?.(number, store);
    const object = aStore({ endpoint: { host: 'db.example', port: 5432, database: 'analytics', replicas: declared(number) } });
    const verdict = await verifyRun(run, object, by(number), connections, { now: () => time, signal });
    expect([store.open(), open()]).toEqual([0, 0]);
    if (verdict.waiting === undefined) return { verdict, waited, took: time - BEGUN, store };
    waited.push(verdict.waiting);
    run = aRun({}, { state: 'Verifying', verification: JSON.parse(JSON.stringify(verdict.verification)) as Verification });
    time += Math.max(100, lookAgainAfter(verdict.verification, time));
  }
  throw new Error('the looks did not end');
}

const proofOf = ({ verdict }: Looked): unknown => [verdict.verification.level, ...(verdict.verification.replicas ?? []).map(({ verified, reason }) => reason ?? verified)];

describe('replicas are counted', () => {
  test('after the primary, each once it has the position read there', async () => {
    const { verdict, store } = await look([aReplica(), aReplica()]);
    expect(store.calls.filter((call) => !call.endsWith('login'))).toEqual(['verify:planPurge', 'replicas[0] has P7', 'replicas[1] has P7', 'replicas[0] has P7', 'replicas[1] has P7', 'replicas[0] counts', 'replicas[1] counts']);
    expect(verdict.verification).toEqual({ heldBefore: [], heldUnchanged: true, level: 'VerifiedReplicas', residual: 0, by: 'verify', at: expect.stringMatching(/^2026-03-01T03:00:00/), conditions: executed.digest, position: 'P7', replicas: [{ place: 0, verified: true, residual: 0 }, { place: 1, verified: true, residual: 0 }] });
    expect(verdict.counts).toEqual([aForecast(0)]);
  });

  test('not where none is declared, and not without a second identity', async () => {
    expect(proofOf(await look([]))).toEqual(['VerifiedLive']);
    const store = scriptedStore();
    const { connections } = besideReplicas(store, [aReplica()]);
    const object = aStore({ endpoint: { host: 'db.example', port: 5432, database: 'analytics', replicas: replicas.slice(0, 1) }, credentials: { observe: { secretName: 'o' }, enforce: { secretName: 'e' } } });
    const verdict = await verifyRun(aRun({}, { state: 'Verifying' }), object, executed, connections, { now: () => BEGUN, signal: new AbortController().signal });
    expect(verdict).toMatchObject({ verification: { level: 'Claimed' } });
    expect(verdict.waiting).toBeUndefined();
    expect(store.calls).toEqual(['observe:planPurge']);
  });

  test('without counting the primary again for each look', async () => {
    const behind = aReplica({ reached: false });
    const { waited, store } = await look([behind], { meanwhile: (number) => void (behind.reached = number > 3) });
    expect(waited).toHaveLength(4);
    expect(store.calls.filter((call) => call === 'verify:planPurge')).toHaveLength(1);
    expect(store.calls.filter((call) => call.endsWith('counts'))).toHaveLength(1);
  });

  test('only beside a primary that was counted by the same conditions: a rule that changed meanwhile has it counted again', async () => {
    const behind = aReplica({ reached: false });
    const { store, waited } = await look([behind], { meanwhile: (number) => void (behind.reached = number > 3), executed: (number) => (number < 2 ? executed : { ...executed, digest: `sha256:${'e'.repeat(64)}` }) });
    expect(store.calls.filter((call) => call === 'verify:planPurge')).toHaveLength(2);
    expect(waited).toHaveLength(4);
  });

  test('with nothing of the count of the primary in the status that the status does not know', async () => {
    const { verdict } = await look([aReplica()], { meanwhile: (_, store) => (store.script.plan = { steps: [], refusals: [], forecast: [{ ...aForecast(0, { held: 2, floored: 3, indeterminate: 4, blocked: 5 }), oldestDue: 'x' } as PurgePlan['forecast'][number]], walMegabytes: 0 }) });
    expect(verdict.counts).toEqual([aForecast(0, { held: 2, floored: 3, indeterminate: 4, blocked: 5 })]);
  });

  test('only beside a primary that was counted since the run worked last', async () => {
    const counted: Verification = { level: 'VerifiedLive', residual: 0, at: new Date(BEGUN).toISOString(), position: 'P7', counts: [], conditions: executed.digest };
    const asked = async (state: 'Running' | 'Verifying'): Promise<string[]> => {
      const store = scriptedStore();
      const object = aStore({ endpoint: { host: 'db.example', port: 5432, database: 'analytics', replicas: replicas.slice(0, 1) } });
      await verifyRun(aRun({}, { state, verification: counted }), object, executed, besideReplicas(store, [aReplica()]).connections, { now: () => BEGUN, signal: new AbortController().signal });
      return store.calls.filter((call) => call.endsWith('planPurge'));
    };
    expect([await asked('Running'), await asked('Verifying')]).toEqual([['verify:planPurge'], []]);
  });

  test('no longer when they are taken out of the declaration meanwhile', async () => {
    const looked = await look([aReplica({ reached: false })], { declared: (number) => (number < 3 ? replicas.slice(0, 1) : []) });
    expect(proofOf(looked)).toEqual(['VerifiedLive']);
  });
});

describe('one of two replicas that', () => {
  const failing = (reason: ConstructorParameters<typeof StoreError>[0]): StoreError => new StoreError(reason, 'at 10.1.2.3:5432 as dataward_verify');
  const tables: [string, Partial<ReplicaScript>, string, boolean][] = [
    ['does not answer', { refuses: failing('Unreachable') }, 'Unreachable', true],
    ['has a Secret that the API server does not give now', { refuses: apiError(503, 'ServiceUnavailable') }, 'ReadFailed', true],
    ['stays behind', { reached: false }, 'ReplicaBehind', true],
    ['has no schema of ours yet', { identity: { ...aReplica().identity, fingerprint: 'sha256:bare' } }, 'NotAReplica', true],
    ['cancels the count to go on replaying', { breaks: failing('Conflict') }, 'CountUnfinished', true],
    ['is another system', { identity: { ...aReplica().identity, fingerprint: 'sha256:other' } }, 'NotAReplica', false],
    ['takes writes', { identity: { ...aReplica().identity, replica: false } }, 'NotAReplica', false],
    ['refuses the password, which is not tried again', { refuses: failing('AuthenticationFailed') }, 'AuthenticationFailed', false],
    ['is bound to by no Secret', { refuses: new ConnectionError('SecretNotBound', 'host 10.1.2.3') }, 'SecretNotBound', false],
    ['could not be counted in time', { forecast: [aForecast(0, { exact: false })] }, 'CountUnfinished', false],
    ['shows a part that was taken out of its table and could not be counted', { forecast: [aForecast(0, { removed: [{ table: { schema: 'public', name: 'views_2023' }, due: 0, exact: false }] })] }, 'CountUnfinished', false],
    ['shows a drop of a partition that is not finished', { forecast: [aForecast(0, { unfinished: [{ schema: 'public', name: 'views_2023' }] })] }, 'CountUnfinished', false],
    ['lacks a planned collection', { forecast: [] }, 'CountUnfinished', false],
  ];
  test.each(tables)('%s takes the run one level down, and is waited for only if that may help', async (_, script, reason, waits) => {
    const looked = await look([aReplica(), aReplica(script)]);
    expect(proofOf(looked)).toEqual(['VerifiedLive', true, reason]);
    expect(looked.verdict.problem).toBeUndefined();
    expect(looked.took).toBeLessThan(REPLICA_WAIT_MS + 5_001);
    expect(looked.took >= REPLICA_WAIT_MS).toBe(waits);
    expect(looked.waited.slice(1).every((why) => why.includes(`waits for replicas[1] (${reason}) until 2026-03-01T03:01:00.000Z`))).toBe(true);
    // Between two looks nothing may change that nobody has to know, or each would be an event.
    expect(new Set(looked.waited).size).toBe(waits ? 2 : 1);
    expect(JSON.stringify([looked.verdict, looked.waited])).not.toMatch(/10\.1\.2\.3|example|dataward_verify/);
  });

  test.each<[string, Partial<ReplicaScript>]>([
    ['refuses the password', { refuses: failing('AuthenticationFailed') }],
    ['is another system', { identity: { ...aReplica().identity, fingerprint: 'sha256:other' } }],
  ])('%s is asked once, however long the other is waited for', async (_, script) => {
    const looked = await look([aReplica({ reached: false }), aReplica(script)]);
    const logins = (place: number): number => looked.store.calls.filter((call) => call === `replicas[${place}] login`).length;
    expect([logins(0) > 5, logins(1)]).toEqual([true, 1]);
    expect(looked.verdict.verification.replicas?.map(({ place, verified }) => [place, verified])).toEqual([[0, false], [1, false]]);
    // What will not change is no reason to wait.
    expect(looked.waited.join()).not.toContain('replicas[1]');
  });

  test('comes back in time is counted', async () => {
    const script = aReplica({ refuses: failing('Unreachable') });
    const looked = await look([aReplica(), script], { meanwhile: (number) => number === 5 && (script.refuses = undefined) });
    expect(proofOf(looked)).toEqual(['VerifiedReplicas', true, true]);
    expect(looked.took).toBeLessThan(REPLICA_WAIT_MS);
  });
});

describe('due rows that a replica shows', () => {
  test('and the primary does not, twice, fail the run', async () => {
    const { verdict, waited, store } = await look([aReplica(), aReplica({ forecast: [aForecast(3)] })]);
    expect(waited).toContain('replicas[1] has 3 due rows; the primary is counted again');
    expect(store.calls.filter((call) => call === 'verify:planPurge')).toHaveLength(2);
    expect(verdict.problem).toEqual({ reason: 'ResidualRows', message: expect.stringMatching(/^3 due rows are in replicas\[1\], .*, and none in the primary/) });
    // What is compared with the held rows of before outlives the second count.
    expect(verdict.verification).toMatchObject({ heldBefore: [], residual: 3, replicas: [{ place: 0, verified: true }, { place: 1, verified: false, reason: 'ResidualRows', residual: 3 }] });
  });

  test('are not forgotten while another replica is waited for, or the primary would be counted without end', async () => {
    const behind = aReplica();
    const { verdict, store } = await look([aReplica({ forecast: [aForecast(3)] }), behind], { meanwhile: (number) => void (behind.reached = number < 3 || number > 5) });
    expect(store.calls.filter((call) => call === 'verify:planPurge')).toHaveLength(2);
    expect(verdict).toMatchObject({ problem: { reason: 'ResidualRows' }, verification: { replicas: [{ place: 0, residual: 3 }, { place: 1, verified: true }] } });
  });

  test('and the primary too, when it is counted again, are the matter of the primary', async () => {
    const { verdict } = await look([aReplica({ forecast: [aForecast(3)] })], { meanwhile: (number, store) => number === 2 && (store.script.plan = { steps: [], refusals: [], forecast: [aForecast(4)], walMegabytes: 0 }) });
    expect(verdict).toMatchObject({ problem: { reason: 'ResidualRows', message: expect.stringMatching(/^4 due rows are still there/) }, verification: { residual: 4 } });
  });

  test('count although the count was not finished', async () => {
    expect((await look([aReplica({ forecast: [aForecast(3, { exact: false })] })])).verdict.problem?.reason).toBe('ResidualRows');
  });

  test('and that are gone at the second look were late, and no matter', async () => {
    const script = aReplica({ forecast: [aForecast(3)] });
    expect(proofOf(await look([script], { meanwhile: (number) => number === 2 && (script.forecast = [aForecast(0)]) }))).toEqual(['VerifiedReplicas', true]);
  });
});

test('whatever replicas do from look to look, the run ends in time, with one entry for each, and calls clean only what it counted', async () => {
  const deeds: Partial<ReplicaScript>[] = [
    {},
    { reached: false },
    { refuses: new StoreError('Unreachable', '') },
    { refuses: new StoreError('AuthenticationFailed', '') },
    { breaks: new StoreError('Conflict', '') },
    { identity: { ...aReplica().identity, fingerprint: 'sha256:other' } },
    { forecast: [aForecast(2)] },
    { forecast: [aForecast(0, { exact: false })] },
  ];
  const course = fc.array(fc.nat({ max: deeds.length - 1 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(course, course, async (...courses) => {
      const scripts = courses.map(() => aReplica());
      const doing = (place: number, number: number): number => courses[place]?.at(Math.min(number, (courses[place]?.length ?? 1) - 1)) ?? 0;
      let last = 0;
      const { verdict, took } = await look(scripts, { meanwhile: (number) => void ((last = number), scripts.forEach((script, place) => Object.assign(script, aReplica(deeds[doing(place, number)])))) });
      // Rows on a replica make the primary be counted again, and the time begin anew, once.
      expect(took).toBeLessThan(2 * (REPLICA_WAIT_MS + 5_001));
      const entries = verdict.verification.replicas ?? [];
      expect(entries.map(({ place, verified, reason }) => [place, verified === (reason === undefined)])).toEqual(scripts.map((_, place) => [place, true]));
      for (const { place, verified } of entries) if (verified) expect(doing(place, last)).toBe(0);
      // Given up is what will not mend, or did not until the end.
      const lost = (place: number): boolean => courses[place]?.some((deed, number) => number <= last && [3, 5, 7].includes(deed)) ?? false;
      for (const { place, verified } of entries) if (!verified) expect(doing(place, last) !== 0 || lost(place)).toBe(true);
      expect(verdict.verification.level === 'VerifiedReplicas').toBe(entries.every(({ verified }) => verified));
      expect(verdict.problem?.reason).toBe(entries.some(({ residual }) => residual === 2) ? 'ResidualRows' : undefined);
    }),
    { numRuns: runs(60) },
  );
});

test('of several collections with due rows the fullest is named, whose writer is to be looked for first', async () => {
  const [fewer, more] = ['platform-db/web/few', 'platform-db/web/many'];
  const steps = [fewer, more].map((collection, index) => ({ ...aPlan().steps[0]!, collection, order: index + 1 }));
  const store = scriptedStore({ plan: { steps: [], refusals: [], forecast: [aForecast(2, { collection: fewer }), aForecast(5, { collection: more })], walMegabytes: 0 } });
  const verdict = await verifyRun(aRun({ plan: aPlan({ steps }) }, { state: 'Verifying' }), aStore(), executed, store.connections, { now: () => BEGUN, signal: new AbortController().signal });
  expect(verdict.problem?.message).toMatch(`7 due rows are still there, most in ${more};`);
});

test('of several collections one that was not counted again is named: what was not counted is not zero', async () => {
  const steps = ['platform-db/web/seen', 'platform-db/web/unseen'].map((collection, index) => ({ ...aPlan().steps[0]!, collection, order: index + 1 }));
  const store = scriptedStore({ plan: { steps: [], refusals: [], forecast: [aForecast(0, { collection: 'platform-db/web/seen' })], walMegabytes: 0 } });
  const verdict = await verifyRun(aRun({ plan: aPlan({ steps }) }, { state: 'Verifying' }), aStore(), executed, store.connections, { now: () => BEGUN, signal: new AbortController().signal });
  expect(verdict.problem).toEqual({ reason: 'Failed', message: expect.stringMatching(/^platform-db\/web\/unseen could not be counted again/) });
});

test('rows of collections that are not planned do not count as left', async () => {
  const store = scriptedStore({ plan: { steps: [], refusals: [], forecast: [aForecast(0), aForecast(9, { collection: 'platform-db/web/other', exact: false })], walMegabytes: 0 } });
  const verdict = await verifyRun(aRun({}, { state: 'Verifying' }), aStore(), executed, store.connections, { now: () => BEGUN, signal: new AbortController().signal });
  expect([verdict.problem, verdict.verification.residual]).toEqual([undefined, 0]);
});

test.each<[string, Verification, number]>([
  ['at once where nothing was looked at yet', {}, 0],
  ['at once after the first look', { at: '2026-03-01T03:00:00Z' }, 0],
  ['after as long again as it has waited', { at: '2026-03-01T02:59:58Z' }, 2_000],
  ['after 5 s however long it has waited', { at: '2026-03-01T02:00:00Z' }, 5_000],
  ['at once where the clock was put back', { at: '2026-03-01T04:00:00Z' }, 0],
])('a look that is not over is taken up again %s', (_, verification, after) => {
  expect(lookAgainAfter(verification, BEGUN)).toBe(after);
});

test('a fault nobody foresaw goes to the log of the operator while there is time, and into the result when it is over', async () => {
  const script = aReplica({ breaks: new TypeError('a fault at 10.1.2.3') });
  await expect(look([script])).rejects.toThrow('a fault at');
  const status: PurgeRun['status'] = { state: 'Verifying', verification: { level: 'VerifiedLive', residual: 0, at: new Date(BEGUN).toISOString(), position: 'P7', counts: [], conditions: executed.digest } };
  const { connections } = besideReplicas(scriptedStore(), [script]);
  const object = aStore({ endpoint: { host: 'db.example', port: 5432, database: 'analytics', replicas: replicas.slice(0, 1) } });
  const verdict = await verifyRun(aRun({}, status), object, executed, connections, { now: () => BEGUN + REPLICA_WAIT_MS, signal: new AbortController().signal });
  expect(verdict.verification).toMatchObject({ level: 'VerifiedLive', replicas: [{ place: 0, verified: false, reason: 'InternalError' }] });
  expect(JSON.stringify(verdict)).not.toContain('10.1.2.3');
});

describe('a replica that swallows every packet', () => {
  afterEach(() => void jest.useRealTimers());

  test('is one that does not answer, after 20 s each time, and in the end for good', async () => {
    jest.useFakeTimers();
    let looks = 0;
    let looked: Looked | undefined;
    const looking = look([aReplica({ hangs: true })], { meanwhile: () => void (looks += 1) }).then((result) => void (looked = result));
    await jest.advanceTimersByTimeAsync(19_999);
    expect(looks).toBe(2);
    for (let step = 0; step < 100 && !looked; step += 1) await jest.advanceTimersByTimeAsync(20_000);
    await looking;
    expect(looked && proofOf(looked)).toEqual(['VerifiedLive', 'Unreachable']);
  });

  test('does not hold up the end of the operator, which says nothing of it', async () => {
    const leaving = new AbortController();
    const looking = look([aReplica({ hangs: true })], { signal: leaving.signal, meanwhile: (number) => number === 1 && setTimeout(() => leaving.abort(new Error('the operator ends')), 20) });
    await expect(looking).rejects.toThrow('the operator ends');
  });
});
