import type { KubeObject } from '../../src/api/object.ts';
import type { DatawardRoles } from './postgres-roles.ts';
import type { Identity, TestPostgres } from './postgres.ts';

export const STORE = { namespace: 'platform-db', name: 'sample' };
export const POLICY = { namespace: 'platform-db', name: 'behaviour' };
export const HOLD = { namespace: 'platform-db', name: 'matter-7' };

export interface SampleDeclarations {
  readonly postgres: TestPostgres;
  readonly roles: DatawardRoles;
  readonly database: string;
  /** Dates the hold covers, the end not included; undefined: no hold is declared. */
  readonly hold: { readonly from: string; readonly to: string } | undefined;
  /** Whether the store has triggers, which a map has to know of. */
  readonly triggers: boolean;
  /** Without the second identity, whose word certificates rest on, when false. */
  readonly verify: boolean;
}

export type Manifest = KubeObject & Readonly<Record<string, unknown>>;

/** What three teams declare about the sample, namespaces first because the rest lives in them. */
export function sampleManifests(declared: SampleDeclarations): Manifest[] {
  return [...namespaces(), ...store(declared), dataMap(declared.triggers), policy(declared.triggers), ...(declared.hold ? [holdOf(HOLD, declared.hold)] : []), profile()];
}

function own(kind: string, ref: { namespace: string; name: string }, spec: object, labels?: Record<string, string>): Manifest {
  return { apiVersion: 'dataward.io/v1alpha1', kind, metadata: { ...ref, ...(labels ? { labels } : {}) }, spec };
}

function namespaces(): Manifest[] {
  const labels: Record<string, Record<string, string>> = { 'dataward-system': {}, 'platform-db': {}, shop: { 'uses-store': 'sample' } };
  return Object.entries(labels).map(([name, own]) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: own } }));
}

function store({ postgres, roles, database, verify }: SampleDeclarations): Manifest[] {
  const { host, port, serverName, caPem } = postgres;
  const identities: Record<string, Identity> = { observe: roles.observe, enforce: roles.enforce, ...(verify ? { verify: roles.verify } : {}) };
  const { namespace } = STORE;
  return [
    own('DataStore', STORE, {
      engine: 'PostgreSQL',
      endpoint: { host, port, database },
      tls: { ca: { configMapName: 'sample-ca', key: 'ca.crt' }, serverName },
      credentials: Object.fromEntries(Object.keys(identities).map((name) => [name, { secretName: `sample-${name}` }])),
      allowedMaps: { namespaces: { matchLabels: { 'uses-store': 'sample' } }, schemas: ['public'] },
      residency: { country: 'DE', region: 'eu-central-1' },
      owner: { team: 'platform-db', contact: 'platform-db@company.example' },
    }, { 'data-class': 'behaviour' }),
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'sample-ca' }, data: { 'ca.crt': caPem } },
    ...Object.entries(identities).map(([name, { user, password }]) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name: `sample-${name}`, annotations: { 'dataward.io/store': STORE.name, 'dataward.io/host': host } },
      stringData: { username: user, password },
    })),
  ];
}

function dataMap(triggers: boolean): Manifest {
  const behaviour = (name: string, table: string, time: string, fields: object[]): object => ({
    name,
    table: { schema: 'public', name: table },
    categories: ['user.behavior'],
    subjectKeys: [{ field: 'visitor_id', identity: 'visitor' }],
    times: [{ event: 'Created', field: time, type: 'TimestampTZ', plausibleFrom: '2005-01-01' }],
    fields,
    ...(triggers ? { acknowledge: [{ trigger: 'slow', reason: 'waits, and writes nothing' }] } : {}),
  });
  return own('DataMap', { namespace: 'shop', name: 'sample-web' }, {
    storeRef: STORE,
    defaults: { subjects: ['visitor'], otherColumns: 'NonPersonal' },
    client: { field: 'client_id' },
    collections: [
      behaviour('page-views', 'page_views', 'viewed_at', [{ name: 'path', categories: ['user.behavior.browsing_history'] }]),
      behaviour('sessions', 'sessions', 'started_at', [{ name: 'user_agent', categories: ['user.device'] }]),
      {
        name: 'visitors',
        table: { schema: 'public', name: 'visitors' },
        categories: ['user.unique_id.pseudonymous'],
        subjectKeys: [{ field: 'id', identity: 'visitor' }],
        times: [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' }],
        fields: [{ name: 'email', categories: ['user.contact.email'] }, { name: 'last_ip', categories: ['user.device.ip_address'] }],
      },
    ],
  });
}

function policy(slow: boolean): Manifest {
  return own('RetentionPolicy', POLICY, {
    stores: { matchLabels: { 'data-class': 'behaviour' } },
    collections: { categories: ['user.behavior'] },
    clients: { all: {} },
    rows: { all: {} },
    timeZone: 'Europe/Paris',
    maximum: { period: 'P25M', from: 'Created', basis: { type: 'Contract', reference: 'DPA 7' } },
    purge: {
      action: 'Delete',
      mode: 'Apply',
      schedule: { cron: '0 2 * * *', window: 'PT4H' },
      approval: { required: 'WhenWeakening', count: 1, validFor: 'P7D' },
      limits: { maxCutoffAdvance: 'P7D', maxRows: 1_000_000 },
      // A batch of one page, so that there are many to be met under way.
      ...(slow ? { pace: { maxBatchMillis: 5 } } : {}),
    },
  });
}

/** Keeps behaviour of the clients for a period by law. */
export function minimumOf(ref: { namespace: string; name: string }, period: string, keys: readonly string[]): Manifest {
  return own('RetentionPolicy', ref, {
    stores: { all: {} },
    collections: { categories: ['user.behavior'] },
    clients: { keys },
    rows: { all: {} },
    timeZone: 'Europe/Paris',
    minimum: { period, from: 'Created', basis: { type: 'LegalObligation', jurisdiction: 'DE', reference: 'HGB 257' } },
  });
}

/** Keeps page views of client-a between two dates. */
export function holdOf(ref: { namespace: string; name: string }, dates: { from: string; to: string }): Manifest {
  return own('LegalHold', ref, {
    matter: '2026-007',
    basis: { type: 'LegalClaims', jurisdiction: 'DE', reference: '7 O 7/26' },
    custodian: 'legal@company.example',
    reviewAt: new Date(Date.parse(dates.to) + 1_800 * 86_400_000).toISOString().slice(0, 10),
    scope: [{ stores: { all: {} }, collections: { names: ['page-views'] }, clients: { keys: ['client-a'] }, between: { event: 'Created', ...dates } }],
  });
}

function profile(): Manifest {
  return own('ComplianceProfile', { namespace: 'dataward-system', name: 'default' }, {
    organisation: { name: 'Company Ltd', contact: 'privacy@company.example', dpo: { name: 'Protection Partners', external: true, contact: 'dpo@company.example' }, regimes: ['EU'] },
    frameworks: ['gdpr', 'statement'],
    timeZone: 'Europe/Paris',
  });
}
