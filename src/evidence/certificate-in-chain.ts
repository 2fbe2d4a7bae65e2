import { JOURNAL_TAKEN_OVER } from './audit/journal.ts';
import { readRecord } from './audit/line.ts';
import { CHAIN_STARTED, type AuditRecord } from './audit/record.ts';
import { listSegments, scanLines } from './audit/segments.ts';
import type { Certificate } from './certificate.ts';

/**
 * Compares a certificate's counts with the audit chain it names. The counts of the chain come from the store's own
 * journal, so this tells a certificate that was made up from one that was earned. It does not verify the chain.
 */

export interface ChainSupport {
  /**
   * `Supported`: intent before the first deletion, and the same counts. `Contradicted`: the chain says otherwise.
   * `Missing`: the chain, or some of the records named, are not here; nothing is known.
   */
  readonly state: 'Supported' | 'Contradicted' | 'Missing';
  /** Names of collections and counts; empty when supported. */
  readonly problems: readonly string[];
}

/** Streams the chain in `dir` in constant memory. Throws only when files cannot be read. */
export async function checkCertificateInChain(dir: string, certificate: Certificate): Promise<ChainSupport> {
  const { chainId, firstSeq, lastSeq } = certificate.audit;
  const tally = new Tally(certificate.basis.runUid);
  let found: string | undefined;
  let records = 0;
  for (const segment of await listSegments(dir)) {
    await scanLines(segment.path, (line) => {
      const record = readRecord(line);
      if (typeof record === 'string') return;
      if (record.action === CHAIN_STARTED && record.seq === 1) found = String(record.refs['chainId']);
      if (record.seq < firstSeq || record.seq > lastSeq) return;
      records += 1;
      tally.add(record);
    });
  }
  if (found !== chainId) return { state: 'Missing', problems: [`chain ${chainId} is not here${found ? `, but chain ${found}` : ''}`] };
  if (records !== lastSeq - firstSeq + 1) {
    return { state: 'Missing', problems: [`${records} readable records between ${firstSeq} and ${lastSeq}; verify the chain`] };
  }
  const problems = tally.compare(certificate);
  return { state: problems.length === 0 ? 'Supported' : 'Contradicted', problems };
}

class Tally {
  readonly #uid: string;
  readonly #deleted = new Map<string, number>();
  #intended = false;
  #beforeIntent = false;
  #unreadable = 0;

  constructor(uid: string) {
    this.#uid = uid;
  }

  add(record: AuditRecord): void {
    if (record.object.uid !== this.#uid) return;
    if (record.outcome === 'Intended') this.#intended = true;
    if (record.action !== JOURNAL_TAKEN_OVER) return;
    if (!this.#intended) this.#beforeIntent = true;
    const { collection, deleted } = (record.refs['batch'] ?? {}) as { collection?: unknown; deleted?: unknown };
    if (typeof collection !== 'string' || typeof deleted !== 'number') {
      this.#unreadable += 1;
      return;
    }
    this.#deleted.set(collection, (this.#deleted.get(collection) ?? 0) + deleted);
  }

  compare(certificate: Certificate): string[] {
    const problems: string[] = [];
    if (!this.#intended || this.#beforeIntent) problems.push('no intent was recorded before the first deletion');
    if (this.#unreadable > 0) problems.push(`${this.#unreadable} records of batches do not say what was deleted; verify the chain`);
    const stated = new Map(certificate.collections.map(({ name, deleted }) => [name, deleted]));
    for (const name of new Set([...stated.keys(), ...this.#deleted.keys()])) {
      const [says, recorded] = [stated.get(name) ?? 0, this.#deleted.get(name) ?? 0];
      if (says !== recorded) problems.push(`collection ${name}: the certificate states ${says} deleted rows, the chain records ${recorded}`);
    }
    return problems;
  }
}
