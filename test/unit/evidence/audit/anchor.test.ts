import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { AuditRewoundError, openAnchor, type Anchor } from '../../../../src/evidence/audit/anchor.ts';
import { directoryCheckpointSink } from '../../../../src/evidence/audit/checkpoint-directory.ts';
import { signCheckpoint, type Checkpoint, type CheckpointSink } from '../../../../src/evidence/audit/checkpoint.ts';
import { openAuditLog, type AuditLog } from '../../../../src/evidence/audit/log.ts';
import { verifyAuditLog } from '../../../../src/evidence/audit/verify.ts';
import { generateSigningKey } from '../../../../src/evidence/keys.ts';
import { entry, NOON, readLines, rehash, withFolder, writeLines } from '../../../support/chain.ts';

const key = generateSigningKey();
const later = (seconds: number) => new Date(NOON.getTime() + seconds * 1000);
const failing: CheckpointSink = { name: 'failing', put: () => Promise.reject(new Error('503')), list: async () => [] };

/** An open log with its anchoring; `other` sinks come beside the directory `anchors`. */
async function anchored(parent: string, use: (log: AuditLog, anchor: Anchor, sink: CheckpointSink) => Promise<void>, other: CheckpointSink[] = []): Promise<void> {
  const sink = directoryCheckpointSink(join(parent, 'anchors'));
  const log = await openAuditLog({ dir: join(parent, 'audit'), clock: () => NOON, segmentBytes: 1500 });
  try {
    await sink.put(signCheckpoint('another-chain', { seq: 99, hash: 'a'.repeat(64) }, key, NOON));
    await use(log, await openAnchor({ log, key, sinks: [...other, sink], rule: { everyRecords: 5, everyMillis: 60_000 } }), sink);
  } finally {
    await log.close();
  }
}

describe('an anchor', () => {
  test('signs by the rule, and its checkpoints prove the chain', async () => {
    await withFolder(async (parent) => {
      await anchored(parent, async (log, anchor, sink) => {
        expect((await anchor.tick(NOON))?.checkpoint.seq).toBe(1);
        for (let n = 1; n <= 4; n++) await log.append(entry(n));
        expect(await anchor.tick(later(1))).toBeUndefined();
        await log.append(entry(5));
        expect((await anchor.tick(later(2)))?.checkpoint.seq).toBe(6);
        await log.append(entry(6));
        expect((await anchor.tick(later(62)))?.checkpoint.seq).toBe(7);
        expect(await anchor.tick(later(6000))).toBeUndefined();
        expect(anchor.last()?.seq).toBe(7);
        const verdict = await verifyAuditLog({ dir: log.dir, checkpoints: await sink.list(), publicKeys: new Map([[key.keyId, key.publicKey]]), chainId: log.chainId });
        expect(verdict).toMatchObject({ ok: true, completeness: { anchoredThrough: 7, unanchored: 0 } });
      });
    });
  });

  test('remembers across a restart what was signed', async () => {
    await withFolder(async (parent) => {
      await anchored(parent, async (log, anchor) => {
        for (let n = 1; n <= 20; n++) await log.append(entry(n));
        await anchor.anchor(NOON);
      });
      await anchored(parent, async (_log, anchor) => {
        expect(anchor.last()?.seq).toBe(21);
        expect(await anchor.tick(later(9999))).toBeUndefined();
      });
    });
  });

  test('gives the same head the same checkpoint', async () => {
    await withFolder((parent) =>
      anchored(parent, async (_log, anchor) => {
        const first = await anchor.anchor(NOON);
        expect((await anchor.anchor(later(5))).checkpoint).toEqual(first.checkpoint);
      }),
    );
  });

  test('is content with one sink of two, and says which failed', async () => {
    await withFolder((parent) =>
      anchored(parent, async (_log, anchor, sink) => {
        expect(await anchor.anchor(NOON)).toMatchObject({ kept: true, outcomes: [{ sink: 'failing', error: new Error('503') }, { sink: sink.name }] });
      }, [failing]),
    );
  });

  test('counts nothing as anchored that no sink has', async () => {
    await withFolder(async (dir) => {
      const log = await openAuditLog({ dir, clock: () => NOON });
      const anchor = await openAnchor({ log, key, sinks: [failing], rule: { everyRecords: 1, everyMillis: 1 } });
      expect(await anchor.tick(NOON)).toMatchObject({ kept: false });
      expect(anchor.last()).toBeUndefined();
      expect(await anchor.tick(NOON)).toMatchObject({ kept: false });
      await log.close();
    });
  });

  test('does not open while a sink cannot be read', async () => {
    await withFolder(async (parent) => {
      const unreadable: CheckpointSink = { ...failing, list: () => Promise.reject(new Error('503')) };
      await expect(anchored(parent, async () => undefined, [unreadable])).rejects.toThrow('503');
    });
  });
});

