// Loop marks: the services that a request has passed, by which a request that comes back is recognized. Tasks
// that send requests to the mesh pass their header on, as they pass Via, which it replaces because servers such
// as nginx do not compress responses to a request with Via. A client that sends the mark of a service only loses
// that service (docs/decisions/0063-loop-mark.md).

export { loopHeader } from "../../gateway/attempt.ts";

/** The marks in a value of the header: `my-web.waggle, api.waggle`; empty for null. */
export function readLoopMarks(header: string | null): readonly string[] {
  return header === null ? [] : header.split(",").map((mark) => mark.trim());
}
