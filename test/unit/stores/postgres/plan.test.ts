import { describe, expect, test } from '@jest/globals';
import { predicateDigest } from '../../../../src/stores/condition.ts';
import type { CollectionRule } from '../../../../src/stores/counting.ts';
import type { ForeignKeyFact, TableFact } from '../../../../src/stores/facts.ts';
import type { PurgeRequest } from '../../../../src/stores/purging.ts';
import type { TableAddress } from '../../../../src/stores/predicate.ts';
import { tableKey } from '../../../../src/stores/predicate.ts';
import { topologyOf, type DeclaredLink } from '../../../../src/stores/postgres/closure.ts';
import { decidePurge, edgeKey } from '../../../../src/stores/postgres/plan.ts';
import type { PlanFacts } from '../../../../src/stores/postgres/plan.ts';

const at = (name: string): TableAddress => ({ schema: 'public', name });

function tableFact(name: string, changes: Partial<TableFact> = {}): TableFact {
  return {
    ...at(name),
    oid: name,
    kind: 'Table',
    columns: [],
    primaryKey: ['id'],
    parents: [],
    bytes: 0,
    foreignKeys: [],
    triggers: [],
    rules: [],
    rowSecurity: { enabled: false, forced: false },
    deletesUnpublishable: false,
    ...changes,
  };
}

function refersTo(parent: string, changes: Partial<ForeignKeyFact> = {}): ForeignKeyFact {
  return { name: `to_${parent}`, columns: [`${parent}_id`], references: at(parent), referencedColumns: ['id'], onDelete: 'NoAction', indexed: true, validated: true, ...changes };
}

const due = { op: 'true' } as const;

function rule(name: string, changes: Partial<CollectionRule> = {}): CollectionRule {
  return { collection: name, table: at(name), due, guards: [], times: [], acknowledged: [], ...changes };
}

function request(rules: CollectionRule[], targets: string[], changes: Partial<PurgeRequest> = {}): PurgeRequest {
  return { rules, targets, nonPersonal: [], now: '2026-01-01T00:00:00Z', budgetMs: 1, ...changes };
}

const noFacts: PlanFacts = { referring: new Set(), rowsHidden: new Set(), published: new Set(), orphans: new Map(), selectivity: new Map(), declared: [] };

function plan(tables: TableFact[], asked: PurgeRequest, facts: Partial<PlanFacts> = {}): { steps: string[]; refusals: string[]; messages: string } {
  const { steps, refusals } = decidePurge({ tables }, asked, { ...noFacts, ...facts });
  return {
    steps: steps.map(({ collection, method, order }) => `${order} ${collection} ${method}`),
    refusals: refusals.map(({ collection, reason }) => `${collection} ${reason}`),
    messages: refusals.map(({ message }) => message).join('\n'),
  };
}

