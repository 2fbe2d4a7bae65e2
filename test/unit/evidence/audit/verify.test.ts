import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { signCheckpoint, type Checkpoint } from '../../../../src/evidence/audit/checkpoint.ts';
import { listSegments } from '../../../../src/evidence/audit/segments.ts';
import { verifyAuditLog, type AuditVerdict } from '../../../../src/evidence/audit/verify.ts';
import { generateSigningKey, type PublicKeys } from '../../../../src/evidence/keys.ts';
import { NOON, readLines, rehash, withFolder, writeChain, writeLines } from '../../../support/chain.ts';
import { fc, runs } from '../../../support/properties.ts';

const key = generateSigningKey();
const publicKeys: PublicKeys = new Map([[key.keyId, key.publicKey]]);

/** Ten records in one segment, checkpoints after 4 and 10; `spoil` gets the lines. */
async function verdictAfter(spoil: (lines: string[], checkpoints: Checkpoint[]) => string[] | void): Promise<AuditVerdict> {
  return withFolder(async (dir) => {
    const checkpoints = await writeChain(dir, 10, { key, anchors: [4, 10] });
    const [segment] = await readLines(dir);
    const spoilt = spoil(segment!.lines, checkpoints);
    if (spoilt) writeLines(segment!.path, spoilt);
    return verifyAuditLog({ dir, checkpoints, publicKeys });
  });
}

describe('an untouched chain', () => {
  test('is intact and complete', async () => {
    const verdict = await verdictAfter(() => undefined);
    expect(verdict).toMatchObject({
      ok: true,
      integrity: { state: 'Intact', records: 10 },
      completeness: { state: 'Complete', anchoredThrough: 10, unanchored: 0, findings: [] },
    });
  });

  test('stays one chain across segments', async () => {
    await withFolder(async (dir) => {
      const checkpoints = await writeChain(dir, 40, { segmentBytes: 1500, key, anchors: [25] });
      expect((await listSegments(dir)).length).toBeGreaterThan(5);
      expect(await verifyAuditLog({ dir, checkpoints, publicKeys })).toMatchObject({
        ok: true,
        integrity: { records: 40 },
        completeness: { state: 'Complete', anchoredThrough: 25, unanchored: 15 },
      });
    });
  });

  test('without checkpoints is intact but proves nothing about what was there', async () => {
    await withFolder(async (dir) => {
      await writeChain(dir, 3);
      expect(await verifyAuditLog({ dir })).toMatchObject({ ok: false, integrity: { state: 'Intact' }, completeness: { state: 'Unanchored', unanchored: 3 } });
    });
  });
});

