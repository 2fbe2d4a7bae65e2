import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KindRef, KubeObject, ObjectRef } from '../api/object.ts';
import { silentLogger } from '../telemetry/logger.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RuntimeMetrics } from '../telemetry/runtime-metrics.ts';
import type { Client } from './client.ts';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { createIndexes } from './indexes.ts';
import { keyOf } from './keys.ts';
import { deepFreeze, dropBookkeeping } from './project.ts';
import { runReflector } from './reflector.ts';
import type { ReflectorTiming } from './reflector.ts';
import { createSightings } from './sightings.ts';
import type { Written } from './sightings.ts';

/** One change of the cache, already visible in it. `old` is the state before, on modified and deleted. */
export interface Change<T> {
  type: 'added' | 'modified' | 'deleted';
  object: T;
  old?: T;
}

/**
 * The objects of one kind, kept as the server has them, a moment behind. Objects are frozen: copy before changing.
 * Read the API server itself (client.get) before anything that cannot be undone.
 */
export interface Cache<T extends KubeObject> {
  readonly kind: KindRef;
  /** Begins to follow the server until the signal aborts; resolves when it has stopped. Call once. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when the first list is in; never, if the cache is stopped before. */
  synced(): Promise<void>;
  readonly hasSynced: boolean;
  get(ref: ObjectRef): T | undefined;
  /** In no particular order. */
  list(namespace?: string): T[];
  /** The objects for which the indexer of that name gave that value. Throws for an unknown index. */
  byIndex(name: string, value: string): T[];
  /**
   * Calls the listener for each change, in order; objects already there come first, as added, unless it wants changes
   * from now on only. Returns the function that ends it. A listener that throws is logged and called again for the next
   * change.
   */
  onChange(listener: (change: Change<T>) => void, options?: { fromNow?: boolean | undefined }): () => void;
  /** Opaque; undefined before the first list. */
  readonly lastSyncedResourceVersion: string | undefined;
  /**
   * Resolves true once the cache holds this written state or a later one, false after `timeoutMs` or an abort: what a
   * controller waits for before it acts again on what it wrote itself.
   */
  waitFor(written: Written, options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<boolean>;
}

export interface CacheOptions<T extends KubeObject> {
  /** All namespaces when left out. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  /** Values to find objects by. */
  indexers?: Readonly<Record<string, (object: T) => readonly string[]>>;
  /** Takes away what is not needed; must keep apiVersion, kind and metadata's name, namespace, uid, resourceVersion. */
  project?: (object: T) => T;
  clock?: Clock;
  random?: () => number;
  logger?: Logger;
  metrics?: RuntimeMetrics | undefined;
  timing?: Partial<ReflectorTiming>;
}

/** Changes of a new list are delivered in slices of this many, with other work in between. */
const SLICE = 500;

export function createCache<T extends KubeObject>(client: Client, kind: KindRef, options: CacheOptions<T> = {}): Cache<T> {
  const { metrics, indexers = {}, project } = options;
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const objects = new Map<string, T>();
  /** The same by namespace: most questions are about one, and walking over all objects for each of them is quadratic. */
  const namespaces = new Map<string, Map<string, T>>();
  const indexes = createIndexes<T>(indexers, (index, error) => logger.error('an indexer of a cache failed', { resource: kind.plural, index, error }));
  const sightings = createSightings();
  const listeners = new Set<(change: Change<T>) => void>();
  let started = false;
  let hasSynced = false;
  let resourceVersion: string | undefined;
  let announceSynced: () => void = () => {};
  const synced = new Promise<void>((resolve) => {
    announceSynced = resolve;
  });

  const call = (listener: (change: Change<T>) => void, change: Change<T>): void => {
    try {
      listener(change);
    } catch (error) {
      logger.error('a listener of a cache failed', { resource: kind.plural, object: keyOf(change.object.metadata), error });
    }
  };
  const notify = (change: Change<T>): void => {
    for (const listener of Array.from(listeners)) call(listener, change);
  };
  const remove = (key: string, last?: T): void => {
    const old = objects.get(key);
    if (old === undefined) return;
    objects.delete(key);
    const beside = namespaces.get(old.metadata.namespace ?? '');
    beside?.delete(key);
    if (beside?.size === 0) namespaces.delete(old.metadata.namespace ?? '');
    indexes.remove(key, old);
    sightings.deleted(old);
    notify({ type: 'deleted', object: last ?? old, old });
  };
  const put = (object: T): void => {
    const key = keyOf(object.metadata);
    const known = objects.get(key);
    // Same name, other uid: the one we knew was deleted meanwhile, and those who hold something of it must hear so.
    if (known !== undefined && known.metadata.uid !== object.metadata.uid) remove(key);
    const old = objects.get(key);
    sightings.seen(object);
    if (old !== undefined && old.metadata.resourceVersion === object.metadata.resourceVersion) return;
    if (old !== undefined) indexes.remove(key, old);
    objects.set(key, object);
    const namespace = object.metadata.namespace ?? '';
    namespaces.set(namespace, (namespaces.get(namespace) ?? new Map<string, T>()).set(key, object));
    indexes.add(key, object);
    notify(old === undefined ? { type: 'added', object } : { type: 'modified', object, old });
  };

  const sink = {
    listStarted: () => sightings.listStarted(),
    async replace(items: T[]): Promise<void> {
      const present = new Set<string>();
      for (const item of items) {
        if (present.size % SLICE === SLICE - 1) await nextTurn();
        present.add(keyOf(item.metadata));
        put(item);
      }
      let removed = 0;
      for (const key of Array.from(objects.keys())) {
        if (present.has(key)) continue;
        if (removed % SLICE === SLICE - 1) await nextTurn();
        remove(key);
        removed += 1;
      }
      sightings.listTaken();
      hasSynced = true;
      announceSynced();
      metrics?.reflectorItems.set({ name: kind.plural }, objects.size);
    },
    apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
      if (type !== 'DELETED') put(object);
      else if (objects.get(keyOf(object.metadata))?.metadata.uid === object.metadata.uid) remove(keyOf(object.metadata), object);
      metrics?.reflectorItems.set({ name: kind.plural }, objects.size);
    },
    progress(version: string): void {
      resourceVersion = version;
    },
  };

  return {
    kind,
    async start(signal) {
      if (started) throw new Error(`the cache of ${kind.plural} was started before`);
      started = true;
      await runReflector<T>(
        {
          client,
          kind,
          namespace: options.namespace,
          labelSelector: options.labelSelector,
          sink,
          project: (object) => deepFreeze(project === undefined ? dropBookkeeping(object) : project(dropBookkeeping(object))),
          clock,
          random: options.random ?? Math.random,
          logger,
          metrics,
          timing: options.timing,
        },
        signal,
      );
    },
    synced: () => synced,
    get hasSynced() {
      return hasSynced;
    },
    get: (ref) => objects.get(keyOf(ref)),
    list: (namespace) => [...(namespace === undefined ? objects : (namespaces.get(namespace) ?? new Map<string, T>())).values()],
    byIndex: (name, value) => indexes.find(name, value),
    onChange(listener, how = {}) {
      if (how.fromNow !== true) for (const object of objects.values()) call(listener, { type: 'added', object });
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get lastSyncedResourceVersion() {
      return resourceVersion;
    },
    waitFor(written, how) {
      if (objects.get(keyOf(written.metadata))?.metadata.resourceVersion === written.metadata.resourceVersion) return Promise.resolve(true);
      return sightings.waitFor(written, { ...how, clock });
    },
  };
}