describe('the steps of a purge', () => {
  test('put children before parents, down to the last', () => {
    const tables = [tableFact('a'), tableFact('b', { foreignKeys: [refersTo('a')] }), tableFact('c', { foreignKeys: [refersTo('b')] })];
    expect(plan(tables, request([rule('a'), rule('b'), rule('c')], ['a'])).steps).toEqual(['1 c BlockRange', '2 b BlockRange', '3 a BlockRange']);
  });

  test('leave out a child that no rule makes due; it only protects', () => {
    const tables = [tableFact('a'), tableFact('b', { foreignKeys: [refersTo('a')] })];
    const { due: _none, ...kept } = rule('b');
    expect(plan(tables, request([rule('a'), kept], ['a']))).toMatchObject({ steps: ['1 a BlockRange'], refusals: [] });
  });

  test('leave out parents nobody asked for', () => {
    const tables = [tableFact('a'), tableFact('b', { foreignKeys: [refersTo('a')] })];
    expect(plan(tables, request([rule('a'), rule('b')], ['b'])).steps).toEqual(['1 b BlockRange']);
  });

  test('say why a child is among them', () => {
    const tables = [tableFact('a'), tableFact('b', { foreignKeys: [refersTo('a')] })];
    expect(decidePurge({ tables }, request([rule('a'), rule('b')], ['a']), noFacts).steps[0]?.because).toBe('refers to a (to_a); walks the heap');
  });

  test('do not depend on the order of what is given', () => {
    const tables = [tableFact('a'), tableFact('b', { foreignKeys: [refersTo('a')] }), tableFact('c', { foreignKeys: [refersTo('a')] })];
    const rules = [rule('a'), rule('b'), rule('c')];
    const one = decidePurge({ tables }, request(rules, ['a', 'c']), noFacts);
    expect(decidePurge({ tables: tables.toReversed() }, request(rules.toReversed(), ['c', 'a']), noFacts)).toEqual(one);
  });

  test('explain a table that refers to itself and allow it', () => {
    const { steps, refusals } = decidePurge({ tables: [tableFact('a', { foreignKeys: [refersTo('a')] })] }, request([rule('a')], ['a']), noFacts);
    expect(refusals).toEqual([]);
    expect(steps[0]?.because).toMatch(/refers to itself/);
  });

  const hop = (name: string) => [{ field: 'x', table: at(name), toField: 'id' }];
  const beside = (name: string): CollectionRule['times'][number] => ({ path: { via: hop(name), field: 'at' }, type: 'TimestampTZ' });
  const pinned = (tables: string[], asked: CollectionRule[], declared: DeclaredLink[] = [], keys: TableFact[] = []): string[] | undefined => decidePurge({ tables: [...tables.map((name) => tableFact(name)), ...keys] }, request(asked, [asked[0]!.collection]), { ...noFacts, declared }).steps.at(-1)?.tables.map(({ name }) => name);

  test.each<[string, Partial<CollectionRule>]>([
    ['a due predicate', { due: { op: 'isNull', field: { via: hop('z'), field: 'x' } } }],
    ['a guard', { guards: [{ kind: 'Minimum', name: 'm', predicate: { op: 'isNull', field: { via: hop('z'), field: 'x' } } }] }],
    ['a time', { times: [beside('z')] }],
  ])('are of their own table and of those that %s looks into', (_, changes) => {
    expect(pinned(['a', 'z', 'other'], [rule('a', changes)])).toEqual(['a', 'z']);
  });

  test('are of each table once, in the order of their names, and of none that is not there', () => {
    expect(pinned(['a', 'z', 'm'], [rule('a', { times: [beside('z'), beside('gone'), beside('m'), beside('z'), beside('a')] })])).toEqual(['a', 'm', 'z']);
  });

  test('are of a table that refers by a declared link, and not of one that refers by a foreign key, which stays whatever its name', () => {
    const { due: _none, ...protecting } = rule('b');
    const link: DeclaredLink = { from: at('b'), reference: { field: 'a_id', table: at('a'), toField: 'id' }, indexed: true };
    expect(pinned(['a', 'b'], [rule('a'), protecting], [link])).toEqual(['a', 'b']);
    expect(pinned(['a'], [rule('a'), protecting], [], [tableFact('b', { foreignKeys: [refersTo('a')] })])).toEqual(['a']);
  });
});

