import { compareText } from '../api/compare-text.ts';
import { ENTRY_POINTS_SECONDS, type EntryPointReading } from '../connect/entry-points.ts';
import type { Gateway, HttpRoute, Ingress, Listener, ParentRef } from './objects.ts';

/** One host of an Ingress, or of a Gateway with a route, and where to ask for it. */
export interface EntryPoint {
  /** Kind, namespace/name and host: what results call it. */
  name: string;
  /** Host to ask for; absent: whatever the address itself is called. */
  host?: string;
  path: string;
  /** Its object asks for TLS. */
  tls: boolean;
  /** Addresses and ports as the controller of the object gives them in its status. */
  places: Place[];
}

export interface Place {
  /** IP address or host name. */
  address: string;
  ports: number[];
}

/** Where a controller of Ingresses listens unless its status says otherwise. */
const INGRESS_PORTS = [80, 443];
/** Any name below a wildcard is as good as another. */
const BELOW_WILDCARD = 'dataward';
const GATEWAY_GROUP = 'gateway.networking.k8s.io';

/** The entry points of one namespace, each once, in an order that does not hang on that of the objects. Pure. */
export function entryPoints(objects: { ingresses: readonly Ingress[]; routes: readonly HttpRoute[]; gateways: readonly Gateway[] }): EntryPoint[] {
  const all = [...objects.ingresses.flatMap(ofIngress), ...objects.routes.flatMap((route) => ofRoute(route, objects.gateways))];
  const sorted = all.toSorted((a, b) => (a.name === b.name ? compareText(a.path, b.path) : compareText(a.name, b.name)));
  return sorted.filter(({ name }, index) => name !== sorted[index - 1]?.name);
}


/** The Gateways a route names as parents, `namespace/name`. */
export function parentsOf(route: HttpRoute): { namespace: string; name: string }[] {
  return (route.spec?.parentRefs ?? []).filter(isGateway).map(({ namespace, name }) => ({ namespace: namespace ?? route.metadata.namespace ?? '', name }));
}

/** What is asked of an entry point, as text: another one is another question. */
export function questionOf({ host, path, places }: EntryPoint): string {
  return JSON.stringify([host, path, places]);
}

/** An entry point that just came up, or a load balancer that is being made, is asked again soon. */
const AGAIN_SOON_MS = 60_000;

/** When an entry point is to be asked again, milliseconds. */
export function askAgainAt({ at, https, http }: EntryPointReading): number {
  return at + (https === undefined || http === undefined ? AGAIN_SOON_MS : ENTRY_POINTS_SECONDS * 1000);
}

function ofIngress(ingress: Ingress): EntryPoint[] {
  const { rules = [], tls = [], defaultBackend } = ingress.spec ?? {};
  const places = (ingress.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname, ports }): Place[] => {
    const address = ip ?? hostname;
    if (address === undefined) return [];
    // HTTP over QUIC comes beside TCP, never instead.
    const tcp = (ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP').map(({ port }) => port);
    return [{ address, ports: tcp.length > 0 ? tcp : INGRESS_PORTS }];
  });
  const hosts = new Set([...rules.map(({ host }) => host ?? ''), ...(defaultBackend === undefined ? [] : [''])]);
  return [...hosts].map((host) => {
    const path = rules.find((rule) => (rule.host ?? '') === host)?.http?.paths?.find(({ pathType }) => pathType !== 'ImplementationSpecific')?.path ?? '/';
    // An entry without hosts is for all of them.
    const covered = tls.some(({ hosts: names = [] }) => names.length === 0 || names.some((name) => covers(name, host)));
    return point('Ingress', ingress, host, { path, tls: covered, places });
  });
}

function ofRoute(route: HttpRoute, gateways: readonly Gateway[]): EntryPoint[] {
  const { hostnames = [], rules = [], parentRefs = [] } = route.spec ?? {};
  const path = rules[0]?.matches?.map((match) => match.path).find((each) => each?.value !== undefined && each.type !== 'RegularExpression')?.value ?? '/';
  return parentRefs.filter(isGateway).flatMap((parent) => {
    const gateway = gateways.find(({ metadata }) => metadata.name === parent.name && metadata.namespace === (parent.namespace ?? route.metadata.namespace));
    const listeners = (gateway?.spec?.listeners ?? []).filter(speaksHttp);
    const attached = listeners.filter((listener) => isNamed(parent, listener) && lets(listener, route.metadata.namespace === gateway?.metadata.namespace));
    const hosts = new Set(attached.flatMap((listener) => common(hostnames, listener.hostname)));
    if (!gateway) return [];
    return [...hosts].map((host) => {
      // Also those without this route: whoever comes in there by the same name must not be served in the clear.
      const open = listeners.filter(({ hostname = '' }) => hostname === '' || covers(hostname, host));
      const ports = [...new Set(open.map(({ port }) => port))];
      const places = (gateway.status?.addresses ?? []).flatMap(({ value }) => (value === undefined ? [] : [{ address: value, ports }]));
      return point('Gateway', gateway, host, { path, tls: open.some(({ protocol }) => protocol === 'HTTPS'), places });
    });
  });
}

function point(kind: 'Ingress' | 'Gateway', { metadata }: Ingress | Gateway, host: string, rest: Pick<EntryPoint, 'path' | 'tls' | 'places'>): EntryPoint {
  const asked = host.startsWith('*.') ? `${BELOW_WILDCARD}${host.slice(1)}` : host;
  return { name: `${kind} ${metadata.namespace ?? ''}/${metadata.name} ${host || 'any host'}`, ...(asked === '' ? {} : { host: asked }), ...rest };
}

const isGateway = ({ group = GATEWAY_GROUP, kind = 'Gateway' }: ParentRef): boolean => group === GATEWAY_GROUP && kind === 'Gateway';
const speaksHttp = ({ protocol }: Listener): boolean => protocol === 'HTTP' || protocol === 'HTTPS';
const isNamed = ({ sectionName, port }: ParentRef, listener: Listener): boolean => (sectionName === undefined || sectionName === listener.name) && (port === undefined || port === listener.port);

/** Which namespaces a selector means is left to the Gateway: to ask once too often is better than once too few. */
function lets({ allowedRoutes }: Listener, sameNamespace: boolean): boolean {
  const from = allowedRoutes?.namespaces?.from;
  return from !== 'None' && (from !== 'Same' || sameNamespace);
}

/** The hosts a route has at a listener: of two that meet, the narrower one. '' is any host. */
function common(hostnames: readonly string[], listener = ''): string[] {
  if (hostnames.length === 0) return [listener];
  return hostnames.flatMap((host) => {
    if (listener === '' || covers(listener, host)) return [host];
    return covers(host, listener) ? [listener] : [];
  });
}

/** Whether a name, which may begin with `*.`, covers a host, which may too. How many labels a wildcard is good for, the answer tells. */
function covers(name: string, host: string): boolean {
  return name === host || (name.startsWith('*.') && host.replace(/^\*/, '').endsWith(name.slice(1)));
}
