import type { DataStore } from '../api/generated/dataStore.ts';
import type { LegalHold } from '../api/generated/legalHold.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { DATA_STORE, LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY, ROOT_NAMESPACE } from '../api/kinds.ts';
import type { Condition } from '../api/object.ts';
import { connect, EXIT, type CliContext, type ClusterFlags, type ExitCode } from './context.ts';
import { freezesInStores, freezesOf } from './freezes.ts';
import { count, note, printResult, table } from './output.ts';

export interface StatusFlags extends ClusterFlags {
  allNamespaces?: boolean;
  rootNamespace?: string;
}

/**
 * `status`: stores, policies, holds and runs on one page. Facts past their time are shown as Unknown: kubectl goes on
 * showing what a dead operator last wrote.
 *
 * Exit 1 when a store is not ready or not known to be compliant, a hold does not stand yet or does not cover what it says, or
 * a run waits for a person.
 */
export async function status(context: CliContext, flags: StatusFlags): Promise<ExitCode> {
  const { client, namespace } = await connect(context, flags);
  const scope = flags.allNamespaces ? {} : { namespace };
  const [stores, policies, holds, runs] = await Promise.all([
    client.list<DataStore>(DATA_STORE, scope),
    client.list<RetentionPolicy>(RETENTION_POLICY, scope),
    client.list<LegalHold>(LEGAL_HOLD, scope),
    client.list<PurgeRun>(PURGE_RUN, scope),
  ]);
  const elsewhere = [...stores, ...policies, ...holds, ...runs].flatMap(({ metadata }) => metadata.namespace ?? []);
  const freezes = [...(await freezesOf(client, flags.rootNamespace ?? ROOT_NAMESPACE, flags.allNamespaces ? elsewhere : [namespace])), ...freezesInStores(stores)];
  const now = context.clock.now();
  const rows = stores.map((store) => storeRow(store, now));
  printResult(context, flags.output, { freezes, stores: rows, policies: policies.map(policyRow), holds: holds.map(holdRow), runs: runs.map(runRow) }, () =>
    [
      section(['freeze', 'stops', 'why'], freezes.map((each) => Object.values(each))),
      section(['store', 'ready', 'compliant', 'tls', 'due', 'held', 'blocked', 'undated', 'unclassified', 'valid until', 'why'], rows.map((row) => Object.values(row))),
      section(['policy', 'mode', 'minimum', 'maximum', 'collections', 'next run', 'why'], policies.map((policy) => Object.values(policyRow(policy)))),
      section(['hold', 'state', 'stores', 'as written', 'review at', 'why'], holds.map((hold) => Object.values(holdRow(hold)))),
      section(['run', 'store', 'state', 'deleted', 'total', 'level', 'why'], runs.map((run) => Object.values(runRow(run)))),
    ]
      .filter((text) => text !== '')
      .join('\n'),
  );
  if (stores.length + policies.length + holds.length + runs.length === 0) note(context, flags.allNamespaces ? 'nothing is declared in any namespace' : `nothing is declared in namespace ${namespace}; -A shows all namespaces`);
  const stands = rows.every((row) => row.ready === 'True' && row.compliant === 'True') && holds.every(isSettled) && !runs.some((run) => run.status?.state === 'AwaitingApproval');
  return stands ? EXIT.fine : EXIT.findings;
}

/** A hold in any other state protects nothing yet; one that is not as written less than it says, or more. */
function isSettled({ status: seen }: LegalHold): boolean {
  return seen?.state === 'Released' || (seen?.state === 'Active' && condition(seen.conditions, 'AsWritten') !== 'False');
}

function section(heads: string[], rows: (string | number | undefined)[][]): string {
  return rows.length === 0 ? '' : table(heads, rows);
}

const name = (object: { metadata: { namespace?: string; name: string } }): string => `${object.metadata.namespace}/${object.metadata.name}`;
const condition = (conditions: readonly Condition[] | undefined, type: string): string => conditions?.find((each) => each.type === type)?.status ?? 'Unknown';

