import { describe, expect, test } from '@jest/globals';
import { StatusError } from '../../../src/local/errors.ts';
import { decodeReview } from '../../../src/local/review-protobuf.ts';
import { fc } from '../../support/properties.ts';

/** One length-delimited field. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  const size = bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...size]), bytes]);
}

const MAGIC = Buffer.from('k8s\0', 'latin1');
const TYPE = field(1, Buffer.concat([field(1, 'authorization.k8s.io/v1'), field(2, 'SelfSubjectAccessReview')]));

describe('a review in protobuf', () => {
  test('is read: what is asked, and nothing of the fields that do not matter', () => {
    const attributes = Buffer.concat([field(1, 'shop'), field(2, 'approve'), field(3, 'dataward.io'), field(5, 'purgeruns'), field(7, 'x'.repeat(200))]);
    const raw = Buffer.concat([field(1, field(1, 'metadata')), field(2, field(1, attributes)), Buffer.from([0x18, 0x96, 0x01])]);
    expect(decodeReview(Buffer.concat([MAGIC, TYPE, field(2, raw), field(3, ''), field(4, '')]))).toEqual({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace: 'shop', verb: 'approve', group: 'dataward.io', resource: 'purgeruns', name: 'x'.repeat(200) } },
    });
  });

  test('any other bytes are refused or read as nothing, and never end in another error', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, framed) => {
      const body = framed ? Buffer.concat([MAGIC, bytes]) : Buffer.from(bytes);
      let outcome: unknown;
      try {
        outcome = decodeReview(body);
      } catch (error) {
        outcome = error instanceof StatusError ? error.code : error;
      }
      expect(typeof outcome === 'object' ? 400 : outcome).toBe(400);
      expect(outcome).not.toBeInstanceOf(Error);
    }));
  });
});
