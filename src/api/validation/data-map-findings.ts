import type { DataMap } from '../generated/dataMap.ts';
import type { SemanticFinding } from './semantic-finding.ts';

/** What is wrong within one map: references that lead nowhere, and tables described twice. Pure. */
export function dataMapFindings(map: DataMap): SemanticFinding[] {
  const { collections } = map.spec;
  const names = new Set(collections.map((collection) => collection.name));
  const findings: SemanticFinding[] = [];
  const tables = new Map<string, string>();
  collections.forEach((collection, index) => {
    const path = `spec.collections[${index}]`;
    const missing = (field: string, name: string): void => {
      if (names.has(name)) return;
      findings.push({ path: `${path}.${field}`, message: `this map describes no collection ${name}; add it or correct the name` });
    };
    collection.references?.forEach((reference, at) => missing(`references[${at}].to`, reference.to));
    collection.times?.forEach((time, at) => {
      if (time.of !== undefined) missing(`times[${at}].of`, time.of);
      findings.push(...sourceFindings(collections, time, `${path}.times[${at}]`));
    });
    const table = `${collection.table.schema}.${collection.table.name}`;
    const key = keyOf(collection.table);
    const other = tables.get(key);
    if (other !== undefined) {
      const message = `${table} is described by the collection ${other} already; destruction would stop, so remove one`;
      findings.push({ path: `${path}.table`, message });
    }
    tables.set(key, other ?? collection.name);
  });
  map.spec.nonPersonal?.forEach((entry, index) => {
    const table = `${entry.table.schema}.${entry.table.name}`;
    const other = tables.get(keyOf(entry.table));
    if (other === undefined) return;
    const message = `${table} is described by the collection ${other}; it cannot hold no personal data, so remove one`;
    findings.push({ path: `spec.nonPersonal[${index}].table`, message });
  });
  return findings;
}

/** Names may contain dots, so that two tables can read the same. */
const keyOf = ({ schema, name }: { schema: string; name: string }): string => JSON.stringify([schema, name]);

type Collections = DataMap['spec']['collections'];
type TimeEvent = NonNullable<Collections[number]['times']>[number];

/** An event that is read through a reference has to be read from a field where the reference ends. */
function sourceFindings(collections: Collections, time: TimeEvent, path: string): SemanticFinding[] {
  const target = collections.find((collection) => collection.name === time.of);
  if (target === undefined) return [];
  const there = target.times?.find((candidate) => candidate.event === time.event);
  if (there?.field !== undefined) return [];
  return [{ path: `${path}.of`, message: `the collection ${target.name} does not read the event ${time.event} from a field; add it to its times` }];
}
