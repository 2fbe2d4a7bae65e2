/** Policies count in whole seconds; everybody else in milliseconds or RFC 3339. */
export const seconds = (millis: number): number => Math.floor(millis / 1000);

/** Seconds of an RFC 3339 instant; undefined for none, or one that cannot be read. */
export function instant(text: string | undefined): number | undefined {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : seconds(at);
}
