import type { KubeObject } from '../api/object.ts';

/** Of objects that are not ours, the members that say where requests enter. Any of them may be absent. */

export interface Ingress extends KubeObject {
  spec?: {
    defaultBackend?: unknown;
    rules?: { host?: string; http?: { paths?: { path?: string; pathType?: string }[] } }[];
    tls?: { hosts?: string[] }[];
  };
  status?: { loadBalancer?: { ingress?: { ip?: string; hostname?: string; ports?: { port: number; protocol?: string }[] }[] } };
}

export interface Gateway extends KubeObject {
  spec?: { listeners?: Listener[] };
  status?: { addresses?: { type?: string; value?: string }[] };
}

export interface Listener {
  name: string;
  hostname?: string;
  port: number;
  protocol: string;
  /** The server fills in `Same`. */
  allowedRoutes?: { namespaces?: { from?: string } };
}

export interface HttpRoute extends KubeObject {
  spec?: {
    hostnames?: string[];
    parentRefs?: ParentRef[];
    rules?: { matches?: { path?: { type?: string; value?: string } }[] }[];
  };
}

export interface ParentRef {
  group?: string;
  kind?: string;
  namespace?: string;
  name: string;
  sectionName?: string;
  port?: number;
}
