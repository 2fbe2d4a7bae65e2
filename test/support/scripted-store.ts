import { isDeepStrictEqual } from 'node:util';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { StoreConnections } from '../../src/connect/stores.ts';
import type { Inventory, StoreIdentity } from '../../src/stores/facts.ts';
import type { ApprovedRule, Claim, FenceState, StoreHold } from '../../src/stores/fence.ts';
import type { JournalledRun } from '../../src/stores/journal.ts';
import type { TableAddress } from '../../src/stores/predicate.ts';
import type { StoreWriter } from '../../src/stores/port.ts';
import type { BatchResult, JournalRow, PurgeContext, PurgePlan, PurgeStep, UndoneDrop } from '../../src/stores/purging.ts';
import { anInventory } from './declared.ts';

/** What a store answers; tests change it while work is under way. */
export interface StoreScript {
  identity: StoreIdentity;
  clock: string;
  inventory: Inventory;
  fence: FenceState | undefined;
  plan: PurgePlan;
  fingerprint: { rows: number; sum: string } | Error;
  /** What counting held rows gives, table by table. */
  kept: { rows: number; exact: boolean } | Error;
  /** Earlier items of a hold. */
  standing: StoreHold['items'];
  /** Tables of a hold's items whose predicates the store cannot understand. */
  misread: { table: TableAddress; because: string }[];
  claim: Claim;
  approved: ApprovedRule[];
  /** The policy they were approved for, by its uid. */
  approvedFor?: string;
  journal: JournalRow[];
  /** Old runs in the journal. */
  journalled: JournalledRun[];
  /** What trimming one of them gives; undefined: as many rows as its last number says. */
  trimmed: number | Error | undefined;
  /** Drops that came to no end, and what becomes of them where they are undone. */
  undone: UndoneDrop[] | Error;
  /** One entry a batch: rows it deletes, or what happens instead. */
  batches: (number | Error)[];
}

/** A store that does what its script says and tells what it was asked, in order. */
export interface ScriptedStore {
  script: StoreScript;
  connections: StoreConnections;
  /** `enforce:claim`, `verify:planPurge`, `batch 40`, ... */
  readonly calls: string[];
  readonly purged: { step: PurgeStep; context: PurgeContext }[];
  /** Connections that were opened and not closed. */
  readonly open: () => number;
}

export const VIEWS = 'platform-db/web/views';

export function aForecast(due: number, changes: Partial<PurgePlan['forecast'][number]> = {}): PurgePlan['forecast'][number] {
  return { collection: VIEWS, due, held: 0, floored: 0, indeterminate: 0, blocked: 0, exact: true, ...changes };
}

export function aStep(changes: Partial<PurgeStep> = {}): PurgeStep {
  return { collection: VIEWS, table: { schema: 'public', name: 'views' }, order: 1, method: 'BlockRange', predicateDigest: 'sha256:p', because: 'selected', tables: [{ schema: 'public', name: 'views', oid: 'views' }], ...changes };
}

