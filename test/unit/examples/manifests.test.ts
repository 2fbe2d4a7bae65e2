import { describe, expect, test } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { demoManifests, holdDates } from '../../../examples/demo/manifests.ts';
import type { ManifestValues } from '../../../examples/demo/manifests.ts';
import { HOST_ANNOTATION, OWN_KINDS, STORE_ANNOTATION, ownKind } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/object.ts';
import { loadApi } from '../../../src/api/validation/load.ts';

const values: ManifestValues = {
  host: '127.0.0.1',
  port: 15432,
  database: 'analytics',
  serverName: 'localhost',
  caPem: '-----BEGIN CERTIFICATE-----\nMIIB: not yaml # at all\n-----END CERTIFICATE-----\n',
  observeUser: 'dataward_observe',
  observePassword: 'yes',
  enforceUser: 'dataward_enforce',
  enforcePassword: `"it's" {a: b} # c`,
  verifyUser: 'dataward_verify',
  verifyPassword: '0123',
  ...holdDates(new Date('2026-11-24T10:30:00Z')),
};

interface Manifest extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
}

const manifests = [...(await demoManifests(values)).values()].flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest));
const named = (kind: string, name: string): Manifest | undefined => manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);

describe('the manifests of the demo', () => {
  const { validator } = loadApi(fileURLToPath(new URL('../../../crds', import.meta.url)));
  const own = manifests.flatMap((manifest) => {
    const kind = ownKind(manifest.kind);
    return kind === undefined ? [] : [[`${manifest.kind} ${manifest.metadata.name}`, kind, manifest] as const];
  });

  test('show every kind a person writes', () => {
    const written = OWN_KINDS.map(({ kind }) => kind).filter((kind) => kind !== 'PurgeRun');
    expect([...new Set(own.map(([, { kind }]) => kind))].sort()).toEqual(written.sort());
  });

  test.each(own)('%s is valid, with no field the API does not know', (_, kind, manifest) => {
    const { object, unknownFields } = validator.prepare(kind, manifest);
    expect(unknownFields).toEqual([]);
    expect(validator.validate(kind, object)).toEqual([]);
  });

  test('begin with the namespaces the others live in', () => {
    const created = new Set(manifests.flatMap(({ kind, metadata }) => (kind === 'Namespace' ? [metadata.name] : [])));
    expect(manifests[0]?.kind).toBe('Namespace');
    expect(manifests.filter(({ kind, metadata }) => kind !== 'Namespace' && !created.has(metadata.namespace ?? ''))).toEqual([]);
  });

  test('carry any value as it is, whatever YAML would make of it', () => {
    expect(named('ConfigMap', 'analytics-ca')?.data?.['ca.crt']).toBe(values.caPem);
    expect(named('Secret', 'analytics-observe')?.stringData?.['password']).toBe('yes');
    expect(named('Secret', 'analytics-enforce')?.stringData?.['password']).toBe(values.enforcePassword);
    expect(named('Secret', 'analytics-verify')?.stringData?.['password']).toBe('0123');
    expect(named('DataStore', 'analytics')?.spec?.['endpoint']).toEqual({ host: '127.0.0.1', port: 15432, database: 'analytics' });
  });

  test('have a place for each value', async () => {
    const texts = [...(await demoManifests(values)).values()].join('\n');
    const missing = Object.entries(values).filter(([, value]) => !texts.includes(`: ${JSON.stringify(value)} #`));
    expect(missing).toEqual([]);
    expect(texts).not.toMatch(/# \$\{\w+\}|change-me/);
  });

  test('bind each credential to the store and its host', () => {
    const secrets = manifests.filter(({ kind }) => kind === 'Secret');
    expect(secrets).toHaveLength(3);
    for (const { metadata } of secrets) expect(metadata.annotations).toEqual({ [STORE_ANNOTATION]: 'analytics', [HOST_ANNOTATION]: values.host });
  });

  test('hold days that the policy would delete, also where months have different lengths', () => {
    expect(holdDates(new Date('2026-11-24T10:30:00Z'))).toEqual({ holdFrom: '2024-05-01', holdTo: '2024-07-01', holdReviewAt: '2027-01-01' });
    expect(holdDates(new Date('2027-08-31T23:59:59Z'))).toEqual({ holdFrom: '2025-02-01', holdTo: '2025-04-01', holdReviewAt: '2027-10-01' });
  });

  test('with a value left out are refused, naming file and placeholder', async () => {
    const { caPem: _, ...incomplete } = values;
    await expect(demoManifests(incomplete as ManifestValues)).rejects.toThrow('examples/datastore-analytics.yaml: no value for the placeholder ${caPem}');
  });
});
