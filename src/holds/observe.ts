import { createHash } from 'node:crypto';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { HoldBlock, LegalHold, PinnedSecret } from '../api/generated/legalHold.ts';
import { SECRET } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import type { SubjectIdentifiers } from '../rules/holds.ts';
import { covers, type Declarations } from '../rules/store-rules.ts';
import type { HoldList } from '../rules/succession.ts';
import type { Client } from '../runtime/client.ts';
import { formerHolds } from './copies.ts';

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

/** Subject identifiers of a hold's blocks, and the digests that pin their Secrets. */
export interface HoldSubjects {
  bySecret: ReadonlyMap<string, SubjectIdentifiers>;
  pins: PinnedSecret[];
  /** Names of Secrets that are missing or are not what they were. */
  unreadable: string[];
}

/**
 * Reads the Secrets that name held persons. The first reading pins each by digest; one that is missing or changed
 * later is unreadable and its block then holds everything it selects: emptying a Secret must lift nothing. For a hold that
 * was created again the first reading is that of the hold it was: in its new namespace the name may be another matter's.
 *
 * Keys of a Secret are identities as maps call them, values hold one identifier a line.
 */
export async function readSubjects(client: Client, hold: LegalHold, list: HoldList): Promise<HoldSubjects> {
  const bySecret = new Map<string, SubjectIdentifiers>();
  const pins = new Map([...formerHolds(hold, list), hold].flatMap(({ status }) => status?.secrets ?? []).map((pin) => [pin.name, pin]));
  const unreadable: string[] = [];
  for (const name of new Set(hold.spec.scope.flatMap((block) => (block.subjects ? [block.subjects.secretName] : [])))) {
    const secret = await client.get<SecretObject>(SECRET, { namespace: hold.metadata.namespace ?? '', name });
    const digest = secret && digestOf(secret);
    const pin = pins.get(name);
    const identifiers = secret && identifiersOf(secret);
    if (!digest || !identifiers || (pin && pin.digest !== digest)) {
      bySecret.set(name, 'Unreadable');
      unreadable.push(name);
      continue;
    }
    pins.set(name, { name, digest });
    bySecret.set(name, identifiers);
  }
  return { bySecret, pins: [...pins.values()], unreadable };
}

function digestOf(secret: SecretObject): string {
  const hash = createHash('sha256');
  for (const [key, value] of Object.entries(secret.data ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${key}\n${value}\n`);
  return `sha256:${hash.digest('hex')}`;
}

/** Undefined for a Secret that names nobody: an empty list would hold nothing. */
function identifiersOf(secret: SecretObject): Record<string, string[]> | undefined {
  const entries = Object.entries(secret.data ?? {}).map(([identity, value]) => {
    const lines = Buffer.from(value, 'base64').toString('utf8').split('\n').map((line) => line.trim());
    return [identity, lines.filter((line) => line !== '')] as const;
  });
  const named = entries.filter(([, values]) => values.length > 0);
  return named.length > 0 ? Object.fromEntries(named) : undefined;
}

/** The blocks of a hold that reach a store, with their places in `spec.scope` and their subjects. */
export function blocksFor(hold: LegalHold, store: DataStore, declarations: Declarations, subjects: HoldSubjects): { index: number; block: HoldBlock; subjects?: SubjectIdentifiers }[] {
  return hold.spec.scope
    .map((block, index) => ({ index, block, ...(block.subjects ? { subjects: subjects.bySecret.get(block.subjects.secretName) ?? ('Unreadable' as const) } : {}) }))
    .filter(({ block }) => covers(hold, block.stores, store, declarations));
}
