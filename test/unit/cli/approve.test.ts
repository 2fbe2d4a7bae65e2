import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../src/api/generated/purgeRun.ts';
import { CONFIG_MAP, DATA_STORE, PURGE_RUN } from '../../../src/api/kinds.ts';
import type { KindRef, KubeObject } from '../../../src/api/object.ts';
import type { Access } from '../../../src/runtime/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { runCli, type CommandResult } from '../../support/cli.ts';
import { aStore } from '../../support/declared.ts';
import { apiError, memoryClient, type MemoryClient } from '../../support/memory-client.ts';
import { aPlan, aRun } from '../retention/run/declared-run.ts';

const REF = { namespace: 'platform-db', name: 'general-1' };
const IN_TIME = '2026-03-08T01:59:59Z';
const TOO_LATE = '2026-03-08T02:00:00Z';
const BOB = { by: 'bob', planDigest: aRun().spec.planDigest };

interface World {
  run?: PurgeRun;
  at?: string;
  flags?: string[];
  beside?: [KindRef, KubeObject][];
  /** What the API server answers to the write. */
  refusal?: Error;
}

async function approve({ run, at = IN_TIME, flags = [], beside = [], refusal }: World): Promise<{ result: CommandResult; client: MemoryClient }> {
  const client = memoryClient([...(run ? [[PURGE_RUN, run] as const] : []), ...beside]);
  client.whoAmI = async () => ({ username: 'bob', groups: [] });
  client.refuse = (verb) => {
    if (verb === 'patch' && refusal) throw refusal;
  };
  const result = await runCli(['approve', 'purgerun/general-1', ...flags], { client: () => client, cluster: async () => ({ access: {} as Access, server: 'https://memory', from: 'a test', namespace: 'platform-db' }), clock: { ...systemClock, now: () => Date.parse(at) } });
  return { result, client };
}

const approvalsAfter = (client: MemoryClient): unknown => client.read<PurgeRun>(PURGE_RUN, REF)?.spec.approvals;

