/** What a user can fix, in one sentence: shown as it is. Anything else is a defect of the page. */
export class ScanError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "ScanError";
  }
}
