import { flag, integer, list, map, record, text, time } from './schema.ts';
import type { Schema } from './schema.ts';

const OWNER_REFERENCE = record(
  {
    apiVersion: text('API version of the owner.'),
    kind: text('Kind of the owner.'),
    name: text('Name of the owner.'),
    uid: text('UID of the owner; an owner of the same name made later is another one.'),
    controller: flag('True for the one owner that manages this object.'),
    blockOwnerDeletion: flag('True: a foreground deletion of the owner waits for this object.'),
  },
  'An object this one belongs to; it is deleted when all its owners are gone.',
  ['apiVersion', 'kind', 'name', 'uid'],
);

export const OBJECT_META: Schema = record(
  {
    name: text('Unique within a namespace and kind; cannot be changed.'),
    generateName: text('Prefix from which the server makes a unique name when no name is given.'),
    namespace: text('The namespace the object lives in; cannot be changed.'),
    selfLink: text('Deprecated; not filled.'),
    uid: text('Unique over time and space; filled by the server.'),
    resourceVersion: text('Changes with each write; give it back on update so that a concurrent change is noticed.'),
    generation: { type: 'integer', format: 'int64', description: 'Counts the changes of the desired state; filled by the server.' },
    creationTimestamp: time('When the object was created; filled by the server.'),
    deletionTimestamp: time('When deletion was asked for; the object stays until its finalizers are gone.'),
    deletionGracePeriodSeconds: { type: 'integer', format: 'int64', description: 'Seconds of grace of the deletion; filled by the server.' },
    labels: map('Keys and short values by which objects are selected.'),
    annotations: map('Keys and values that tools keep with the object; not for selection.'),
    ownerReferences: list(OWNER_REFERENCE, 'Objects this one belongs to.', 'uid'),
    finalizers: list({ type: 'string' }, 'Who must finish work before the object may go.', ''),
    managedFields: list({ type: 'object' }, 'Field ownership of server-side apply; not kept here.'),
  },
  'What every object has.',
);

const TYPE_META = {
  apiVersion: text('Group and version of this form of the object.'),
  kind: text('Kind of the object.'),
};

export const OBJECT_META_NAME = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** A kind at the top of a document: its own members beside those every object has. */
export function topLevel(properties: Record<string, Schema>, description: string, required: string[] = []): Schema {
  return record({ ...TYPE_META, metadata: OBJECT_META, ...properties }, description, required);
}

const CONDITION = record(
  {
    type: text('What the condition says something about.'),
    status: text('True, False or Unknown.'),
    reason: text('One CamelCase word: why.'),
    message: text('The same for a person.'),
    lastTransitionTime: time('When the status changed last.'),
  },
  'One observation.',
  ['type', 'status'],
);

const OBJECT_REFERENCE = record(
  {
    kind: text('Kind of the object.'),
    namespace: text('Namespace of the object.'),
    name: text('Name of the object.'),
    uid: text('UID of the object.'),
    apiVersion: text('API version of the object.'),
    resourceVersion: text('Version of the object that was meant.'),
    fieldPath: text('The part of the object that is meant.'),
  },
  'Names an object.',
);

const EVENT_SOURCE = record({ component: text('The program.'), host: text('The machine it ran on.') }, 'Who reported the event.');
const EVENT_SERIES = record(
  { count: integer('How many times so far.'), lastObservedTime: time('When it was seen last.') },
  'The event stands for many alike.',
);

export const NAMESPACE_SCHEMA = topLevel(
  {
    spec: record({ finalizers: list({ type: 'string' }, 'Who must finish before the namespace may go.') }, 'Desired state of the namespace.'),
    status: record(
      { phase: text('Active or Terminating.'), conditions: list(CONDITION, 'What stands in the way of its deletion.', 'type') },
      'Observed state of the namespace.',
    ),
  },
  'A namespace: a room for names.',
);

export const SECRET_SCHEMA = topLevel(
  {
    data: { type: 'object', additionalProperties: { type: 'string', format: 'byte' }, description: 'Keys and values, the values in base64.' },
    stringData: map('Keys and values in plain text; written into data, never given back.'),
    type: text('What the Secret is for; cannot be changed.'),
    immutable: flag('True: data can no longer be changed.'),
  },
  'Small confidential data.',
);

export const CONFIG_MAP_SCHEMA = topLevel(
  {
    data: map('Keys and text values.'),
    binaryData: { type: 'object', additionalProperties: { type: 'string', format: 'byte' }, description: 'Keys and binary values in base64.' },
    immutable: flag('True: data can no longer be changed.'),
  },
  'Configuration that is not confidential.',
);

export const SERVICE_ACCOUNT_SCHEMA = topLevel(
  {
    secrets: list(OBJECT_REFERENCE, 'Secrets that pods of this account may use.', 'name'),
    imagePullSecrets: list(record({ name: text('Name of the Secret.') }, 'A Secret.'), 'Secrets for pulling images.', 'name'),
    automountServiceAccountToken: flag('False: pods get no token of this account.'),
  },
  'An identity for programs.',
);

export const LEASE_SCHEMA = topLevel(
  {
    spec: record(
      {
        holderIdentity: text('Who holds the lease.'),
        leaseDurationSeconds: integer('How long others wait after the last renewal before they take over.'),
        acquireTime: time('When the holder took it.'),
        renewTime: time('When the holder renewed it last.'),
        leaseTransitions: integer('How often the holder changed.'),
        strategy: text('How the holder is picked.'),
        preferredHolder: text('Who should take over.'),
      },
      'State of the lease.',
    ),
  },
  'A lease: one holder at a time, by renewal.',
);

export const CORE_EVENT_SCHEMA = topLevel(
  {
    involvedObject: OBJECT_REFERENCE,
    reason: text('One CamelCase word: why.'),
    message: text('The same for a person.'),
    source: EVENT_SOURCE,
    firstTimestamp: time('When it was seen first.'),
    lastTimestamp: time('When it was seen last.'),
    count: integer('How many times it was seen.'),
    type: text('Normal or Warning.'),
    eventTime: time('When it was seen first, to the microsecond.'),
    series: EVENT_SERIES,
    action: text('What was done.'),
    related: OBJECT_REFERENCE,
    reportingComponent: text('The controller that reports.'),
    reportingInstance: text('Which instance of it.'),
  },
  'Something that happened to an object.',
  ['metadata', 'involvedObject'],
);

export const EVENT_SCHEMA = topLevel(
  {
    eventTime: time('When it was seen first, to the microsecond.'),
    series: EVENT_SERIES,
    reportingController: text('The controller that reports.'),
    reportingInstance: text('Which instance of it.'),
    action: text('What was done.'),
    reason: text('One CamelCase word: why.'),
    regarding: OBJECT_REFERENCE,
    related: OBJECT_REFERENCE,
    note: text('The same for a person.'),
    type: text('Normal or Warning.'),
    deprecatedSource: EVENT_SOURCE,
    deprecatedFirstTimestamp: time('As firstTimestamp of core/v1.'),
    deprecatedLastTimestamp: time('As lastTimestamp of core/v1.'),
    deprecatedCount: integer('As count of core/v1.'),
  },
  'Something that happened to an object.',
  ['eventTime'],
);

/** For the kinds that are shown but not written here: their content is passed through. */
export function readOnlySchema(description: string): Schema {
  const open: Schema = { type: 'object', description: 'Shown as it was loaded.', 'x-kubernetes-preserve-unknown-fields': true };
  return topLevel({ spec: open, status: open }, description);
}
