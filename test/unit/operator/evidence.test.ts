import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { AuditRewoundError } from '../../../src/evidence/audit/anchor.ts';
import { ConfigError } from '../../../src/config.ts';
import type { Checkpoint, CheckpointSink } from '../../../src/evidence/audit/checkpoint.ts';
import { AuditUnavailableError } from '../../../src/evidence/audit/log.ts';
import type { AuditRecord } from '../../../src/evidence/audit/record.ts';
import { openEvidence, type Evidence } from '../../../src/operator/evidence.ts';
import { silentLogger, type LogFields, type Logger } from '../../../src/telemetry/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { entry, withFolder } from '../../support/chain.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const clock = createFakeClock();
const open = (dir: string, sinks: CheckpointSink[] = [], logger: Logger = silentLogger): Promise<Evidence> =>
  openEvidence({ dir, sinks, clock, logger, metrics: createMetrics({ version: '0.1.0', commit: 'test' }).domain, actor: 'dataward', lockWaitMillis: 0 });

/** A second place that remembers in what order it was given what. */
function memorySink(before: () => Promise<void> = async () => {}): CheckpointSink & { given: Checkpoint[] } {
  const given: Checkpoint[] = [];
  return {
    name: 'memory',
    given,
    async put(checkpoint) {
      await before();
      given.push(checkpoint);
    },
    list: async () => [...given],
  };
}

/** Keeps errors and infos, in order. */
function keepingLogger(): Logger & { lines: [level: string, message: string, fields: LogFields][] } {
  const lines: [string, string, LogFields][] = [];
  const line = (level: string) => (message: string, fields: LogFields = {}) => void lines.push([level, message, fields]);
  return { ...silentLogger, lines, error: line('error'), info: line('info') };
}

const recordsOf = (dir: string): AuditRecord[] =>
  readdirSync(join(dir, 'audit'))
    .filter((file) => file.endsWith('.jsonl'))
    .toSorted()
    .flatMap((file) => readFileSync(join(dir, 'audit', file), 'utf8').trimEnd().split('\n'))
    .map((text) => JSON.parse(text) as AuditRecord);

describe('a folder that was emptied', () => {
  /** A chain of two records, whose checkpoints are in the sink. */
  const earlier = async (dir: string, sink: CheckpointSink): Promise<string> => {
    const evidence = await open(dir, [sink]);
    await evidence.audit.append(entry(1));
    await evidence.close();
    return evidence.audit.chainId;
  };

  test('gets a new chain that says which one is missing and up to which record, once in the log and once in the chain', async () => {
    await withFolder(async (dir) => {
      const sink = memorySink();
      const gone = await earlier(dir, sink);
      rmSync(dir, { recursive: true });
      const logger = keepingLogger();
      for (let start = 0; start < 3; start += 1) {
        const evidence = await open(dir, [sink], logger);
        if (start === 1) await evidence.audit.append(entry(2));
        await evidence.close();
      }
      const [first, second, ...rest] = recordsOf(dir);
      expect(logger.lines).toEqual([['error', expect.stringMatching(/not in the evidence folder.*put the folder back/), { missing: gone, throughRecord: 2, signedAt: expect.any(String), keyId: expect.any(String), signature: 'UnknownKey', chain: first?.refs['chainId'] }]]);
      expect(first?.refs['chainId']).not.toBe(gone);
      expect(second).toMatchObject({ action: 'chain.predecessor-missing', outcome: 'Noted', object: { kind: 'AuditChain', name: gone }, refs: { chainId: gone, seq: 2, rootHash: sink.given.find((each) => each.chainId === gone && each.seq === 2)?.rootHash, signature: 'UnknownKey' } });
      expect(rest.map(({ action }) => action)).toEqual(['purge.batch']);
    });
  });

  test('and has its key still knows that the signature is its own, also by the checkpoints of the folder alone', async () => {
    await withFolder(async (dir) => {
      const gone = await earlier(dir, memorySink());
      rmSync(join(dir, 'audit'), { recursive: true });
      await (await open(dir)).close();
      expect(recordsOf(dir)[1]).toMatchObject({ refs: { chainId: gone, seq: 2, signature: 'Valid' } });
    });
  });

  test('says so although it was cut off between its first record and this one', async () => {
    await withFolder(async (dir) => {
      const sink = memorySink();
      const list = sink.list;
      const gone = await earlier(join(dir, 'old'), sink);
      const now = join(dir, 'now');
      await expect(open(now, [{ ...sink, list: () => Promise.reject(new Error('503')) }])).rejects.toThrow('503');
      expect(recordsOf(now).map(({ action }) => action)).toEqual(['chain.started']);
      await (await open(now, [{ ...sink, list }])).close();
      expect(recordsOf(now)[1]).toMatchObject({ refs: { chainId: gone } });
    });
  });

  test('that nothing is known of before, or a chain that went on since, says nothing', async () => {
    await withFolder(async (dir) => {
      const logger = keepingLogger();
      const evidence = await open(join(dir, 'one'), [], logger);
      await evidence.audit.append(entry(1));
      await evidence.close();
      const sink = memorySink();
      await earlier(join(dir, 'other'), sink);
      await (await open(join(dir, 'one'), [sink], logger)).close();
      expect([logger.lines, recordsOf(join(dir, 'one')).map(({ action }) => action)]).toEqual([[], ['chain.started', 'purge.batch']]);
    });
  });
});

