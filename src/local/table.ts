import { isJsonObject } from './object.ts';
import { parseJsonPath } from './jsonpath.ts';
import type { StoredObject } from './object.ts';

/** One printer column; `cell` gives the value for an object at the moment `now` (milliseconds since the epoch). */
export interface Column {
  name: string;
  type: string;
  format?: string;
  description: string;
  /** 0 is always shown, above 0 only with `-o wide`. */
  priority: number;
  cell: (object: StoredObject, now: number) => unknown;
}

/** What a CRD writes under `additionalPrinterColumns`. */
export interface PrinterColumn {
  name: string;
  type: string;
  jsonPath: string;
  description?: string;
  format?: string;
  priority?: number;
}

/** A span in the short form kubectl prints: 45s, 3m20s, 2h, 5d3h, 2y40d. Negative spans read 0s. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
    small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return pair(days, 'd', hours % 24, 'h');
  if (days < 365 * 2) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`;
}

/** The age of an RFC 3339 instant, in words. */
export function age(instant: unknown, now: number): string {
  if (typeof instant !== 'string' || instant === '') return '<unknown>';
  const time = Date.parse(instant);
  return Number.isNaN(time) ? '<invalid>' : humanDuration(now - time);
}

/** Members in the order of their names, as Go prints maps. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    isJsonObject(member) ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1))) : member);
}

function cellValue(type: string, value: unknown, now: number): unknown {
  switch (type) {
    case 'string':
      return typeof value === 'object' ? sortedJson(value) : String(value);
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return age(value, now);
    default:
      return null;
  }
}

export const NAME_COLUMN: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Unique within a namespace; how the object is addressed.',
  priority: 0,
  cell: (object) => object.metadata.name,
};

/** The columns of a CRD. Throws when a path cannot be read, so a typing error shows at start and not as empty cells. */
export function printerColumns(columns: readonly PrinterColumn[]): Column[] {
  const declared =
    columns.length > 0 ? columns : [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }];
  return [
    NAME_COLUMN,
    ...declared.map(({ name, type, jsonPath, description, format, priority }: PrinterColumn): Column => {
      const find = parseJsonPath(jsonPath);
      return {
        name,
        type,
        ...(format === undefined ? {} : { format }),
        description: description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`,
        priority: priority ?? 0,
        cell: (object, now) => {
          const value = find(object)[0];
          return value === undefined || value === null ? null : cellValue(type, value, now);
        },
      };
    }),
  ];
}

/** How much of each object a table row carries along: kubectl needs the metadata, for instance for `-A` and `-L`. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** Metadata of the object under the kind clients ask for when they want no more. */
export function partialMetadata(object: StoredObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}

/** The `Table` form of objects. `metadata` is that of the list, or of the single object. */
export function toTable(
  columns: readonly Column[],
  objects: readonly StoredObject[],
  metadata: unknown,
  include: IncludeObject,
  now: number,
): object {
  const kept = isJsonObject(metadata)
    ? Object.fromEntries(['resourceVersion', 'continue', 'remainingItemCount'].flatMap((key) => (key in metadata ? [[key, metadata[key]]] : [])))
    : {};
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: kept,
    columnDefinitions: columns.map(({ name, type, format, description, priority }) => ({ name, type, format: format ?? '', description, priority })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, now)),
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : partialMetadata(object) }),
    })),
  };
}