/** @param calls shared with other fakes where the order between them matters. */
export function scriptedStore(changes: Partial<StoreScript> = {}, calls: string[] = []): ScriptedStore {
  const script: StoreScript = {
    identity: { fingerprint: 'sha256:target', bareFingerprint: 'sha256:bare', server: 'PostgreSQL 15', timeline: 1, replica: false },
    clock: '2026-03-01T02:00:00Z',
    inventory: anInventory([]),
    fence: { owner: 'us', marker: 'm', holdsRevision: 1, holds: [] },
    plan: { steps: [aStep()], refusals: [], forecast: [aForecast(0)], walMegabytes: 1 },
    fingerprint: { rows: 0, sum: '0' },
    kept: { rows: 1, exact: true },
    standing: [],
    misread: [],
    claim: { run: 'uid-general-1', epoch: 1, owner: 'us' },
    approved: [],
    journal: [],
    journalled: [],
    trimmed: undefined,
    undone: [],
    batches: [],
    ...changes,
  };
  const purged: ScriptedStore['purged'] = [];
  let opened = 0;

  const open = (identity: string): StoreWriter => {
    opened += 1;
    const told = (what: string): void => void calls.push(`${identity}:${what}`);
    async function* purge(step: PurgeStep, context: PurgeContext): AsyncGenerator<BatchResult> {
      for (let next = script.batches.shift(); next !== undefined; next = script.batches.shift()) {
        if (next instanceof Error) throw next;
        calls.push(`batch ${next}`);
        const seq = (script.journal.at(-1)?.seq ?? 0) + 1;
        script.journal.push({ run: context.claim.run, seq, epoch: context.claim.epoch, collection: step.collection, table: step.table, method: step.method, deleted: next, clients: { 'client-a': next }, at: '2026-03-01T02:00:01Z' });
        yield { seq, collection: step.collection, deleted: next, clients: {}, millis: 1 };
      }
    }
    const known: Partial<StoreWriter> = {
      identity: async () => script.identity,
      clock: async () => script.clock,
      inventory: async () => script.inventory,
      fence: async () => script.fence,
      approvedRules: async () => script.approved,
      async fingerprint() {
        told('fingerprint');
        if (script.fingerprint instanceof Error) throw script.fingerprint;
        return script.fingerprint;
      },
      async countKept(table) {
        told(`countKept ${table.name}`);
        if (script.kept instanceof Error) throw script.kept;
        return script.kept;
      },
      holdsOn: async (tables) => tables.map(({ schema, name }) => (script.fence?.holds ?? []).map((hold) => ({ ...hold, items: hold.items.filter(({ table }) => table.schema === schema && table.name === name) })).filter(({ items }) => items.length > 0)),
      misread: async () => script.misread,
      missingRights: async () => [],
      async planPurge() {
        told('planPurge');
        return script.plan;
      },
      async claim() {
        told('claim');
        return script.claim;
      },
      purge(step, context) {
        purged.push({ step, context });
        return purge(step, context);
      },
      journal: async (_run, after) => script.journal.filter((row) => row.seq > after).slice(0, 2),
      async journalTotals(run, through) {
        const rows = script.journal.filter((row) => row.run === run && row.seq <= through);
        return { lastSeq: rows.at(-1)?.seq ?? 0, rows: rows.length, deleted: rows.reduce((sum, row) => sum + row.deleted, 0), collections: rows.map(({ collection, method, deleted }) => ({ collection, method, deleted })) };
      },
      async journalClients(run, through) {
        const sums = new Map<string, number>();
        for (const { run: of, seq, clients } of script.journal) for (const [client, rows] of of === run && seq <= through ? Object.entries(clients) : []) sums.set(client, (sums.get(client) ?? 0) + rows);
        return sums;
      },
      async journalledRuns({ before }) {
        told(`journalledRuns before ${before}`);
        return script.journalled;
      },
      async trimJournal(run, { lastSeq }) {
        told(`trimJournal ${run}`);
        if (script.trimmed instanceof Error) throw script.trimmed;
        return script.trimmed ?? lastSeq;
      },
      async undoDrops({ owner, of }) {
        if (script.undone instanceof Error) throw script.undone;
        if (script.undone.length > 0) told(`undoDrops for ${owner} ${of(script.claim.run) ? 'of' : 'but not of'} ${script.claim.run}`);
        return of(script.claim.run) ? script.undone : [];
      },
      async recordApprovedRules(policy, rules) {
        told(`recordApprovedRules ${rules.map((rule) => `${rule.collection} ${rule.cutoff}`).join()}`);
        script.approved = [...rules];
        script.approvedFor = policy;
      },
      async install({ owner, readers }) {
        told(`install for ${readers.join()}`);
        script.fence = { owner, marker: 'm', holdsRevision: 0, holds: [] };
        return script.fence;
      },
      async putHold(hold: StoreHold, former: readonly string[] = []) {
        told(`putHold ${hold.uid} ${hold.items.map((item) => `${item.table.name} ${item.predicate.op}`).join()}${former.length > 0 ? ` as ${former.join()} before` : ''}`);
        const earlier = script.fence?.holds.find(({ uid }) => uid === hold.uid)?.items ?? [];
        const items = [...earlier, ...hold.items].filter((item, index, all) => index === all.findIndex((other) => isDeepStrictEqual(other, item)));
        if (script.fence) script.fence = { ...script.fence, holds: [...script.fence.holds.filter(({ uid }) => uid !== hold.uid), { ...hold, items }] };
        return { holdsRevision: 1, since: '2026-03-01T00:00:00Z', items: [...script.standing, ...items] };
      },
      async releaseHold(uid) {
        told(`releaseHold ${uid}`);
        if (script.fence) script.fence = { ...script.fence, holds: script.fence.holds.filter((hold) => hold.uid !== uid) };
      },
      async close() {
        opened -= 1;
      },
    };
    return known as StoreWriter;
  };
  const connections: Partial<StoreConnections> = {
    reader: async (_store: DataStore, purpose) => open(purpose),
    writer: async () => open('enforce'),
    usernames: async () => ({ observe: 'reader', enforce: 'purger', verify: 'checker' }),
  };
  return { script, connections: connections as StoreConnections, calls, purged, open: () => opened };
}
