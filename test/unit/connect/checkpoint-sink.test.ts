import { describe, expect, test } from '@jest/globals';
import { CONFIG_MAP } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/object.ts';
import { CHECKPOINT_CONFIG_MAP, kubernetesCheckpointSink } from '../../../src/connect/checkpoint-sink.ts';
import { signCheckpoint, type Checkpoint } from '../../../src/evidence/audit/checkpoint.ts';
import { signer } from '../../support/certificate.ts';
import { NOON } from '../../support/chain.ts';
import { apiError, memoryClient } from '../../support/memory-client.ts';

const ref = { namespace: 'dataward-system', name: CHECKPOINT_CONFIG_MAP };
const at = (seq: number, chain = 'chain-b', hash = 'a'): Checkpoint => signCheckpoint(chain, { seq, hash: hash.repeat(64) }, signer, NOON);

describe('checkpoints in a ConfigMap', () => {
  test('are given back as they were put, and the object says how far it can be trusted', async () => {
    const client = memoryClient();
    const sink = kubernetesCheckpointSink(client, 'dataward-system');
    expect(await sink.list()).toEqual([]);
    for (const one of [at(1), at(7), at(7)]) await sink.put(one);
    expect(await sink.list()).toEqual([at(1), at(7)]);
    expect(client.read<KubeObject>(CONFIG_MAP, ref)?.metadata.annotations?.['dataward.io/trust-domain']).toContain('same cluster');
  });

  test('keep the newest fifty', async () => {
    const sink = kubernetesCheckpointSink(memoryClient(), 'dataward-system');
    for (let seq = 1; seq <= 60; seq += 1) await sink.put(at(seq));
    expect((await sink.list()).map((one) => one.seq)).toEqual(Array.from({ length: 50 }, (_, index) => index + 11));
  });

  test.each(['chain-a', 'chain-c'])('of a new chain are not pushed out by fifty of the earlier one, whatever its name: %s', async (name) => {
    const sink = kubernetesCheckpointSink(memoryClient(), 'dataward-system');
    for (let seq = 1; seq <= 50; seq += 1) await sink.put(at(seq));
    await sink.put(at(1, name));
    await sink.put(at(2, name));
    const listed = await sink.list();
    expect([listed.length, listed.filter((one) => one.chainId === name).map((one) => one.seq)]).toEqual([50, [1, 2]]);
  });

  test('refuse a second history of one chain', async () => {
    const sink = kubernetesCheckpointSink(memoryClient(), 'dataward-system');
    await sink.put(at(3));
    await expect(sink.put(at(3, 'chain-b', 'c'))).rejects.toThrow('two histories of one chain');
    expect(await sink.list()).toEqual([at(3)]);
  });

  test('are put again when somebody else wrote meanwhile, and both stay', async () => {
    const client = memoryClient();
    const sink = kubernetesCheckpointSink(client, 'dataward-system');
    await sink.put(at(1));
    let meddled = false;
    client.refuse = (verb) => {
      if (verb !== 'replace' || meddled) return;
      meddled = true;
      const map = client.read<KubeObject & { data: Record<string, string> }>(CONFIG_MAP, ref)!;
      client.put(CONFIG_MAP, { ...map, data: { ...map.data, 'chain-b.000000000000002.json': JSON.stringify(at(2)) } });
    };
    await sink.put(at(3));
    expect((await sink.list()).map((one) => one.seq)).toEqual([1, 2, 3]);
  });

  test('give up after five conflicts, and at once for any other failure', async () => {
    for (const [error, tries] of [[apiError(409, 'Conflict'), 5], [apiError(403, 'Forbidden'), 1]] as const) {
      const client = memoryClient();
      client.refuse = (verb) => {
        if (verb === 'create') throw error;
      };
      await expect(kubernetesCheckpointSink(client, 'dataward-system').put(at(1))).rejects.toBe(error);
      expect(client.writes).toHaveLength(tries);
    }
  });

  test('are not listed in part: one that cannot be read fails the list', async () => {
    const client = memoryClient([[CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref, data: { good: JSON.stringify(at(1)), bad: '{}' } } as KubeObject]]);
    await expect(kubernetesCheckpointSink(client, 'dataward-system').list()).rejects.toThrow('is no checkpoint');
  });
});
