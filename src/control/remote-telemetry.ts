// The RPC client of the telemetry object. Its timeout is short: a page without traffic is better than a late
// one.

import { MeshError } from "../domain/model/error.ts";
import type { Snapshot, SnapshotFilter } from "../telemetry/snapshot.ts";
import type { TelemetryApi } from "../telemetry/telemetry.ts";
import { callRemote } from "./remote-mesh.ts";

/** Longer than a restart of the object, milliseconds. */
const telemetryTimeoutMs = 3_000;

/**
 * @param connect returns a new stub
 * @throws MeshError telemetry/unavailable, from each call
 */
export function remoteTelemetry(connect: () => TelemetryApi, timeoutMs = telemetryTimeoutMs): TelemetryApi {
  return {
    async snapshot(filter) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const timeout = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`no response within ${timeoutMs} ms`)), timeoutMs);
      });
      try {
        return await Promise.race([callRemote(connect, (telemetry) => telemetry.snapshot(filter)), timeout]);
      } catch (cause) {
        const message = "the telemetry object is unreachable; traffic is not affected, try again";
        throw new MeshError("telemetry/unavailable", message, { blame: "mesh", retry: "safe", cause });
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** A snapshot, or null while the telemetry object is unavailable. */
export async function snapshotOrNull(
  telemetry: TelemetryApi,
  filter: SnapshotFilter,
): Promise<Snapshot | null> {
  try {
    return await telemetry.snapshot(filter);
  } catch (error) {
    if (error instanceof MeshError && error.code === "telemetry/unavailable") return null;
    throw error;
  }
}
