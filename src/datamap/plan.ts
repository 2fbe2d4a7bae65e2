import type { DataMap, PinnedTable } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { Failure } from '../connect/failures.ts';
import { attachments } from '../rules/attach.ts';
import { exemptions } from '../rules/exemptions.ts';
import { resolveMaps, type MapProblem } from '../rules/collections.ts';
import type { Declarations } from '../rules/store-rules.ts';
import type { Inventory } from '../stores/facts.ts';

/** What can be said of one map against its store. */
export interface MapVerdict {
  /** Why the store does not take the map; absent: it does. */
  refused?: string;
  problems: MapProblem[];
  collections: number;
  tables: number;
  /** Columns of tables called non-personal, for later looks; absent where none is. */
  pinned?: PinnedTable[];
  /** Why nothing could be said. */
  failure?: Failure;
}

/** Resolves a map beside all others of its store: an overlap is a problem of both. Pure. */
export function judgeMap(map: DataMap, store: DataStore, declarations: Declarations, inventory: Inventory): MapVerdict {
  const attached = attachments(store, declarations.maps, declarations.namespaces);
  const own = attached.find((each) => each.map.metadata.uid === map.metadata.uid) ?? attachments(store, [map], declarations.namespaces)[0];
  const others = attached.flatMap((each) => (each.accepted && each.map.metadata.uid !== map.metadata.uid ? [each.map] : []));
  // A refused map is resolved alone: its owner wants to know about a wrong name before asking to be let in.
  const resolved = resolveMaps(own?.accepted ? [...others, map] : [map], inventory);
  const id = `${map.metadata.namespace}/${map.metadata.name}/`;
  const { pinned } = exemptions(map, inventory);
  const mine = resolved.collections.filter((collection) => collection.id.startsWith(id));
  return {
    ...(own?.because ? { refused: own.because } : {}),
    problems: resolved.problems.filter((problem) => problem.collection.startsWith(id)),
    collections: map.spec.collections?.length ?? 0,
    tables: mine.length,
    ...(pinned.length > 0 ? { pinned } : {}),
  };
}
