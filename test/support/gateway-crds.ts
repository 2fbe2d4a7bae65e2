const text = { type: 'string' };

function list(items: object): object {
  return { type: 'array', items };
}

function crd(kind: string, plural: string, properties: object): object {
  const group = 'gateway.networking.k8s.io';
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    // Names under k8s.io are kept for what was approved there.
    metadata: { name: `${plural}.${group}`, annotations: { 'api-approved.kubernetes.io': 'unapproved, a part of it for a test' } },
    spec: { group, scope: 'Namespaced', names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` }, versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties } } }] },
  };
}

/**
 * The two kinds of the Gateway API that are read, with the fields that are read and no status apart. The whole of it is
 * three thousand lines, of which none more would be asked for.
 */
export const GATEWAY_CRDS: readonly object[] = [
  crd('Gateway', 'gateways', {
    spec: { type: 'object', properties: { listeners: list({ type: 'object', required: ['name', 'port', 'protocol'], properties: { name: text, hostname: text, port: { type: 'integer' }, protocol: text } }) } },
    status: { type: 'object', properties: { addresses: list({ type: 'object', properties: { type: text, value: text } }) } },
  }),
  crd('HTTPRoute', 'httproutes', {
    spec: {
      type: 'object',
      properties: {
        hostnames: list(text),
        parentRefs: list({ type: 'object', required: ['name'], properties: { group: text, kind: text, namespace: text, name: text, sectionName: text, port: { type: 'integer' } } }),
        rules: list({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
      },
    },
  }),
];
