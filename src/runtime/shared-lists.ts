import type { KindRef, KubeObject } from '../api/object.ts';
import { ApiError, type Client, type CompleteListOptions } from './client.ts';
import { deepFreeze } from './project.ts';

/** A list under way, and the one that begins when it is done, for those who came meanwhile. */
interface Turns {
  running: Promise<readonly KubeObject[]>;
  next?: Promise<readonly KubeObject[]>;
}

/**
 * The client, with its complete lists shared by all who ask for the same one at the same time. Each still gets a state
 * read after it asked: who comes while a list is under way waits for the next one. Eight workers that each hold their own
 * copy of ten thousand stores would take hundreds of megabytes, and the API server eight times the work.
 *
 * Objects come frozen. A list with a time limit of its own is not shared.
 *
 * @param held gives an object somebody holds already, such as a cache, by kind and identity; it is taken where it is the
 *   very state that was read
 */
export function shareLists(client: Client, held: (kind: KindRef, object: KubeObject) => KubeObject | undefined = () => undefined): Client {
  const turns = new Map<string, Turns>();

  const begin = (key: string, read: () => Promise<readonly KubeObject[]>): Promise<readonly KubeObject[]> => {
    const running = read();
    const turn: Turns = { running };
    turns.set(key, turn);
    const over = (): void => {
      if (turn.next === undefined) turns.delete(key);
    };
    running.then(over, over);
    return running;
  };
  const ask = (key: string, read: () => Promise<readonly KubeObject[]>): Promise<readonly KubeObject[]> => {
    const turn = turns.get(key);
    if (turn === undefined) return begin(key, read);
    const after = (): Promise<readonly KubeObject[]> => begin(key, read);
    turn.next ??= turn.running.then(after, after);
    return turn.next;
  };

  return {
    ...client,
    async list<T extends KubeObject>(kind: KindRef, how: CompleteListOptions = {}) {
      const { signal, timeoutMs, ...what } = how;
      if (timeoutMs !== undefined) return client.list<T>(kind, how);
      const { group, version, plural } = kind;
      const key = JSON.stringify([group, version, plural, what.namespace, what.labelSelector, what.fieldSelector]);
      // Without the signal: one who leaves must not take the list from the others.
      const objects = await unlessAborted(ask(key, async () => deepFreeze(await client.list<T>(kind, { ...what, held: (object) => sameState(held(kind, object), object) }))), signal, `list ${plural}`);
      return [...objects] as T[];
    },
  };
}

/** A resourceVersion names one state of one object: with it equal, nothing in them can differ. */
function sameState(mine: KubeObject | undefined, read: KubeObject): KubeObject | undefined {
  const { uid, resourceVersion } = read.metadata;
  return resourceVersion !== undefined && mine?.metadata.uid === uid && mine?.metadata.resourceVersion === resourceVersion ? mine : undefined;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new ApiError({ status: 0, reason: 'Aborted', message: `${what}: given up because its caller stopped` }));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
