import { OPERATOR_USERNAME } from '../../src/api/kinds.ts';
import type { Patch } from './cases.ts';

/** Everybody who writes in the cases. */
export const USERS = {
  operator: OPERATOR_USERNAME,
  alice: 'alice@example.com',
  bob: 'bob@example.com',
  carol: 'carol@example.com',
  robot: 'system:serviceaccount:platform-db:deployer',
} as const;
export type User = keyof typeof USERS;

/** Who has the verb `approve` on purgeruns.dataward.io. All may read and write every kind. */
export const APPROVERS: readonly User[] = ['alice', 'bob', 'robot'];

export interface AdmissionWrite {
  as: User;
  /** JSON merge patch over the object as stored, or over the accepted object on the first write. */
  patch?: Patch;
  /** Writes /status instead. */
  status?: Patch;
}

/** Writes one after the other; the first creates. All but the last are accepted. */
export interface AdmissionCase {
  name: string;
  /** `Kind/name` of an accepted object. */
  from: string;
  writes: AdmissionWrite[];
  /** Part of the message of the last write; absent: it is accepted. */
  refused?: string;
}

const DIGEST = `sha256:${'4'.repeat(64)}`;
const RUN = 'PurgeRun/unapproved';
const HOLD = 'LegalHold/everywhere';
const approval = (by: string, planDigest = DIGEST): Patch => ({ spec: { approvals: [{ by, planDigest }] } });
const release = (part: Patch): Patch => ({ spec: { release: part } });
const request = (by: string): Patch => release({ request: { by, reason: 'settled' } });
const agree = (by: string): Patch => release({ approval: { by } });

