import { compareText } from '../../api/compare-text.ts';
import { predicateDigest } from '../condition.ts';
import type { CollectionRule } from '../counting.ts';
import type { Inventory, TableFact } from '../facts.ts';
import type { PinnedTable, PurgeMethod, PurgeRequest, PurgeStep, Refusal } from '../purging.ts';
import { tableKey, tableName } from '../predicate.ts';
import type { Predicate, TableAddress } from '../predicate.ts';
import { claimsOf, rivalsOf } from './claims.ts';
import type { Claims } from './claims.ts';
import { topologyOf } from './closure.ts';
import type { DeclaredLink, Edge, Topology } from './closure.ts';
import { namesRead, usesOf } from './uses.ts';
import type { ColumnUse } from './uses.ts';

/** What the inventory does not tell and the plan needs, read beforehand. */
export interface PlanFacts {
  /** Foreign keys (`edgeKey`) from tables declared free of personal data in which some row refers. */
  referring: ReadonlySet<string>;
  /** Foreign keys (`edgeKey`) of which that could not be read, with what the store says. */
  unread?: ReadonlyMap<string, string>;
  /** Tables (`tableKey`) whose policies hide rows from this login. */
  rowsHidden: ReadonlySet<string>;
  /** Tables whose drops a subscriber would not follow: they are published. */
  published: ReadonlySet<string>;
  /** Partitions (`tableKey`) whose drop was begun and not finished, with the table they came from. */
  orphans: ReadonlyMap<string, { name: string; parent: TableAddress }>;
  /** Share of due rows, 0 to 1, and whether an index leads with the due predicate's time; by collection. */
  selectivity: ReadonlyMap<string, { dueShare: number; timeIndexed: boolean }>;
  /** Links that maps declare and the catalogue has no foreign key for. */
  declared: readonly DeclaredLink[];
}

export interface PlannedPurge {
  steps: PurgeStep[];
  refusals: Refusal[];
}

/** Under this share of due rows an index finds them faster than a walk through the heap. */
const KEYSET_BELOW = 0.05;

export function edgeKey(edge: Pick<Edge, 'child' | 'constraint'>): string {
  return JSON.stringify([tableKey(edge.child), edge.constraint]);
}

/**
 * Decides what a purge does: the targets, and whatever refers to them and is due itself, children first. Changes
 * and asks nothing. With a refusal nothing may run; the steps then only show what was meant.
 */
export function decidePurge(inventory: Pick<Inventory, 'tables'>, request: PurgeRequest, facts: PlanFacts): PlannedPurge {
  const topology = topologyOf(inventory, facts.declared);
  const refusals: Refusal[] = [];
  const claims = claimsOf(request.rules, topology);
  const nonPersonal = new Set(request.nonPersonal.map((address) => tableKey(topology.root(address))));
  const selected = new Map<string, Selected>();

  const visit = (rule: CollectionRule, because: string): void => {
    if (selected.has(rule.collection)) return;
    const root = topology.root(rule.table);
    const table = topology.table(rule.table);
    if (table === undefined) {
      refusals.push({ reason: 'MissingTable', collection: rule.collection, message: `There is no table ${tableName(rule.table)}. Correct the data map, or wait for the inventory after a rename.` });
      return;
    }
    const edges = topology.edgesInto(root);
    const entry: Selected = { rule, table, because, edges, dependsOn: new Set() };
    selected.set(rule.collection, entry);
    refusals.push(...rivalsOf(rule, claims, topology).map((other) => overlapRefusal(rule, other)), ...tableRefusals(rule, topology.leaves(rule.table), table, facts));
    for (const edge of edges) {
      // A half dropped partition still is a part of its collection, whose step finishes it.
      const orphan = facts.orphans.get(tableKey(edge.child));
      const children = claims.get(tableKey(topology.root(orphan?.parent ?? edge.childRoot))) ?? [];
      refusals.push(...edgeRefusals(rule, edge, children.length > 0, nonPersonal, facts));
      if (edge.self) continue;
      for (const child of children.filter(({ due }) => due !== undefined)) {
        entry.dependsOn.add(child.collection);
        visit(child, `refers to ${rule.collection} (${edge.constraint})`);
      }
    }
  };
  for (const name of [...new Set(request.targets)].toSorted(compareText)) {
    const rule = request.rules.find((candidate) => candidate.collection === name);
    if (rule === undefined) refusals.push({ reason: 'CollectionNotFound', collection: name, message: `No data map declares the collection ${name}. Name a declared one.` });
    else if (rule.due !== undefined) visit(rule, 'due under its own rule');
  }

  const { ordered, cycle } = childrenFirst(selected);
  if (cycle.length > 0) refusals.push(cycleRefusal(cycle, claims));
  return {
    steps: ordered.map((entry, index) => toStep(entry, index + 1, topology, facts)),
    refusals: refusals.toSorted((a, b) => compareText(`${a.collection} ${a.reason} ${a.message}`, `${b.collection} ${b.reason} ${b.message}`)),
  };
}

