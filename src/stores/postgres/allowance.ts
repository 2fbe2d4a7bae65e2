/** Rows a step may still delete, shared by its workers: what one has reserved another cannot take. */
export class Allowance {
  private left: number;

  constructor(rows: number) {
    this.left = rows;
  }

  covers(rows: number): boolean {
    return rows <= this.left;
  }

  /** @returns false when there is not enough left */
  reserve(rows: number): boolean {
    if (!this.covers(rows)) return false;
    this.left -= rows;
    return true;
  }

  refund(rows: number): void {
    this.left += rows;
  }
}
