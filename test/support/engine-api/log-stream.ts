// GET /services/ID/logs and /tasks/ID/logs: frames of a stream byte, three zeros, a length and one line each. The
// tour asks for details and timestamps.

import type { ApiMinor } from "./values.ts";

const line =
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z com\.docker\.swarm\.node\.id=[0-9a-z]{25},com\.docker\.swarm\.service\.id=[0-9a-z]{25},com\.docker\.swarm\.task\.id=[0-9a-z]{25} .*\n$/;

/** What is wrong with the logs of tasks without a terminal. */
export function logFaults(bytes: Buffer, contentType: string | null, minor: ApiMinor): readonly string[] {
  // A dockerd before 23.0 sends none.
  const types =
    minor < 42 ? [null, "application/vnd.docker.raw-stream"] : ["application/vnd.docker.multiplexed-stream"];
  const faults = types.includes(contentType) ? [] : [`Content-Type is ${contentType}`];
  for (let at = 0; at < bytes.length; ) {
    const header = bytes.subarray(at, at + 8);
    if (header.length < 8 || ![1, 2].includes(header[0] ?? 0) || header.readUIntBE(1, 3) !== 0)
      return [...faults, `no header of a frame at byte ${at}`];
    const end = at + 8 + header.readUInt32BE(4);
    const text = bytes.subarray(at + 8, end).toString();
    if (end > bytes.length || !line.test(text))
      faults.push(`expected a time, three ids and a line, read ${JSON.stringify(text)}`);
    at = end;
  }
  return faults;
}