interface Selected {
  rule: CollectionRule;
  table: TableFact;
  because: string;
  edges: Edge[];
  dependsOn: Set<string>;
}

/** Whichever of two rules about one row deletes it, the other may say that it stays. */
function overlapRefusal(rule: CollectionRule, other: CollectionRule): Refusal {
  const [own, theirs] = [tableName(rule.table), tableName(other.table)];
  const message = own === theirs
    ? `${other.collection} declares the table ${own} too, so it is unclear which rule deletes. Remove one of the two.`
    : `${other.collection} declares the table ${theirs}, which has rows in common with ${own}, since one is a part of the other or a third of both, so it is unclear which rule deletes them. Remove one of the two, or end the inheritance with ALTER TABLE ... NO INHERIT.`;
  return { reason: 'MapOverlap', collection: rule.collection, message };
}

function tableRefusals(rule: CollectionRule, leaves: readonly TableFact[], table: TableFact, facts: PlanFacts): Refusal[] {
  const refuse = (reason: string, message: string): Refusal => ({ reason, collection: rule.collection, message });
  const found = new Map<string, Refusal>();
  const parts = new Map([table, ...leaves].map((part) => [tableKey(part), part]));
  const namesakes = triggersByName(parts.values());
  for (const part of parts.values()) {
    const name = tableName(part);
    if (part.kind === 'ForeignTable') found.set(`foreign ${name}`, refuse('ForeignTable', `${name} is a foreign table; its rows lie in another server. Declare that server as a DataStore and map it there.`));
    if (part.kind === 'MaterializedView') found.set(`view ${name}`, refuse('MaterializedView', `${name} is a materialized view, from which nothing can be deleted. Describe the tables its rows come from and let a policy delete there; then REFRESH MATERIALIZED VIEW ${name}, and leave it out of spec.collections of the policy.`));
    if (part.deletesUnpublishable) found.set(`identity ${name}`, refuse('ReplicaIdentity', `${name} is published for DELETE without a replica identity, so every DELETE fails. ALTER TABLE ${name} REPLICA IDENTITY FULL, or give it a primary key.`));
    if (facts.rowsHidden.has(tableKey(part))) found.set(`policy ${name}`, refuse('RowSecurity', `Row security hides rows of ${name} from this login, so neither a purge nor its verification could see all. Give the login BYPASSRLS.`));
    for (const trigger of part.triggers.filter(runsOnDelete)) {
      if (!rule.acknowledged.includes(trigger.name)) {
        found.set(`trigger ${trigger.name}`, refuse('TriggerNotAcknowledged', `The trigger ${trigger.name} on ${name} runs on DELETE. Find out what it does and state it under acknowledge in the data map, or disable it.`));
        continue;
      }
      const [, namesake] = [...(namesakes.get(trigger.name) ?? [])].find(([runs]) => runs !== trigger.runs) ?? [];
      if (namesake === undefined) continue;
      found.set(`trigger ${trigger.name}`, refuse('TriggerNotAcknowledged', `The trigger ${trigger.name} on ${name} runs ${trigger.runs} on DELETE, which the one of that name on ${namesake} does not, so it is unclear which was acknowledged. Give one of them another name, and state under acknowledge in the data map what each does.`));
    }
    for (const { name: ruleName, onDelete, instead } of part.rules) {
      if (!onDelete || (!instead && rule.acknowledged.includes(ruleName))) continue;
      const next = instead ? 'It replaces the DELETE, which then reports 0 rows whatever it did; drop the rule.' : 'State what it does under acknowledge in the data map, or drop it.';
      found.set(`rule ${ruleName}`, refuse('RuleOnDelete', `The rule ${ruleName} on ${name} rewrites DELETE. ${next}`));
    }
  }
  return [...found.values()];
}

