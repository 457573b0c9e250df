/** What a user can fix, in one sentence: shown as it is. Anything else is a defect of the page. */
export class ScanError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "ScanError";
  }
}

/** A scan that is too large for the page; the command to use instead follows the sentence. */
export class TooLargeError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "TooLargeError";
  }
}
