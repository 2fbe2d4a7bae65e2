import { afterAll, beforeAll, test } from '@jest/globals';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import { OPERATOR_USERNAME } from '../../src/api/kinds.ts';
import { ensureBuilt } from '../support/build.ts';
import { createCleanup } from '../support/cleanup.ts';
import { startLocal } from '../support/dataward-process.ts';
import type { LocalProcess } from '../support/dataward-process.ts';
import { startSampleStore } from '../support/sample-store.ts';
import type { SampleStore } from '../support/sample-store.ts';
import { judgesIngress, openDoor } from './entry-points.ts';
import { stolenKubeconfig } from './local-stage.ts';
import { person } from './people.ts';
import type { Person } from './people.ts';
import { deletionDeletesNothing, FORGERIES, observed, planned, purged, refusesForgeries, tellsNothingPersonal } from './scenario.ts';
import type { Stage } from './scenario.ts';

/** The whole chain on the API server that `dataward local` brings along. */
const cleanup = createCleanup();
let store: SampleStore;
let operator: LocalProcess;
let stage: Stage;
let run: PurgeRun;

beforeAll(async () => {
  await ensureBuilt();
  store = cleanup.add(await startSampleStore({ now: new Date(), sessions: 2_000 }), (begun) => begun.stop());
  operator = cleanup.add(await startLocal(store.manifests, ['alice', 'bob']), (begun) => begun.close());
  const somebody = (name: string, kubeconfig: string): Person => cleanup.add(person(name, kubeconfig), (who) => who.client.close());
  const [alice, bob] = [somebody('alice', operator.kubeconfig('alice')), somebody('bob', operator.kubeconfig('bob'))];
  stage = { store, operator, alice, bob, thief: somebody(OPERATOR_USERNAME, await stolenKubeconfig(operator)), reader: alice.kubeconfig, serverLogs: [], said: [] };
}, 120_000);
afterAll(() => cleanup.run());

test('what is declared is observed, and what nobody declared is found', () => observed(stage));

test('an Ingress beside the data is judged as it changes', async () => {
  const door = cleanup.add(await openDoor(), (opened) => opened.close());
  await judgesIngress(stage.alice, door);
}, 120_000);

test('a plan says what SQL says, and leaves everything as it was', () => planned(stage));

test('a run waits for a person, and no forged approval is taken', async () => {
  run = await refusesForgeries(stage, FORGERIES);
});

test('after an approval exactly the due rows are gone, verified and certified', async () => {
  run = await purged(stage, run);
}, 90_000);

test('a plan after the run says what came since, and leaves everything as it was too', () => planned(stage, run));

test('deleting the run, the hold and the policy deletes no row and lifts no protection', () => deletionDeletesNothing(stage, run));

test('no object, event, log line, metric, audit record, certificate or output of a command has personal data in it', () => tellsNothingPersonal(stage, run));
