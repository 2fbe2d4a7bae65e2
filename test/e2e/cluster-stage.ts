import { ensureBuilt } from '../support/build.ts';
import { createCleanup } from '../support/cleanup.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { startControlPlane } from '../support/controlplane.ts';
import type { ControlPlane, ControlPlaneOptions } from '../support/controlplane.ts';
import { installDataward } from '../support/install-dataward.ts';
import { kubectl } from '../support/kubectl.ts';
import { startSampleStore } from '../support/sample-store.ts';
import type { SampleOptions, SampleStore } from '../support/sample-store.ts';
import { person } from './people.ts';
import type { Person } from './people.ts';

const USERS = [
  { name: 'alice', token: 'alice-token', groups: ['platform'] },
  { name: 'bob', token: 'bob-token', groups: ['data-protection'] },
];

/** A real cluster in which dataward is installed as documented, and what people have declared there. */
export interface ClusterStage {
  readonly cluster: ControlPlane;
  readonly store: SampleStore;
  /** Declares, and must not approve. */
  readonly alice: Person;
  /** Approves. */
  readonly bob: Person;
  /** The bearer token of the operator's service account, and a kubeconfig with it. */
  readonly token: string;
  readonly account: string;
  readonly cleanup: Cleanup;
}

/** Everything is declared, and no operator runs yet. Ask controlPlaneBinaries() before whether a cluster can be had. */
export async function clusterStage(options: Omit<SampleOptions, 'now'> & Pick<ControlPlaneOptions, 'controllerManager'>): Promise<ClusterStage> {
  const { controllerManager = false, ...sample } = options;
  const cleanup = createCleanup();
  try {
    // Side by side: neither needs the other, and each is mostly waited for.
    const [cluster, store] = await together(
      startControlPlane({ users: USERS, controllerManager }).then((begun) => cleanup.add(begun, () => begun.stop())),
      startSampleStore({ now: new Date(), ...sample }).then((begun) => cleanup.add(begun, () => begun.stop())),
      ensureBuilt(),
    );
    await installDataward(cluster);
    const somebody = async (name: string): Promise<Person> => cleanup.add(person(name, await cluster.kubeconfig(name)), (who) => who.client.close());
    const [alice, bob] = [await somebody('alice'), await somebody('bob')];
    const applied = await kubectl(alice.kubeconfig, ['apply', '--server-side', '-f', store.manifests]);
    if (applied.code !== 0 || applied.stderr !== '') throw new Error(`the declarations are refused or warned about: ${applied.stderr}`);
    const token = await cluster.serviceAccountToken('dataward-system', 'dataward');
    return { cluster, store, alice, bob, token, account: await cluster.kubeconfigForToken('operator', token), cleanup };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

/** All of them, or the first failure once none of them is under way any more: what begins later nobody would end. */
async function together<Values extends unknown[]>(...beginnings: { [Index in keyof Values]: Promise<Values[Index]> }): Promise<Values> {
  await Promise.allSettled(beginnings);
  return Promise.all(beginnings);
}