describe('the first bad record is named', () => {
  test('whichever byte of a small log is changed', async () => {
    await withFolder(async (dir) => {
      const checkpoints = await writeChain(dir, 4, { key, anchors: [4] });
      const path = (await listSegments(dir))[0]!.path;
      const good = readFileSync(path);
      let line = 1;
      for (let at = 0; at < good.length; at++) {
        // Now a bit that makes another character of it, now one that breaks the encoding.
        const flip = at % 4 === 0 ? 0x80 : 0x01;
        const bad = Buffer.from(good);
        bad[at]! ^= flip;
        writeFileSync(path, bad);
        const verdict = await verifyAuditLog({ dir, checkpoints, publicKeys });
        if (verdict.ok || verdict.integrity.firstBad?.line !== line || verdict.integrity.firstBad.seq !== line) {
          throw new Error(`byte ${at} of line ${line} xor ${flip}: ${JSON.stringify(verdict)}`);
        }
        // A chain broken before its checkpoint is never called complete.
        expect(verdict.completeness.state).not.toBe('Complete');
        if (good[at] === 0x0a) line += 1;
      }
      expect(line).toBe(5);
    });
  });

  test.each<[string, (lines: string[]) => string[], string, number, string]>([
    ['a record is removed', (l) => l.toSpliced(5, 1), 'Gap', 6, 'Undetermined'],
    ['two records change places', (l) => l.toSpliced(5, 2, l[6]!, l[5]!), 'Gap', 6, 'Undetermined'],
    ['a record is repeated at once', (l) => l.toSpliced(6, 0, l[5]!), 'Replayed', 7, 'Undetermined'],
    ['a record is replayed at the end', (l) => [...l, l[5]!], 'Replayed', 11, 'Complete'],
    ['the whole chain is appended again', (l) => [...l, ...l], 'Replayed', 11, 'Complete'],
    ['the first record is removed', (l) => l.slice(1), 'Gap', 1, 'Undetermined'],
    ['a line of garbage is put in', (l) => l.toSpliced(3, 0, 'garbage'), 'NotJson', 4, 'Undetermined'],
    ['a line is empty', (l) => l.toSpliced(3, 0, ''), 'NotJson', 4, 'Undetermined'],
    ['a huge line is put in', (l) => l.toSpliced(3, 0, 'x'.repeat(3_000_000)), 'TooLong', 4, 'Undetermined'],
    ['a record is computed anew alone', (l) => l.toSpliced(4, 1, rehash(l.slice(0, 5), (r) => { if (r['seq'] === 5) r['outcome'] = 'Failed'; })[4]!), 'BrokenLink', 6, 'Undetermined'],
  ])('%s', async (_name, spoil, problem, seq, completeness) => {
    const verdict = await verdictAfter(spoil);
    expect(verdict.ok).toBe(false);
    expect(verdict.integrity).toMatchObject({ state: 'Broken', records: seq - 1, firstBad: { problem, seq } });
    expect(verdict.completeness.state).toBe(completeness);
  });

  test.each<[string, (record: Record<string, unknown>) => void, number]>([
    ['the first record names no chain', (record) => void (record['seq'] === 1 && (record['action'] = 'purge.batch')), 1],
    ['a chain starts a second time within', (record) => void (record['seq'] === 4 && Object.assign(record, { action: 'chain.started', refs: { chainId: 'other' } })), 4],
  ])('%s', async (_name, change, seq) => {
    const verdict = await verdictAfter((lines) => rehash(lines, change));
    expect(verdict.integrity).toMatchObject({ state: 'Broken', firstBad: { seq, problem: 'ChainStart' } });
  });

  test('a segment is renamed', async () => {
    await withFolder(async (dir) => {
      await writeChain(dir, 3);
      renameSync(join(dir, 'audit-0000000000000001.jsonl'), join(dir, 'audit-0000000000000002.jsonl'));
      expect((await verifyAuditLog({ dir })).integrity.firstBad).toEqual({ file: 'audit-0000000000000002.jsonl', line: 1, seq: 1, problem: 'SegmentName' });
    });
  });

  test('a segment is removed', async () => {
    await withFolder(async (dir) => {
      await writeChain(dir, 20, { segmentBytes: 1500 });
      const segments = await listSegments(dir);
      rmSync(segments[1]!.path);
      expect((await verifyAuditLog({ dir })).integrity.firstBad).toMatchObject({ file: segments[2]!.file, line: 1, seq: segments[1]!.firstSeq, problem: 'Gap' });
    });
  });
});

test('no way of editing an anchored chain goes unnoticed', async () => {
  const at = fc.nat({ max: 30 });
  const edit = fc.oneof(
    fc.record({ kind: fc.constant('remove' as const), at }),
    fc.record({ kind: fc.constant('repeat' as const), at, to: at }),
    fc.record({ kind: fc.constant('move' as const), at, to: at }),
    fc.record({ kind: fc.constant('forge' as const), at }),
    fc.record({ kind: fc.constant('cut' as const), at }),
  );
  await withFolder(async (dir) => {
    const checkpoints = await writeChain(dir, 12, { key, anchors: [5, 12] });
    const [segment] = await readLines(dir);
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.boolean(), async (edits, anew) => {
        let lines = [...segment!.lines];
        for (const one of edits) {
          const i = one.at % Math.max(1, lines.length);
          if (one.kind === 'remove') lines.splice(i, 1);
          if (one.kind === 'cut') lines = lines.slice(0, i);
          if (one.kind === 'forge' && lines[i]) lines[i] = lines[i].replace(/"(Done|Noted|Failed)"/, (word) => (word === '"Failed"' ? '"Done"' : '"Failed"'));
          if (one.kind === 'repeat' && lines[i]) lines.splice(one.to % lines.length, 0, lines[i]);
          if (one.kind === 'move') lines.splice(one.to % Math.max(1, lines.length), 0, ...lines.splice(i, 1));
        }
        // The forger numbers and hashes everything anew, or leaves it as it is.
        if (anew) {
          let seq = 0;
          lines = rehash(lines, (record) => void (record['seq'] = ++seq));
        }
        writeLines(segment!.path, lines);
        const verdict = await verifyAuditLog({ dir, checkpoints, publicKeys });
        expect(verdict.ok).toBe(lines.join() === segment!.lines.join());
      }),
      { numRuns: runs(300) },
    );
  });
});

