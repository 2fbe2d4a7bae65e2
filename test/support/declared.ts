import type { Collection, DataMap, DataMapSpec } from '../../src/api/generated/dataMap.ts';
import type { DataStore, DataStoreSpec } from '../../src/api/generated/dataStore.ts';
import type { HoldBlock, LegalHold, LegalHoldSpec } from '../../src/api/generated/legalHold.ts';
import type { Maximum, Minimum, Purge, RetentionPolicy, RetentionPolicySpec } from '../../src/api/generated/retentionPolicy.ts';
import type { ObjectMeta } from '../../src/api/object.ts';
import type { MappedCollection } from '../../src/rules/collections.ts';
import type { Inventory, TableFact } from '../../src/stores/facts.ts';
import type { TimeField } from '../../src/stores/predicate.ts';

/** Small whole objects for tests of pure parts; what a test is about it says itself. */

const API_VERSION = 'dataward.io/v1alpha1';

function meta(name: string, changes: Partial<ObjectMeta> = {}): ObjectMeta {
  return { name, namespace: 'platform-db', uid: `uid-${name}`, generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', ...changes };
}

export function aStore(spec: Partial<DataStoreSpec> = {}, metadata: Partial<ObjectMeta> = {}, status?: DataStore['status']): DataStore {
  return {
    apiVersion: API_VERSION,
    kind: 'DataStore',
    metadata: meta('analytics', metadata),
    spec: {
      engine: 'PostgreSQL',
      endpoint: { host: 'db.example', port: 5432, database: 'analytics' },
      tls: {},
      credentials: { observe: { secretName: 'observe' }, enforce: { secretName: 'enforce' }, verify: { secretName: 'verify' } },
      allowedMaps: { namespaces: { same: {} } },
      observation: { transportSeconds: 300, inventorySeconds: 900, counts: { schedule: '30 1 * * *', budgetSeconds: 600, runOn: 'Primary' } },
      residency: { country: 'DE' },
      owner: { team: 'web', contact: 'web@example.com' },
      ...spec,
    },
    ...(status ? { status } : {}),
  };
}

export function aMap(collections: Partial<Collection>[], spec: Partial<DataMapSpec> = {}, metadata: Partial<ObjectMeta> = {}): DataMap {
  const name = metadata.name ?? 'web';
  return {
    apiVersion: API_VERSION,
    kind: 'DataMap',
    metadata: meta(name, metadata),
    spec: {
      storeRef: { name: 'analytics' },
      defaults: { otherColumns: 'NonPersonal' },
      collections: collections.map((collection) => ({ name: 'views', table: { schema: 'public', name: 'views' }, categories: ['user.behavior'], ...collection })),
      ...spec,
    },
  };
}

const BASIS = { type: 'Contract', reference: 'DPA 7' } as const;

export const aMaximum = (period: string, changes: Partial<Maximum> = {}): Maximum => ({ period, from: 'Created', roundUp: 'None', basis: BASIS, ...changes });
export const aMinimum = (period: string, changes: Partial<Minimum> = {}): Minimum => ({ period, from: 'Created', roundUp: 'None', basis: { type: 'LegalObligation', jurisdiction: 'DE', reference: 'HGB 257' }, ...changes });

export function aPurge(changes: Partial<Purge> = {}): Purge {
  return {
    action: 'Delete',
    mode: 'Apply',
    execution: 'InProcess',
    schedule: { cron: '0 2 * * *', window: 'PT4H' },
    approval: { required: 'WhenWeakening', count: 1, validFor: 'P7D' },
    limits: { maxCutoffAdvance: 'P7D', maxRows: 1_000_000 },
    pace: { maxBatchMillis: 50, workers: 1, maxReplicaLagSeconds: 10, lockTimeoutMillis: 500, maxWalMegabytesPerRun: 20_480, maxUnarchivedWalMegabytes: 1_024 },
    suspend: false,
    ...changes,
  };
}

export function aPolicy(name: string, spec: Partial<RetentionPolicySpec>, metadata: Partial<ObjectMeta> = {}): RetentionPolicy {
  return {
    apiVersion: API_VERSION,
    kind: 'RetentionPolicy',
    metadata: meta(name, metadata),
    spec: { stores: { all: {} }, collections: { categories: ['user.behavior'] }, clients: { all: {} }, rows: { all: {} }, timeZone: 'UTC', ...spec },
  };
}

export function aHold(scope: Partial<HoldBlock>[], spec: Partial<LegalHoldSpec> = {}, metadata: Partial<ObjectMeta> = {}, status?: LegalHold['status']): LegalHold {
  return {
    apiVersion: API_VERSION,
    kind: 'LegalHold',
    metadata: meta('matter-1', metadata),
    spec: {
      matter: '2026-014',
      basis: { type: 'LegalClaims', jurisdiction: 'DE', reference: '12 O 34/26' },
      custodian: 'legal@example.com',
      reviewAt: '2027-01-01',
      scope: scope.map(aBlock),
      ...spec,
    },
    ...(status ? { status } : {}),
  };
}

export const aBlock = (changes: Partial<HoldBlock> = {}): HoldBlock => ({ stores: { all: {} }, collections: { all: {} }, clients: { all: {} }, ...changes });

/** Names of columns are enough for most tests: those that end in `at` hold a time, others text; `name type` says more. */
export function aTable(name: string, columns: readonly string[], changes: Partial<TableFact> = {}): TableFact {
  return {
    schema: 'public',
    name,
    oid: name,
    kind: 'Table',
    columns: columns.map((column, index) => ({ ...typed(column), number: index + 1, notNull: false })),
    primaryKey: ['id'],
    parents: [],
    bytes: 0,
    foreignKeys: [],
    triggers: [],
    rules: [],
    rowSecurity: { enabled: false, forced: false },
    deletesUnpublishable: false,
    ...changes,
  };
}

function typed(column: string): { name: string; type: string } {
  const [name = '', ...type] = column.split(' ');
  return { name, type: type.join(' ') || (/(^|_)at$/.test(name) ? 'timestamp with time zone' : 'text') };
}

export const anInventory = (tables: TableFact[], changes: Partial<Inventory> = {}): Inventory => ({ observedAt: '2026-01-01T00:00:00Z', tables, otherDatabases: [], otherDeleters: [], ...changes });

/** A foreign key from `column` to `id` of a table. */
export const refersTo = (table: string, column: string, schema = 'public'): TableFact['foreignKeys'][number] => ({
  name: `${column}_fkey`,
  columns: [column],
  references: { schema, name: table },
  referencedColumns: ['id'],
  onDelete: 'NoAction',
  indexed: true,
  validated: true,
});

export const aTime = (field: string, changes: Partial<TimeField> = {}): TimeField => ({ path: { via: [], field }, type: 'TimestampTZ', ...changes });

/** A resolved collection with the events Created and Closed, the client key `client`, and a column `status`. */
export function aCollection(changes: Partial<MappedCollection> = {}): MappedCollection {
  return {
    id: 'platform-db/web/views',
    name: 'views',
    map: { namespace: 'platform-db', name: 'web' },
    table: { schema: 'public', name: 'views' },
    columns: ['id', 'created_at', 'closed_at', 'client', 'status', 'visitor'],
    categories: ['user.behavior'],
    fieldCategories: [],
    subjects: ['visitor'],
    subjectKeys: [{ path: { via: [], field: 'visitor' }, identity: 'visitor' }],
    times: { Created: aTime('created_at'), Closed: aTime('closed_at') },
    client: { path: { via: [], field: 'client' } },
    acknowledged: [],
    problems: [],
    ...changes,
  };
}
