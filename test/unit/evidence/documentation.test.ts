import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { directoryCheckpointSink } from '../../../src/evidence/audit/checkpoint-directory.ts';
import { signCheckpoint, type Checkpoint } from '../../../src/evidence/audit/checkpoint.ts';
import { openAuditLog } from '../../../src/evidence/audit/log.ts';
import { buildCertificate, certificateText, signCertificate } from '../../../src/evidence/certificate.ts';
import { publicKeyPem } from '../../../src/evidence/keys.ts';
import { facts, signer } from '../../support/certificate.ts';
import { entry, NOON, readLines, rehash, withFolder, writeLines } from '../../support/chain.ts';

/** The commands of docs/evidence.md, run as an auditor would, on what our code writes. */

const page = readFileSync('docs/evidence.md', 'utf8');
const blocks = [...page.matchAll(/^```(sh|python)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({ language, code: code! }));

function runBlocks(dir: string): { status: number | null; output: string } {
  let output = '';
  for (const { language, code } of blocks) {
    const [command, args] = language === 'sh' ? ['bash', ['--norc', '-euo', 'pipefail', '-c', code]] as const : ['python3', ['-c', code]] as const;
    const result = spawnSync(command, args, { cwd: dir, encoding: 'utf8' });
    if (result.error) throw new Error(`${command} is needed to run docs/evidence.md`, { cause: result.error });
    output += result.stdout + result.stderr;
    if (result.status !== 0) return { status: result.status, output };
  }
  return { status: 0, output };
}

/** What an auditor holds after one run. */
async function auditorsFolder(dir: string): Promise<void> {
  const audit = join(dir, 'audit');
  const sink = directoryCheckpointSink(join(dir, 'checkpoints'));
  const log = await openAuditLog({ dir: audit, clock: () => NOON, segmentBytes: 1500 });
  const object = { kind: 'PurgeRun', namespace: 'platform-db', name: 'run-1', uid: facts().basis.runUid };
  const anchor = async (): Promise<Checkpoint> => {
    const checkpoint = signCheckpoint(log.chainId, log.head(), signer, NOON);
    await sink.put(checkpoint);
    return checkpoint;
  };
  const first = await log.append({ actor: 'dataward', action: 'purge.intent', object, outcome: 'Intended' });
  await anchor();
  for (let n = 1; n <= 10; n++) await log.append({ ...entry(n), object });
  const last = await log.append({ actor: 'dataward', action: 'purge.done', object, outcome: 'Done' });
  const checkpoint = await anchor();
  await log.close();

  const audited = { chainId: log.chainId, firstSeq: first.seq, lastSeq: last.seq, checkpoint };
  writeFileSync(join(dir, 'certificate.json'), certificateText(signCertificate(buildCertificate(facts({ audit: audited })), signer)));
  mkdirSync(join(dir, 'keys'));
  writeFileSync(join(dir, 'keys', `${signer.keyId}.pem`), publicKeyPem(signer));
}

test('all blocks agree with files that were not touched', async () => {
  await withFolder(async (dir) => {
    await auditorsFolder(dir);
    const { status, output } = runBlocks(dir);
    expect(output).toContain('integrity: intact, 13 records');
    expect(output).toContain('completeness: anchored through record 13');
    expect(output).toContain('certificate canonical\ncertificate anchored\n');
    expect(output.match(/^Signature Verified Successfully$/gm)).toHaveLength(3);
    expect(output).toContain('{"seq":13,"action":"purge.done","outcome":"Done"}');
    expect(status).toBe(0);
    expect(blocks).toHaveLength(6);
  });
});

describe('some block notices', () => {
  test.each<[string, (dir: string) => Promise<void>, string]>([
    ['a record changed in place', (dir) => changeLines(dir, (lines) => lines.map((line) => line.replace('"Intended"', '"Noted"'))), 'its hash is wrong'],
    ['a record removed', (dir) => changeLines(dir, (lines) => lines.toSpliced(1, 1)), 'does not follow'],
    ['the tail removed', (dir) => changeLines(dir, (lines, last) => (last ? lines.slice(0, -1) : lines)), 'completeness: truncated, record 13'],
    ['the chain computed anew', rewriteAll, 'completeness: rewritten, record 2'],
    ['a forged checkpoint', (dir) => changeFile(dir, 'checkpoints', (text) => text.replace(/"ts":"2026/, '"ts":"2025')), 'Signature Verification Failure'],
    ['a changed certificate', (dir) => changeFile(dir, 'certificate.json', (text) => text.replace('"deleted":118', '"deleted":120')), 'Signature Verification Failure'],
    ['a member doubled in a certificate', (dir) => changeFile(dir, 'certificate.json', (text) => text.replace('"kind":', '"kind":"Erasure","kind":')), 'differ'],
  ])('%s', async (_name, spoil, message) => {
    await withFolder(async (dir) => {
      await auditorsFolder(dir);
      await spoil(dir);
      const { status, output } = runBlocks(dir);
      expect(status).not.toBe(0);
      expect(output).toContain(message);
    });
  });
});

async function changeLines(dir: string, change: (lines: string[], last: boolean) => string[]): Promise<void> {
  const segments = await readLines(join(dir, 'audit'));
  segments.forEach(({ path, lines }, i) => writeLines(path, change(lines, i === segments.length - 1)));
}

async function rewriteAll(dir: string): Promise<void> {
  const segments = await readLines(join(dir, 'audit'));
  const lines = rehash(segments.flatMap((segment) => segment.lines), (record) => {
    if (record['seq'] === 2) record['actor'] = 'nobody';
  });
  for (const segment of segments) writeLines(segment.path, lines.splice(0, segment.lines.length));
}

async function changeFile(dir: string, name: string, change: (text: string) => string): Promise<void> {
  const path = name === 'checkpoints' ? spawnSync('bash', ['-c', 'ls checkpoints/*.json | head -1'], { cwd: dir, encoding: 'utf8' }).stdout.trim() : name;
  writeFileSync(join(dir, path), change(readFileSync(join(dir, path), 'utf8')));
}