describe('a link that a map declares', () => {
  const link = (from: string, to: string, changes: Partial<DeclaredLink> = {}): DeclaredLink => ({ from: at(from), reference: { field: `${to}_id`, table: at(to), toField: 'id' }, indexed: true, ...changes });
  const tables = [tableFact('a'), tableFact('b')];
  const { due: _none, ...kept } = rule('b');

  test.each<[string, CollectionRule[], DeclaredLink[], string[], string[], RegExp]>([
    ['puts the child first', [rule('a'), rule('b')], [link('b', 'a')], ['1 b BlockRange', '2 a BlockRange'], [], /^$/],
    ['makes a step of no child that is not due', [rule('a'), kept], [link('b', 'a')], ['1 a BlockRange'], [], /^$/],
    ['needs an index as a foreign key does', [rule('a'), kept], [link('b', 'a', { indexed: false })], ['1 a BlockRange'], ['a ForeignKeyWithoutIndex'], /declares that its rows refer to public\.a; .* CREATE INDEX CONCURRENTLY ON public\.b \(a_id\)/],
    ['that cannot be followed refuses, since nobody knows what it is to protect', [rule('a'), kept], [link('b', 'a', { problem: 'public.b has no column a_id' })], ['1 a BlockRange'], ['a ReferenceNotUsable'], /by a_id, but public\.b has no column a_id\. Correct or remove/],
    ['closes a circle like any other', [rule('a'), rule('b')], [link('b', 'a'), link('a', 'b')], [], ['a CycleNotSupported'], /references\.a_id.*declared references/],
  ])('%s', (_name, rules, declared, steps, refusals, message) => {
    const planned = plan(tables, request(rules, ['a']), { declared });
    expect(planned).toMatchObject({ steps, refusals });
    expect(planned.messages).toMatch(message);
  });
});

const partitioned = [tableFact('p', { kind: 'PartitionedTable' }), tableFact('p1', { kind: 'Partition', parents: [at('p')] }), tableFact('p2', { kind: 'Partition', parents: [at('p')] })];

describe('the method', () => {
  test.each<[string, TableFact[], Partial<PlanFacts>, string]>([
    ['drops partitions of a partitioned table', partitioned, {}, 'DropPartition'],
    ['keeps to rows when a trigger would miss them', partitioned.map((table) => ({ ...table, triggers: [{ name: 'audit', runs: 'public.audit', onDelete: true, before: false, enabled: true }] })), {}, 'BlockRange'],
    ['keeps to rows when a subscriber would miss the drop', partitioned, { published: new Set([tableKey(at('p'))]) }, 'BlockRange'],
    ['uses the index when it is there and few rows are due', [tableFact('p')], { selectivity: new Map([['p', { dueShare: 0.01, timeIndexed: true }]]) }, 'Keyset'],
    ['walks the heap when many rows are due', [tableFact('p')], { selectivity: new Map([['p', { dueShare: 0.5, timeIndexed: true }]]) }, 'BlockRange'],
    ['walks the heap when no index has the time', [tableFact('p')], { selectivity: new Map([['p', { dueShare: 0.01, timeIndexed: false }]]) }, 'BlockRange'],
  ])('%s', (_name, tables, facts, method) => {
    expect(plan(tables, request([rule('p', { acknowledged: ['audit'] })], ['p']), facts).steps).toEqual([`1 p ${method}`]);
  });

  test.each<[string, TableFact[]]>([
    ['the table', partitioned.map((table) => (table.name === 'p' ? { ...table, triggers: [{ name: 'audit', runs: 'public.audit', onDelete: true, before: false, enabled: true }] } : table))],
    ['one partition alone', partitioned.map((table) => (table.name === 'p2' ? { ...table, triggers: [{ name: 'audit', runs: 'public.audit', onDelete: true, before: false, enabled: true }] } : table))],
    ['nothing, as there is no partition', partitioned.slice(0, 1)],
  ])('keeps to rows when a trigger would miss those of %s', (_, tables) => {
    expect(plan(tables, request([rule('p', { acknowledged: ['audit'] })], ['p'])).steps).toEqual(['1 p BlockRange']);
  });

  test.each<[string, TableFact[]]>([
    ['refers to itself, since passes go through the heap', [tableFact('p', { foreignKeys: [refersTo('p')] })]],
    ['has inheritance children, each with an index of its own', [tableFact('p'), tableFact('p_old', { parents: [at('p')] })]],
  ])('walks the heap, however few rows are due, of a table that %s', (_, tables) => {
    expect(plan(tables, request([rule('p')], ['p']), { selectivity: new Map([['p', { dueShare: 0.01, timeIndexed: true }]]) }).steps).toEqual(['1 p BlockRange']);
  });

  test('says nothing of rings where a table does not refer to itself', () => {
    const tables = [tableFact('p'), tableFact('b', { foreignKeys: [refersTo('p')] })];
    expect(decidePurge({ tables }, request([rule('p'), rule('b')], ['p']), noFacts).steps.map(({ because }) => because)).toEqual(['refers to p (to_p); walks the heap', 'due under its own rule; walks the heap']);
  });

  test('does not finish what was begun of another table', () => {
    const other = [...partitioned, tableFact('q', { kind: 'PartitionedTable' }), tableFact('q1', { kind: 'Partition', parents: [at('q')] })];
    const facts = { ...noFacts, orphans: new Map([[tableKey(at('q0')), { name: 'q0', parent: at('q') }]]) };
    expect(decidePurge({ tables: other }, request([rule('p'), rule('q')], ['p', 'q']), facts).steps.map(({ because }) => because)).toEqual([expect.not.stringContaining('q0'), expect.stringContaining('finishes the detached q0')]);
  });

  test('finishes a drop that was interrupted', () => {
    const tables = [...partitioned, tableFact('p0')];
    const facts = { ...noFacts, orphans: new Map([[tableKey(at('p0')), { name: 'p0', parent: at('p') }]]) };
    expect(decidePurge({ tables }, request([rule('p')], ['p']), facts).steps[0]?.because).toMatch(/finishes the detached p0/);
  });
});

