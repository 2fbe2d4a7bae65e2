import type { KubeObject } from '../api/object.ts';
import type { Gateway, HttpRoute, Ingress } from './objects.ts';

/** What of each object is kept in memory, since most clusters have many of them: where requests enter, and nothing else. Pure. */

export function projectIngress({ spec, status, ...rest }: Ingress): Ingress {
  const { defaultBackend, rules, tls } = spec ?? {};
  const addresses = status?.loadBalancer?.ingress;
  return {
    ...bare(rest),
    spec: {
      ...(defaultBackend === undefined ? {} : { defaultBackend: {} }),
      ...(rules ? { rules: rules.map(({ host, http }) => ({ ...known('host', host), ...(http?.paths ? { http: { paths: http.paths.map(({ path, pathType }) => ({ ...known('path', path), ...known('pathType', pathType) })) } } : {}) })) } : {}),
      ...(tls ? { tls: tls.map(({ hosts }) => known('hosts', hosts)) } : {}),
    },
    ...(addresses ? { status: { loadBalancer: { ingress: addresses.map(({ ip, hostname, ports }) => ({ ...known('ip', ip), ...known('hostname', hostname), ...known('ports', ports) })) } } } : {}),
  };
}

export function projectGateway({ spec, status, ...rest }: Gateway): Gateway {
  return {
    ...bare(rest),
    ...(spec?.listeners ? { spec: { listeners: spec.listeners.map(({ name, hostname, port, protocol, allowedRoutes }) => ({ name, port, protocol, ...known('hostname', hostname), ...(allowedRoutes?.namespaces ? { allowedRoutes: { namespaces: known('from', allowedRoutes.namespaces.from) } } : {}) })) } } : {}),
    ...(status?.addresses ? { status: { addresses: status.addresses.map(({ type, value }) => ({ ...known('type', type), ...known('value', value) })) } } : {}),
  };
}

export function projectRoute({ spec, ...rest }: HttpRoute): HttpRoute {
  const { hostnames, parentRefs, rules } = spec ?? {};
  return {
    ...bare(rest),
    spec: {
      ...known('hostnames', hostnames),
      ...known('parentRefs', parentRefs),
      ...(rules ? { rules: rules.map(({ matches }) => (matches ? { matches: matches.map(({ path }) => known('path', path)) } : {})) } : {}),
    },
  };
}

/** Labels and annotations of somebody else's object are nobody's business here. */
function bare({ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata: { name, ...known('namespace', namespace), ...known('uid', uid), ...known('resourceVersion', resourceVersion) } };
}

function known<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}
