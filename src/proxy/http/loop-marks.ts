// Loop marks: the services that a request has passed, by which a request that comes back is recognized.

/**
 * The header with the loop marks. Tasks that send requests to the mesh pass it on, as they pass Via, which it
 * replaces because servers such as nginx do not compress responses to a request with Via. A client that sends
 * the mark of a service only loses that service.
 *
 * @see docs/decisions/0063-loop-mark.md
 */
export const loopHeader = "x-waggle-loop";

/** The marks in a value of the header: `my-web.waggle, api.waggle`; empty for null. */
export function readLoopMarks(header: string | null): readonly string[] {
  return header === null ? [] : header.split(",").map((mark) => mark.trim());
}