describe('a disk that takes no more', () => {
  test('is told of once, and so is that it does again', async () => {
    await withFolder(async (dir) => {
      const logger = keepingLogger();
      const evidence = await open(dir, [], logger);
      const look = (): Promise<void> => clock.advance(2_000);
      const healthy = evidence.audit.healthy;
      await look();
      evidence.audit.healthy = () => ({ ok: false, reason: 'the disk has not answered for 16 s' });
      for (let each = 0; each < 3; each += 1) await look();
      evidence.audit.healthy = healthy;
      for (let each = 0; each < 2; each += 1) await look();
      expect(logger.lines).toEqual([
        ['error', 'the audit log cannot be written; nothing is deleted', { reason: 'the disk has not answered for 16 s' }],
        ['info', 'the audit log can be written again', {}],
      ]);
      await evidence.close();
    });
  });
});

describe('the evidence of an installation', () => {
  test('keeps its key, its chain and its pseudonyms over a new start', async () => {
    await withFolder(async (dir) => {
      const seen = [];
      for (let start = 0; start < 2; start += 1) {
        const evidence = await open(dir);
        seen.push([evidence.key.keyId, evidence.audit.chainId, evidence.nameClient('reader7@mail.example')]);
        await evidence.close();
      }
      expect(seen[1]).toEqual(seen[0]);
      expect(seen[0]?.[2]).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
      expect(statSync(join(dir, 'pseudonym.key')).mode & 0o077).toBe(0);
    });
  });

  test('gives the same client another pseudonym in another installation, and a plain name as it is', async () => {
    await withFolder(async (dir) => {
      const [one, other] = [await open(join(dir, 'one')), await open(join(dir, 'other'))];
      expect(one.nameClient('reader7@mail.example')).not.toBe(other.nameClient('reader7@mail.example'));
      expect(one.nameClient('client-a')).toBe('client-a');
      await one.close();
      await other.close();
    });
  });

  test('anchors the chain when it is opened, when asked and when it is closed', async () => {
    await withFolder(async (dir) => {
      const sink = memorySink();
      const evidence = await open(dir, [sink]);
      await evidence.audit.append(entry(1));
      expect(evidence.anchored()).toBe(1);
      expect((await evidence.anchor())?.seq).toBe(2);
      await evidence.audit.append(entry(2));
      expect(evidence.anchored()).toBe(2);
      await evidence.close();
      expect(sink.given.map((checkpoint) => checkpoint.seq)).toEqual([1, 2, 3]);
      expect(readdirSync(join(dir, 'checkpoints'))).toHaveLength(3);
      const next = await open(dir, [sink]);
      // Of what was signed before; a record that is only in the chain is not covered.
      expect(next.anchored()).toBe(3);
      await next.close();
    });
  });

  test('is anchored although the second place fails; the folder alone still counts', async () => {
    await withFolder(async (dir) => {
      const evidence = await open(dir, [memorySink(() => Promise.reject(new Error('503')))]);
      expect((await evidence.anchor())?.seq).toBe(1);
      await evidence.close();
    });
  });

  test('refuses a folder that was put back to an earlier day, gives the lock back and leaves it as it is', async () => {
    await withFolder(async (dir) => {
      const first = await open(dir);
      await first.close();
      cpSync(join(dir, 'audit'), join(dir, 'backup'), { recursive: true });
      const second = await open(dir);
      await second.audit.append(entry(1));
      await second.close();
      rmSync(join(dir, 'audit'), { recursive: true });
      renameSync(join(dir, 'backup'), join(dir, 'audit'));
      await expect(open(dir)).rejects.toThrow(AuditRewoundError);
      await expect(open(dir)).rejects.toThrow(AuditRewoundError);
    });
  });

  test('refuses a folder whose own checkpoints were put back with it, by the second place', async () => {
    await withFolder(async (dir) => {
      const sink = memorySink();
      await (await open(join(dir, 'now'), [sink])).close();
      cpSync(join(dir, 'now'), join(dir, 'backup'), { recursive: true });
      const later = await open(join(dir, 'now'), [sink]);
      await later.audit.append(entry(1));
      await later.close();
      await expect(open(join(dir, 'backup'), [sink])).rejects.toThrow(AuditRewoundError);
    });
  });

  test('does not open when a second place cannot be read', async () => {
    await withFolder(async (dir) => {
      const blind: CheckpointSink = { ...memorySink(), list: () => Promise.reject(new Error('403')) };
      await expect(open(dir, [blind])).rejects.toThrow('403');
    });
  });

  test('keeps a certificate for nobody else to read', async () => {
    await withFolder(async (dir) => {
      const evidence = await open(dir);
      await evidence.keep('run.json', 'first');
      await evidence.keep('run.json', 'again');
      expect([await evidence.kept('run.json'), await evidence.kept('other.json')]).toEqual(['again', undefined]);
      await evidence.close();
      const path = join(dir, 'certificates', 'run.json');
      expect([existsSync(path) && readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['again', 0o600]);
    });
  });

  test('says that it cannot keep a certificate where the folder does not take it, for people to mend', async () => {
    await withFolder(async (dir) => {
      const evidence = await open(dir);
      rmSync(join(dir, 'certificates'), { recursive: true });
      await expect(evidence.keep('run.json', 'text')).rejects.toThrow(AuditUnavailableError);
      await expect(evidence.keep('run.json', 'text')).rejects.toThrow(/certificate .*run\.json cannot be written: there is no such file or folder/);
      await evidence.close();
    });
  });

  test('cannot be kept where a file is in the way; flag, place and cause are named', async () => {
    await withFolder(async (dir) => {
      writeFileSync(join(dir, 'file'), '');
      await expect(open(join(dir, 'file'))).rejects.toThrow(ConfigError);
      await expect(open(join(dir, 'file'))).rejects.toThrow(/evidence folder .*file \(--evidence-dir, .*is not a folder; name a folder that this account may write/);
    });
  });

  test('tells when the chain was last anchored from its opening on, also before another checkpoint is due', async () => {
    await withFolder(async (dir) => {
      await (await open(dir)).close();
      const anchored = clock.now();
      await clock.advance(100_000);
      const metrics = createMetrics({ version: '0.1.0', commit: 'test' });
      const evidence = await openEvidence({ dir, sinks: [], clock, logger: silentLogger, metrics: metrics.domain, actor: 'dataward', lockWaitMillis: 0 });
      expect((await metrics.domain.auditLastCheckpoint.get()).values[0]?.value).toBe(anchored / 1000);
      await evidence.close();
    });
  });

  test('looks no more after it was closed, not even when a look was under way', async () => {
    await withFolder(async (dir) => {
      let block = Promise.resolve();
      let unblock = (): void => {};
      const evidence = await open(dir, [memorySink(() => block)]);
      await evidence.audit.append(entry(1));
      block = new Promise((resolve) => (unblock = resolve));
      for (let each = 0; each < 10; each += 1) {
        await clock.advance(30_000);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const closing = evidence.close();
      unblock();
      await closing;
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(clock.timers).toBe(0);
    });
  });
});
