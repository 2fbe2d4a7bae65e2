import type { DataStore } from '../api/generated/dataStore.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { DATA_STORE, RETENTION_POLICY, ROOT_NAMESPACE } from '../api/kinds.ts';
import { liveDeclarations } from '../connect/declarations.ts';
import { failureOf, type Failure } from '../connect/failures.ts';
import { createStoreConnections } from '../connect/stores.ts';
import { derive, type Derived } from '../retention/derive.ts';
import { forecastTotal } from '../retention/plan.ts';
import { attachments } from '../rules/attach.ts';
import { covers, type Declarations } from '../rules/store-rules.ts';
import { unauthorizedBecause } from '../rules/unauthorized.ts';
import type { Client } from '../runtime/client.ts';
import type { StoreReader } from '../stores/port.ts';
import { CliError, connect, EXIT, parseReference, type CliContext, type ClusterFlags, type ExitCode } from './context.ts';
import { exitOfFailure } from './explain.ts';
import { monthsText, readMonths, type CollectionMonths } from './months.ts';
import { declaredObjects } from './offline.ts';
import { colours, count, note, printResult, table } from './output.ts';

export interface PlanFlags extends ClusterFlags {
  filename?: string;
  sql?: boolean;
  months?: boolean;
  rootNamespace?: string;
}

/** One run as it would be planned; a store has several where foreign keys do not join its collections. */
interface StorePlan {
  policy: string;
  store: string;
  derived?: Derived;
  /** What the maps say of the store that is not so: those tables are left out of the plan. */
  mapProblems?: string[];
  /** Why it could not be carried out, as the operator last saw the store. */
  unauthorized?: string;
  failure?: Failure;
  sql?: string[];
  months?: CollectionMonths[];
}

/**
 * `plan`: what a purge would do, worked out by the same code that would do it. Reads the declarations and the
 * stores; writes nothing anywhere.
 */
export async function plan(context: CliContext, reference: string | undefined, flags: PlanFlags): Promise<ExitCode> {
  if ((reference === undefined) === (flags.filename === undefined)) throw new CliError('name one of: -f DIR, or retentionpolicy/NAME');
  // A mistyped word is told before anything is asked of a cluster.
  const wanted = reference === undefined ? undefined : parseReference(reference, 'retentionpolicy');
  const source = flags.filename === undefined ? await connect(context, flags) : { client: await declaredObjects(context, flags.filename, flags.rootNamespace), namespace: undefined };
  const client = source.client as Client;
  const declarations = await liveDeclarations(client, flags.rootNamespace ?? ROOT_NAMESPACE).read();
  const connections = createStoreConnections({ client, drivers: context.drivers });
  const policies = choose(declarations.policies, wanted, source.namespace);
  const stores = await client.list<DataStore>(DATA_STORE);
  const plans: StorePlan[] = [];
  for (const policy of policies) {
    for (const store of stores.filter((candidate) => covers(policy, policy.spec.stores, candidate, declarations))) {
      const unauthorized = unauthorizedBecause(store, context.clock.now());
      const names = { ...(unauthorized === undefined ? {} : { unauthorized }), policy: `${policy.metadata.namespace}/${policy.metadata.name}`, store: `${store.metadata.namespace}/${store.metadata.name}` };
      try {
        const reader = await connections.reader(store, 'observe', context.signal);
        try {
          for (const [index, derived] of (await derive(store, policy, declarations, reader, context.clock.now())).entries()) {
            // What is left out is a matter of the whole store: said once.
            const problems = index === 0 ? mapProblems(store, declarations, derived) : [];
            plans.push({ ...names, derived, mapProblems: problems, ...(flags.sql ? { sql: await reader.explain(derived.request) } : {}), ...(flags.months ? { months: await months(reader, derived, policy) } : {}) });
          }
        } finally {
          await reader.close();
        }
      } catch (error) {
        plans.push({ ...names, failure: failureOf(error) });
      }
    }
  }
  printResult(context, flags.output, plans.map(asData), () => plans.map((each) => render(context, each)).join('\n'));
  if (plans.length === 0) note(context, `${wanted === undefined ? 'no policy with spec.purge covers a store' : `RetentionPolicy ${source.namespace}/${wanted} covers no store`}; nothing would be deleted`);
  return exitOf(plans);
}

