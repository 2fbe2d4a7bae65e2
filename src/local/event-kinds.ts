import { memberObject } from './object.ts';
import type { StoredObject } from './object.ts';
import type { FieldError } from '../api/validation/validator.ts';
import { CORE_EVENT_SCHEMA, EVENT_SCHEMA } from './core-schemas.ts';
import { servedKind } from './kinds.ts';
import type { ServedKind } from './kinds.ts';
import { METADATA_MERGE_KEYS } from './strategic.ts';
import { age, NAME_COLUMN } from './table.ts';
import type { Column } from './table.ts';

/** core/v1 name -> events.k8s.io/v1 name; all other fields have one name in both. */
const NAMES: readonly (readonly [string, string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

function renamed(object: StoredObject, names: ReadonlyMap<string, string>, apiVersion: string): StoredObject {
  const entries = Object.entries(object).map(([name, value]) => [names.get(name) ?? name, value]);
  return { ...Object.fromEntries(entries), apiVersion, kind: 'Event' };
}

const TO_NEW = new Map(NAMES);
const TO_CORE = new Map(NAMES.map(([core, other]) => [other, core] as const));

function seen(event: StoredObject): unknown {
  return memberObject(event, 'series')['lastObservedTime'] ?? event['lastTimestamp'] ?? event['eventTime'] ?? event.metadata.creationTimestamp;
}

function objectName(event: StoredObject): string {
  const { kind, name } = memberObject(event, 'involvedObject');
  return `${String(kind ?? '').toLowerCase()}/${String(name ?? '')}`;
}

function column(name: string, priority: number, description: string, cell: Column['cell'], type = 'string'): Column {
  return { name, type, priority, description, cell };
}

const COLUMNS: readonly Column[] = [
  column('Last Seen', 0, 'When it was seen last.', (event, now) => age(seen(event), now)),
  column('Type', 0, 'Normal or Warning.', (event) => event['type'] ?? ''),
  column('Reason', 0, 'Why.', (event) => event['reason'] ?? ''),
  column('Object', 0, 'What it is about.', objectName),
  column('Subobject', 1, 'Which part of it.', (event) => memberObject(event, 'involvedObject')['fieldPath'] ?? ''),
  column('Source', 1, 'Who reported it.', (event) => memberObject(event, 'source')['component'] ?? event['reportingComponent'] ?? ''),
  column('Message', 0, 'What happened.', (event) => String(event['message'] ?? '').trim()),
  column('First Seen', 1, 'When it was seen first.', (event, now) => age(event['firstTimestamp'] ?? event['eventTime'], now)),
  column('Count', 1, 'How many times.', (event) => memberObject(event, 'series')['count'] ?? event['count'] ?? 1, 'integer'),
  { ...NAME_COLUMN, priority: 1 },
];

const REFERENCE_FIELDS = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

function fieldsOf(event: StoredObject): Record<string, string> {
  const involved = memberObject(event, 'involvedObject');
  const source = String(memberObject(event, 'source')['component'] ?? event['reportingComponent'] ?? '');
  const reporter = String(event['reportingComponent'] ?? '');
  return {
    ...Object.fromEntries(REFERENCE_FIELDS.flatMap((field) => [
      [`involvedObject.${field}`, String(involved[field] ?? '')],
      [`regarding.${field}`, String(involved[field] ?? '')],
    ])),
    reason: String(event['reason'] ?? ''),
    type: String(event['type'] ?? ''),
    source,
    reportingComponent: reporter,
    reportingController: reporter,
  };
}

function namespaceErrors(event: StoredObject): FieldError[] {
  const about = String(memberObject(event, 'involvedObject')['namespace'] ?? '') || 'default';
  if (event.metadata.namespace === about) return [];
  return [{ path: 'involvedObject.namespace', type: 'FieldValueInvalid', message: `"${about}": does not match event.namespace` }];
}

const NEW_REQUIRED = ['reportingComponent', 'reportingInstance', 'action', 'reason'] as const;

/** An event written with eventTime (the newer form) names its reporter and action; one without is the older form. */
function newFormErrors(event: StoredObject): FieldError[] {
  const errors = NEW_REQUIRED.filter((field) => (event[field] ?? '') === '').map(
    (field): FieldError => ({ path: TO_NEW.get(field) ?? field, type: 'FieldValueRequired', message: '' }),
  );
  if (!['Normal', 'Warning'].includes(String(event['type']))) {
    errors.push({ path: 'type', type: 'FieldValueInvalid', message: `"${String(event['type'] ?? '')}": must be Normal or Warning` });
  }
  if (String(event['message'] ?? '').length > 1024) errors.push({ path: 'note', type: 'FieldValueInvalid', message: 'can have at most 1024 bytes' });
  return errors;
}

function check(event: StoredObject, old: StoredObject | undefined): FieldError[] {
  if (old !== undefined) return [];
  return (event['eventTime'] ?? null) === null ? namespaceErrors(event) : newFormErrors(event);
}

function eventKind(group: string, schema: ServedKind['schema'], convert: Pick<ServedKind, 'toStored' | 'fromStored'>, reference: string): ServedKind {
  const own = ['reason', 'type', ...(group === '' ? ['source', 'reportingComponent'] : ['reportingController'])];
  return servedKind({
    ref: { group, version: 'v1', plural: 'events', kind: 'Event', namespaced: true },
    shortNames: ['ev'],
    createOnUpdate: true,
    columns: COLUMNS,
    schema,
    mergeKeys: METADATA_MERGE_KEYS,
    collection: 'events',
    selectableFields: [...REFERENCE_FIELDS.map((field) => `${reference}.${field}`), ...own],
    fieldsOf,
    check,
    ...convert,
  });
}

/** One store of events under two names, as in a cluster: stored in the form of core/v1. */
export const EVENT_KINDS: readonly ServedKind[] = [
  eventKind('', CORE_EVENT_SCHEMA, { toStored: (object) => object, fromStored: (object) => object }, 'involvedObject'),
  eventKind(
    'events.k8s.io',
    EVENT_SCHEMA,
    {
      toStored: (object) => renamed(object, TO_CORE, 'v1'),
      fromStored: (object) => renamed(object, TO_NEW, 'events.k8s.io/v1'),
    },
    'regarding',
  ),
];

/** How long an event is kept after it was written last, as in a cluster: one hour. */
export const EVENT_TTL_MS = 3_600_000;