const runsOnDelete = ({ onDelete, enabled }: TableFact['triggers'][number]): boolean => onDelete && enabled;

/** What the triggers of a name run, and the first table where they do. Those that partitions have from the table they belong to run the same. */
function triggersByName(parts: Iterable<TableFact>): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  for (const part of parts) {
    for (const { name, runs } of part.triggers.filter(runsOnDelete)) {
      const tables = found.get(name) ?? new Map<string, string>();
      if (!tables.has(runs)) tables.set(runs, tableName(part));
      found.set(name, tables);
    }
  }
  return found;
}

function edgeRefusals(rule: CollectionRule, edge: Edge, mapped: boolean, nonPersonal: ReadonlySet<string>, facts: PlanFacts): Refusal[] {
  const child = tableName(edge.child);
  const refuse = (reason: string, message: string): Refusal[] => [{ reason, collection: rule.collection, message }];
  if (!mapped && !nonPersonal.has(tableKey(edge.childRoot))) {
    return refuse('UnmappedReference', `${child} refers to ${tableName(edge.parent)} by ${edge.constraint} and no data map says what it holds. Map it, so that its rows have a rule of their own.`);
  }
  if (!mapped) {
    const unread = facts.unread?.get(edgeKey(edge));
    if (unread !== undefined) return refuse('NotCounted', `Whether rows of ${child}, which is declared free of personal data, refer to ${tableName(edge.parent)} by ${edge.constraint} cannot be told: ${unread}`);
    // An empty table cannot lose or keep anything; the statement still checks it row by row.
    if (!facts.referring.has(edgeKey(edge))) return [];
    return refuse('UnmappedReference', `${child} is declared free of personal data, but rows of it refer to ${tableName(edge.parent)} by ${edge.constraint}. Map it, so that its rows have a rule of their own.`);
  }
  if (edge.declared?.problem !== undefined) {
    return refuse('ReferenceNotUsable', `A data map declares that rows of ${child} refer to ${tableName(edge.parent)} by ${edge.columns.join(', ')}, but ${edge.declared.problem}. Correct or remove the reference; until then nobody can tell which rows it is to protect.`);
  }
  if (edge.indexed) return [];
  const whose = edge.declared === undefined ? `the columns of ${edge.constraint}` : `by which a data map declares that its rows refer to ${tableName(edge.parent)}`;
  return refuse('ForeignKeyWithoutIndex', `No index on ${child} leads with ${edge.columns.join(', ')}, ${whose}; each deleted row would read the whole table. CREATE INDEX CONCURRENTLY ON ${child} (${edge.columns.join(', ')}).`);
}

/** Kahn's algorithm, by name among equals. What it cannot order is a cycle, or waits for one. */
function childrenFirst(selected: ReadonlyMap<string, Selected>): { ordered: Selected[]; cycle: Selected[] } {
  const waiting = new Map([...selected].toSorted(([a], [b]) => compareText(a, b)));
  const ordered: Selected[] = [];
  for (;;) {
    const ready = [...waiting.values()].filter((entry) => [...entry.dependsOn].every((child) => !waiting.has(child)));
    if (ready.length === 0) break;
    for (const entry of ready) waiting.delete(entry.rule.collection);
    ordered.push(...ready);
  }
  const inCycle = [...waiting.values()].filter((entry) => reaches(entry.rule.collection, entry.rule.collection, waiting, new Set()));
  return { ordered, cycle: inCycle };
}

function reaches(from: string, wanted: string, among: ReadonlyMap<string, Selected>, seen: Set<string>): boolean {
  for (const next of among.get(from)?.dependsOn ?? []) {
    if (next === wanted) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    if (reaches(next, wanted, among, seen)) return true;
  }
  return false;
}