/** A rule that makes nothing due and protects. */
function kept(name: string): CollectionRule {
  const { due: _none, ...rest } = rule(name, { guards: [{ kind: 'Minimum', name: 'm', predicate: due }] });
  return rest;
}

const inherited = [tableFact('a'), tableFact('a_tax', { parents: [at('a')] })];
const nested = [tableFact('p', { kind: 'PartitionedTable' }), tableFact('p1', { kind: 'PartitionedTable', parents: [at('p')] }), tableFact('p1a', { kind: 'Partition', parents: [at('p1')] })];

describe('a purge is refused', () => {
  const child = (key: Partial<ForeignKeyFact> = {}): TableFact[] => [tableFact('a'), tableFact('b', { foreignKeys: [refersTo('a', key)] })];
  test.each<[string, TableFact[], PurgeRequest, Partial<PlanFacts>, string, RegExp]>([
    ['when a foreign key has no index', child({ indexed: false }), request([rule('a'), rule('b')], ['a']), {}, 'a ForeignKeyWithoutIndex', /CREATE INDEX CONCURRENTLY ON public\.b \(a_id\)/],
    ['when a table nobody mapped refers to it', child({ onDelete: 'Cascade' }), request([rule('a')], ['a']), {}, 'a UnmappedReference', /public\.b refers to public\.a by to_a/],
    [
      'when a table declared free of personal data has rows that refer to it',
      child(),
      request([rule('a')], ['a'], { nonPersonal: [at('b')] }),
      { referring: new Set([edgeKey({ child: at('b'), constraint: 'to_a' })]) },
      'a UnmappedReference',
      /declared free of personal data/,
    ],
    ['when a trigger was not acknowledged', [tableFact('a', { triggers: [{ name: 'audit', runs: 'public.audit', onDelete: true, before: false, enabled: true }] })], request([rule('a')], ['a']), {}, 'a TriggerNotAcknowledged', /trigger audit/],
    [
      'when a partition has a trigger of its own',
      [...partitioned.slice(0, 2), tableFact('p2', { kind: 'Partition', parents: [at('p')], triggers: [{ name: 'own', runs: 'public.own', onDelete: true, before: true, enabled: true }] })],
      request([rule('p')], ['p']),
      {},
      'p TriggerNotAcknowledged',
      /own on public\.p2/,
    ],
    ['when a rule replaces DELETE, acknowledged or not', [tableFact('a', { rules: [{ name: 'soft', onDelete: true, instead: true }] })], request([rule('a', { acknowledged: ['soft'] })], ['a']), {}, 'a RuleOnDelete', /drop the rule/],
    ['when policies hide rows', [tableFact('a')], request([rule('a')], ['a']), { rowsHidden: new Set([tableKey(at('a'))]) }, 'a RowSecurity', /BYPASSRLS/],
    ['when it is published without a replica identity', [tableFact('a', { deletesUnpublishable: true })], request([rule('a')], ['a']), {}, 'a ReplicaIdentity', /REPLICA IDENTITY/],
    ['when a partition lies in another server', [...partitioned, tableFact('p3', { kind: 'ForeignTable', parents: [at('p')] })], request([rule('p')], ['p']), {}, 'p ForeignTable', /public\.p3/],
    ['when it is a materialized view', [tableFact('a', { kind: 'MaterializedView' })], request([rule('a')], ['a']), {}, 'a MaterializedView', /REFRESH MATERIALIZED VIEW public\.a/],
    ['when the table does not exist', [], request([rule('a')], ['a']), {}, 'a MissingTable', /no table public\.a/],
    ['when nobody declares the collection', [], request([], ['a']), {}, 'a CollectionNotFound', /declares the collection a/],
    ['when two collections claim one table', [tableFact('a')], request([rule('a'), rule('a2', { table: at('a') })], ['a']), {}, 'a MapOverlap', /a2 declares the table public\.a too/],
    ['when an inheritance child has a rule of its own', inherited, request([rule('a'), kept('a_tax')], ['a']), {}, 'a MapOverlap', /a_tax declares the table public\.a_tax, which has rows in common with public\.a,.*NO INHERIT/],
    ['when what it inherits from has a rule of its own', inherited, request([kept('a'), rule('a_tax')], ['a_tax']), {}, 'a_tax MapOverlap', /a declares the table public\.a, which has rows in common with public\.a_tax/],
    ['when a child of a child has a rule of its own', [...inherited, tableFact('a_tax_old', { parents: [at('a_tax')] })], request([rule('a'), kept('a_tax_old')], ['a']), {}, 'a MapOverlap', /public\.a_tax_old/],
    ['when two tables it shares no name with have a child in common', [tableFact('a'), tableFact('b'), tableFact('both', { parents: [at('a'), at('b')] })], request([rule('a'), kept('b')], ['a']), {}, 'a MapOverlap', /a third of both/],
    ['when a partition with partitions of its own has a rule of its own', nested, request([rule('p'), kept('p1')], ['p']), {}, 'p MapOverlap', /p1 declares the table public\.p1/],
    ['when what refers to it is claimed twice and one of the two makes it due', child(), request([rule('a'), kept('b'), rule('b2', { table: at('b') })], ['a']), {}, 'b2 MapOverlap', /b declares/],
  ])('%s', (_name, tables, asked, facts, refusal, message) => {
    const decided = plan(tables, asked, facts);
    expect(decided.refusals).toEqual([refusal]);
    expect(decided.messages).toMatch(message);
  });

  test('when two tables refer to each other, naming both foreign keys', () => {
    const tables = [tableFact('a', { foreignKeys: [refersTo('b')] }), tableFact('b', { foreignKeys: [refersTo('a')] }), tableFact('c', { foreignKeys: [] })];
    const decided = plan(tables, request([rule('a'), rule('b'), rule('c')], ['a', 'c']));
    expect(decided.refusals).toEqual(['a CycleNotSupported']);
    expect(decided.messages).toMatch(/public\.a\.to_b.*public\.b\.to_a|public\.b\.to_a.*public\.a\.to_b/);
    expect(decided.steps).toEqual(['1 c BlockRange']);
  });

  test('when two of three refer to each other, naming those two and not what waits for them', () => {
    const tables = [tableFact('a', { foreignKeys: [refersTo('b')] }), tableFact('b', { foreignKeys: [refersTo('a'), refersTo('b')] }), tableFact('c'), tableFact('d', { foreignKeys: [refersTo('a')] })];
    const waiting = tables.map((table) => (table.name === 'a' ? { ...table, foreignKeys: [...table.foreignKeys, refersTo('c')] } : table));
    const decided = plan(waiting, request([rule('a'), rule('b'), rule('c'), rule('d')], ['c', 'a']));
    expect(decided.refusals).toEqual(['a CycleNotSupported']);
    expect(decided.messages).toMatch(/^a, b refer to each other in a circle \(public\.b\.to_a, public\.a\.to_b\)/);
    expect(decided.steps).toEqual(['1 d BlockRange']);
  });

  test.each<[string, TableFact['rules'][number], string[]]>([
    ['on another event', { name: 'r', onDelete: false, instead: true }, []],
    ['beside DELETE that is acknowledged', { name: 'known', onDelete: true, instead: false }, []],
    ['beside DELETE that is not', { name: 'r', onDelete: true, instead: false }, ['a RuleOnDelete']],
  ])('for a rule that does something %s, or is not', (_, found, refusals) => {
    const decided = plan([tableFact('a', { rules: [found] })], request([rule('a', { acknowledged: ['known'] })], ['a']));
    expect(decided.refusals).toEqual(refusals);
    if (refusals.length > 0) expect(decided.messages).toMatch(/The rule r on public\.a rewrites DELETE\. State what it does under acknowledge/);
  });

  test('for one trigger once, and not for a namesake that is disabled', () => {
    const trigger = (runs: string, enabled = true): TableFact['triggers'][number] => ({ name: 'audit', runs, onDelete: true, before: false, enabled });
    const on = (...triggers: TableFact['triggers'][]): TableFact[] => partitioned.map((table, index) => ({ ...table, triggers: triggers[index] ?? [] }));
    expect(plan(on([trigger('public.audit')], [trigger('public.other', false)]), request([rule('p', { acknowledged: ['audit'] })], ['p'])).refusals).toEqual([]);
    expect(plan(on([trigger('public.audit')], [trigger('public.other')]), request([rule('p')], ['p'])).messages).toMatch(/^The trigger audit on \S+ runs on DELETE\. Find out what it does[^\n]*$/);
  });

  test('for a foreign key without an index by the name of the key', () => {
    expect(plan(child({ indexed: false }), request([rule('a'), rule('b')], ['a'])).messages).toContain('leads with a_id, the columns of to_a;');
  });

  test('but not for an acknowledged trigger, a disabled one, or one on another event', () => {
    const triggers = [
      { name: 'known', runs: 'public.known', onDelete: true, before: false, enabled: true },
      { name: 'off', runs: 'public.off', onDelete: true, before: false, enabled: false },
      { name: 'insert', runs: 'public.insert', onDelete: false, before: false, enabled: true },
    ];
    expect(plan([tableFact('a', { triggers })], request([rule('a', { acknowledged: ['known'] })], ['a'])).refusals).toEqual([]);
  });

  test.each<[string, [string, string][], string[]]>([
    ['of a partition is acknowledged with that of its table', [['p', 'public.audit'], ['p1', 'public.audit']], []],
    ['of a partition that runs another function is not', [['p', 'public.audit'], ['p1', 'public.other']], ['p TriggerNotAcknowledged']],
    ['of a partition that gives it other arguments is not', [['p', 'public.audit'], ['p1', 'public.audit#0a1b2c3d']], ['p TriggerNotAcknowledged']],
    ['of one partition alone is acknowledged by its name', [['p1', 'public.other']], []],
    ['of two partitions that run two functions is acknowledged for neither', [['p1', 'public.audit'], ['p2', 'public.other']], ['p TriggerNotAcknowledged']],
  ])('but a trigger %s', (_name, triggers, refusals) => {
    const tables = partitioned.map((table) => ({ ...table, triggers: triggers.filter(([on]) => on === table.name).map(([, runs]) => ({ name: 'audit', runs, onDelete: true, before: false, enabled: true })) }));
    const decided = plan(tables, request([rule('p', { acknowledged: ['audit'] })], ['p']));
    expect(decided.refusals).toEqual(refusals);
    expect(decided.messages).toMatch(refusals.length === 0 ? /^$/ : /The trigger audit on public\.p\w* runs public\.\S+ on DELETE, which the one of that name on public\.p\w* does not,.* another name/);
  });

  test('but not for an empty table declared free of personal data', () => {
    expect(plan(child({ indexed: false }), request([rule('a')], ['a'], { nonPersonal: [at('b')] })).refusals).toEqual([]);
  });
});

