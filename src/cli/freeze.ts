import { apiVersionOf, CONFIG_MAP, FREEZE_CONFIG_MAP, ROOT_NAMESPACE } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import { isAlreadyExists, isNotFound } from '../runtime/client.ts';
import { CliError, connect, EXIT, type CliContext, type ClusterFlags, type ExitCode } from './context.ts';
import { note, printResult, table } from './output.ts';

interface ConfigMapObject extends KubeObject {
  data?: Record<string, string>;
}

export interface FreezeFlags extends ClusterFlags {
  reason?: string;
  rootNamespace?: string;
}

/** `freeze`: stops all destruction before the next batch, everywhere or in one namespace. Measuring goes on. */
export async function freeze(context: CliContext, flags: FreezeFlags): Promise<ExitCode> {
  if (!flags.reason?.trim()) throw new CliError('--reason is needed: whoever finds the freeze has to know why');
  const { client } = await connect(context, flags);
  const namespace = flags.namespace ?? flags.rootNamespace ?? ROOT_NAMESPACE;
  const all = namespace === (flags.rootNamespace ?? ROOT_NAMESPACE);
  const { username } = await client.whoAmI();
  const map: ConfigMapObject = { apiVersion: apiVersionOf(CONFIG_MAP), kind: 'ConfigMap', metadata: { namespace, name: FREEZE_CONFIG_MAP }, data: { reason: flags.reason.trim(), by: username } };
  try {
    await client.create(CONFIG_MAP, map);
  } catch (error) {
    if (isNotFound(error)) throw new CliError(`nothing is frozen: there is no namespace ${namespace}; ${flags.namespace === undefined ? '--root-namespace says where the operator lives' : '-n names another'}`, EXIT.input, { cause: error });
    if (!isAlreadyExists(error)) throw error;
    const standing = await client.get<ConfigMapObject>(CONFIG_MAP, map.metadata);
    note(context, `frozen already by ${byOf(standing)}; that reason stays`);
    return show(context, flags, { namespace, frozen: true, by: byOf(standing), reason: reasonOf(standing) });
  }
  note(context, `frozen: ${all ? 'all stores' : `stores of namespace ${namespace}`}; \`dataward thaw${all ? '' : ` -n ${namespace}`}\` ends it`);
  return show(context, flags, { namespace, frozen: true, by: username, reason: flags.reason.trim() });
}

interface Shown {
  namespace: string;
  frozen: boolean;
  /** Who froze, and why; of the freeze that was ended, after `thaw`. */
  by?: string;
  reason?: string;
}

function show(context: CliContext, flags: FreezeFlags, shown: Shown): ExitCode {
  printResult(context, flags.output, shown, () => table(['namespace', 'frozen', 'by', 'reason'], [[shown.namespace, shown.frozen, shown.by, shown.reason]]));
  return EXIT.fine;
}

const byOf = (map: ConfigMapObject | undefined): string => map?.data?.['by'] ?? 'somebody';
const reasonOf = (map: ConfigMapObject | undefined): string => map?.data?.['reason'] ?? 'no reason given';

/** `thaw`: ends a freeze made through Kubernetes. One made in a store is ended there. */
export async function thaw(context: CliContext, flags: FreezeFlags): Promise<ExitCode> {
  const { client } = await connect(context, flags);
  const namespace = flags.namespace ?? flags.rootNamespace ?? ROOT_NAMESPACE;
  const standing = await client.get<ConfigMapObject>(CONFIG_MAP, { namespace, name: FREEZE_CONFIG_MAP });
  if (!standing) {
    note(context, `nothing was frozen in ${namespace}`);
    return show(context, flags, { namespace, frozen: false });
  }
  await client.delete(CONFIG_MAP, { namespace, name: FREEZE_CONFIG_MAP }, standing.metadata.uid ? { uid: standing.metadata.uid } : {});
  note(context, `thawed ${namespace}; it was frozen by ${byOf(standing)}: ${reasonOf(standing)}`);
  return show(context, flags, { namespace, frozen: false, by: byOf(standing), reason: reasonOf(standing) });
}
