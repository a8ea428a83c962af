// The text of header values. A header is bytes; the runtime reads them as UTF-8.

/** True if a value read from Headers has no character in place of bytes that are not UTF-8. */
export function isUtf8(value: string): boolean {
  return !value.includes("\ufffd");
}
