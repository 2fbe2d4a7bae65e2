import type { DataMap, PinnedTable } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { Failure } from '../connect/failures.ts';
import { attachments } from '../rules/attach.ts';
import type { MapProblem } from '../rules/collections.ts';
import { exemptions, type Exemptions } from '../rules/exemptions.ts';
import { resolveMaps } from '../rules/resolve-maps.ts';
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
  /** Why statements of the map that tables hold no personal data do not count any more; absent: they all do. */
  lapsed?: string;
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
  const { pinned, ...exempt } = exemptions(map, inventory);
  const lapsed = lapsedBecause(exempt);
  const mine = resolved.collections.filter((collection) => collection.id.startsWith(id));
  return {
    ...(own?.because ? { refused: own.because } : {}),
    problems: resolved.problems.filter((problem) => problem.collection.startsWith(id)),
    collections: map.spec.collections?.length ?? 0,
    tables: mine.length,
    ...(pinned.length > 0 ? { pinned } : {}),
    ...(lapsed === undefined ? {} : { lapsed }),
  };
}

function lapsedBecause({ lapsed, unwatched }: Pick<Exemptions, 'lapsed' | 'unwatched'>): string | undefined {
  const [first] = lapsed;
  const more = lapsed.size > 1 ? ` (and ${lapsed.size - 1} more)` : '';
  if (first) return `spec.nonPersonal speaks of table ${first[0]} as it was before it had column ${first[1][0]}${more}; describe the table under collections, or make the statement anew, with another reviewAt`;
  const [table] = unwatched;
  return table === undefined ? undefined : `spec.nonPersonal speaks of ${unwatched.size} tables more than can be watched for new columns, ${table} among them; put some of them into a DataMap of their own`;
}