describe('a chain that is not the one signed before does not go on', () => {
  async function after(spoil: (audit: string, snapshot: string) => Promise<void> | void): Promise<void> {
    await withFolder(async (parent) => {
      const [audit, snapshot] = [join(parent, 'audit'), join(parent, 'snapshot')];
      await anchored(parent, async (log, anchor) => {
        for (let n = 1; n <= 10; n++) await log.append(entry(n));
        cpSync(log.dir, snapshot, { recursive: true, filter: (path) => !path.endsWith('.lock') });
        for (let n = 11; n <= 20; n++) await log.append(entry(n));
        await anchor.anchor(NOON);
      });
      await spoil(audit, snapshot);
      await anchored(parent, async () => undefined);
    });
  }

  test('because its volume was restored from an older copy', async () => {
    await expect(
      after((audit, snapshot) => {
        rmSync(audit, { recursive: true });
        renameSync(snapshot, audit);
      }),
    ).rejects.toThrow(AuditRewoundError);
  });

  test('because it was computed anew', async () => {
    const rewritten = after(async (audit) => {
      const segments = await readLines(audit);
      const lines = rehash(segments.flatMap((segment) => segment.lines), (record) => {
        if (record['seq'] === 3) record['actor'] = 'nobody';
      });
      for (const segment of segments) writeLines(segment.path, lines.splice(0, segment.lines.length));
    });
    await expect(rewritten).rejects.toThrow('holds another history: record 21');
  });

  test('because of what an earlier key of ours signed', async () => {
    await withFolder(async (parent) => {
      const earlier = generateSigningKey();
      await anchored(parent, async (log, _anchor, sink) => {
        await sink.put(signCheckpoint(log.chainId, { seq: 500, hash: 'f'.repeat(64) }, earlier, NOON));
        const options = { log, key, sinks: [sink], rule: { everyRecords: 1, everyMillis: 1 } };
        await openAnchor(options);
        await expect(openAnchor({ ...options, earlierKeys: new Map([[earlier.keyId, earlier.publicKey]]) })).rejects.toThrow('ends at record 1, but record 500');
      });
    });
  });

  test('whichever of several places has the newest checkpoint, and in whatever order', async () => {
    const holding = (...checkpoints: Checkpoint[]): CheckpointSink => ({ name: 'x', put: async () => {}, list: async () => checkpoints });
    await withFolder(async (parent) => {
      await anchored(parent, async (log) => {
        const [first, ahead] = [signCheckpoint(log.chainId, log.head(), key, NOON), signCheckpoint(log.chainId, { seq: 500, hash: 'f'.repeat(64) }, key, NOON)];
        const open = (...sinks: CheckpointSink[]): Promise<Anchor> => openAnchor({ log, key, sinks, rule: { everyRecords: 1, everyMillis: 1 } });
        for (const sinks of [[holding(ahead), holding(first)], [holding(first), holding(ahead)], [holding(ahead, first)]]) await expect(open(...sinks)).rejects.toThrow('ends at record 1, but record 500');
        expect((await open(holding(first), holding())).last()).toEqual(first);
      });
    });
  });

  test('but one that was changed after we signed it does not stop it', async () => {
    await withFolder(async (parent) => {
      await anchored(parent, async (log, _anchor, sink) => {
        await sink.put({ ...signCheckpoint(log.chainId, { seq: 500, hash: 'f'.repeat(64) }, key, NOON), seq: 501 });
      });
      await anchored(parent, async (_log, anchor) => expect(anchor.last()).toBeUndefined());
    });
  });

  test('but a forged checkpoint of somebody else does not stop it', async () => {
    await withFolder(async (parent) => {
      await anchored(parent, async (log, _anchor, sink) => {
        await sink.put(signCheckpoint(log.chainId, { seq: 500, hash: 'f'.repeat(64) }, generateSigningKey(), NOON));
      });
      await anchored(parent, async (_log, anchor) => expect(anchor.last()).toBeUndefined());
    });
  });
});