describe('a checkpoint tells from the chain that was there', () => {
  test('a tail cut off between two records', async () => {
    const verdict = await verdictAfter((lines) => lines.slice(0, 7));
    expect(verdict).toMatchObject({ ok: false, integrity: { state: 'Intact', records: 7 }, completeness: { state: 'Truncated', anchoredThrough: 4, unanchored: 3 } });
    expect(verdict.completeness.findings[0]!.detail).toBe('record 10 was there on 2026-11-24T12:00:00.000Z; the last one here is 7');
  });

  test('a tail cut off within a record', async () => {
    await withFolder(async (dir) => {
      const checkpoints = await writeChain(dir, 10, { key, anchors: [10] });
      const { path, file } = (await listSegments(dir))[0]!;
      truncateSync(path, readFileSync(path).length - 20);
      const verdict = await verifyAuditLog({ dir, checkpoints, publicKeys });
      expect(verdict.integrity).toEqual({ state: 'Broken', records: 9, firstBad: { file, line: 10, seq: 10, problem: 'TornTail' } });
      expect(verdict.completeness.state).toBe('Truncated');
    });
  });

  test('a chain computed anew from a record on', async () => {
    const verdict = await verdictAfter((lines) => rehash(lines, (record) => { if (record['seq'] === 6) record['refs'] = {}; }));
    expect(verdict).toMatchObject({ ok: false, integrity: { state: 'Intact', records: 10 }, completeness: { state: 'Rewritten', anchoredThrough: 4 } });
  });

  test('a second claim to the place it anchors', async () => {
    const verdict = await verdictAfter((lines) => [...lines, rehash(lines, (record) => void (record['actor'] = 'nobody'))[9]!]);
    expect(verdict).toMatchObject({ integrity: { firstBad: { seq: 11, problem: 'Replayed' } }, completeness: { state: 'Rewritten' } });
  });

  test('a chain computed anew and made longer', async () => {
    const verdict = await verdictAfter((lines) => {
      const extra = JSON.stringify({ ...(JSON.parse(lines[9]!) as object), seq: 11 });
      return rehash([...lines, extra], (record) => { if (record['seq'] === 2) record['actor'] = 'nobody'; });
    });
    expect(verdict).toMatchObject({ integrity: { state: 'Intact', records: 11 }, completeness: { state: 'Rewritten' } });
  });

  test.each([['its files', false], ['its folder', true]])('a chain deleted with %s', async (_name, whole) => {
    await withFolder(async (parent) => {
      const dir = join(parent, 'audit');
      const checkpoints = await writeChain(dir, 10, { key, anchors: [10] });
      rmSync(whole ? dir : (await listSegments(dir))[0]!.path, { recursive: true });
      expect(await verifyAuditLog({ dir, checkpoints, publicKeys })).toMatchObject({ ok: false, integrity: { state: 'Empty' }, completeness: { state: 'ChainMissing' } });
    });
  });

  test('a chain deleted and begun again', async () => {
    await withFolder(async (dir) => {
      const checkpoints = await writeChain(dir, 10, { key, anchors: [10] });
      rmSync((await listSegments(dir))[0]!.path);
      await writeChain(dir, 12);
      expect(await verifyAuditLog({ dir, checkpoints, publicKeys })).toMatchObject({ ok: false, integrity: { state: 'Intact' }, completeness: { state: 'ChainMissing' } });
    });
  });

  test('a last record removed together with a broken one before it', async () => {
    const verdict = await verdictAfter((lines) => ['x', ...lines.slice(1, 9)]);
    expect(verdict).toMatchObject({ integrity: { state: 'Broken', firstBad: { seq: 1 } }, completeness: { state: 'Truncated', anchoredThrough: 0 } });
  });
});

describe('a checkpoint that is not genuine', () => {
  test.each<[string, (c: Checkpoint) => Checkpoint, string]>([
    ['of an unknown key', (c) => signCheckpoint(c.chainId, { seq: c.seq, hash: c.rootHash }, generateSigningKey(), NOON), 'UnknownKey'],
    ['with another number', (c) => ({ ...c, seq: c.seq - 1 }), 'BadSignature'],
    ['with another root', (c) => ({ ...c, rootHash: '0'.repeat(64) }), 'BadSignature'],
    ['with another time', (c) => ({ ...c, ts: '2027-01-01T00:00:00.000Z' }), 'BadSignature'],
    ['with another spelling of its signature', (c) => ({ ...c, sig: ` ${c.sig}` }), 'BadSignature'],
  ])('%s proves nothing and is reported', async (_name, forge, reason) => {
    await withFolder(async (dir) => {
      const [genuine] = await writeChain(dir, 5, { key, anchors: [5] });
      const verdict = await verifyAuditLog({ dir, checkpoints: [forge(genuine!)], publicKeys });
      expect(verdict).toMatchObject({ ok: false, completeness: { state: 'Unanchored' }, rejected: [{ reason }] });
    });
  });

  test('does not hide behind a genuine one', async () => {
    await withFolder(async (dir) => {
      const [genuine] = await writeChain(dir, 5, { key, anchors: [5] });
      const verdict = await verifyAuditLog({ dir, checkpoints: [genuine!, { ...genuine!, seq: 4 }], publicKeys });
      expect(verdict).toMatchObject({ ok: false, completeness: { state: 'Complete' }, rejected: [{ reason: 'BadSignature' }] });
    });
  });
});
