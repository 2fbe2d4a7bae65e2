/** A small kind of the tests' own, with everything the table of requests asks about. */
export const WIDGET_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.test.dataward.io', annotations: { 'api-approved.kubernetes.io': 'unapproved, test only' } },
  spec: {
    group: 'test.dataward.io',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList', shortNames: ['wid'], categories: ['testparts'] },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
          { name: 'Parts', type: 'string', jsonPath: '.spec.parts', priority: 1 },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'A widget for tests.',
            required: ['spec'],
            properties: {
              apiVersion: { type: 'string', description: 'Version of the form.' },
              kind: { type: 'string', description: 'Kind of the object.' },
              metadata: { type: 'object' },
              spec: {
                type: 'object',
                description: 'What is wanted.',
                required: ['size'],
                'x-kubernetes-validations': [{ rule: 'self.colour == oldSelf.colour', message: 'colour cannot be changed' }],
                properties: {
                  size: { type: 'integer', minimum: 1, maximum: 100, description: 'How large it is.' },
                  colour: { type: 'string', enum: ['Red', 'Green'], default: 'Red', description: 'How it looks.' },
                  note: { type: 'string', maxLength: 10, description: 'For people.' },
                  parts: {
                    type: 'array',
                    maxItems: 5,
                    description: 'What it is made of.',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    items: {
                      type: 'object',
                      description: 'One part.',
                      required: ['name'],
                      properties: { name: { type: 'string', maxLength: 20, description: 'What it is called.' }, count: { type: 'integer', description: 'How many.' } },
                    },
                  },
                },
              },
              status: {
                type: 'object',
                description: 'What is seen.',
                properties: {
                  conditions: {
                    type: 'array',
                    maxItems: 5,
                    description: 'One entry for each thing seen.',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['type'],
                    items: {
                      type: 'object',
                      description: 'One thing seen.',
                      required: ['type', 'status'],
                      properties: { type: { type: 'string', description: 'What.' }, status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'Whether.' } },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
} as const;
