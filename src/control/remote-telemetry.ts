// The telemetry object at the other end of RPC. Nobody waits for it long: what it knows is worth less than an answer.

import { MeshError } from "../domain/model/error.ts";
import type { Snapshot, SnapshotFilter } from "../telemetry/snapshot.ts";
import type { TelemetryApi } from "../telemetry/telemetry.ts";
import { callRemote } from "./remote-mesh.ts";

/** Longer than a restart of the object takes, milliseconds. */
const telemetryTimeoutMs = 3_000;

/** @param connect a new stub */
export function remoteTelemetry(connect: () => TelemetryApi, waitMs = telemetryTimeoutMs): TelemetryApi {
  return {
    async snapshot(filter) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${waitMs} ms`)), waitMs);
      });
      try {
        return await Promise.race([callRemote(connect, (telemetry) => telemetry.snapshot(filter)), late]);
      } catch (cause) {
        const message = "the telemetry object is out of reach; traffic is not affected, try again";
        throw new MeshError("telemetry/unavailable", message, { blame: "mesh", retry: "safe", cause });
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Null while it cannot be had, for who has more to tell. */
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
