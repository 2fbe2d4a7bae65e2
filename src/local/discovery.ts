import { READ_VERBS, WRITE_VERBS, apiVersionOf } from './kinds.ts';
import type { KindRegistry, ServedKind } from './kinds.ts';
import { REVIEW_RESOURCES } from './reviews.ts';

/** The Kubernetes version whose behaviour this server follows; clients choose what they send by it. */
export const KUBERNETES_VERSION = {
  major: '1',
  minor: '32',
  gitVersion: 'v1.32.0+dataward',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: `${process.platform}/${process.arch}`,
} as const;

function resources(kind: ServedKind): object[] {
  const { ref } = kind;
  const main = {
    name: ref.plural,
    singularName: kind.singular,
    namespaced: ref.namespaced,
    kind: ref.kind,
    verbs: [...READ_VERBS, ...(kind.writable ? WRITE_VERBS : [])].sort(),
    ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
    ...(kind.categories.length > 0 && { categories: kind.categories }),
  };
  const status = { name: `${ref.plural}/status`, singularName: '', namespaced: ref.namespaced, kind: ref.kind, verbs: ['get', 'patch', 'update'] };
  return kind.hasStatus ? [main, status] : [main];
}

function groupVersions(kinds: KindRegistry): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { group, version } of [...kinds.all.map(({ ref }) => ref), ...REVIEW_RESOURCES]) {
    const versions = groups.get(group) ?? [];
    if (!versions.includes(version)) versions.push(version);
    groups.set(group, versions);
  }
  return groups;
}

/** Every `group/version` served, the core group as `v1`. */
export function servedVersions(kinds: KindRegistry): { group: string; version: string }[] {
  return [...groupVersions(kinds)].flatMap(([group, versions]) => versions.map((version) => ({ group, version })));
}

function apiGroup(group: string, versions: readonly string[]): object {
  const entries = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: entries, preferredVersion: entries[0] };
}

/** The answer to a discovery path, or undefined when there is nothing at it. */
export function discovery(kinds: KindRegistry, path: string): object | undefined {
  const [root, group = '', version = '', ...rest] = path.split('/').filter((part) => part !== '');
  if (rest.length > 0) return undefined;
  const groups = groupVersions(kinds);
  if (root === 'api' && group === '') {
    return { kind: 'APIVersions', versions: groups.get('') ?? [], serverAddressByClientCIDRs: [] };
  }
  if (root === 'api') return version === '' ? resourceList(kinds, '', group) : undefined;
  if (root !== 'apis') return undefined;
  if (group === '') {
    const named = [...groups].filter(([name]) => name !== '');
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: named.map(([name, versions]) => apiGroup(name, versions)) };
  }
  if (version !== '') return resourceList(kinds, group, version);
  const versions = groups.get(group);
  return versions === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, versions) };
}

function resourceList(kinds: KindRegistry, group: string, version: string): object | undefined {
  const same = (ref: { group: string; version: string }): boolean => ref.group === group && ref.version === version;
  const served = kinds.all.filter(({ ref }) => same(ref)).flatMap(resources);
  const reviews = REVIEW_RESOURCES.filter(same).map(({ plural, kind }) => ({
    name: plural, singularName: kind.toLowerCase(), namespaced: false, kind, verbs: ['create'],
  }));
  if (served.length + reviews.length === 0) return undefined;
  const groupVersion = apiVersionOf({ group, version, plural: '', kind: '', namespaced: false });
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: [...served, ...reviews] };
}