function cycleRefusal(cycle: readonly Selected[], claims: Claims): Refusal {
  const names = new Set(cycle.map((entry) => entry.rule.collection));
  const within = (edge: Edge): boolean => !edge.self && (claims.get(tableKey(edge.childRoot)) ?? []).some(({ collection }) => names.has(collection));
  const constraints = cycle.flatMap((entry) => entry.edges.filter(within).map((edge) => `${tableName(edge.child)}.${edge.constraint}`));
  return {
    reason: 'CycleNotSupported',
    collection: cycle[0]?.rule.collection ?? '',
    message: `${[...names].join(', ')} refer to each other in a circle (${constraints.join(', ')}), so none can go first. Take the due predicate off one of them, or drop one of the foreign keys or declared references.`,
  };
}

function toStep(entry: Selected, order: number, topology: Topology, facts: PlanFacts): PurgeStep {
  const { method, because } = chooseMethod(entry, topology, facts);
  const notes = [entry.because, because];
  if (entry.edges.some((edge) => edge.self)) notes.push('refers to itself: rows nothing refers to go first, pass by pass');
  return { collection: entry.rule.collection, table: entry.rule.table, order, method, predicateDigest: predicateDigest(entry.rule), because: notes.join('; '), tables: pinnedOf(entry, topology) };
}

/** A table that refers by a foreign key goes on to do so under any name; of one that a map or a rule names, the name is all there is. So it is with columns. */
function pinnedOf({ rule, edges }: Selected, topology: Topology): PinnedTable[] {
  const { due, guards, times, client, table: own } = rule;
  const predicates = [...(due === undefined ? [] : [due]), ...guards.map((guard) => guard.predicate), ...times.map((time): Predicate => ({ op: 'indeterminate', time, now: '' }))];
  const links = edges.filter((edge) => edge.declared !== undefined);
  const uses: ColumnUse[] = [
    ...predicates.flatMap((predicate) => usesOf(predicate)),
    ...(client !== undefined && 'field' in client ? [{ column: client.field }] : []),
    ...links.flatMap(({ childRoot, columns, referencedColumns }) => [...columns.map((column) => ({ table: childRoot, column })), ...referencedColumns.map((column) => ({ column }))]),
  ];
  const read = [...namesRead(uses, own).values()].map(({ table, names }) => ({ table, names }));
  const beside = [...read.map(({ table }) => table), ...links.map(({ childRoot }) => childRoot)].filter((table) => tableKey(table) !== tableKey(own));
  const found = [own, ...beside.toSorted((a, b) => compareText(tableName(a), tableName(b)))].flatMap((address): PinnedTable[] => {
    const table = topology.table(address);
    if (table === undefined) return [];
    const names = read.find((each) => tableKey(each.table) === tableKey(address))?.names;
    const columns = table.columns.filter(({ name }) => names?.has(name)).map(({ name, number, type }) => ({ name, number, type })).toSorted((a, b) => compareText(a.name, b.name));
    return [{ schema: table.schema, name: table.name, oid: table.oid, ...(columns.length > 0 ? { columns } : {}) }];
  });
  return [...new Map(found.map((table) => [table.oid, table])).values()];
}

function chooseMethod({ rule, table, edges }: Selected, topology: Topology, facts: PlanFacts): { method: PurgeMethod; because: string } {
  const leaves = topology.leaves(rule.table);
  const key = tableKey(topology.root(rule.table));
  const orphans = [...facts.orphans.values()].filter(({ parent }) => tableKey(topology.root(parent)) === key).map(({ name }) => name);
  if (table.kind === 'PartitionedTable') {
    const triggered = [table, ...leaves].some((part) => part.triggers.some(runsOnDelete));
    if (orphans.length > 0) return { method: 'DropPartition', because: `finishes the detached ${orphans.join(', ')}` };
    // A trigger would not see the rows of a dropped partition, and a subscriber would keep them.
    if (!triggered && !facts.published.has(key) && leaves.length > 0) return { method: 'DropPartition', because: 'partitions that are due as a whole are dropped' };
  }
  const selectivity = facts.selectivity.get(rule.collection);
  const selfReferring = edges.some((edge) => edge.self);
  if (selectivity !== undefined && selectivity.timeIndexed && selectivity.dueShare < KEYSET_BELOW && leaves.length === 1 && !selfReferring) {
    return { method: 'Keyset', because: 'few rows are due and an index has their time' };
  }
  return { method: 'BlockRange', because: 'walks the heap' };
}
