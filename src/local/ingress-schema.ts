import { topLevel } from './core-schemas.ts';
import { integer, list, record, text } from './schema.ts';

const BACKEND = record(
  {
    service: record(
      {
        name: text('Name of the Service, in the namespace of the Ingress.'),
        port: record({ name: text('Name of the port; not beside number.'), number: integer('Number of the port; not beside name.') }, 'The port of the Service.'),
      },
      'The Service that answers; not beside resource.',
      ['name'],
    ),
    resource: record(
      { apiGroup: text('Group of the kind.'), kind: text('Kind of the object.'), name: text('Name of the object.') },
      'The object that answers; not beside service.',
      ['kind', 'name'],
    ),
  },
  'Who answers.',
);

const PATH = record(
  { path: text('Where the paths it is for begin, or the path itself.'), pathType: text('Exact, Prefix or ImplementationSpecific.'), backend: BACKEND },
  'Requests to some paths.',
  ['pathType', 'backend'],
);

const RULE = record(
  { host: text('Host of the requests; *. in front stands for one label. Absent: any host.'), http: record({ paths: list(PATH, 'Paths, the most exact one counts.') }, 'Where its requests go.', ['paths']) },
  'Requests to one host.',
);

const TLS = record(
  { hosts: list({ type: 'string' }, 'Hosts of the certificate; none: what the controller makes of it.'), secretName: text('Secret with the certificate.') },
  'TLS for some hosts.',
);

const ADDRESS = record(
  {
    ip: text('IP address of the load balancer.'),
    hostname: text('Name of the load balancer.'),
    ports: list(
      record({ port: integer('Number of the port.'), protocol: text('TCP, UDP or SCTP.'), error: text('Why the port does not work.') }, 'One port.', ['port', 'protocol']),
      'Ports of the load balancer.',
    ),
  },
  'A point of the load balancer.',
);

/** networking.k8s.io/v1 Ingress. */
export const INGRESS_SCHEMA = topLevel(
  {
    spec: record(
      {
        ingressClassName: text('The IngressClass whose controller takes care of it.'),
        defaultBackend: BACKEND,
        tls: list(TLS, 'TLS, by host.'),
        rules: list(RULE, 'Rules, by host.'),
      },
      'What is let in.',
    ),
    status: record({ loadBalancer: record({ ingress: list(ADDRESS, 'Where it is reached.') }, 'The load balancer in front.') }, 'What its controller says of it.'),
  },
  'An Ingress: HTTP from outside to Services.',
);
