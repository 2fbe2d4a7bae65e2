import type { KubeObject } from '../api/object.ts';
import type { Gateway, HttpRoute, Ingress } from './objects.ts';

/** What of each object is kept in memory, since most clusters have many of them: where requests enter, and nothing else. Pure. */

export function projectIngress(ingress: Ingress): Ingress {
  const { spec, status } = ingress;
  return kept(ingress, {
    spec: {
      defaultBackend: spec?.defaultBackend === undefined ? undefined : {},
      rules: spec?.rules?.map(({ host, http }) => ({ host, http: http && { paths: http.paths?.map(({ path, pathType }) => ({ path, pathType })) } })),
      tls: spec?.tls?.map(({ hosts }) => ({ hosts })),
    },
    status: { loadBalancer: { ingress: status?.loadBalancer?.ingress?.map(({ ip, hostname, ports }) => ({ ip, hostname, ports })) } },
  });
}

export function projectGateway(gateway: Gateway): Gateway {
  const { spec, status } = gateway;
  return kept(gateway, {
    spec: { listeners: spec?.listeners?.map(({ name, hostname, port, protocol, allowedRoutes }) => ({ name, hostname, port, protocol, allowedRoutes: allowedRoutes && { namespaces: { from: allowedRoutes.namespaces?.from } } })) },
    status: { addresses: status?.addresses?.map(({ type, value }) => ({ type, value })) },
  });
}

export function projectRoute(route: HttpRoute): HttpRoute {
  const { hostnames, parentRefs, rules } = route.spec ?? {};
  return kept(route, { spec: { hostnames, parentRefs, rules: rules?.map(({ matches }) => ({ matches: matches?.map(({ path }) => ({ path })) })) } });
}

/**
 * The parts under the name of the object, without its labels and annotations, which are nobody's business here. Written
 * and read again: that leaves out what is undefined, and objects put together from parts take twice the memory of read ones.
 */
function kept<T extends KubeObject>({ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } }: T, parts: object): T {
  return JSON.parse(JSON.stringify({ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, ...parts })) as T;
}
