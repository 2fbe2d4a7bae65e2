import { LineCounter, isAlias, isMap, isNode, isPair, isScalar, isSeq, parseAllDocuments, visit } from 'yaml';
import type { Document } from 'yaml';
import type { KubeObject } from '../object.ts';
import { isRecord } from './structural.ts';

/** A place in a file; line and column count from 1. */
export interface Position {
  file: string;
  line: number;
  column: number;
}

/** Something wrong with a file, before any schema is asked. */
export interface ManifestFinding extends Position {
  /** One line: what is wrong and what to do. */
  message: string;
}

/** One object of a file. */
export interface ManifestObject {
  object: KubeObject;
  /** Where its document starts. */
  position: Position;
  /**
   * Where a field stands, by the path the API server writes (`spec.collections[0].name`): the key, or the entry of a
   * list. For a field that is absent, the nearest parent that is there.
   */
  locate(path: string): Position;
}

export interface ParsedManifest {
  objects: ManifestObject[];
  findings: ManifestFinding[];
}

/**
 * Reads a file of YAML documents or JSON. Pure: `text` is the content, `file` only names it in positions.
 * A document with a finding yields no object, so that half of a file is never taken for the whole of a declaration.
 * Empty documents are skipped; a `List` yields its items.
 */
export function parseManifest(text: string, file: string): ParsedManifest {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const objects: ManifestObject[] = [];
  const findings: ManifestFinding[] = [];
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  for (const document of documents) {
    const start = isNode(document.contents) ? (document.contents.range?.[0] ?? 0) : 0;
    const faults = [...syntaxFaults(document), ...ambiguousScalars(document)];
    const content = faults.length > 0 ? undefined : contentOf(document);
    if (content === undefined || 'fault' in content) {
      const all = content === undefined ? faults : [content.fault];
      findings.push(...all.map(({ offset, message }) => ({ ...at(offset), message })));
      continue;
    }
    const locate = (root: string[]) => (path: string) => at(offsetOf(document, [...root, ...pathParts(path)]));
    for (const { value, path } of objectsIn(content.value)) {
      const message = path.length === 0 && value === null ? undefined : shapeFault(value);
      const position = at(path.length === 0 ? start : offsetOf(document, path));
      if (message !== undefined) findings.push({ ...position, message });
      else if (value !== null) objects.push({ object: value as KubeObject, position, locate: locate(path) });
    }
  }
  return { objects, findings };
}

interface Fault {
  offset: number;
  message: string;
}

function syntaxFaults(document: Document.Parsed): Fault[] {
  return [...document.errors, ...document.warnings].map((error) => {
    const key = error.code === 'DUPLICATE_KEY' ? 'a key occurs twice in one map; remove one, the other would be lost' : undefined;
    return { offset: error.pos[0], message: key ?? `not valid YAML: ${error.message.split('\n')[0] ?? ''}` };
  });
}

/** What kubectl, which reads YAML 1.1, takes for a boolean or a number, and YAML 1.2 for something else. */
const BOOLEAN_1_1 = /^(y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF)$/;
const NUMBER_1_1 = /^[-+]?(0[0-7]+|[0-9]+_[0-9_]*)$/;

/** `country: NO` would be Norway here and `false` in the cluster, so it is refused until it is in quotes. */
function ambiguousScalars(document: Document.Parsed): Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Scalar(_, node) {
      const source = node.source ?? '';
      if (node.type !== 'PLAIN') return;
      const type = BOOLEAN_1_1.test(source) ? 'boolean' : NUMBER_1_1.test(source) ? 'number' : undefined;
      if (type === undefined) return;
      const hint = type === 'boolean' ? 'true or false' : 'a plain decimal number';
      faults.push({ offset: node.range?.[0] ?? 0, message: `${source} is a ${type} for kubectl only; write "${source}" in quotes, or ${hint}` });
    },
  });
  return faults;
}

/** Aliases show only here that they lead nowhere, or that they stand for far more than the file holds. */
function contentOf(document: Document.Parsed): { value: unknown } | { fault: Fault } {
  try {
    return { value: document.toJS({ maxAliasCount: 1000 }) as unknown };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    const offset = isNode(document.contents) ? (document.contents.range?.[0] ?? 0) : 0;
    return { fault: { offset, message: `not valid YAML: ${cause.split('\n')[0] ?? ''}; write the values out instead of using aliases` } };
  }
}

function objectsIn(value: unknown): { value: unknown; path: string[] }[] {
  if (isRecord(value) && value.kind === 'List' && Array.isArray(value.items)) {
    return value.items.map((item: unknown, index) => ({ value: item, path: ['items', String(index)] }));
  }
  return [{ value, path: [] }];
}

function shapeFault(value: unknown): string | undefined {
  if (!isRecord(value)) return 'not a Kubernetes object: a map with apiVersion, kind, metadata and spec is expected';
  if (typeof value.apiVersion !== 'string' || value.apiVersion === '') return 'apiVersion is missing; for the kinds of this project it is dataward.io/v1alpha1';
  if (typeof value.kind !== 'string' || value.kind === '') return 'kind is missing; add it, for example kind: RetentionPolicy';
  if (!isRecord(value.metadata) || typeof value.metadata.name !== 'string' || value.metadata.name === '') {
    return `${value.kind} has no name; add metadata.name`;
  }
  return undefined;
}

/** `spec.collections[0].name` -> spec, collections, 0, name. */
function pathParts(path: string): string[] {
  return path.split(/[.[\]]+/).filter((part) => part !== '');
}

function offsetOf(document: Document.Parsed, parts: readonly string[]): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const part of parts) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === part);
      if (pair === undefined) return offset;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      if (!isNode(node)) return offset;
      offset = node.range?.[0] ?? offset;
    } else {
      return offset;
    }
    // What an alias stands for is written elsewhere; the line the user wrote is this one.
    if (isAlias(node)) return offset;
  }
  return offset;
}