export const ADMISSION_CASES: readonly AdmissionCase[] = [
  { name: 'the operator makes a run', from: RUN, writes: [{ as: 'operator' }] },
  { name: 'a person makes a run', from: RUN, writes: [{ as: 'alice' }], refused: 'only the operator creates PurgeRuns' },
  { name: 'a service account makes a run', from: RUN, writes: [{ as: 'robot' }], refused: 'only the operator creates PurgeRuns' },
  {
    name: 'the operator brings an approval along',
    from: RUN,
    writes: [{ as: 'operator', patch: approval(USERS.alice) }],
    refused: 'a new PurgeRun carries no approvals',
  },
  {
    name: 'the operator makes a run with an empty list of approvals',
    from: RUN,
    writes: [{ as: 'operator', patch: { spec: { approvals: [] } } }],
  },
  {
    name: 'a person moves a run to another policy',
    from: RUN,
    writes: [
      { as: 'operator', patch: { metadata: { labels: { 'dataward.io/policy': 'behaviour-25-months' } } } },
      { as: 'alice', patch: { metadata: { labels: { 'dataward.io/policy': 'other' } } } },
    ],
    refused: 'which policy a PurgeRun belongs to',
  },
  {
    name: 'a person adds a label of another tool',
    from: RUN,
    writes: [{ as: 'operator' }, { as: 'carol', patch: { metadata: { labels: { 'example.com/seen': 'yes' } } } }],
  },
  {
    name: 'the operator labels a run later',
    from: RUN,
    writes: [{ as: 'operator' }, { as: 'operator', patch: { metadata: { labels: { 'dataward.io/policy': 'a' } } } }],
  },
  { name: 'an approver approves', from: RUN, writes: [{ as: 'operator' }, { as: 'alice', patch: approval(USERS.alice) }] },
  {
    name: 'an approver approves after another one',
    from: RUN,
    writes: [
      { as: 'operator' },
      { as: 'alice', patch: approval(USERS.alice) },
      { as: 'bob', patch: { spec: { approvals: [USERS.alice, USERS.bob].map((by) => ({ by, planDigest: DIGEST })) } } },
    ],
  },
  {
    name: 'an approver adds an approval in the name of another one',
    from: RUN,
    writes: [{ as: 'operator' }, { as: 'alice', patch: approval(USERS.bob) }],
    refused: `an approval is given under the own name: set by to ${USERS.alice}`,
  },
  {
    name: 'an approver adds the own approval and one in the name of another',
    from: RUN,
    writes: [
      { as: 'operator' },
      { as: 'alice', patch: { spec: { approvals: [USERS.alice, USERS.bob].map((by) => ({ by, planDigest: DIGEST })) } } },
    ],
    refused: 'an approval is given under the own name',
  },
  {
    name: 'the operator approves',
    from: RUN,
    writes: [{ as: 'operator' }, { as: 'operator', patch: approval(USERS.operator) }],
    refused: 'a service account cannot approve',
  },
  {
    name: 'the operator forges an approval',
    from: RUN,
    writes: [{ as: 'operator' }, { as: 'operator', patch: approval(USERS.alice) }],
    refused: 'an approval is given under the own name',
  },
  {
    name: 'a service account that has the verb approves',
    from: RUN,
    writes: [{ as: 'operator' }, { as: 'robot', patch: approval(USERS.robot) }],
    refused: 'a service account cannot approve',
  },
  {
    name: 'a person without the verb approves',
    from: RUN,
    writes: [{ as: 'operator' }, { as: 'carol', patch: approval(USERS.carol) }],
    refused: 'approving needs the verb approve',
  },
  {
    name: 'an approver raises the own limit afterwards',
    from: RUN,
    writes: [
      { as: 'operator' },
      { as: 'alice', patch: { spec: { approvals: [{ by: USERS.alice, planDigest: DIGEST, maxRows: 10 }] } } },
      { as: 'alice', patch: { spec: { approvals: [{ by: USERS.alice, planDigest: DIGEST, maxRows: 1000 }] } } },
    ],
    refused: 'an approval cannot be changed',
  },
  {
    name: 'an approver adds a limit to the own approval',
    from: RUN,
    writes: [
      { as: 'operator' },
      { as: 'alice', patch: approval(USERS.alice) },
      { as: 'alice', patch: { spec: { approvals: [{ by: USERS.alice, planDigest: DIGEST, maxRows: 1_000_000_000 }] } } },
    ],
  },
  {
    name: 'an approver adds a limit to the approval of another one',
    from: RUN,
    writes: [
      { as: 'operator' },
      { as: 'alice', patch: approval(USERS.alice) },
      { as: 'bob', patch: { spec: { approvals: [{ by: USERS.alice, planDigest: DIGEST, maxRows: 1_000_000_000 }] } } },
    ],
    refused: 'an approval is given under the own name',
  },
  {
    name: 'an approver approves another plan',
    from: RUN,
    writes: [{ as: 'operator' }, { as: 'alice', patch: approval(USERS.alice, `sha256:${'5'.repeat(64)}`) }],
    refused: 'an approval is for one plan',
  },

  { name: 'a person asks for a release', from: HOLD, writes: [{ as: 'alice' }, { as: 'alice', patch: request(USERS.alice) }] },
  {
    name: 'a person asks for a release in the name of another',
    from: HOLD,
    writes: [{ as: 'alice' }, { as: 'alice', patch: request(USERS.bob) }],
    refused: `a release is asked for under the own name: set release.request.by to ${USERS.alice}`,
  },
  {
    name: 'a service account asks for a release',
    from: HOLD,
    writes: [{ as: 'alice' }, { as: 'robot', patch: request(USERS.robot) }],
    refused: 'a service account cannot release a hold',
  },
  {
    name: 'another person approves a release',
    from: HOLD,
    writes: [{ as: 'alice' }, { as: 'alice', patch: request(USERS.alice) }, { as: 'bob', patch: agree(USERS.bob) }],
  },
  {
    name: 'another person approves a release in the name of a third',
    from: HOLD,
    writes: [{ as: 'alice' }, { as: 'alice', patch: request(USERS.alice) }, { as: 'bob', patch: agree(USERS.carol) }],
    refused: `a release is approved under the own name: set release.approval.by to ${USERS.bob}`,
  },
  {
    name: 'the person who asked approves in the name of another',
    from: HOLD,
    writes: [{ as: 'alice' }, { as: 'alice', patch: request(USERS.alice) }, { as: 'alice', patch: agree(USERS.bob) }],
    refused: 'a release is approved under the own name',
  },
  {
    name: 'the person who asked approves',
    from: HOLD,
    writes: [{ as: 'alice' }, { as: 'alice', patch: request(USERS.alice) }, { as: 'alice', patch: agree(USERS.alice) }],
    refused: 'a release needs two people',
  },
  {
    name: 'the operator approves a release',
    from: HOLD,
    writes: [{ as: 'alice' }, { as: 'alice', patch: request(USERS.alice) }, { as: 'operator', patch: agree(USERS.operator) }],
    refused: 'a service account cannot release a hold',
  },
  {
    name: 'a third person moves the review after a release',
    from: HOLD,
    writes: [
      { as: 'alice' },
      { as: 'alice', patch: request(USERS.alice) },
      { as: 'bob', patch: agree(USERS.bob) },
      { as: 'carol', patch: { spec: { reviewAt: '2028-01-01' } } },
    ],
  },
  {
    name: 'the operator adds its finalizer to a hold that is being released',
    from: HOLD,
    writes: [
      { as: 'alice' },
      { as: 'alice', patch: request(USERS.alice) },
      { as: 'operator', patch: { metadata: { finalizers: ['dataward.io/protect'] } } },
    ],
  },

  {
    name: 'the operator writes a status',
    from: HOLD,
    writes: [{ as: 'alice' }, { as: 'operator', status: { state: 'Active' } }],
  },
  {
    name: 'a person writes a status',
    from: HOLD,
    writes: [{ as: 'alice' }, { as: 'alice', status: { state: 'Active' } }],
    refused: 'only the operator writes status',
  },
  {
    name: 'a service account writes a status',
    from: 'DataStore/orders',
    writes: [{ as: 'alice' }, { as: 'robot', status: { coverage: { unclassified: 0 } } }],
    refused: 'only the operator writes status',
  },

  { name: 'a policy reaches out of the root namespace', from: 'RetentionPolicy/client-a', writes: [{ as: 'alice', patch: { metadata: { namespace: 'dataward-system' } } }] },
  {
    name: 'a policy reaches out of another namespace',
    from: 'RetentionPolicy/client-a',
    writes: [{ as: 'alice' }],
    refused: 'namespaceSelector is accepted in the namespace dataward-system only',
  },
  {
    name: 'a policy is made to reach out of another namespace later',
    from: 'RetentionPolicy/visitors',
    writes: [{ as: 'alice' }, { as: 'alice', patch: { spec: { namespaceSelector: { all: {} } } } }],
    refused: 'namespaceSelector is accepted in the namespace dataward-system only',
  },
  {
    name: 'a hold reaches out of another namespace',
    from: 'LegalHold/everything',
    writes: [{ as: 'alice', patch: { metadata: { namespace: 'platform-db' } } }],
    refused: 'namespaceSelector is accepted in the namespace dataward-system only',
  },
];
