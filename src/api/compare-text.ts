/**
 * Orders texts by their UTF-16 units, the same in every locale. What is hashed or signed is put in this order: an order
 * that follows the locale of a process would let the same declarations have another digest on another machine.
 */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
