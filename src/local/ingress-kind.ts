import { isIP } from 'node:net';
import type { FieldError } from '../api/validation/validator.ts';
import { INGRESS_SCHEMA } from './ingress-schema.ts';
import { servedKind } from './kinds.ts';
import type { ServedKind } from './kinds.ts';
import { isJsonObject, memberObject } from './object.ts';
import type { JsonObject, StoredObject } from './object.ts';
import { METADATA_MERGE_KEYS } from './strategic.ts';
import { NAME_COLUMN, age } from './table.ts';
import type { Column } from './table.ts';

const objects = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : []);
const spec = (object: StoredObject): JsonObject => memberObject(object, 'spec');
const addresses = (object: StoredObject): JsonObject[] => objects(memberObject(memberObject(object, 'status'), 'loadBalancer')['ingress']);

const HOSTS_SHOWN = 3;

/** Its hosts as kubectl shows them: three of them, and how many rules there are beyond. */
function hosts(object: StoredObject): string {
  const rules = objects(spec(object)['rules']);
  const named = rules.map(({ host }) => host).filter((host) => typeof host === 'string' && host !== '').slice(0, HOSTS_SHOWN);
  if (named.length === 0) return '*';
  return rules.length > HOSTS_SHOWN ? `${named.join(',')} + ${rules.length - HOSTS_SHOWN} more...` : named.join(',');
}

const reachedAt = (object: StoredObject): string[] => [...new Set(addresses(object).map(({ ip, hostname }) => ip ?? hostname).filter((each) => typeof each === 'string'))].toSorted();

const column = (name: string, description: string, cell: Column['cell']): Column => ({ name, type: 'string', priority: 0, description, cell });

const COLUMNS: readonly Column[] = [
  NAME_COLUMN,
  column('Class', 'The class of its controller.', (object) => spec(object)['ingressClassName'] ?? '<none>'),
  column('Hosts', 'Hosts it is for.', hosts),
  column('Address', 'Where it is reached.', (object) => reachedAt(object).join(',')),
  column('Ports', '80, and 443 where TLS is declared.', (object) => (objects(spec(object)['tls']).length > 0 ? '80, 443' : '80')),
  column('Age', 'Time since its creation.', (object, now) => age(object.metadata.creationTimestamp, now)),
];

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const HOST = new RegExp(`^(\\*\\.)?${LABEL}(\\.${LABEL})*$`);
const PATH_TYPES = ['Exact', 'Prefix', 'ImplementationSpecific'];
/** Parts of a path that two servers read in two ways. */
const UNCLEAR = /\/\/|\/\.\/|\/\.\.\/|%2f|%2F|\/\.\.?$/;

const invalid = (path: string, message: string): FieldError => ({ path, type: 'FieldValueInvalid', message });
const required = (path: string, message: string): FieldError => ({ path, type: 'FieldValueRequired', message });

function hostErrors(host: unknown, path: string): FieldError[] {
  if (typeof host !== 'string' || host === '') return [];
  if (isIP(host) !== 0) return [invalid(path, 'must be a DNS name, not an IP address')];
  return HOST.test(host) && host.length <= 253 ? [] : [invalid(path, 'a host is a lowercase DNS name, with *. in front where it stands for every name one label longer')];
}

function backendErrors(backend: JsonObject, path: string): FieldError[] {
  const { service, resource } = backend;
  if (isJsonObject(service) && isJsonObject(resource)) return [invalid(path, 'cannot set both resource and service backends')];
  if (isJsonObject(resource)) return ['kind', 'name'].filter((name) => (resource[name] ?? '') === '').map((name) => required(`${path}.resource.${name}`, 'Required value'));
  if (!isJsonObject(service)) return [invalid(path, 'resource or service backend is required')];
  const { name = '', number = 0 } = memberObject(service, 'port');
  const named = (service['name'] ?? '') === '' ? [required(`${path}.service.name`, 'Required value')] : [];
  if (name !== '' && number !== 0) return [...named, invalid(path, 'cannot set both port name & port number')];
  return name === '' && number === 0 ? [...named, required(path, 'port name or number is required')] : named;
}

function pathErrors(rule: JsonObject, at: string): FieldError[] {
  const { pathType, path = '' } = rule;
  const backend = backendErrors(memberObject(rule, 'backend'), `${at}.backend`);
  if (pathType === undefined) return [required(`${at}.pathType`, 'pathType must be specified'), ...backend];
  if (!PATH_TYPES.includes(String(pathType))) return [{ path: `${at}.pathType`, type: 'FieldValueNotSupported', message: `supported values: ${PATH_TYPES.join(', ')}` }, ...backend];
  const free = pathType === 'ImplementationSpecific';
  if (!String(path).startsWith('/') && !(free && path === '')) return [invalid(`${at}.path`, 'must be an absolute path'), ...backend];
  return [...(!free && UNCLEAR.test(String(path)) ? [invalid(`${at}.path`, 'must not contain //, /./, /../ or an escaped slash')] : []), ...backend];
}

function ruleErrors(rule: JsonObject, index: number): FieldError[] {
  const at = `spec.rules[${index}]`;
  if (!isJsonObject(rule['http'])) return hostErrors(rule['host'], `${at}.host`);
  const paths = objects(rule['http']['paths']);
  return [
    ...hostErrors(rule['host'], `${at}.host`),
    ...(paths.length === 0 ? [required(`${at}.http.paths`, 'Required value')] : paths.flatMap((each, place) => pathErrors(each, `${at}.http.paths[${place}]`))),
  ];
}

function ingressErrors(object: StoredObject): FieldError[] {
  const { rules, tls, defaultBackend } = spec(object);
  return [
    ...(objects(rules).length === 0 && !isJsonObject(defaultBackend) ? [invalid('spec', 'either `defaultBackend` or `rules` must be specified')] : []),
    ...objects(tls).flatMap((each, index) => (Array.isArray(each['hosts']) ? each['hosts'] : []).flatMap((host, place) => hostErrors(host, `spec.tls[${index}].hosts[${place}]`))),
    ...objects(rules).flatMap(ruleErrors),
    ...(isJsonObject(defaultBackend) ? backendErrors(defaultBackend, 'spec.defaultBackend') : []),
    ...addresses(object).flatMap(({ ip }, index) => (typeof ip === 'string' && isIP(ip) === 0 ? [invalid(`status.loadBalancer.ingress[${index}].ip`, 'must be a valid IP address')] : [])),
  ];
}

/** No controller watches over it here: whoever tries a control writes the addresses into its status. */
export const INGRESS_KIND: ServedKind = servedKind({
  ref: { group: 'networking.k8s.io', version: 'v1', plural: 'ingresses', kind: 'Ingress', namespaced: true },
  shortNames: ['ing'],
  hasStatus: true,
  hasGeneration: true,
  columns: COLUMNS,
  schema: INGRESS_SCHEMA,
  mergeKeys: METADATA_MERGE_KEYS,
  complete: (object) => ({ ...object, spec: memberObject(object, 'spec'), status: { loadBalancer: {}, ...memberObject(object, 'status') } }),
  check: ingressErrors,
});
