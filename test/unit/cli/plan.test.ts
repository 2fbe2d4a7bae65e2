import { describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import { DATA_STORE, HOST_ANNOTATION, NAMESPACE, RETENTION_POLICY, SECRET, STORE_ANNOTATION } from '../../../src/api/kinds.ts';
import type { Condition, KubeObject } from '../../../src/api/object.ts';
import type { Access } from '../../../src/runtime/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import type { StoreDriver } from '../../../src/stores/port.ts';
import { runCli, type CommandResult } from '../../support/cli.ts';
import { aMaximum, aPolicy, aPurge, aStore } from '../../support/declared.ts';
import { memoryClient } from '../../support/memory-client.ts';
import { scriptedStore } from '../../support/scripted-store.ts';

const AT = '2026-03-01T02:00:00Z';
const encode = (text: string): string => Buffer.from(text).toString('base64');
const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'platform-db', name: 'observe', annotations: { [STORE_ANNOTATION]: 'analytics', [HOST_ANNOTATION]: 'db.example' } }, data: { username: encode('reader'), password: encode('x') } } as KubeObject;

/** Plans in a store without a due row, of which the operator wrote this status. */
function planned(status: DataStore['status'], ...flags: string[]): Promise<CommandResult> {
  const client = memoryClient([
    [DATA_STORE, aStore({}, {}, status)],
    [RETENTION_POLICY, aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge() })],
    [SECRET, secret],
    [NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'platform-db' } }],
  ]);
  const store = scriptedStore({ clock: AT, plan: { steps: [], refusals: [], forecast: [], walMegabytes: 0 } });
  const driver: Partial<StoreDriver> = { openReader: (_target, _credential, { purpose }) => store.connections.reader(aStore(), purpose === 'verify' ? 'verify' : 'observe') };
  return runCli(['plan', 'retentionpolicy/general', ...flags], { client: () => client, cluster: async () => ({ access: {} as Access, server: 'https://memory', from: 'a test', namespace: 'platform-db' }), drivers: { PostgreSQL: driver as StoreDriver }, clock: { ...systemClock, now: () => Date.parse(AT) } });
}

const may = (status: Condition['status']): DataStore['status'] => ({
  observedGeneration: 1,
  validUntil: '2026-03-01T02:10:00Z',
  conditions: [{ type: 'Authorized', status, reason: status === 'True' ? 'Authorized' : 'PermissionMissing', message: 'Secret platform-db/enforce (spec.credentials.enforce): purger lacks DELETE on public.views', lastTransitionTime: AT }],
});

describe('a plan', () => {
  test('says what would refuse it, which a person should know before it is approved', async () => {
    const { code, stdout } = await planned(may('False'));
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^ {2}cannot run DataStore platform-db\/analytics lets it not be carried out \(PermissionMissing\): Secret platform-db\/enforce \(spec\.credentials\.enforce\): purger lacks DELETE on public\.views$/m)]);
    const data = await planned(may('False'), '-o', 'json');
    expect(JSON.parse(data.stdout)).toMatchObject([{ unauthorized: expect.stringContaining('purger lacks DELETE') }]);
  });

  test.each<[string, DataStore['status']]>([
    ['where all is well', may('True')],
    ['where no operator looked', undefined],
  ])('says nothing of it %s', async (_, status) => {
    const { code, stdout, stderr } = await planned(status);
    expect([code, stdout.includes('cannot run'), stderr]).toEqual([0, false, '']);
  });
});