describe('foreign keys', () => {
  test.each<[string, ForeignKeyFact[]]>([
    ['by other columns', [refersTo('a'), refersTo('a', { name: 'second', columns: ['other_id'], indexed: false })]],
    ['to other columns', [refersTo('a'), refersTo('a', { name: 'second', referencedColumns: ['code'], indexed: false })]],
    ['to another table', [refersTo('x', { columns: ['a_id'] }), refersTo('a', { name: 'second', indexed: false })]],
  ])('of one table are each a key of its own: %s', (_, foreignKeys) => {
    const decided = plan([tableFact('a'), tableFact('x'), tableFact('b', { foreignKeys })], request([rule('a'), rule('b')], ['a']));
    expect(decided.refusals).toEqual(['a ForeignKeyWithoutIndex']);
  });

  test('into an inheritance child protect what it belongs to', () => {
    const tables = [...inherited, tableFact('b', { foreignKeys: [refersTo('a_tax')] })];
    expect(plan(tables, request([rule('a')], ['a'])).refusals).toEqual(['a UnmappedReference']);
  });

  test('over periods are known as such, and others are not', () => {
    const edges = topologyOf({ tables: [tableFact('a'), tableFact('b', { foreignKeys: [refersTo('a', { temporal: true })] }), tableFact('c', { foreignKeys: [refersTo('a')] })] }).edgesInto(at('a'));
    expect(edges.map(({ child: { name }, temporal }) => [name, temporal])).toEqual([['b', true], ['c', undefined]]);
  });

  test('of partitions are not indexed by an index for another key', () => {
    const [key, other] = [refersTo('a', { indexed: false }), refersTo('x')];
    const leaf = (foreignKeys: ForeignKeyFact[]): TableFact[] => [tableFact('a'), tableFact('x'), tableFact('p', { kind: 'PartitionedTable', foreignKeys: [key] }), tableFact('p1', { kind: 'Partition', parents: [at('p')], foreignKeys })];
    const asked = request([rule('a'), rule('p')], ['a']);
    expect(plan(leaf([key, other]), asked).refusals).toEqual(['a ForeignKeyWithoutIndex']);
    expect(plan(leaf([{ ...key, indexed: true }, { ...other, indexed: false }]), asked).refusals).toEqual([]);
  });
});

