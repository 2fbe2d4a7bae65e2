import { hash } from 'node:crypto';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { apiVersionOf, CONFIG_MAP } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/object.ts';
import { isAlreadyExists, type Client } from '../../runtime/client.ts';

/** The ConfigMap that carries a certificate. It has no owner: a certificate outlives its run. */
interface CertificateMap extends KubeObject {
  data: Record<string, string>;
}

/** Longest name of an object. */
const LONGEST = 253;
const SUFFIX = '-certificate';
const CERTIFICATE_LABEL = 'dataward.io/certificate';
/** Whose certificate it is: a run of the same name may have been there before. */
const RUN_UID_LABEL = 'dataward.io/run-uid';

/**
 * Names a certificate of a run may have, the plain one first; the other is for where somebody else has that.
 *
 * @param secret the same each time, and known to nobody who could put something under the other name beforehand: the run
 *   would be counted again and again, and never be certified
 */
export function certificateNames({ metadata: { name } }: PurgeRun, secret: string): [string, string] {
  return [fitted(name, SUFFIX), fitted(name, `-${short(secret)}${SUFFIX}`)];
}

/** What is cut away stands in a digest, or two long names would become one. */
function fitted(name: string, suffix: string): string {
  if (name.length + suffix.length <= LONGEST) return `${name}${suffix}`;
  const digest = `-${short(name)}`;
  return `${name.slice(0, LONGEST - suffix.length - digest.length).replace(/[^a-z0-9]+$/, '')}${digest}${suffix}`;
}

const short = (text: string): string => hash('sha256', text, 'hex').slice(0, 10);

/** Whether a certificate of the run may stand under a name: nothing does, or an earlier one of this very run. */
export async function isFree(client: Client, run: PurgeRun, name: string): Promise<boolean> {
  const standing = await client.get<CertificateMap>(CONFIG_MAP, { namespace: run.metadata.namespace ?? '', name });
  return standing === undefined || isOurs(standing, run);
}

function isOurs({ metadata: { labels = {} } }: CertificateMap, run: PurgeRun): boolean {
  return labels[CERTIFICATE_LABEL] === 'deletion' && labels[RUN_UID_LABEL] === run.metadata.uid;
}

/**
 * Writes the certificate into its ConfigMap. One that came under the name meanwhile is left as it is and the error
 * passed on, so that the next look finds another name.
 */
export async function publish(client: Client, run: PurgeRun, name: string, text: string): Promise<void> {
  const ref = { namespace: run.metadata.namespace ?? '', name };
  const map: CertificateMap = {
    apiVersion: apiVersionOf(CONFIG_MAP),
    kind: 'ConfigMap',
    metadata: { ...ref, labels: { 'app.kubernetes.io/managed-by': 'dataward', [CERTIFICATE_LABEL]: 'deletion', [RUN_UID_LABEL]: run.metadata.uid ?? '' } },
    data: { 'certificate.json': text },
  };
  try {
    await client.create(CONFIG_MAP, map);
  } catch (error) {
    const standing = isAlreadyExists(error) ? await client.get<CertificateMap>(CONFIG_MAP, ref) : undefined;
    if (!standing || !isOurs(standing, run)) throw error;
    if (standing.data['certificate.json'] === text) return;
    const { resourceVersion } = standing.metadata;
    await client.mergePatch(CONFIG_MAP, ref, { ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }), data: map.data });
  }
}