/** What keeps an object from being ready, in the words of its condition: the next step stands in there. */
function whyNotReady(conditions: readonly Condition[] | undefined): string {
  return whyNot('Ready', conditions);
}

function whyNot(type: string, conditions: readonly Condition[] | undefined): string {
  const found = conditions?.find((each) => each.type === type);
  return found && found.status !== 'True' ? `${found.reason}: ${found.message}` : '';
}

function whyFalse(type: string, conditions: readonly Condition[] | undefined): string {
  return condition(conditions, type) === 'False' ? whyNot(type, conditions) : '';
}

function storeRow(store: DataStore, now: number): { store: string; ready: string; compliant: string; tls: string; due: string; held: string; blocked: string; undated: string; unclassified: string; validUntil: string; why: string } {
  const { conditions, transport, retention, coverage, validUntil, observedGeneration } = store.status ?? {};
  const fresh = validUntil !== undefined && Date.parse(validUntil) > now && observedGeneration === store.metadata.generation;
  const shown = (value: string | undefined): string => (fresh ? (value ?? 'Unknown') : 'Unknown');
  return {
    store: name(store),
    ready: fresh ? condition(conditions, 'Ready') : 'Unknown',
    compliant: fresh ? condition(conditions, 'Compliant') : 'Unknown',
    tls: shown(transport?.version),
    due: shown(retention && count(retention.due)),
    held: shown(retention && count(retention.held)),
    blocked: shown(retention && count(retention.blockedByReference)),
    undated: shown(retention && count(retention.indeterminate)),
    unclassified: shown(coverage && count(coverage.unclassified)),
    validUntil: validUntil ?? 'nothing known',
    why: whyNotReady(conditions) || whyNot('Compliant', conditions) || whyNot('Covered', conditions),
  };
}

function policyRow(policy: RetentionPolicy): { policy: string; mode: string; minimum: string; maximum: string; collections: string; nextRun: string; why: string } {
  const { spec, status: seen } = policy;
  const period = (rule: { period: string; from: string } | undefined): string => (rule ? `${rule.period} from ${rule.from}` : '');
  return {
    policy: name(policy),
    mode: spec.purge?.suspend ? 'Suspended' : (spec.purge?.mode ?? ''),
    minimum: period(spec.minimum),
    maximum: period(spec.maximum),
    collections: count(seen?.effective?.collections),
    nextRun: seen?.nextRunAt ?? '',
    why: whyNotReady(seen?.conditions) || selectsNothing(seen?.conditions) || whyFalse('AsWritten', seen?.conditions),
  };
}

/** It is ready all the same: what it is to select may come later. */
function selectsNothing(conditions: readonly Condition[] | undefined): string {
  const ready = conditions?.find(({ type, reason }) => type === 'Ready' && reason === 'NothingSelected');
  return ready ? `${ready.reason}: ${ready.message}` : '';
}

function holdRow(hold: LegalHold): { hold: string; state: string; stores: string; asWritten: string; reviewAt: string; why: string } {
  const seen = hold.status;
  const over = seen?.state === 'Released';
  return {
    hold: name(hold),
    state: seen?.state ?? 'Unknown',
    stores: `${seen?.storesEnforced ?? 0}/${seen?.storesTotal ?? 0}`,
    asWritten: over ? '' : condition(seen?.conditions, 'AsWritten'),
    reviewAt: hold.spec.reviewAt,
    why: over ? '' : whyNotReady(seen?.conditions) || whyFalse('AsWritten', seen?.conditions),
  };
}

function runRow(run: PurgeRun): { run: string; store: string; state: string; deleted: string; total: string; level: string; why: string } {
  const { state, progress, verification, why } = run.status ?? {};
  return { run: name(run), store: run.spec.store, state: state ?? 'Unknown', deleted: count(progress?.deleted ?? 0), total: count(progress?.total), level: verification?.level ?? '', why: why ?? '' };
}