describe('foreign keys of partitions', () => {
  test('count once, for the partitioned table', () => {
    const key = refersTo('a');
    const tables = [tableFact('a'), tableFact('p', { kind: 'PartitionedTable', foreignKeys: [key] }), tableFact('p1', { kind: 'Partition', parents: [at('p')], foreignKeys: [{ ...key, name: 'p1_fk' }] })];
    expect(plan(tables, request([rule('a'), rule('p')], ['a']))).toMatchObject({ steps: ['1 p DropPartition', '2 a BlockRange'], refusals: [] });
  });

  test('that only one partition has still protect, under the collection of the partitioned table', () => {
    const tables = [tableFact('a'), tableFact('p', { kind: 'PartitionedTable' }), tableFact('p1', { kind: 'Partition', parents: [at('p')], foreignKeys: [refersTo('a')] })];
    expect(plan(tables, request([rule('a'), rule('p')], ['a'])).steps).toEqual(['1 p DropPartition', '2 a BlockRange']);
  });

  test('into one partition protect the partitioned table', () => {
    const tables = [...partitioned, tableFact('b', { foreignKeys: [refersTo('p1')] })];
    expect(plan(tables, request([rule('p')], ['p'])).refusals).toEqual(['p UnmappedReference']);
  });

  test('are indexed when every partition has the index', () => {
    const key = refersTo('a');
    const leaf = (name: string, indexed: boolean): TableFact => tableFact(name, { kind: 'Partition', parents: [at('p')], foreignKeys: [{ ...key, indexed }] });
    const tables = (second: boolean): TableFact[] => [tableFact('a'), tableFact('p', { kind: 'PartitionedTable', foreignKeys: [{ ...key, indexed: false }] }), leaf('p1', true), leaf('p2', second)];
    const asked = request([rule('a'), rule('p')], ['a']);
    expect(plan(tables(true), asked).refusals).toEqual([]);
    expect(plan(tables(false), asked).refusals).toEqual(['a ForeignKeyWithoutIndex']);
  });

  test('of a half dropped partition belong to the collection that finishes it', () => {
    const tables = [tableFact('a'), tableFact('p', { kind: 'PartitionedTable', foreignKeys: [refersTo('a')] }), tableFact('p0', { foreignKeys: [refersTo('a')] })];
    const orphans = new Map([[tableKey(at('p0')), { name: 'p0', parent: at('p') }]]);
    expect(plan(tables, request([rule('a'), rule('p')], ['a']), { orphans })).toMatchObject({ steps: ['1 p DropPartition', '2 a BlockRange'], refusals: [] });
  });
});

