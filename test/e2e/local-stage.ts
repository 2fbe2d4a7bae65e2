import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import { OPERATOR_USERNAME } from '../../src/api/kinds.ts';
import { ensureBuilt } from '../support/build.ts';
import { createCleanup } from '../support/cleanup.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { startLocal } from '../support/dataward-process.ts';
import type { LocalProcess } from '../support/dataward-process.ts';
import { startSampleStore, sum } from '../support/sample-store.ts';
import type { SampleOptions, SampleStore } from '../support/sample-store.ts';
import { until } from '../support/until.ts';
import { kubeconfigWith, withToken } from './kubeconfigs.ts';
import { approve, person, requestRun, untilSettled } from './people.ts';
import type { Person } from './people.ts';

/** A sample of its own under `dataward local`, for one test. */
export interface LocalStage {
  readonly store: SampleStore;
  readonly operator: LocalProcess;
  readonly alice: Person;
  readonly bob: Person;
  readonly cleanup: Cleanup;
}

export async function localStage(options: Omit<SampleOptions, 'now'>): Promise<LocalStage> {
  await ensureBuilt();
  const cleanup = createCleanup();
  try {
    const store = cleanup.add(await startSampleStore({ now: new Date(), ...options }), (begun) => begun.stop());
    const operator = cleanup.add(await startLocal(store.manifests, ['alice', 'bob']), (begun) => begun.close());
    const people = ['alice', 'bob'].map((name) => cleanup.add(person(name, operator.kubeconfig(name)), (who) => who.client.close()));
    const [alice, bob] = people as [Person, Person];
    await untilSettled(alice, { hold: options.hold !== false });
    return { store, operator, alice, bob, cleanup };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

/** Whoever can read the state folder has the operator's token. Gives the path of a kubeconfig with it. */
export async function stolenKubeconfig(operator: LocalProcess): Promise<string> {
  const state = path.dirname(operator.evidence);
  const tokens = JSON.parse(await readFile(path.join(state, 'tokens.json'), 'utf8')) as Record<string, string>;
  return kubeconfigWith(operator.kubeconfig('alice'), state, async (config) => withToken(config, tokens[OPERATOR_USERNAME] ?? ''));
}

/** A run that has begun to delete and is far from its end. */
export async function midway({ store, alice, bob }: Pick<LocalStage, 'store' | 'alice' | 'bob'>): Promise<PurgeRun> {
  const run = await requestRun(alice);
  const before = await rowsOf(store);
  await approve(bob, run);
  await until('rows begin to go', async () => (await rowsOf(store)) < before);
  return run;
}

export async function rowsOf(store: SampleStore): Promise<number> {
  return sum(await store.counts());
}