describe('an approval', () => {
  test.each<{ what: string; world: World; approvals: object[] }>([
    { what: 'is of the digest that is there', world: { run: aRun() }, approvals: [BOB] },
    { what: 'says how many rows it agrees to', world: { run: aRun(), flags: ['--max-rows', '500'] }, approvals: [{ ...BOB, maxRows: 500 }] },
    { what: 'is added to that of another person', world: { run: aRun({ approvals: [{ ...BOB, by: 'alice' }] }) }, approvals: [{ ...BOB, by: 'alice' }, BOB] },
    { what: 'of a run that works is of use after validUntil too: a run that began is carried to its end', world: { run: aRun({}, { state: 'Running' }), at: TOO_LATE }, approvals: [BOB] },
    { what: 'of a run that was stopped, likewise', world: { run: aRun({}, { state: 'Paused' }), at: TOO_LATE }, approvals: [BOB] },
  ])('$what', async ({ world, approvals }) => {
    const { result, client } = await approve(world);
    expect(result).toMatchObject({ code: 0, stdout: expect.stringMatching(/^platform-db\/web\/views +2025-03-01 +400 +1$/m), stderr: expect.stringMatching(/^approved by bob: 400 rows of platform-db\/analytics, plan sha256:\w{12}\n$/) });
    expect(approvalsAfter(client)).toEqual(approvals);
  });

  test('is given while the store is frozen too, and it is said that the run waits', async () => {
    const freeze = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'platform-db', name: 'dataward-freeze' }, data: { by: 'alice', reason: 'incident 7' } };
    const frozen = { type: 'Frozen', status: 'True', reason: 'Frozen', message: 'frozen in the store by oncall', lastTransitionTime: IN_TIME } as const;
    const { result, client } = await approve({ run: aRun(), beside: [[CONFIG_MAP, freeze], [DATA_STORE, aStore({}, {}, { conditions: [frozen] })]] });
    expect(result).toMatchObject({ code: 0, stderr: expect.stringMatching(/approved by bob.*\nthe run waits while it is frozen; ConfigMap platform-db\/dataward-freeze: frozen by alice: incident 7\nthe run waits while it is frozen; DataStore platform-db\/analytics: frozen in the store by oncall\n$/) });
    expect(approvalsAfter(client)).toEqual([BOB]);
  });

  test('is given once: a second time nothing is written', async () => {
    const { result, client } = await approve({ run: aRun({ approvals: [BOB] }) });
    expect(result).toEqual({ code: 0, stdout: '', stderr: 'bob has approved this plan already\n' });
    expect(client.writes).toEqual([]);
  });

  const asking = { state: 'AwaitingApproval', approval: { grade: 'Verified', maxRowsNeeded: true } } as const;
  const inexact = { at: 'now', steps: [{ collection: 'platform-db/web/views', due: 400, held: 1, floored: 2, indeterminate: 3, blocked: 0, exact: false }] };

  test('that named no figure gets it afterwards, in its place', async () => {
    const alice = { ...BOB, by: 'alice' };
    const { result, client } = await approve({ run: aRun({ approvals: [BOB, alice] }, asking), flags: ['--max-rows', '1000'] });
    expect(result).toMatchObject({ code: 0, stderr: expect.stringContaining('approved by bob') });
    expect(approvalsAfter(client)).toEqual([{ ...BOB, maxRows: 1_000 }, alice]);
  });

  test('is not given twice with one figure either', async () => {
    const { result } = await approve({ run: aRun({ approvals: [{ ...BOB, maxRows: 500 }] }, asking), flags: ['--max-rows', '500'] });
    expect(result).toEqual({ code: 0, stdout: '', stderr: 'bob has approved this plan already\n' });
  });

  test('of fewer rows than are forecast says what will come of it', async () => {
    const { result } = await approve({ run: aRun(), flags: ['--max-rows', '399'] });
    expect(result).toMatchObject({ code: 0, stderr: expect.stringMatching(/the run ends as Failed once it has deleted 399 rows/) });
  });

  test.each<{ what: string; world: World; code: number; says: RegExp }>([
    { what: 'a run that waits for a figure', world: { run: aRun({}, asking) }, code: 2, says: /nothing is approved: more rows are due than a limit of the policy allows, .* 400 are forecast: add --max-rows N/ },
    { what: 'a plan over its limit that nobody has looked at', world: { run: aRun({ plan: aPlan({ limits: { maxRows: 399, maxCutoffAdvance: 'P7D' } }) }) }, code: 2, says: /nothing is approved: .* add --max-rows N/ },
    { what: 'a plan whose rows could not be counted', world: { run: aRun({ forecast: inexact }) }, code: 2, says: /nothing is approved: .* add --max-rows N/ },
    { what: 'what does not count as it was given', world: { run: aRun({ approvals: [BOB] }, asking) }, code: 1, says: /the approval of bob names no maxRows, so it does not count: .* add --max-rows N/ },
    { what: 'another figure than was given', world: { run: aRun({ approvals: [{ ...BOB, maxRows: 500 }] }), flags: ['--max-rows', '900'] }, code: 1, says: /bob has approved this plan for 500 rows, which cannot be changed/ },
    { what: 'a run that is not there', world: {}, code: 2, says: /PurgeRun platform-db\/general-1 does not exist; -n names another namespace/ },
    ...(['Succeeded', 'Failed', 'Expired', 'Superseded'] as const).map((state) => ({ what: `a run that is ${state}`, world: { run: aRun({}, { state }) }, code: 2, says: new RegExp(`is ${state}; there is nothing left to approve`) })),
    { what: 'a plan whose time is over before it began', world: { run: aRun({}, { state: 'AwaitingApproval' }), at: TOO_LATE }, code: 2, says: /spec\.plan\.validUntil 2026-03-08T02:00:00Z is over; annotate its policy with dataward\.io\/requested-at for a new plan/ },
    { what: 'a plan nobody has looked at, whose time is over', world: { run: aRun(), at: TOO_LATE }, code: 2, says: /is over/ },
  ])('$what is not approved, and nothing is written', async ({ world, code, says }) => {
    const { result, client } = await approve(world);
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
    expect(client.writes).toEqual([]);
  });

  test.each<{ what: string; refusal: Error; code: number; says: RegExp }>([
    { what: 'that it is somebody else’s name', refusal: apiError(403, 'Forbidden', 'approve in your own name'), code: 1, says: /the API server refused the approval: approve in your own name/ },
    { what: 'that the digest is another', refusal: apiError(422, 'Invalid', 'the digest is not that of the plan'), code: 1, says: /the API server refused the approval: the digest is not that of the plan/ },
    { what: 'that the run changed meanwhile', refusal: apiError(409, 'Conflict', 'the object has been modified'), code: 2, says: /the object has been modified; it changed meanwhile, look at it and try again/ },
  ])('is not given when the API server says $what', async ({ refusal, code, says }) => {
    const { result, client } = await approve({ run: aRun({ plan: aPlan() }), refusal });
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
    expect(approvalsAfter(client)).toBeUndefined();
  });
});
