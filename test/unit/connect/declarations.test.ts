import { describe, expect, test } from '@jest/globals';
import { DATA_MAP, LEGAL_HOLD, NAMESPACE, RETENTION_POLICY } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/object.ts';
import { cachedDeclarations, liveDeclarations } from '../../../src/connect/declarations.ts';
import { aHold, aMap, aPolicy } from '../../support/declared.ts';
import { apiError, memoryClient } from '../../support/memory-client.ts';

const labelled: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'platform-db', labels: { team: 'web' } } };
const bare: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
const names = (objects: readonly KubeObject[]): string[] => objects.map((object) => object.metadata.name);

describe('what is declared', () => {
  test('is read at the API server anew each time, with the labels of all namespaces', async () => {
    const client = memoryClient([[DATA_MAP, aMap([{}])], [RETENTION_POLICY, aPolicy('general', {})], [LEGAL_HOLD, aHold([{}])], [NAMESPACE, labelled], [NAMESPACE, bare]]);
    const source = liveDeclarations(client, 'dataward-system');
    const first = await source.read();
    expect([names(first.maps), names(first.policies), names(first.holds), first.rootNamespace]).toEqual([['web'], ['general'], ['matter-1'], 'dataward-system']);
    expect([...first.namespaces]).toEqual([['platform-db', { team: 'web' }], ['shop', {}]]);
    client.put(LEGAL_HOLD, aHold([{}], {}, { name: 'matter-2' }));
    expect(names((await source.read()).holds)).toEqual(['matter-1', 'matter-2']);
  });

  test.each([DATA_MAP, RETENTION_POLICY, LEGAL_HOLD, NAMESPACE])('is never read in part: without $plural there is nothing', async (kind) => {
    const client = memoryClient();
    client.refuse = (_verb, asked) => {
      if (asked === kind) throw apiError(403, 'Forbidden');
    };
    await expect(liveDeclarations(client, 'dataward-system').read()).rejects.toThrow('Forbidden');
  });

  test('is not read from caches before all of them are complete', async () => {
    let complete = (): void => {};
    const late = new Promise<void>((resolve) => (complete = resolve));
    const holds = [aHold([{}])];
    const ready = Promise.resolve();
    const cache = <T>(list: T[], synced = ready): { synced(): Promise<void>; list(): readonly T[] } => ({ synced: () => synced, list: () => list });
    const reading = cachedDeclarations({ maps: cache([aMap([{}])]), policies: cache([aPolicy('general', {})]), holds: cache(holds, late), namespaces: cache([labelled]) }, 'root').read();
    holds.push(aHold([{}], {}, { name: 'matter-2' }));
    complete();
    expect(names((await reading).holds)).toEqual(['matter-1', 'matter-2']);
  });

  test('does not wait for what else is followed beside it', async () => {
    const cache = <T>(list: T[], synced: Promise<void>): { synced(): Promise<void>; list(): readonly T[] } => ({ synced: () => synced, list: () => list });
    const ready = Promise.resolve();
    const caches = { maps: cache([aMap([{}])], ready), policies: cache([aPolicy('general', {})], ready), holds: cache([aHold([{}])], ready), namespaces: cache([labelled], ready), gateways: cache([], new Promise<void>(() => {})) };
    expect(names((await cachedDeclarations(caches, 'root').read()).maps)).toEqual(['web']);
  });
});
