import { randomUUID } from 'node:crypto';
import type { CertificateReference, PurgeRun } from '../../api/generated/purgeRun.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import type { Checkpoint } from '../../evidence/audit/checkpoint.ts';
import { buildCertificate, certificateDigest, certificateText, readCertificate, signCertificate, type Certificate } from '../../evidence/certificate.ts';
import { signText, type SigningKey } from '../../evidence/keys.ts';
import type { Client } from '../../runtime/client.ts';
import { WaitingError } from '../../runtime/result.ts';
import { objectOf } from './names.ts';
import { certificateNames, isFree, publish } from './publish.ts';
import { statementOf, type CertifiedRun, type Statement } from './statement.ts';

/** Where certificates go and what they are signed with. */
export interface Certifier {
  client: Client;
  audit: AuditLog;
  key: SigningKey;
  /** Keeps the file beside the audit chain; resolves when it is durable. */
  keep: (name: string, text: string) => Promise<void>;
  /** What is kept there under a name; undefined: nothing. */
  kept: (name: string) => Promise<string | undefined>;
  /** Anchors the chain up to now and gives the checkpoint, so that the certificate can name it. */
  anchor: () => Promise<Checkpoint | null>;
  bundleDigest: string | null;
  /** A client's key as evidence may carry it. */
  nameClient: (key: string) => string;
  version: string;
  actor: string;
  now: () => number;
}

/**
 * Issues the certificate of a verified run: a signed file, and a ConfigMap beside the run for those who only have
 * kubectl. The file comes first: issued again after a crash it is that very file where nothing else is to be said, and
 * otherwise a certificate that names the one it takes the place of, so that no two say different things side by side.
 *
 * @throws CertificateRefusedError when the facts do not earn one
 * @throws WaitingError when somebody else's objects stand under each name it could have
 */
export async function certify(certified: CertifiedRun, certifier: Certifier): Promise<CertificateReference> {
  const { run } = certified;
  const { name, earlier } = await findPlace(run, certifier);
  const { text, supersedes } = await textOf(certified, earlier, certifier);
  const digest = certificateDigest(text);
  // Under a name of its own first: whoever was handed it can still see what it said.
  if (earlier && supersedes !== undefined) await certifier.keep(fileOf(run, `${name}.${supersedes}`), certificateText(earlier));
  await certifier.keep(fileOf(run, name), text);
  await certifier.audit.append({ actor: certifier.actor, action: 'certificate.issued', object: objectOf(run), outcome: 'Done', refs: { certificate: name, digest, keyId: certifier.key.keyId, ...(supersedes === undefined ? {} : { supersedes }) } });
  await publish(certifier.client, run, name, text);
  return { name, sha256: digest.replace(/^sha256:/, '') };
}

/** A name under which nothing of another run stands, neither in the cluster nor on disk, and what is kept of this run already. */
async function findPlace(run: PurgeRun, { client, kept, key }: Certifier): Promise<{ name: string; earlier?: Certificate }> {
  let place: string | undefined;
  let earlier: Certificate | undefined;
  const names = certificateNames(run, signText(`name of the certificate of ${run.metadata.uid ?? ''}`, key));
  for (const name of names) {
    const file = await kept(fileOf(run, name));
    const certificate = file === undefined ? undefined : readCertificate(file);
    const own = certificate?.basis.runUid === (run.metadata.uid ?? '');
    if (own) earlier ??= certificate;
    if ((certificate === undefined || own) && (await isFree(client, run, name))) place ??= name;
  }
  const { namespace = '' } = run.metadata;
  if (place === undefined) throw new WaitingError('ProgressingWithRetry', `ConfigMaps ${names.map((name) => `${namespace}/${name}`).join(' and ')}, or files of these names beside the audit log, belong to somebody else; move one away, then the certificate of this run is issued under its name`, 30_000);
  return { name: place, ...(earlier ? { earlier } : {}) };
}

async function textOf(certified: CertifiedRun, earlier: Certificate | undefined, certifier: Certifier): Promise<{ text: string; supersedes?: string }> {
  const statement = statementOf(certified, certifier);
  if (earlier) {
    const text = signed(sameAs(statement, earlier), certifier.key);
    if (text === certificateText(earlier)) return { text };
  }
  // Other controllers write to the same chain while the checkpoint is on its way: it anchors what stood before it.
  const lastSeq = certifier.audit.head().seq;
  const checkpoint = await certifier.anchor();
  const supersedes = earlier ? { supersedes: earlier.id } : {};
  const issued = { id: randomUUID(), issuedAt: new Date(certifier.now()).toISOString(), ...supersedes, audit: { chainId: certifier.audit.chainId, firstSeq: certified.firstSeq, lastSeq, checkpoint } };
  return { text: signed({ ...statement, ...issued }, certifier.key), ...supersedes };
}

/** The statement as it would have been issued then: a later look at the same rows is no news, nor is a newer version of ours. */
function sameAs(statement: Statement, { id, issuedAt, issuer, supersedes, audit, collections }: Certificate): Parameters<typeof buildCertificate>[0] {
  const looked = new Map(collections.map(({ name, verification }) => [name, verification.at]));
  return {
    ...statement,
    id,
    issuedAt,
    issuer,
    ...(supersedes === undefined ? {} : { supersedes }),
    audit,
    collections: statement.collections.map((each) => ({ ...each, verification: { ...each.verification, at: looked.get(each.name) ?? each.verification.at } })),
  };
}

const signed = (facts: Parameters<typeof buildCertificate>[0], key: SigningKey): string => certificateText(signCertificate(buildCertificate(facts), key));

/** A namespace has no dot in it, so no two runs share a file. */
const fileOf = (run: PurgeRun, name: string): string => `${run.metadata.namespace}.${name}.json`;
