import type { DataStore } from '../api/generated/dataStore.ts';
import { ENTRY_POINTS_SECONDS, type EntryPointsReading } from '../connect/entry-points.ts';
import { COUNTS_VALID_MS, validUntil, type Readings } from '../connect/readings.ts';
import type { EntryPointsFact, FactsInput, RetentionFact, TransportFact } from '../policy/input.ts';
import { coverage } from '../rules/coverage.ts';
import { oldestDueSince, type EffectiveCollection } from '../rules/effective.ts';
import { instant, seconds } from './instants.ts';

export interface FactsEvidence {
  store: DataStore;
  readings?: Readings;
  /** Of the namespaces that declare data of the store; undefined for one nobody has read. */
  entryPoints: readonly (EntryPointsReading | undefined)[];
  /** Milliseconds. */
  now: number;
}

/** As many as the input has room for. */
const MOST_POINTS = 1_000;

/** What probes saw, in the groups policies know. A group or field that was not read is left out. Pure. */
export function factsInput({ store, readings, entryPoints, now }: FactsEvidence): FactsInput {
  const { transport, inventory, counts, rules } = readings ?? {};
  const asked = entryPoints.filter((each) => each !== undefined);
  const { transportSeconds, inventorySeconds } = store.spec.observation;
  return {
    ...(transport ? { transport: transportFact(transport, validUntil(transport.at, transportSeconds)) } : {}),
    ...(inventory && rules
      ? {
          coverage: {
            observedAt: seconds(inventory.at),
            validUntil: seconds(validUntil(inventory.at, inventorySeconds)),
            ...coverageCounts(inventory, rules),
            overdueExemptions: rules.maps.flatMap((map) => map.spec.nonPersonal ?? []).filter((entry) => Date.parse(entry.reviewAt) < now).length,
            undeclaredDatabases: inventory.inventory.otherDatabases.toSorted(),
          },
        }
      : {}),
    // A namespace nobody has read may have the worst of all.
    ...(asked.length === entryPoints.length && asked.length > 0 ? { entryPoints: entryPointsFact(asked) } : {}),
    ...(counts ? { retention: retentionFact(counts, rules?.effective ?? []) } : {}),
  };
}

function coverageCounts(inventory: NonNullable<Readings['inventory']>, rules: NonNullable<Readings['rules']>): { tables: number; mapped: number; nonPersonal: number; unclassified: number } {
  const { tables = 0, mapped = 0, nonPersonal = 0, unclassified = 0 } = coverage(inventory.inventory, rules.resolved, rules.maps);
  return { tables, mapped, nonPersonal, unclassified };
}

const KEY_TYPES: Readonly<Record<string, 'RSA' | 'EC' | 'Ed25519' | 'Ed448' | 'DSA'>> = { rsa: 'RSA', 'rsa-pss': 'RSA', ec: 'EC', ed25519: 'Ed25519', ed448: 'Ed448', dsa: 'DSA' };
const VERSIONS: Readonly<Record<string, 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'>> = { 'TLSv1.0': 'TLSv1', 'TLSv1.1': 'TLSv1.1', 'TLSv1.2': 'TLSv1.2', 'TLSv1.3': 'TLSv1.3' };

function transportFact({ at, facts, sessions }: NonNullable<Readings['transport']>, until: number): TransportFact {
  const version = facts.version === undefined ? undefined : VERSIONS[facts.version];
  const decided = (names: readonly string[]): boolean | undefined => {
    if (names.some((name) => facts.accepted.includes(name))) return false;
    return names.every((name) => facts.refused.includes(name)) ? true : undefined;
  };
  const legacyRefused = decided(['TLSv1.0', 'TLSv1.1']);
  const tls12Refused = decided(['TLSv1.2']);
  const { certificate } = facts;
  const keyType = certificate && KEY_TYPES[certificate.keyType.toLowerCase()];
  const notBefore = instant(certificate?.notBefore);
  const notAfter = instant(certificate?.notAfter);
  return {
    observedAt: seconds(at),
    validUntil: seconds(until),
    ...(version ? { version } : {}),
    ...(facts.plaintextRefused === undefined ? {} : { plaintextRefused: facts.plaintextRefused }),
    ...(legacyRefused === undefined ? {} : { legacyRefused }),
    ...(tls12Refused === undefined ? {} : { tls12Refused }),
    ...(sessions && (sessions.complete || sessions.plaintext > 0) ? { livePlaintextSessions: sessions.plaintext } : {}),
    ...(sessions ? { pooler: !sessions.own.tls || !sessions.own.serverAddressMatches } : {}),
    ...(certificate
      ? {
          certificate: {
            ...(notBefore === undefined ? {} : { notBefore }),
            ...(notAfter === undefined ? {} : { notAfter }),
            ...(keyType ? { keyType } : {}),
            // Kinds of keys without a known strength come as 0.
            ...(certificate.keyBits > 0 ? { keyBits: certificate.keyBits } : {}),
            trusted: certificate.trusted,
            nameMatches: certificate.nameMatches,
          },
        }
      : {}),
  };
}

function entryPointsFact(readings: readonly EntryPointsReading[]): EntryPointsFact {
  const at = Math.min(...readings.map((reading) => reading.at));
  // A Gateway may be the parent of routes in several namespaces.
  const points = new Map(readings.flatMap((reading) => reading.points).map((point) => [point.name, point]));
  return {
    observedAt: seconds(at),
    validUntil: seconds(validUntil(at, ENTRY_POINTS_SECONDS)),
    complete: readings.every(({ complete }) => complete) && points.size <= MOST_POINTS,
    points: [...points.values()].slice(0, MOST_POINTS).map(({ question: _question, at: _at, ...point }) => point),
  };
}

function retentionFact({ at, counts }: NonNullable<Readings['counts']>, effective: readonly EffectiveCollection[]): RetentionFact {
  const byId = new Map(effective.map((each) => [each.collection.id, each]));
  return {
    observedAt: seconds(at),
    validUntil: seconds(at + COUNTS_VALID_MS),
    // One that could not be counted is not there, which is Unknown: its zeros are no figures.
    collections: counts.filter(({ uncounted }) => uncounted === undefined).map((count) => {
      const oldestDueAt = instant(oldestDueSince(byId.get(count.collection), count.oldestDue));
      return {
        name: count.collection,
        due: count.due,
        held: count.held,
        blockedByMinimum: count.floored,
        blockedByReference: count.blocked,
        blockedForever: count.blockedForever,
        indeterminate: count.indeterminate,
        exact: count.exact,
        ...(oldestDueAt === undefined ? {} : { oldestDueAt }),
      };
    }),
  };
}