function months(reader: StoreReader, derived: Derived, policy: RetentionPolicy): Promise<CollectionMonths[]> {
  const selected = derived.plan.steps.map(({ collection }) => collection);
  return readMonths(reader, derived.rules.effective, selected, policy.metadata.uid ?? '', derived.asOf);
}

/** A collection that is not found deletes nothing, which must not look like a collection with nothing due. */
function mapProblems(store: DataStore, declarations: Declarations, derived: Derived): string[] {
  const refused = attachments(store, declarations.maps, declarations.namespaces).flatMap(({ map, because }) => (because ? [`DataMap ${map.metadata.namespace}/${map.metadata.name}: ${because}`] : []));
  return [...refused, ...derived.rules.resolved.problems.map(({ reason, collection, message }) => `${reason} in ${collection}: ${message}`)];
}

function choose(policies: readonly RetentionPolicy[], name: string | undefined, namespace: string | undefined): RetentionPolicy[] {
  if (name === undefined) return policies.filter((policy) => policy.spec.purge);
  const policy = policies.find((candidate) => candidate.metadata.name === name && candidate.metadata.namespace === namespace);
  if (!policy) throw new CliError(`${RETENTION_POLICY.kind} ${namespace}/${name} does not exist; -n names another namespace`);
  if (!policy.spec.purge) throw new CliError(`RetentionPolicy ${namespace}/${name} has no spec.purge: it keeps and deletes nothing`);
  return [policy];
}

function asData({ policy, store, derived, mapProblems: problems, unauthorized, failure, sql, months: byMonth }: StorePlan): object {
  if (!derived) return { policy, store, failure };
  const { plan: written, planDigest, forecast, refusals, reasons, pendingHolds } = derived;
  return { policy, store, planDigest, plan: written, forecast, refusals, approvalNeededBecause: reasons, pendingHolds, mapProblems: problems, ...(unauthorized === undefined ? {} : { unauthorized }), ...(sql ? { sql } : {}), ...(byMonth ? { months: byMonth } : {}) };
}

/** One plan as a page: what goes, what stays and why, what a person would be asked. */
function render(context: CliContext, { policy, store, derived, mapProblems: problems, unauthorized, failure, sql, months: byMonth }: StorePlan): string {
  const paint = colours(context);
  const head = `${paint.bold(`${policy} in ${store}`)}\n`;
  if (!derived) return `${head}  ${paint.red(`${failure?.reason}: ${failure?.message}`)}\n`;
  const rows = derived.plan.steps.map((step) => {
    const seen = derived.forecast.steps.find((candidate) => candidate.collection === step.collection);
    return [step.order, step.collection, step.method, step.cutoff.slice(0, 10), count(seen?.due), count(seen?.held), count(seen?.floored), count(seen?.blocked), count(seen?.indeterminate)];
  });
  const lines = [
    head,
    rows.length === 0 ? '  nothing is selected\n' : indent(table(['#', 'collection', 'method', 'before', 'deletes', 'held', 'minimum', 'blocked', 'undated'], rows)),
    ...(problems ?? []).map((problem) => `  ${paint.yellow('left out')} ${problem}\n`),
    ...(unauthorized === undefined ? [] : [`  ${paint.red('cannot run')} ${unauthorized}\n`]),
    ...derived.refusals.map((refusal) => `  ${paint.red(`refused (${refusal.reason})`)} ${refusal.message}\n`),
    ...derived.pendingHolds.map((hold) => `  ${paint.yellow('waits for')} LegalHold ${hold}\n`),
    ...derived.reasons.map((reason) => `  ${paint.yellow(`needs approval (${reason.reason})`)} ${reason.message}\n`),
    ...(byMonth ? [`\n${indent(monthsText(byMonth))}`] : []),
    ...(sql ?? []).map((statement) => `\n${statement};\n`),
  ];
  return lines.join('');
}

const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ');

function exitOf(plans: readonly StorePlan[]): ExitCode {
  const failures = plans.flatMap(({ failure }) => (failure ? exitOfFailure(failure.reason) : []));
  if (failures.length > 0) return failures.includes(EXIT.unreachable) ? EXIT.unreachable : EXIT.input;
  return plans.some((each) => each.unauthorized !== undefined || (each.mapProblems?.length ?? 0) > 0 || (each.derived?.refusals.length ?? 0) > 0 || forecastTotal(each.derived?.forecast.steps ?? []) > 0) ? EXIT.findings : EXIT.fine;
}
