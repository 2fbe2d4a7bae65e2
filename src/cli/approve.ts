import type { DataStore } from '../api/generated/dataStore.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { DATA_STORE, PURGE_RUN, ROOT_NAMESPACE } from '../api/kinds.ts';
import { forecastTotal } from '../retention/plan.ts';
import { FINAL_STATES } from '../retention/run/plan.ts';
import { ApiError, isForbidden, isInvalid, type Client } from '../runtime/client.ts';
import { CliError, connect, EXIT, parseReference, type CliContext, type ClusterFlags, type ExitCode } from './context.ts';
import { freezesInStores, freezesOf, type Freeze } from './freezes.ts';
import { count, note, printResult, table } from './output.ts';

export interface ApproveFlags extends ClusterFlags {
  maxRows?: number;
  rootNamespace?: string;
}

/**
 * `approve purgerun/NAME`: adds the caller's approval of exactly the plan that is there. The API server checks that
 * the name is the caller's own and that the caller may approve; what is written binds to the digest of the plan. An approval
 * given before a reason for a figure came up gets it by a second call with `--max-rows`.
 */
export async function approve(context: CliContext, reference: string, flags: ApproveFlags): Promise<ExitCode> {
  const name = parseReference(reference, 'purgerun');
  const { client, namespace } = await connect(context, flags);
  const ref = { namespace, name };
  const run = await client.get<PurgeRun>(PURGE_RUN, ref);
  if (!run) throw new CliError(`PurgeRun ${namespace}/${ref.name} does not exist; -n names another namespace`);
  if (FINAL_STATES.includes(run.status?.state ?? 'Waiting')) throw new CliError(`PurgeRun ${namespace}/${ref.name} is ${run.status?.state}; there is nothing left to approve`);
  // A run that has begun is carried to its end after that day; one that has not will only be Expired.
  if (!['Running', 'Paused'].includes(run.status?.state ?? '') && Date.parse(run.spec.plan.validUntil) <= context.clock.now()) throw new CliError(`PurgeRun ${namespace}/${ref.name}: spec.plan.validUntil ${run.spec.plan.validUntil} is over; annotate its policy with dataward.io/requested-at for a new plan`);
  const { username } = await client.whoAmI();
  const approvals = run.spec.approvals ?? [];
  const own = approvals.find((approval) => approval.by === username);
  if (own && (flags.maxRows === undefined || flags.maxRows === own.maxRows)) {
    if (own.maxRows === undefined && asksForMaxRows(run)) throw new CliError(`the approval of ${username} names no maxRows, so it does not count: ${needed(run)}`, EXIT.findings);
    note(context, `${username} has approved this plan already`);
    return EXIT.fine;
  }
  if (own?.maxRows !== undefined) throw new CliError(`${username} has approved this plan for ${count(own.maxRows)} rows, which cannot be changed; another person can approve, or delete the run and annotate its policy with dataward.io/requested-at for a new plan`, EXIT.findings);
  if (!own && flags.maxRows === undefined && asksForMaxRows(run)) throw new CliError(`nothing is approved: ${needed(run)}`);
  const approval = { by: username, planDigest: run.spec.planDigest, ...(flags.maxRows === undefined ? {} : { maxRows: flags.maxRows }) };
  try {
    await client.mergePatch<PurgeRun>(PURGE_RUN, ref, { metadata: { resourceVersion: run.metadata.resourceVersion }, spec: { approvals: own ? approvals.map((each) => (each === own ? approval : each)) : [...approvals, approval] } });
  } catch (error) {
    if (isForbidden(error) || isInvalid(error)) throw new CliError(`the API server refused the approval: ${(error as ApiError).message}`, EXIT.findings, { cause: error });
    throw error;
  }
  printResult(context, flags.output, { purgeRun: `${namespace}/${ref.name}`, ...approval }, () => summary(run));
  note(context, `approved by ${username}: ${count(forecastTotal(run.spec.forecast.steps))} rows of ${namespace}/${run.spec.store}, plan ${run.spec.planDigest.slice(0, 19)}`);
  if (flags.maxRows !== undefined && flags.maxRows < forecastTotal(run.spec.forecast.steps)) note(context, `the run ends as Failed once it has deleted ${count(flags.maxRows)} rows: that is fewer than are forecast`);
  for (const { freeze, why } of await freezesFor(client, run, flags.rootNamespace ?? ROOT_NAMESPACE)) note(context, `the run waits while it is frozen; ${freeze}: ${why}`);
  return EXIT.fine;
}

/** What stops the store of a run now; the approval stands all the same. */
async function freezesFor(client: Client, { metadata, spec }: PurgeRun, rootNamespace: string): Promise<Freeze[]> {
  const namespace = metadata.namespace ?? '';
  const made = await freezesOf(client, rootNamespace, [namespace]);
  try {
    const store = await client.get<DataStore>(DATA_STORE, { namespace, name: spec.store });
    return [...made, ...freezesInStores(store ? [store] : [])];
  } catch (error) {
    // Whoever approves need not have the right to read stores.
    if (isForbidden(error)) return made;
    throw error;
  }
}

/** As the operator last saw it, and as the plan alone says where nobody has looked yet. */
function asksForMaxRows({ spec, status }: PurgeRun): boolean {
  const { steps } = spec.forecast;
  return status?.approval?.maxRowsNeeded === true || forecastTotal(steps) > spec.plan.limits.maxRows || steps.some((step) => !step.exact);
}

function needed({ spec }: PurgeRun): string {
  return `more rows are due than a limit of the policy allows, or they could not be counted, so an approval has to say how many you agree to; ${count(forecastTotal(spec.forecast.steps))} are forecast: add --max-rows N`;
}

function summary(run: PurgeRun): string {
  return table(
    ['collection', 'before', 'deletes', 'held'],
    run.spec.plan.steps.map((step) => {
      const seen = run.spec.forecast.steps.find((candidate) => candidate.collection === step.collection);
      return [step.collection, step.cutoff.slice(0, 10), count(seen?.due), count(seen?.held)];
    }),
  );
}
