import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { directoryCheckpointSink } from '../evidence/audit/checkpoint-directory.ts';
import type { Checkpoint } from '../evidence/audit/checkpoint.ts';
import { openingOf } from '../evidence/audit/predecessors.ts';
import { verifyAuditLog } from '../evidence/audit/verify.ts';
import { checkCertificateInChain, type ChainSupport } from '../evidence/certificate-in-chain.ts';
import { loadPublicKeys } from '../evidence/keys.ts';
import type { Certificate } from '../evidence/certificate.ts';
import { verifyCertificate, type CertificateVerdict } from '../evidence/verify-certificate.ts';
import { CliError, EXIT, type CliContext, type ExitCode, type Output } from './context.ts';
import { note, printResult, table } from './output.ts';

export interface EvidenceFlags {
  output: Output;
  /** Folder of public keys, `*.pem`. */
  keys?: string;
  /** Folder of checkpoints that were kept apart from the log. */
  checkpoints?: string;
  /** Folder of the audit log a certificate rests on. */
  audit?: string;
}

/** `certificate verify FILE`: is it what was signed, by whom, and is the history it names the one the auditor has? */
export async function verifyCertificateFile(context: CliContext, file: string, flags: EvidenceFlags): Promise<ExitCode> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CliError(`${file}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : 'cannot be read'}`, EXIT.input, { cause: error });
  });
  const keys = await readKeys(flags.keys ?? path.join(path.dirname(file), '..', 'keys'));
  const checkpoints = flags.checkpoints === undefined ? undefined : await readCheckpoints(flags.checkpoints);
  const verdict = verifyCertificate({ text, publicKeys: keys, ...(checkpoints ? { checkpoints } : {}) });
  const { certificate, ...checks } = verdict;
  const chain = flags.audit === undefined || !certificate ? undefined : await inChain(flags.audit, certificate);
  // Without checkpoints from elsewhere the anchoring is not judged; what was judged decides.
  const ok = verdict.shape.ok && verdict.signature.state === 'Valid' && (checkpoints === undefined || verdict.audit.state === 'Anchored') && (flags.audit === undefined || chain?.state === 'Supported');
  printResult(context, flags.output, { ...checks, ...(chain ? { chain } : {}), ok }, () =>
    table(
      ['check', 'verdict', 'detail'],
      [
        ['shape', verdict.shape.ok ? 'Valid' : 'Invalid', verdict.shape.problems.join('; ')],
        ['signature', verdict.signature.state, signatureDetail(verdict.signature)],
        ['audit', verdict.audit.state, verdict.audit.detail],
        ...(chain ? [['chain', chain.state, chain.problems.join('; ') || 'the log records the same deletions']] : []),
      ],
    ),
  );
  if (certificate && verdict.signature.state === 'Valid') note(context, `${certificate.kind} in ${certificate.store.namespace}/${certificate.store.name}, issued ${certificate.issuedAt}: ${certificate.collections.reduce((sum, each) => sum + each.deleted, 0)} rows deleted; not covered: ${certificate.notCovered.length} statements`);
  return ok ? EXIT.fine : EXIT.findings;
}

const SIGNATURES: Partial<Record<CertificateVerdict['signature']['state'], string>> = {
  Invalid: 'the file is not what was signed: ask the issuer for the original',
  UnknownKey: 'no given key signed it: ask the issuer for the public key by another way, and name its folder with --keys',
};

function signatureDetail({ state, keyId }: CertificateVerdict['signature']): string {
  return [keyId, SIGNATURES[state]].filter((part) => part !== undefined).join('; ');
}

async function inChain(dir: string, certificate: Certificate): Promise<ChainSupport> {
  const info = await stat(dir).catch(() => undefined);
  if (!info?.isDirectory()) throw new CliError(`--audit ${dir}: ${info ? 'is not a folder' : 'there is no such folder'}; name the folder of the log, for example /var/lib/dataward/audit`);
  return checkCertificateInChain(dir, certificate);
}

/** `audit verify DIR`: two verdicts, integrity and completeness, because a log that was cut off is still intact. */
export async function verifyAuditDir(context: CliContext, dir: string, flags: EvidenceFlags): Promise<ExitCode> {
  const info = await stat(dir).catch(() => undefined);
  if (!info?.isDirectory()) throw new CliError(`${dir}: ${info ? 'is not a folder' : 'there is no such folder'}; name the folder of the log, for example /var/lib/dataward/audit`);
  const keys = await readKeys(flags.keys ?? path.join(dir, '..', 'keys'));
  const checkpoints = await readCheckpoints(flags.checkpoints ?? path.join(dir, '..', 'checkpoints'));
  const verdict = await verifyAuditLog({ dir, checkpoints, publicKeys: keys });
  const bad = verdict.integrity.firstBad;
  printResult(context, flags.output, verdict, () =>
    table(
      ['check', 'verdict', 'detail'],
      [
        ['integrity', verdict.integrity.state, bad ? `${bad.file} line ${bad.line}: record ${bad.seq}: ${bad.problem}` : `${verdict.integrity.records} records in order`],
        ['completeness', verdict.completeness.state, `checkpoints: ${checkpoints.length}, rejected: ${verdict.rejected.length}${uncovered(verdict.completeness.state, verdict.head.seq, checkpoints)}`],
      ],
    ),
  );
  for (const { chainId, seq, ts, signature } of (await openingOf(dir)).missing) {
    note(context, `when this chain began, chain ${chainId} was missing: a checkpoint of ${ts} knows it up to record ${seq}${signature === 'Valid' ? '' : ', signed with a key the operator no longer had'}. Ask for it, and why it ended.`);
  }
  if (flags.checkpoints === undefined) note(context, 'the checkpoints beside the log were used; who can write the log could have written them. Give --checkpoints from another place.');
  return verdict.ok ? EXIT.fine : EXIT.findings;
}

/** A log that was cut off behind its last checkpoint is as complete as that says; people have to know where that is. */
function uncovered(state: string, last: number, checkpoints: readonly Checkpoint[]): string {
  const through = Math.max(0, ...checkpoints.map(({ seq }) => seq));
  if (state !== 'Complete') return '';
  return last > through ? `; up to record ${through}, the ${last - through} after it are under none yet` : `; up to record ${through}`;
}

async function readCheckpoints(dir: string): Promise<Checkpoint[]> {
  return directoryCheckpointSink(dir).list().catch((error: unknown) => {
    throw new CliError(`--checkpoints ${dir}: ${systemCode(error) ? 'the folder of checkpoints cannot be read' : (error as Error).message}`, EXIT.input, { cause: error });
  });
}

const systemCode = (error: unknown): boolean => error instanceof Error && 'code' in error;

async function readKeys(dir: string): Promise<Awaited<ReturnType<typeof loadPublicKeys>>> {
  return loadPublicKeys(dir).catch((error: unknown) => {
    throw new CliError(`--keys ${dir}: ${systemCode(error) ? 'the folder of public keys cannot be read' : (error as Error).message}`, EXIT.input, { cause: error });
  });
}