describe('inheritance children', () => {
  const tables = [...inherited, tableFact('x')];
  test('that nobody maps refer under the collection of their parent, whose step comes first', () => {
    const referring = tables.map((table) => (table.name === 'a_tax' ? { ...table, foreignKeys: [refersTo('x')] } : table));
    expect(plan(referring, request([rule('a'), rule('x')], ['x']))).toMatchObject({ steps: ['1 a BlockRange', '2 x BlockRange'], refusals: [] });
  });

  test('do not trouble a purge of other tables, whatever rules they have', () => {
    expect(plan(tables, request([rule('a'), rule('a_tax'), rule('x')], ['x']))).toMatchObject({ steps: ['1 x BlockRange'], refusals: [] });
  });

  test('that refer to their parent are refused with the foreign key by which', () => {
    const referring = tables.map((table) => (table.name === 'a_tax' ? { ...table, foreignKeys: [refersTo('a')] } : table));
    const decided = plan(referring, request([rule('a')], ['a']));
    expect(decided.refusals).toEqual(['a CycleNotSupported']);
    expect(decided.messages).toMatch(/\(public\.a_tax\.to_a\)/);
  });
});

describe('the digest of a step', () => {
  const minimum = { kind: 'Minimum', name: 'm', predicate: { op: 'false' } } as const;
  test.each<[string, Partial<CollectionRule>, boolean]>([
    ['changes with the due predicate', { due: { op: 'false' } }, false],
    ['changes with a minimum', { guards: [minimum] }, false],
    ['changes with the table', { table: at('other') }, false],
    ['stays when a hold is added', { guards: [{ ...minimum, kind: 'Hold' }] }, true],
  ])('%s', (_name, changes, same) => {
    expect(predicateDigest(rule('a', changes)) === predicateDigest(rule('a'))).toBe(same);
  });
});
