import { createHash } from 'node:crypto';
import type { KindRef, KubeObject } from '../api/object.ts';
import { maskCredentials } from '../telemetry/redact.ts';
import { formatMicroTime } from './clock.ts';

export const EVENT: KindRef = { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event', namespaced: true };

/** What happened to an object. */
export interface EventInput {
  type: 'Normal' | 'Warning';
  /** CamelCase, from the same list as condition reasons. */
  reason: string;
  /** What was done or tried: `Purge`, `Probe`. */
  action: string;
  /** A sentence for people; counts and names only. Cut to 1 kB. */
  note: string;
}

const MAX_NOTE_BYTES = 1_024;

/** The events.k8s.io/v1 object; pure. Events of cluster-scoped objects live in the namespace `default`. */
export function eventObject(regarding: KubeObject, input: EventInput, by: { controller: string; instance: string; now: number; sequence: number }): KubeObject & Record<string, unknown> {
  const { name, namespace, uid, resourceVersion } = regarding.metadata;
  // The name is unlike that of every other event of the object, also of another replica or an earlier start.
  const suffix = createHash('sha256').update(JSON.stringify([uid, by.instance, by.now, by.sequence])).digest('hex').slice(0, 16);
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name.slice(0, 236)}.${suffix}`, namespace: namespace ?? 'default' },
    eventTime: formatMicroTime(by.now),
    reportingController: by.controller,
    reportingInstance: by.instance.slice(0, 128),
    type: input.type,
    reason: input.reason.slice(0, 128),
    action: input.action.slice(0, 128),
    note: truncateBytes(maskCredentials(input.note), MAX_NOTE_BYTES),
    regarding: {
      apiVersion: regarding.apiVersion,
      kind: regarding.kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

/** The longest beginning of `text` that is no more than `maxBytes` in UTF-8 and ends between characters; cut ones end in `…`. */
export function truncateBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const cut = Buffer.from(text).subarray(0, maxBytes - Buffer.byteLength('…'));
  return `${new TextDecoder('utf-8').decode(cut, { stream: true })}…`;
}
